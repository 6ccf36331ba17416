"""Backup and restore of a SQLite registry while servers use it, by SQLite's own backup of live files."""

import os
import secrets
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from sqlalchemy.engine import URL

from gatekeeper.errors import ConfigError, GatekeeperError, SchemaOutOfDate, StorageFailed, Unavailable
from gatekeeper.files import sync_folder
from gatekeeper.registry.db import schema, tables, writes
from gatekeeper.registry.db.database import DIALECTS, Database
from gatekeeper.registry.db.dialect import BUSY_SECONDS
from gatekeeper.registry.db.faults import UPGRADE
from gatekeeper.registry.db.sqlite import translated
from gatekeeper.registry.db.url import parse, sqlite_file
from gatekeeper.registry.models import catalogue
from gatekeeper.registry.promotion.history_chain import seal
from gatekeeper.secret_urls import SecretUrl

_TEMPORARY = ".registry-"


@dataclass(frozen=True, slots=True)
class BackedUp:
    """A backup: its file, its size in bytes, and what it holds."""

    file: Path
    size: int
    revision: str | None
    generation: int


@dataclass(frozen=True, slots=True)
class Restored:
    """A restored registry. Before: None if there was no readable registry. revision: that of the backup."""

    registry: Path
    generation_before: int | None
    generation: int
    revision: str | None
    primary: str | None


def back_up(url: str, file: str | Path) -> BackedUp:
    """Copy the registry at `url` to the new file `file`, at one moment between two writes; servers go on.

    Raises ConfigError (no SQLite registry, or the file exists), SchemaOutOfDate, StorageFailed, Unavailable.
    """
    live, target = _sqlite(url), Path(file)
    if not live.exists():
        raise SchemaOutOfDate(f"There is no registry at {live}. {UPGRADE}")
    taken = ConfigError(f"{target} exists already, or is a name of the registry's own. Name a new file for the backup.")
    if os.path.lexists(target) or str(target.absolute()) in {f"{live}-{own}" for own in ("wal", "shm", "journal")}:
        raise taken
    if not target.absolute().parent.is_dir():
        raise ConfigError(f"The folder {target.absolute().parent} of the backup does not exist. Make it first.")
    with _temporary(target.absolute().parent) as copy:
        _copy(live, copy, str(live))
        revision, generation = _state(copy)
        try:
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))  # unless somebody made it meanwhile
            copy.replace(target)  # a link would not do: few sticks and network folders have them
        except FileExistsError:
            raise taken from None
        sync_folder(target.absolute().parent)
    return BackedUp(target, target.stat().st_size, revision, generation)


def restore(url: str, file: str | Path) -> Restored:
    """Replace the content of the registry at `url` by the backup `file`, brought up to date, under a new epoch.

    One write transaction on the live file: servers and other processes go on, and follow. Models are not part of it.
    Raises ConfigError, SchemaOutOfDate (no registry in it, or a newer one), StorageFailed, Unavailable; then nothing
    has changed.
    """
    live, backup = _sqlite(url), Path(file)
    if not backup.is_file():
        raise ConfigError(f"There is no backup {backup}. Name a file that `gatekeeper db backup` or a copy made.")
    if live.exists() and live.samefile(backup):
        raise ConfigError(f"{backup} is the registry itself. Name a backup of it.")
    if not live.parent.is_dir():
        raise ConfigError(f"The folder {live.parent} of the registry does not exist. Make it first.")
    if not live.exists() and (left := Path(f"{live}-wal")).exists():
        raise ConfigError(f"{left} is left of another file and would undo the restore. Remove it and {live}-shm first.")
    with _temporary(live.parent) as copy:
        revision, generation = _read_backup(backup, copy)
        primary = _bring_up_to_date(copy, backup)
        before = _generation_of(live)
        _fit_pages(copy, live)
        _copy(copy, live, str(live), make=not live.exists())
    return Restored(live, before, generation, revision, primary)


def _read_backup(backup: Path, copy: Path) -> tuple[str | None, int]:
    """Copy the backup; returns its revision and generation. Raises what `restore` does, about the backup."""
    try:
        _copy(backup, copy, str(backup))
        return _state(copy)
    except (StorageFailed, SchemaOutOfDate) as fault:
        cause = fault.__cause__
        if isinstance(fault, SchemaOutOfDate):
            why = "it holds no registry of Gatekeeper's"
        elif isinstance(cause, sqlite3.DatabaseError) and not isinstance(cause, sqlite3.OperationalError):
            why = f"it is damaged, or not a SQLite database: {cause}"
        else:
            raise
        raise type(fault)(
            f"The backup {backup} can't be restored ({why}), so nothing was done. Use another one."
        ) from fault


def _fit_pages(copy: Path, live: Path) -> None:
    """Give the copy pages of the live file's size, which SQLite can't change while others use that."""
    try:
        with closing(_opened(live, "ro")) as read:
            (size,) = read.execute("PRAGMA page_size").fetchone()
    except sqlite3.Error:  # no file yet, or one that copying into will tell about
        return
    try:
        with closing(_opened(copy, "rw")) as written:
            if written.execute("PRAGMA page_size").fetchone() != (size,):
                written.execute(f"PRAGMA page_size = {size}")
                written.execute("VACUUM")
    except sqlite3.Error as error:
        raise translated(error, str(live)) from error


def _sqlite(url: str) -> Path:
    parsed = parse(url)
    if parsed.get_backend_name() != "sqlite":
        raise ConfigError(
            "GATEKEEPER_DB is a PostgreSQL database. Back it up with pg_dump, and restore it with pg_restore while no "
            "server, task or command uses it."
        )
    return sqlite_file(parsed)


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A new empty file, which only its owner may read; removed afterwards with those that SQLite makes beside it."""
    try:
        descriptor, name = tempfile.mkstemp(prefix=_TEMPORARY, suffix=".db", dir=folder)
    except OSError as fault:
        raise StorageFailed(
            f"No file can be made in {folder} ({fault.strerror}). Make room there, or make it writable."
        ) from fault
    os.close(descriptor)
    try:
        yield Path(name)
    finally:
        for ending in ("", "-wal", "-shm", "-journal"):
            with suppress(FileNotFoundError):
                os.unlink(name + ending)  # noqa: PTH108  # with an ending that is none of a path


def _copy(source: Path, target: Path, name: str, *, make: bool = False) -> None:
    """Copy a database in one transaction, whatever else uses the two. name: the one that errors are about."""
    began = time.monotonic()

    def patient(*_: int) -> None:
        if time.monotonic() > began + BUSY_SECONDS:
            raise Unavailable(f"{name} is in use by another writer for over {BUSY_SECONDS} s. Try again later.")

    try:
        with closing(_opened(source, "ro")) as read, closing(_opened(target, "rwc" if make else "rw")) as written:
            _refuse_damage(read, str(source))
            read.backup(written, progress=patient)
            if target.name.startswith(_TEMPORARY):
                written.execute("PRAGMA journal_mode = DELETE")  # one file, whatever the other's mode was
            elif make:
                written.execute("PRAGMA journal_mode = WAL")
    except BaseException as error:
        if make:
            target.unlink(missing_ok=True)
        if not isinstance(error, sqlite3.Error):
            raise
        if target.name.startswith(_TEMPORARY) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            raise StorageFailed(
                f"{target.parent} has no room for a copy of {name} ({error}), so nothing has changed. Free some space "
                "there, then repeat it."
            ) from error
        raise translated(error, name) from error


def _opened(file: Path, mode: str) -> sqlite3.Connection:
    place = f"file:{quote(os.fsencode(file.absolute()))}?mode={mode}"
    return sqlite3.connect(place, uri=True, isolation_level=None, timeout=1)


def _refuse_damage(connection: sqlite3.Connection, name: str) -> None:
    (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if said != "ok":
        raise StorageFailed(f"The database {name} is damaged ({said}), so nothing was done. Use another backup.")


def _state(file: Path) -> tuple[str | None, int]:
    """Revision and generation. Raises SchemaOutOfDate if the file holds no registry."""
    with _as_registry(file) as database, database.read() as connection:
        revision = schema.revision(connection)
        if revision is None:
            raise SchemaOutOfDate(f"The file holds no registry of Gatekeeper's, so nothing was done. {UPGRADE}")
        return revision, catalogue.generation(connection)


def _bring_up_to_date(file: Path, backup: Path) -> str | None:
    """Migrate the copy of a backup, and give it a new epoch; returns the primary's version."""
    with _as_registry(file) as database:
        try:
            with database.write(first=True) as work:
                schema.to_head(work)
                seal(work)
                writes.change(work.connection, tables.lock, tables.lock.c.id == 1, {"epoch": secrets.token_hex(16)})
        except GatekeeperError as fault:
            raise type(fault)(f"The backup {backup} can't be restored. {fault}") from fault
        with database.read() as connection:
            claims = catalogue.claimants(connection)
    return claims[0].version if len(claims) == 1 else None


@contextmanager
def _as_registry(file: Path) -> Iterator[Database]:
    url = URL.create("sqlite", database=str(file.absolute()))  # not as text, which a name in other bytes can't become
    dialect = DIALECTS["sqlite"]
    database = Database(dialect.engine(url, create=False), dialect, dialect.name(url), SecretUrl.database("sqlite://"))
    try:
        yield database
    finally:
        database.close()


def _generation_of(live: Path) -> int | None:
    """The generation before, as far as that can be read: the registry may be damaged."""
    if not live.exists():
        return None
    try:
        return _state(live)[1]
    except GatekeeperError:
        return None
