"""Continuity: whether the database is still the one that this process began with.

A restored backup shows by its epoch, which `gatekeeper db restore` makes anew: then the process follows. A generation
or a count of rows that went back without it shows a file that was replaced in another way: then nothing may be written
any more.
"""

import json
import os
import sqlite3
import time
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from threading import Lock
from typing import NamedTuple
from urllib.parse import quote

from sqlalchemy import select, text

from gatekeeper.errors import RegistryReplaced, SchemaOutOfDate
from gatekeeper.logs import logger
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.db.faults import UPGRADE, replaced
from gatekeeper.registry.db.tables import lock
from gatekeeper.registry.db.url import sqlite_file

log = logger(__name__)

SETTLED_SECONDS = 1.0  # after its last write, a file is in no checkpoint any more

_ON_SERVER = select(lock.c.generation, lock.c.epoch, text("0"), text("'{}'")).where(lock.c.id == 1)
_IN_FILE = (  # other tools' tables may lie in the file too, and theirs may be emptied
    "SELECT generation, epoch, (SELECT schema_version FROM pragma_schema_version), "
    "(SELECT json_group_object(name, seq) FROM sqlite_sequence WHERE typeof(seq) = 'integer' "
    "AND (name COLLATE NOCASE IN ('RLModel', 'RLDataset') OR name GLOB 'gatekeeper_*')) "
    "FROM gatekeeper_lock WHERE id = 1"
)


class _State(NamedTuple):
    """The facts that only grow while the epoch stays. counts: of each table, how many ids were ever given.

    schema: the number of the schema's changes. A table that is rebuilt counts its ids anew, from its newest row.
    """

    generation: int
    epoch: str | None
    schema: int
    counts: Mapping[str, int]

    @classmethod
    def of(cls, generation: int, epoch: str | None, schema: int, counts: str) -> "_State":
        return cls(generation, epoch, schema, json.loads(counts))

    def went_back(self, before: "_State") -> str | None:
        """What is less than `before`; None if nothing is."""
        if self.generation < before.generation:
            return f"its generation went back from {before.generation} to {self.generation}"
        if self.schema > before.schema:
            return None
        for name, count in self.counts.items():
            if count < before.counts.get(name, 0):
                return f"the newest id of {name} went back from {before.counts[name]} to {count}"
        return None


class _File:
    """State of the main file by itself, without the write-ahead log.

    A connection sees a file that was copied over only once it reads a page again, so it may never see it. Each
    checkpoint brings the main file further; a copy of an older one takes it back.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._journal = path.with_name(f"{path.name}-journal")
        self._stamp: tuple[int, int] | None = None
        self._seen: _State | None = None

    def went_back(self) -> str | None:
        """What is less than at the last look; None if nothing is, or the file is being written."""
        try:
            status = os.stat(self._path)  # noqa: PTH116  # at each look: pathlib's takes twice as long
            stamp = status.st_mtime_ns, status.st_size
            if stamp == self._stamp or abs(time.time() - status.st_mtime) < SETTLED_SECONDS:
                return None
            place = f"file:{quote(os.fsencode(self._path))}?immutable=1"
            with closing(sqlite3.connect(place, uri=True)) as connection:
                row = connection.execute(_IN_FILE).fetchone()
            status = os.stat(self._path)  # noqa: PTH116  # as above
            if stamp != (status.st_mtime_ns, status.st_size) or self._journal.exists():
                return None  # pages of two states, or of a transaction that may be undone
        except (OSError, sqlite3.Error):  # the file is gone, or its tables are in the log yet: others tell it
            return None
        self._stamp, before = stamp, self._seen
        if row is None:
            return None
        self._seen = now = _State.of(*row)
        return now.went_back(before) if before is not None and before.epoch == now.epoch else None


class Continuity:
    """Compares generation, counts and epoch at each look with those of the look before. Threads may share one."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = Lock()
        self._seen: _State | None = None
        self._why: str | None = None
        one_file = database.dialect.one_file
        self._file = _File(sqlite_file(database.engine.url)) if one_file else None
        self._state = text(_IN_FILE) if one_file else _ON_SERVER

    def look(self) -> int:
        """The generation now. Raises RegistryReplaced, again at each look until the registry is restored."""
        with self._lock:
            with self._database.glance() as connection:
                row = connection.execute(self._state).first()
            if row is None:
                raise SchemaOutOfDate(f"The registry {self._database.name} has no lock row. {UPGRADE}")
            now = _State.of(*row)
            if self._seen is not None:
                self._compare(now, self._seen)
            if self._file is not None and (what := self._file.went_back()) and self._why is None:
                self._why = replaced(self._database.name, what)
            self.refuse_replaced()
            self._seen = now
            return now.generation

    def refuse_replaced(self) -> None:
        """Raise RegistryReplaced if the last look found that the database was replaced. Makes no query."""
        if self._why is not None:
            raise RegistryReplaced(self._why)

    def _compare(self, now: _State, before: _State) -> None:
        name = self._database.name
        if now.epoch != before.epoch:
            self._why = None
            log.error(
                "The registry %s was restored from a backup: generation %d follows %d. Going on with the restored one.",
                name,
                now.generation,
                before.generation,
            )
        elif what := now.went_back(before):
            if self._database.dialect.one_file:
                self._why = replaced(name, what)
            else:  # a failover to a server that had not heard of the last promotions yet
                log.error("The registry %s lost promotions: %s. Going on with it.", name, what)
