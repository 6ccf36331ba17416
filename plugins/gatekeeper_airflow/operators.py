"""Operators for your own DAGs: register a model, promote, migrate naming, check the primary."""

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowFailException

from gatekeeper.logs import logger
from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook

log = logger("gatekeeper")


class _RegistryOperator(BaseOperator):
    """Base class: works on the registry of `desk` (None: the default desk), by its connection or the named one."""

    def __init__(self, *, gatekeeper_conn_id: str | None = None, desk: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gatekeeper_conn_id = gatekeeper_conn_id
        self.desk = desk

    def render_template_fields(self, context: Any, jinja_env: Any = None) -> None:
        """Render the templates; one that finds no XCom, or another than it expects, fails at once in one sentence."""
        from jinja2 import TemplateError

        try:
            super().render_template_fields(context, jinja_env)
        except (TemplateError, KeyError, TypeError, AttributeError, IndexError) as fault:
            raise AirflowFailException(
                f"A template of {', '.join(self.template_fields)} can't be rendered ({fault}): a task before was "
                "marked as success by hand, or its XCom is missing or another. Clear it, with all tasks after it."
            ) from None

    @property
    def hook(self) -> RegistryHook:
        return RegistryHook(self.gatekeeper_conn_id, self.desk)


class RegisterModelOperator(_RegistryOperator):
    """Verify the ONNX file at `path` and register a copy; returns its id, version and sha256.

    `run_key` makes it idempotent: the same key and bytes give the same row. It defaults to the run's id.
    """

    template_fields: Sequence[str] = ("path", "note", "run_key")

    def __init__(
        self,
        *,
        path: str,
        note: str | None = None,
        run_key: str = "{{ dag.dag_id }}/{{ run_id }}",
        threshold: float | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.path = path
        self.note = note
        self.run_key = run_key
        self.threshold = threshold

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Register the model."""
        with final_faults(), self.hook.get_conn() as registry:
            model = registry.register(self.path, note=self.note, run_key=self.run_key, threshold=self.threshold)
        log.info("Registered model %s as %s, sha256 %s", model.id, model.version, model.sha256)
        return {"model_id": model.id, "version": model.version, "sha256": model.sha256}


class PromoteModelOperator(_RegistryOperator):
    """Make the model `model_id` the primary, with the kind `manual`; changes nothing if it is the primary already.

    `run_key` makes it idempotent: a task that is cleared later does not promote again over a newer primary, and fails
    if its model or reason was edited since. It defaults to the task of this run.
    """

    template_fields: Sequence[str] = ("model_id", "reason", "run_key")

    def __init__(
        self,
        *,
        model_id: int | str,
        reason: str,
        actor: str = "airflow",
        run_key: str = "{{ dag.dag_id }}/{{ run_id }}/{{ task.task_id }}",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.run_key = run_key
        self.model_id = model_id
        self.reason = reason
        self.actor = actor

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Promote the model."""
        with final_faults(), self.hook.get_conn() as registry:
            model_id = _model_id(self.model_id)
            promotion = registry.promote(model_id, actor=self.actor, reason=self.reason, run_key=self.run_key)
            model = registry.model(model_id)
            already = f"model {model.id} was the primary already"
            effect = registry.effect(promotion if promotion.run_key == self.run_key else None, already)
        log.info("%s", effect)
        return {"model_id": model.id, "version": model.version, "generation": promotion.generation}


class MigrateNamingOperator(_RegistryOperator):
    """Rename rows and files to the convention; `dry_run` only logs the plan. Returns the number of changed rows."""

    template_fields: Sequence[str] = ("primary",)

    def __init__(self, *, dry_run: bool = False, primary: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run
        self.primary = primary

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Migrate the names."""
        with final_faults(), self.hook.get_conn() as registry:
            chosen = None if self.primary in (None, "") else _model_id(self.primary)
            plan = registry.migrate_naming(
                dry_run=self.dry_run, primary=chosen, actor="airflow", reason="names brought to the convention"
            )
        for step in plan.steps:
            log.info(
                "Model %s: %s becomes %s%s",
                step.model_id,
                step.old_version,
                step.new_version,
                f" ({step.mark})" if step.mark else "",
            )
        return {"steps": len(plan.steps), "dry_run": self.dry_run}


class CheckPrimaryOperator(_RegistryOperator):
    """Load the model that a server would load: the primary, else the next in the order of trust. Returns it.

    Fails if no model may answer, or, unless `allow_degraded`, if another model than the primary would.
    """

    def __init__(self, *, allow_degraded: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_degraded = allow_degraded

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Check the primary."""
        from gatekeeper.errors import NoModel
        from gatekeeper.serving import load

        with final_faults(), self.hook.get_conn() as registry:
            loaded = load(registry)
            if loaded.degraded and not self.allow_degraded:
                raise NoModel(
                    f"The primary can't be loaded, so {loaded.model.version} ({loaded.fallback}) would answer. "
                    f"{loaded.reason} Restore the primary's file, or promote another model."
                )
        log.info("%s answers (%s)", loaded.model.version, loaded.fallback)
        return {
            "version": loaded.model.version,
            "sha256": loaded.scorer.sha256,
            "fallback": loaded.fallback,
            "degraded": loaded.degraded,
            "reason": loaded.reason,
        }


def _model_id(given: object) -> int:
    """The id that a template gave. Raises ConfigError for anything else, such as None of a missing XCom."""
    from gatekeeper.errors import ConfigError

    try:
        return int(str(given))
    except ValueError:
        raise ConfigError(
            f"{given!r} is not a model id. If it comes from a task before, that one was marked as success by hand, or "
            "its XCom is missing or another: clear that task, with all tasks after it. `gatekeeper list` shows the ids."
        ) from None
