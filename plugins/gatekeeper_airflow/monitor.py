"""How does the primary do, as of a task's run?"""

import logging
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gatekeeper_airflow.faults import final_faults
from gatekeeper_airflow.hook import RegistryHook
from gatekeeper_airflow.weekly import as_of

if TYPE_CHECKING:
    from gatekeeper.documents.serialization import JsonObject

log = logging.getLogger("gatekeeper")


def look(context: Mapping[str, Any], desk: str | None) -> "JsonObject":
    """One look at the desk's primary, with what was known by the run's as-of. Keys that the form lacks fail it."""
    from gatekeeper.documents import step_output
    from gatekeeper.errors import ConfigError
    from gatekeeper.pipeline.monitoring import monitor
    from gatekeeper.registry import Registry

    with final_faults():
        if unknown := sorted(set(context["dag_run"].conf or {}) - {"as_of"}):
            raise ConfigError(f"unknown parameter {', '.join(unknown)} in the run's conf; it takes as_of")
        settings = RegistryHook(desk=desk).settings()
        with Registry.configured(settings) as registry:
            done = monitor.monitor(as_of(context), registry, settings, now=datetime.now(UTC))
    for line in done.summary.split("; "):
        log.info("%s", line)
    return step_output.written(done.output)
