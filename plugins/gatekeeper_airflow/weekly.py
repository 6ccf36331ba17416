"""Which look is this task part of? The as-of and the parameters of a run, from a task's context."""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook

if TYPE_CHECKING:
    from gatekeeper.pipeline import Run

log = logging.getLogger("gatekeeper")


def as_of(context: Mapping[str, Any]) -> datetime:
    """The as-of that was given with the run, else the end of its data interval, else (a manual run without a logical
    date) the moment it was due.

    Given is what stands in the run's conf: the form's prefilled value counts only where someone sent the form.
    """
    from gatekeeper.pipeline import parse_as_of

    run = context["dag_run"]
    given = (run.conf or {}).get("as_of")
    if given:
        return parse_as_of(str(given))
    return (run.data_interval_end or run.run_after).astimezone(UTC)


def look(context: Mapping[str, Any]) -> "Run":
    """The run of this task's context. Keys that the form doesn't know fail it, and so does an as-of that can't be."""
    from gatekeeper import pipeline
    from gatekeeper.errors import ConfigError

    unknown = sorted(set(context["dag_run"].conf or {}) - {"as_of", *pipeline.PARAMETERS})
    if unknown:
        raise ConfigError(
            f"unknown parameter {', '.join(unknown)} in the run's conf; "
            f"it takes as_of, {', '.join(pipeline.PARAMETERS)}"
        )
    parameters = {name: value for name, value in dict(context["params"]).items() if name != "as_of"}
    return pipeline.start(
        as_of(context),
        now=datetime.now(UTC),
        settings=RegistryHook().settings(),
        parameters=parameters,
        actor="airflow",
    )


def step(name: str, handed: dict[str, Any] | None = None) -> dict[str, Any]:
    """Runs one weekly step in the task that calls this, and says in the task's log what came of it."""
    from airflow.sdk import get_current_context

    from gatekeeper import pipeline
    from gatekeeper.registry import Registry

    with final_faults():
        run = look(get_current_context())
        with Registry.configured(run.settings) as registry:
            result = pipeline.STEPS[name](run, registry, handed or {})
    log.info("%s", result["summary"])
    return result
