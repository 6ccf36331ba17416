"""When does a file name that no row holds any more go?

Never during a promotion: a reader with a path from before must still find its bytes. It is noted with the database's
time, and goes past the grace, at the next promotion, under the lock.
"""

import logging
from collections.abc import Iterable
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from gatekeeper.errors import ModelRefused, Unavailable
from gatekeeper.registry import catalogue, tables
from gatekeeper.registry.artifacts import blob_name, sha256_of
from gatekeeper.registry.database import Work, now
from gatekeeper.registry.home import Home

log = logging.getLogger(__name__)
_name = tables.retired.c.name


def retire(work: Work, names: Iterable[str]) -> None:
    """Note that no row holds these names from now on."""
    at = now(work.connection)
    for name in names:
        strike(work, [name])
        work.connection.execute(tables.retired.insert().values(name=name, at=at))


def strike(work: Work, names: Iterable[str]) -> None:
    """These names are held again."""
    work.connection.execute(delete(tables.retired).where(_name.in_(list(names))))


def sweep(home: Home) -> None:
    """Remove what is past the grace. A store that can't be written just now is left for the next time."""
    with home.database.read() as connection:
        if not _due(connection, home):
            return
    try:
        with home.database.write() as work:
            due = _due(work.connection, home)
            for name in due:
                if not catalogue.holders(work.connection, name) and _is_kept(home, name):
                    home.store.remove(name)
                    home.step(f"removed {name}")
            strike(work, due)
    except Unavailable as fault:
        log.warning("retired file names stay for now: %s", fault)


def _due(connection: Connection, home: Home) -> list[str]:
    limit = now(connection) - timedelta(seconds=home.grace_seconds)
    return list(connection.execute(select(_name).where(tables.retired.c.at <= limit)).scalars())


def _is_kept(home: Home, name: str) -> bool:
    """Do the bytes live on in a blob? What somebody wrote over a retired name is theirs, and stays."""
    try:
        sha256 = sha256_of(home.store.read(name))
    except ModelRefused:
        return False
    return home.store.holds(blob_name(sha256), sha256)
