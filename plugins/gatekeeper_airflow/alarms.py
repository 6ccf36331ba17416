"""Who hears of a task that failed? Light to import: DAG files name `on_failure` while Airflow parses them."""

import logging
from collections.abc import Callable
from typing import Any

log = logging.getLogger("gatekeeper")


def on_failure(desk: str | None = None) -> Callable[[Any], None]:
    """A callback for the tasks of this desk: `stale_feed` where the source was too old, else `failed`.

    Airflow calls it where a task fails for good, in the task's own process; what goes wrong in it changes no state.
    """

    def callback(context: Any) -> None:
        tell(context, desk)

    return callback


def tell(context: Any, desk: str | None) -> None:
    """Sends the alarm of the task in `context`, once for each of its tries."""
    from gatekeeper.errors import GatekeeperError
    from gatekeeper.pipeline import alarms
    from gatekeeper.registry import Registry
    from gatekeeper_airflow.hook import RegistryHook

    task = context["task_instance"]
    fault = context.get("exception")
    cause = getattr(fault, "__context__", None)  # `final_faults` wraps what Gatekeeper refused
    shown = cause if isinstance(cause, GatekeeperError) else fault
    if not isinstance(shown, BaseException):
        shown = RuntimeError(str(shown or "the task ended without a word; its log may say more"))
    key = f"{task.dag_id}/{task.run_id}/{task.task_id}/{task.try_number}"
    alarm = alarms.of_fault(shown, key, f"task {task.task_id} of {task.dag_id}, run {task.run_id},")
    settings = RegistryHook(desk=desk).settings()
    try:
        registry = Registry.configured(settings)
    except GatekeeperError as away:
        log.warning("the alarm goes out without the registry: %s", away)
        alarms.tell(settings, None, alarm)
        return
    with registry:
        alarms.tell(settings, registry, alarm)
