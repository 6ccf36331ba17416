"""DAGs of desks: one for each desk that can run; a mistake in one desk leaves the others' DAGs standing.

Airflow takes all DAGs of a file away if the file has an import error. So these files skip a desk that can't run, and
`desks_at_fault.py`, a file without DAGs, is the one with the import error.
"""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

from airflow.sdk import DAG, get_parsing_context

if TYPE_CHECKING:
    from gatekeeper.desks import Desk
    from gatekeeper.settings import Settings

log = logging.getLogger("gatekeeper")


def of_every_desk(act: str, make: "Callable[[Desk, Settings], DAG]") -> dict[str, DAG]:
    """The DAG for `act` of each desk that can run, by id; while a task runs, only the DAG that it is of.

    Raises ConfigError if no desk can run, if the file can't be read, or if the task's own desk can't run.
    """
    from gatekeeper import config

    only = get_parsing_context().dag_id
    standing = config.standing_desks()
    for desk in config.desks():
        if desk.name in standing.faults:
            log.error("%s is left out: %s", desk.dag_id(act), standing.faults[desk.name])
            if only == desk.dag_id(act):
                raise standing.faults[desk.name]
    if not standing.ready:
        standing.refuse_faults()
    return {
        desk.dag_id(act): make(desk, settings) for desk, settings in standing.ready if only in (None, desk.dag_id(act))
    }


def refuse_faulty_desks() -> None:
    """Raise ConfigError that says of each desk that can't run what is wrong with it."""
    from gatekeeper import config

    if get_parsing_context().dag_id is None:
        config.standing_desks().refuse_faults()
