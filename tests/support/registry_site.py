"""Site for tests that need a registry: a project folder with a models folder, and its database.

The database is a file of the folder, or one of its own on a PostgreSQL server.
"""

import hashlib
import shutil
import sqlite3
from contextlib import AbstractContextManager, closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import psycopg
from model_files import contract_model
from postgres_server import connect, drop_database, new_database
from sqlalchemy.engine import make_url

from gatekeeper.registry import Details, Registry, UpgradeReport, upgrade

OWN = Details(trained_to=datetime(2018, 1, 5, tzinfo=UTC))
MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)

REFUSED = (sqlite3.IntegrityError, psycopg.IntegrityError)  # what a database says to a second primary

OLD_TABLE = (
    'CREATE TABLE "RLModel" (id {key}, version TEXT NOT NULL UNIQUE, path TEXT NOT NULL, description TEXT, '
    '"createdAt" {created})'
)
KEYS = {"sqlite": "INTEGER PRIMARY KEY AUTOINCREMENT", "postgresql": "SERIAL PRIMARY KEY"}
MILLISECONDS = {"sqlite": "INTEGER", "postgresql": "BIGINT"}


@dataclass(frozen=True)
class Site:
    """A project folder. `postgres` is the URL of its database there; None: a file in the folder.

    pooler: the socket folder of a PgBouncer, through which the registry goes, and no other tool.
    """

    root: Path
    postgres: str | None = None
    pooler: ClassVar[str | None] = None

    @property
    def dialect(self) -> str:
        return "postgresql" if self.postgres else "sqlite"

    @property
    def database(self) -> Path:
        return self.root / "registry.db"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def url(self) -> str:
        if self.postgres and self.pooler:
            return make_url(self.postgres).update_query_dict({"host": self.pooler}).render_as_string(False)
        return self.postgres or f"sqlite:///{self.database}"

    def at(self, root: Path) -> "Site":
        """The site that lies at `root` now: a database on a server stays where it is."""
        return Site(root, self.postgres)

    def clone(self, root: Path) -> "Site":
        """Folder and database once more. Nobody may be using them."""
        shutil.copytree(self.root, root, symlinks=True, dirs_exist_ok=True)
        return Site(root, self.postgres and new_database(self.postgres, self.postgres))

    def drop(self) -> None:
        """Take the database away again, where it isn't in the folder."""
        if self.postgres:
            drop_database(self.postgres)

    def upgrade(self) -> UpgradeReport:
        return upgrade(self.url, models=self.models)

    def open(self, **options: object) -> Registry:
        return Registry.open(self.url, models=self.models, **options)

    def connection(self) -> AbstractContextManager[Any]:
        """Of another tool, each of whose statements is a transaction of its own."""
        if self.postgres:
            return connect(self.postgres, autocommit=True)
        return closing(sqlite3.connect(self.database, isolation_level=None))

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """What any other tool does: plain SQL, with `?` for the values."""
        if self.postgres:
            with connect(self.postgres) as connection:
                words = statement.replace("%", "%%").replace("?", "%s") if values else statement
                done = connection.execute(words, values or None)
                return done.fetchall() if done.description else []
        with closing(sqlite3.connect(self.database, timeout=30)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def old_table(self, *rows: tuple, created: str | None = None, key: str | None = None) -> None:
        """A table that another tool made: (id, version, path, createdAt). It brings its own ids."""
        made = OLD_TABLE.format(key=key or KEYS[self.dialect], created=created or MILLISECONDS[self.dialect])
        self.sql(made)
        for row in rows:
            overriding = "OVERRIDING SYSTEM VALUE" if self.postgres else ""
            into = f'INSERT INTO "RLModel" (id, version, path, "createdAt") {overriding} VALUES (?, ?, ?, ?)'
            self.sql(into, *row)

    def put(self, name: str, content: bytes) -> Path:
        """A file of the user's in the models folder."""
        self.models.mkdir(exist_ok=True)
        (self.models / name).write_bytes(content)
        return self.models / name

    def files(self) -> dict[str, str]:
        """Every file below the models folder with its sha256; a link with where it leads."""
        return {
            str(path.relative_to(self.models)): f"-> {path.readlink()}" if path.is_symlink() else digest(path)
            for path in sorted(self.models.rglob("*"))
            if path.is_symlink() or path.is_file()
        }

    def rows(self) -> list[tuple]:
        """Everything that the database holds, table by table."""
        listing = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        if not self.postgres:
            listing = "SELECT name FROM sqlite_master WHERE type = 'table'"
        tables = sorted(self.sql(listing))
        return [(name, *row) for (name,) in tables for row in sorted(self.sql(f'SELECT * FROM "{name}"'), key=repr)]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own_model(number: int) -> bytes:
    """Model `number`: other bytes for each."""
    return contract_model([number / 100] * 7)


def check_history(registry: Registry) -> None:
    """One primary; generation = audit rows; each row's `from` is the row before's `to`."""
    audit = registry.promotions()[::-1]
    assert [row.generation for row in audit] == list(range(1, registry.generation() + 1))
    assert [row.from_id for row in audit] == [None, *(row.to_id for row in audit)][: len(audit)]
    claims = [model for model in registry.models() if model.is_primary]
    assert [model.id for model in claims] == [audit[-1].to_id]
