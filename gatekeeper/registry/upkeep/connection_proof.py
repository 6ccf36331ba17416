"""Connection proof: what a connection to the registry's database really has, asked of the database itself."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, text

from gatekeeper.errors import Unavailable
from gatekeeper.registry.db import check_tables, tables
from gatekeeper.registry.db.database import Database, now
from gatekeeper.registry.db.dialect import BUSY_SECONDS
from gatekeeper.registry.decision_log.tables import DATASET
from gatekeeper.registry.upkeep.findings import Defect

CLOCK = "clock"  # the database's clock and this host's are far apart
RIGHTS = "rights"  # the role can't read a table, or sees only some of its rows
DAMAGED = "damaged"  # SQLite's own check fails

MOST_SECONDS = 5.0  # between the two clocks: a caller's clock may be as far ahead of a server's
_ACTS = ("SELECT", "INSERT", "UPDATE", "DELETE")
_TABLES = text(
    "SELECT relname AS name, row_security_active(c.oid) AS some_rows, "
    "ARRAY(SELECT act FROM unnest(CAST(:acts AS text[])) act WHERE has_table_privilege(c.oid, act)) AS may "
    "FROM pg_class c WHERE relnamespace = CAST(quote_ident(current_schema()) AS regnamespace) "
    "AND relkind IN ('r', 'p') AND relname = ANY (CAST(:names AS text[])) ORDER BY relname"
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that was asked of the database, and what it said."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class Proof:
    """What the connection has, and what is wrong with it."""

    facts: tuple[Fact, ...]
    findings: tuple[Defect, ...]


def prove(database: Database) -> Proof:
    """Ask the database. Raises Unavailable, StorageFailed."""
    with database.read() as connection:
        found = list((_of_file if database.dialect.one_file else _of_server)(database, connection))
    if not database.dialect.one_file:
        found += _of_writer(database)
    return Proof(
        tuple(one for one in found if isinstance(one, Fact)),
        tuple(one for one in found if isinstance(one, Defect)),
    )


def _of_file(database: Database, connection: Connection) -> Iterator[Fact | Defect]:
    file = connection.exec_driver_sql("PRAGMA database_list").one()[2]
    version, journal = (
        connection.exec_driver_sql(words).scalar_one() for words in ("SELECT sqlite_version()", "PRAGMA journal_mode")
    )
    yield Fact("registry", str(file))
    yield Fact("server", f"SQLite {version}, journal mode {journal}")
    yield Fact("clock", "that of this host")
    yield Fact("isolation", "snapshots for readers, one writer at a time")
    yield Fact("lock timeout", f"{BUSY_SECONDS} s")
    writes = os.access(file, os.W_OK) and os.access(os.path.dirname(file), os.W_OK)  # noqa: PTH120  # of text
    yield Fact("rights", "read and write" if writes else "read only: the file or its folder is not writable")
    (said, *_) = connection.exec_driver_sql("PRAGMA quick_check(1)").scalars()
    if said != "ok":
        text = f"The file {database.name} is damaged ({said}). Restore a backup: `gatekeeper db restore FILE`."
        yield Defect(DAMAGED, None, None, text)


def _of_server(database: Database, connection: Connection) -> Iterator[Fact | Defect]:
    version, schema, isolation, pid, role = connection.exec_driver_sql(
        "SELECT current_setting('server_version'), current_schema(), current_setting('transaction_isolation'), "
        "pg_backend_pid(), current_user"
    ).one()
    yield Fact("registry", database.name)
    yield Fact("server", f"PostgreSQL {version}")
    yield Fact("schema", schema)
    driver: Any = connection.connection.driver_connection
    # A pooler makes up the process id that it gives a client for cancelling.
    pooled = driver.info.backend_pid != pid
    yield Fact("pooler", "found, between this host and the server" if pooled else "none found")
    yield from _clock(connection)
    yield Fact("isolation of reads", isolation)
    yield from _rights(connection, role)


def _of_writer(database: Database) -> Iterator[Fact]:
    try:
        with database.append() as connection:
            isolation, wait = connection.exec_driver_sql(
                "SELECT current_setting('transaction_isolation'), current_setting('lock_timeout')"
            ).one()
    except Unavailable as fault:
        yield Fact("isolation of writes", f"none: {fault}")
    else:
        yield Fact("isolation of writes", isolation)
        yield Fact("lock timeout", wait)


def _clock(connection: Connection) -> Iterator[Fact | Defect]:
    before = time.time()
    there = now(connection)
    here = datetime.fromtimestamp((before + time.time()) / 2, UTC)
    ahead = (there - here).total_seconds()
    yield Fact("clock", f"{ahead:+.3f} s against this host's")
    if abs(ahead) > MOST_SECONDS:
        text = (
            f"The database's clock differs from this host's by {ahead:+.1f} s, over {MOST_SECONDS:.0f} s. Set both by "
            "NTP: the order of promotions and as-ofs goes by the database's."
        )
        yield Defect(CLOCK, None, None, text)


def _rights(connection: Connection, role: str) -> Iterator[Fact | Defect]:
    """The rights on each table, tables of the same rights together."""
    names = [table.name for table in check_tables.checks.metadata.sorted_tables]
    names = list(dict.fromkeys([*names, DATASET, tables.VERSION_TABLE]))
    rows = connection.execute(_TABLES, {"acts": list(_ACTS), "names": names}).all()
    groups: dict[str, list[str]] = {}
    for row in rows:
        groups.setdefault(", ".join(row.may) or "none", []).append(row.name)
        if "SELECT" not in row.may:
            text = f'The role {role} may not read the table "{row.name}". Grant it SELECT.'
            yield Defect(RIGHTS, None, None, text)
        if row.some_rows:
            text = (
                f'Row-level security lets the role {role} see or change only some rows of the table "{row.name}", so '
                "no act of this role is carried out. Give it the attribute BYPASSRLS, or take row-level security off "
                "the table."
            )
            yield Defect(RIGHTS, None, None, text)
    yield Fact(f"rights of {role}", "\n".join(f"{may}: {', '.join(of)}" for may, of in groups.items()))
