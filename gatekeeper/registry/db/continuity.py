"""Continuity: whether the database is still the one that this process began with.

A restored backup shows by its epoch, which `gatekeeper db restore` makes anew: then the process follows. A generation
that went back without it shows a file that was replaced in another way: then nothing may be written any more.
"""

from threading import Lock

from sqlalchemy import select

from gatekeeper.errors import RegistryReplaced, SchemaOutOfDate
from gatekeeper.logs import logger
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.faults import UPGRADE, replaced
from gatekeeper.registry.db.tables import lock

log = logger(__name__)

_STATE = select(lock.c.generation, lock.c.epoch).where(lock.c.id == 1)


class Continuity:
    """Compares generation and epoch at each look with those of the look before. Threads may share one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._seen: tuple[int, str | None] | None = None
        self._why: str | None = None

    def look(self) -> int:
        """The generation now. Raises RegistryReplaced, again at each look until the registry is restored."""
        with self._lock:
            with self._database.glance() as connection:
                row = connection.execute(_STATE).first()
            if row is None:
                raise SchemaOutOfDate(f"The registry {self._database.name} has no lock row. {UPGRADE}")
            generation, epoch = row
            if self._seen is not None:
                self._compare(generation, epoch, *self._seen)
            self.refuse_replaced()
            self._seen = generation, epoch
            return int(generation)

    def refuse_replaced(self) -> None:
        """Raise RegistryReplaced if the last look found that the database was replaced. Makes no query."""
        if self._why is not None:
            raise RegistryReplaced(self._why)

    def _compare(self, generation: int, epoch: str | None, before: int, known: str | None) -> None:
        name = self._database.name
        if epoch != known:
            self._why = None
            log.error(
                "The registry %s was restored from a backup: generation %d follows %d. Going on with the restored one.",
                name,
                generation,
                before,
            )
        elif generation < before:
            text = f"its generation went back from {before} to {generation}"
            if self._database.dialect.one_file:
                self._why = replaced(name, text)
            else:  # a failover to a server that had not heard of the last promotions yet
                log.error("The registry %s lost promotions: %s. Going on with it.", name, text)
