"""What do tests that need a registry stand on? A site: a project folder with a database file and a models folder."""

import hashlib
import sqlite3
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from model_files import contract_model

from gatekeeper.registry import Details, Registry, UpgradeReport, upgrade

OWN = Details(trained_to=datetime(2018, 1, 5, tzinfo=UTC))
MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)

OLD_TABLE = (
    'CREATE TABLE "RLModel" (id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL UNIQUE, path TEXT NOT NULL, '
    'description TEXT, "createdAt" {created})'
)


@dataclass(frozen=True)
class Site:
    """A project folder."""

    root: Path

    @property
    def database(self) -> Path:
        return self.root / "registry.db"

    @property
    def models(self) -> Path:
        return self.root / "models"

    @property
    def url(self) -> str:
        return f"sqlite:///{self.database}"

    def upgrade(self) -> UpgradeReport:
        return upgrade(self.url, models=self.models)

    def open(self, **options: object) -> Registry:
        return Registry.open(self.url, models=self.models, **options)

    def sql(self, statement: str, *values: object) -> list[tuple]:
        """What any other tool does: plain SQL on the file."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            return connection.execute(statement, values).fetchall()

    def old_table(self, *rows: tuple, created: str = "INTEGER") -> None:
        """A table that another tool made: (id, version, path, createdAt)."""
        self.sql(OLD_TABLE.format(created=created))
        for row in rows:
            self.sql('INSERT INTO "RLModel" (id, version, path, "createdAt") VALUES (?, ?, ?, ?)', *row)

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
        tables = self.sql("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        return [(name, *row) for (name,) in tables for row in self.sql(f'SELECT * FROM "{name}"')]


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
