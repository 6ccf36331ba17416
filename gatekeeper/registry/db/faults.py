"""Database errors: driver messages as the package's own errors."""

from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from datetime import datetime

from gatekeeper.errors import (
    ConfigError,
    GatekeeperError,
    GenerationMoved,
    SchemaOutOfDate,
    StorageFailed,
    Unavailable,
)

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


def forbidden(message: str) -> GatekeeperError:
    """The error for a write that a CHECK constraint of another tool forbids."""
    return SchemaOutOfDate(
        f"A constraint of a table made by another tool forbids what Gatekeeper writes ({message}), so nothing has "
        "changed. Change the constraint: a version is gatekeeper_ID or gatekeeper_primaryID, a path ends in "
        "VERSION.onnx."
    )


def referred_to(message: str) -> GatekeeperError:
    """The error for rows that another tool's table refers to by a column that Gatekeeper changes."""
    return SchemaOutOfDate(
        f"Another table refers to a row of Gatekeeper's ({message}), so nothing has changed. A version and a path "
        "change with each promotion: let the table refer to the id, or give its foreign key ON UPDATE CASCADE."
    )


def not_possible(message: str, name: str) -> GatekeeperError:
    """The error for a statement that the database refuses, and will refuse again."""
    return ConfigError(
        f"The registry {name} refuses this ({message}), so nothing has changed. Trying again won't help: a trigger, a "
        "type or a kind of table there is another than Gatekeeper's; change it, or use a database of its own."
    )


def no_tables(message: str, name: str) -> GatekeeperError:
    """The error for a database that lacks Gatekeeper's tables."""
    return SchemaOutOfDate(f"The registry {name} lacks a table or column ({message}). {UPGRADE}")


def unusable(message: str, name: str) -> GatekeeperError:
    """The error for a database that can't be used now."""
    return Unavailable(f"The registry {name} can't be used now ({message}), so nothing has changed. Try again later.")


def damaged(message: str, name: str, way: str) -> GatekeeperError:
    """The error for a database whose content is damaged. way: how to restore it."""
    return StorageFailed(
        f"The registry {name} is damaged ({message}). Nothing was changed, and trying again won't help. {way}"
    )


def disk_full(message: str, name: str, where: str) -> GatekeeperError:
    """The error for a disk without room."""
    return StorageFailed(
        f"The disk of the registry {name} is full ({message}), so nothing has changed. Free some space on {where}, "
        "then repeat it."
    )


def disk_failing(message: str, name: str, where: str) -> GatekeeperError:
    """The error for a disk that can't be read or written."""
    return StorageFailed(
        f"The disk of the registry {name} can't be read or written ({message}), so nothing has changed. Check {where} "
        "and the system's log for faults of the disk before you repeat it."
    )


def replaced(name: str, what: str) -> str:
    """The message for a SQLite file that was replaced under a running process. what: what shows it."""
    return (
        f"The registry {name} was replaced under this process: {what}. Nothing is read from it or written to it any "
        f"more. Stop the servers, remove {name}-wal and {name}-shm, restore the backup with `gatekeeper db restore "
        "FILE`, and start them again."
    )


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
    stored, wanted = _different(found, meant)
    return ConfigError(
        f"The database stored {what} {stored} instead of {wanted}, so nothing has changed. A trigger or a rule of "
        "the database rewrites what is written: remove it."
    )


def _different(found: object, meant: object) -> tuple[str, str]:
    """Both in words; of two rows, the columns in which they differ."""
    there, wanted = _columns(found), _columns(meant)
    if there is None or wanted is None:
        return _in_words(found), _in_words(meant)
    names = [name for name in wanted if there.get(name) != wanted[name]]
    names += [name for name in there if name not in wanted and is_dataclass(meant)]
    both = [{name: row[name] for name in names if name in row} for row in (there, wanted)]
    return _in_words(both[0] or there), _in_words(both[1] or wanted)


def _columns(row: object) -> Mapping[object, object] | None:
    if is_dataclass(row):
        return {field.name: getattr(row, field.name) for field in fields(row)}
    row = getattr(row, "_mapping", row)
    return row if isinstance(row, Mapping) else None


def _in_words(value: object) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, datetime):
        return value.isoformat(" ")
    if (row := _columns(value)) is not None:
        return ", ".join(f"{name} {_in_words(each)}" for name, each in row.items()) or "nothing"
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return "; ".join(map(_in_words, value)) or "none"
    return f"'{value}'" if isinstance(value, str) else str(value)
