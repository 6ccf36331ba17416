"""Database errors: driver messages as the package's own errors."""

from gatekeeper.errors import GatekeeperError, GenerationMoved, SchemaOutOfDate, Unavailable

UPGRADE = "Run `gatekeeper db upgrade`: it makes the tables and brings them up to date."


def another_writer(message: str) -> GatekeeperError:
    """The error for a transaction that conflicts with another writer's."""
    return GenerationMoved(f"Another writer changed the same rows ({message}). Nothing has changed: try again.")


def asks_for_more(message: str) -> GatekeeperError:
    """The error for a table with a required column that Gatekeeper does not fill."""
    return SchemaOutOfDate(
        f"A table made by another tool requires a value that Gatekeeper does not write ({message}). "
        "Give that column a default."
    )


def no_tables(message: str, name: str) -> GatekeeperError:
    """The error for a database that lacks Gatekeeper's tables."""
    return SchemaOutOfDate(f"The registry {name} lacks a table or column ({message}). {UPGRADE}")


def unusable(message: str, name: str) -> GatekeeperError:
    """The error for a database that can't be used now."""
    return Unavailable(f"The registry {name} can't be used now ({message}), so nothing has changed. Try again later.")
