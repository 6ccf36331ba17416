"""Monitor checks and alarms: records one check per as-of and model, and the receivers each alarm has reached."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Row, select

from gatekeeper.errors import DataError
from gatekeeper.logs import logger
from gatekeeper.registry.context import aware, plain
from gatekeeper.registry.db import writes
from gatekeeper.registry.db.check_tables import alarms, checks
from gatekeeper.registry.db.database import Database, now
from gatekeeper.registry.models.verification import refuse_unregistered
from gatekeeper.registry.promotion import clock
from gatekeeper.registry.records import Model

if TYPE_CHECKING:
    from gatekeeper.documents.check import CheckDocument

log = logger("gatekeeper")

_c, _a = checks.c, alarms.c


@dataclass(frozen=True)  # without slots: the document is read once
class Check:
    """One check of the monitor on the primary of its as-of, bound to that model's bytes."""

    id: int
    as_of: datetime
    model_id: int
    sha256: str
    generation: int
    document_json: str = field(repr=False)
    """The document as it is stored."""
    at: datetime

    @cached_property
    def document(self) -> "CheckDocument":
        """What was seen. Raises DataError for another format, or a damaged document."""
        from gatekeeper.documents import check

        return check.read(self.document_json)


@dataclass(frozen=True, slots=True)
class Checks:
    """The monitor's checks, and the alarms that were delivered."""

    database: Database

    def record(self, model: Model, *, as_of: datetime, generation: int, document: "CheckDocument") -> Check:
        """Record a check of the monitor; an existing check of the same as-of and bytes stays as it is.

        Raises AsOfError beyond the database's clock, DataError if the document can't be stored as JSON with finite
        numbers.
        """
        from gatekeeper.documents import check

        aware(as_of, "as-of")
        text = check.written(document)
        with self.database.write() as work:
            connection = work.connection
            sha256 = refuse_unregistered(model)
            there = _find(connection, as_of, sha256)
            if there is not None:
                return there
            clock.refuse_future(connection, as_of)
            values = {"as_of": as_of, "model_id": model.id, "sha256": sha256, "generation": generation}
            writes.add(connection, checks, {**values, "document": text, "at": now(connection)})
            made = _find(connection, as_of, sha256)
        if made is None:
            raise AssertionError("a check was written under the lock")
        return made

    def find(self, as_of: datetime, sha256: str) -> Check | None:
        """The monitor's check of these bytes at this as-of; None if there is none."""
        with self.database.glance() as connection:
            return _find(connection, as_of, sha256)

    def last_seen(self, until: datetime | None = None) -> "CheckDocument | None":
        """The document of the check with the newest as-of, none of them after `until`; None without one.

        Also None if it can't be read: what shows it beside something else goes on without it.
        """
        wanted = select(checks).order_by(_c.as_of.desc(), _c.id.desc()).limit(1)
        if until is not None:
            wanted = wanted.where(_c.as_of <= until)
        with self.database.glance() as connection:
            row = connection.execute(wanted).first()
        if row is None:
            return None
        try:
            return _check(row).document
        except DataError as fault:
            log.warning("check %d can't be shown: %s", row.id, fault)
            return None

    def newest(self, *, limit: int | None = None, before: int | None = None) -> list[Check]:
        """All checks, newest first; or a page of at most `limit` with ids below `before`."""
        wanted = select(checks).order_by(_c.id.desc()).limit(limit)
        if before is not None:
            wanted = wanted.where(_c.id < before)
        with self.database.glance() as connection:
            return [_check(row) for row in connection.execute(wanted)]

    def alarm_reached(self, kind: str, run_key: str) -> set[str]:
        """The digests of the receivers that this alarm has reached."""
        with self.database.glance() as connection:
            return _reached(connection, kind, run_key)

    def note_alarm(self, kind: str, run_key: str, receiver: str) -> None:
        """Record that this alarm has reached this receiver; repeating it changes nothing."""
        plain(run_key, "run key")
        with self.database.write() as work:
            if receiver not in _reached(work.connection, kind, run_key):
                row = {"kind": kind, "run_key": run_key, "receiver": receiver, "at": now(work.connection)}
                writes.add(work.connection, alarms, row)


def _find(connection: Connection, as_of: datetime, sha256: str) -> Check | None:
    row = connection.execute(select(checks).where((_c.as_of == as_of) & (_c.sha256 == sha256))).first()
    return None if row is None else _check(row)


def _reached(connection: Connection, kind: str, run_key: str) -> set[str]:
    return set(connection.execute(select(_a.receiver).where((_a.kind == kind) & (_a.run_key == run_key))).scalars())


def _check(row: Row[Any]) -> Check:
    columns = dict(row._mapping)
    stored = columns.pop("document")
    return Check(**columns, document_json=stored)
