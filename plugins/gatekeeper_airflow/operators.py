"""The registry's acts as operators, for DAGs of your own: register, promote, migrate naming, check the primary."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from airflow.sdk import BaseOperator

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook


class _RegistryOperator(BaseOperator):
    """At the registry of `desk` (None: the default one), by its connection or the one that is named."""

    def __init__(self, *, gatekeeper_conn_id: str | None = None, desk: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.gatekeeper_conn_id = gatekeeper_conn_id
        self.desk = desk

    @property
    def hook(self) -> RegistryHook:
        return RegistryHook(self.gatekeeper_conn_id, self.desk)


class RegisterModelOperator(_RegistryOperator):
    """Verifies the ONNX file at `path` and takes a copy of it in; returns its id, version and sha256.

    `run_key` makes it idempotent: the same key and bytes are the same row. By default the run's id is the key.
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
        """Registers."""
        with final_faults(), self.hook.get_conn() as registry:
            model = registry.register(self.path, note=self.note, run_key=self.run_key, threshold=self.threshold)
        self.log.info("model %s is %s, sha256 %s", model.id, model.version, model.sha256)
        return {"model_id": model.id, "version": model.version, "sha256": model.sha256}


class PromoteModelOperator(_RegistryOperator):
    """Makes the model `model_id` the primary, marked `manual`; changes nothing where it is the primary already.

    `run_key` makes it idempotent: cleared long after, when another model is the primary, it brings nothing back. By
    default the task of this run is the key.
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
        """Promotes."""
        with final_faults(), self.hook.get_conn() as registry:
            promotion = registry.promote(
                int(self.model_id), actor=self.actor, reason=self.reason, run_key=self.run_key, now=datetime.now(UTC)
            )
            model = registry.model(int(self.model_id))
        self.log.info("%s, promoted in generation %s", model.version, promotion.generation)
        return {"model_id": model.id, "version": model.version, "generation": promotion.generation}


class MigrateNamingOperator(_RegistryOperator):
    """Brings every name to the convention; `dry_run` only logs the plan. Returns how many rows change or would."""

    template_fields: Sequence[str] = ("primary",)

    def __init__(self, *, dry_run: bool = False, primary: int | str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dry_run = dry_run
        self.primary = primary

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Migrates."""
        chosen = None if self.primary in (None, "") else int(str(self.primary))
        with final_faults(), self.hook.get_conn() as registry:
            plan = registry.migrate_naming(
                dry_run=self.dry_run, primary=chosen, actor="airflow", reason="names brought to the convention"
            )
        for step in plan.steps:
            self.log.info(
                "id %s: %s becomes %s%s",
                step.model_id,
                step.old_version,
                step.new_version,
                f" ({step.mark})" if step.mark else "",
            )
        return {"steps": len(plan.steps), "dry_run": self.dry_run}


class CheckPrimaryOperator(_RegistryOperator):
    """Loads what a server would: the primary or, behind it, the order of trust. Returns who answers.

    Fails where no model may answer, and, unless `allow_degraded`, where a fallback does.
    """

    def __init__(self, *, allow_degraded: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.allow_degraded = allow_degraded

    def execute(self, context: Any) -> dict[str, Any]:  # noqa: ARG002  # Airflow's signature
        """Checks."""
        from gatekeeper.errors import NoModel
        from gatekeeper.serving import load

        with final_faults(), self.hook.get_conn() as registry:
            loaded = load(registry)
            if loaded.degraded and not self.allow_degraded:
                raise NoModel(
                    f"the primary can't answer, {loaded.model.version} would instead: {loaded.reason}; "
                    "promote another, or put the primary's file back"
                )
        self.log.info("%s answers, step %s of the order of trust", loaded.model.version, loaded.step)
        return {
            "version": loaded.model.version,
            "sha256": loaded.scorer.sha256,
            "step": loaded.step,
            "degraded": loaded.degraded,
            "reason": loaded.reason,
        }
