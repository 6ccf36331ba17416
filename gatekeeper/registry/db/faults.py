"""Database errors: driver messages as the package's own errors."""

from gatekeeper.errors import ConfigError, GatekeeperError, GenerationMoved, SchemaOutOfDate, Unavailable

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


def not_kept(verb: str, table: str, meant: int, found: int) -> GatekeeperError:
    """The error for a write that changed another number of rows than was meant; -1: the driver did not count."""
    count = "an unknown number of rows" if found < 0 else f"{found} {'row' if found == 1 else 'rows'}"
    return ConfigError(
        f"The database changed {count} of {table} instead of {meant} ({verb}), so nothing has changed. Row-level "
        "security, a trigger or a rule of the database stands in between: grant this role the right to write, or "
        "remove what swallows its writes."
    )


def rewritten(what: str, found: object, meant: object) -> GatekeeperError:
    """The error for a write that the database changed on its way into the table."""
    return ConfigError(
        f"The database stored {what} {found!r} instead of {meant!r}, so nothing has changed. A trigger or a rule of "
        "the database rewrites what is written: remove it."
    )
