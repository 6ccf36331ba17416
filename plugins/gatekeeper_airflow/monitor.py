"""Monitor task: checks a desk's primary as of the run."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook
from gatekeeper_airflow.weekly import as_of

if TYPE_CHECKING:
    from gatekeeper.documents.serialization import JsonObject

from gatekeeper.logs import logger

log = logger("gatekeeper")


def check(context: Mapping[str, Any], desk: str | None) -> "JsonObject":
    """Check the desk's primary with the data known by the run's as-of. Raises ConfigError for an unknown parameter."""
    from gatekeeper.documents import step_output
    from gatekeeper.errors import ConfigError
    from gatekeeper.pipeline.monitoring import monitor
    from gatekeeper.registry import Registry

    with final_faults():
        if unknown := sorted(set(context["dag_run"].conf or {}) - {"as_of"}):
            raise ConfigError(f"The run's conf has the unknown parameter {', '.join(unknown)}. It takes as_of.")
        settings = RegistryHook(desk=desk).settings()
        with Registry.configured(settings) as registry:
            done = monitor.monitor(as_of(context), registry, settings, now=datetime.now(UTC))
    for line in done.summary.split("; "):
        log.info("%s", line)
    return step_output.written(done.output)
