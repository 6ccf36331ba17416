"""Alarms of failed tasks. Light to import: DAG files use `on_failure` while Airflow parses them."""

from collections.abc import Callable
from typing import Any

from gatekeeper.logs import logger

log = logger("gatekeeper")


def on_failure(desk: str | None = None) -> Callable[[Any], None]:
    """A failure callback for the tasks of this desk: sends the alarm `stale_feed` for stale data, else `failed`.

    Airflow calls it in the task's process when a task fails for good; an error in it changes no state.
    """

    def callback(context: Any) -> None:
        tell(context, desk)

    return callback


def tell(context: Any, desk: str | None) -> None:
    """Send the alarm of the task in `context`, once for each try."""
    from gatekeeper import config
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.pipeline import alarms
    from gatekeeper.registry import Registry
    from gatekeeper_airflow.hook import RegistryHook

    task = context["task_instance"]
    fault = context.get("exception")
    cause = getattr(fault, "__context__", None)  # `final_faults` wraps Gatekeeper's refusals
    shown = cause if isinstance(cause, GatekeeperError) else fault
    if not isinstance(shown, BaseException):
        shown = RuntimeError(str(shown or "The task ended without an error message. See its log."))
    key = f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.try_number}"
    alarm = alarms.of_fault(shown, key, f"task {task.task_id} of {task.dag_id}, run {task.run_id},")
    try:
        settings = RegistryHook(desk=desk).settings()
        registry = Registry.configured(settings)
    except GatekeeperError as refusal:
        log.warning("The alarm %s is sent without the registry, which can't be opened: %s", key, refusal)
        alarms.tell(config.alarms_alone(desk), None, alarm)
        return
    with registry:
        alarms.tell(settings, registry, alarm)
