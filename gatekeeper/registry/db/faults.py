"""Database faults: what a driver raised, as the package's own errors."""

from gatekeeper.errors import GatekeeperError, GenerationMoved, SchemaOutOfDate, Unavailable

UPGRADE = "`gatekeeper db upgrade` makes the tables and brings them up to date"


def another_writer(said: str) -> GatekeeperError:
    """A transaction that another writer came between."""
    return GenerationMoved(f"another writer came between ({said}); nothing has changed: try again")


def asks_for_more(said: str) -> GatekeeperError:
    """A table with a column that we do not fill."""
    return SchemaOutOfDate(f"a table that another tool made asks for more than we fill ({said}); give that a default")


def no_tables(said: str, name: str) -> GatekeeperError:
    """A database without our tables."""
    return SchemaOutOfDate(f"the registry {name} has no such tables ({said}); {UPGRADE}")


def unusable(said: str, name: str) -> GatekeeperError:
    """A database that cannot be used now."""
    return Unavailable(f"the registry {name} can't be used just now ({said}); nothing has changed")
