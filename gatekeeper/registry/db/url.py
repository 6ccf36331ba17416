"""Database URL: parses GATEKEEPER_DB and refuses what would silently name another registry.

SQLite takes no parameters. PostgreSQL takes those of libpq, and those that Prisma adds to a DATABASE_URL.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from gatekeeper.errors import ConfigError

SCHEMES = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
WRITE = "Write one such as sqlite:///registry.db or postgresql+psycopg://USER@HOST/DATABASE."
UNPREPARED = ("pgbouncer", "statement_cache_size")  # Prisma's: no statement is ever prepared, so they hold already
_OPTION = re.compile(r"(?:-c\s*|--)([\w-]+)=((?:\\.|\S)*)")  # the server reads `-` in a name as `_`
_ELSEWHERE = {"host": "host", "port": "port", "user": "username", "password": "password", "dbname": "database"}
_PATH_ENTRY = re.compile(r'\s*(?:"([^"]+)"|([A-Za-z_][\w$]*))\s*')


@dataclass(frozen=True, slots=True)
class ServerUrl:
    """A PostgreSQL URL taken apart: what libpq gets, the schemas, and the size of the pool (None: no limit)."""

    url: URL
    search_path: tuple[str, ...]
    connections: int | None
    wait_seconds: int

    @property
    def schema(self) -> str | None:
        """The schema of the tables; None if the server's search path decides."""
        return self.search_path[0] if len(self.search_path) == 1 and "$user" not in self.search_path else None


def parse(given: str) -> URL:
    """The URL, without spaces and line ends around it. Raises ConfigError; it shows no password."""
    text = given.strip()
    if not text.isprintable():  # a file name would take it, and be that of another registry
        raise ConfigError(
            "The database URL contains a line end, tab or other control character, or an invisible one. Remove it. "
            f"{WRITE}"
        )
    if text[:1] in {"'", '"', "`"} or text[-1:] in {"'", '"', "`"}:
        raise ConfigError(f"The database URL is written with its quotes. Leave them out. {WRITE}")
    if "#" in text:
        raise ConfigError("The database URL contains a '#', which begins no part of it. Write %23 for the character.")
    try:
        parsed = make_url(text)
    except (ArgumentError, ValueError):  # ValueError: a port that is no number
        raise ConfigError("It is not a database URL. Write one such as sqlite:///registry.db.") from None
    scheme = parsed.drivername.lower()
    if scheme in SCHEMES:
        return parsed.set(drivername=SCHEMES[scheme])
    backend = scheme.partition("+")[0]
    if backend in {"postgresql", "postgres"}:
        raise ConfigError(f"The driver {scheme}:// is not supported. Use postgresql+psycopg://USER@HOST/DATABASE.")
    if backend == "sqlite":
        raise ConfigError(f"The driver {scheme}:// is not supported. Use sqlite:///FILE.")
    raise ConfigError(
        f"A registry can't be kept in {backend!r}. Use sqlite:///FILE or postgresql+psycopg://HOST/DATABASE."
    )


def sqlite_file(url: URL) -> Path:
    """The file of a SQLite URL, absolute. Raises ConfigError for anything that could be meant for another file."""
    written = url.database or ""
    if not written or written == ":memory:" or written.startswith("file:"):
        raise ConfigError(f"{_shown(url)} names no file. A registry needs one, such as sqlite:///registry.db.")
    if url.host is not None or url.username is not None or url.port is not None:
        raise ConfigError(
            "The SQLite URL has a host or user before its file. Write three slashes before a file of this folder, as "
            "in sqlite:///registry.db, and four before an absolute one."
        )
    if url.query:
        raise ConfigError(
            f"The SQLite URL has the parameters {_listed(url.query)} after a '?'. SQLite takes none: end the URL after "
            "the file. A file with '?' in its name needs another name."
        )
    file = Path(re.sub("^/+", "/", written))
    if written != written.strip():
        raise ConfigError(f"The SQLite file {written!r} begins or ends with a space. Remove it.")
    if file.is_dir():
        raise ConfigError(f"{file} is a folder, not a SQLite file. Name a file in it, such as {file / 'registry.db'}.")
    return file.absolute()


def server(url: URL) -> ServerUrl:
    """The parts of a PostgreSQL URL. Raises ConfigError for a parameter that neither libpq nor Gatekeeper takes."""
    if not url.database:
        raise ConfigError(f"{_shown(url)} names no database. Use postgresql+psycopg://USER@HOST/DATABASE.")
    query = {name: _one(name, value) if name != "host" else value for name, value in url.query.items()}
    schema, options = query.pop("schema", None), query.pop("options", None)
    connections, wait = query.pop("connection_limit", None), query.pop("pool_timeout", None)
    for name in UNPREPARED:
        query.pop(name, None)
    if twice := [name for name, other in _ELSEWHERE.items() if name in query and getattr(url, other)]:
        raise ConfigError(
            f"The database URL names {', '.join(twice)} after the '?' too, and libpq would take that one. Keep one."
        )
    if unknown := sorted(set(query) - set(_libpq_defaults())):
        raise ConfigError(
            f"The database URL has the unknown parameter {', '.join(unknown)}. It takes those of libpq, such as "
            "sslmode and connect_timeout, and Prisma's schema, connection_limit, pool_timeout, pgbouncer and "
            "statement_cache_size. Remove the others."
        )
    # Options of the environment too: a pooler may ignore them, and the tables of another desk would be used.
    rest, path = _without_path(str(options or _libpq_defaults()["options"] or ""))
    if schema is not None and path:
        raise ConfigError("The database URL names its schema twice, by schema and by options. Keep schema=NAME.")
    if rest:
        query["options"] = rest
    return ServerUrl(
        url.set(query=query),
        search_path=path if schema is None else (_named(str(schema)),),
        connections=None if connections is None else _count("connection_limit", str(connections), least=1),
        wait_seconds=10 if wait is None else _count("pool_timeout", str(wait), least=0),
    )


def _libpq_defaults() -> dict[str, str | None]:
    """The parameters that libpq takes, each with what it would use without it: that of the environment."""
    from psycopg.pq import Conninfo

    return {option.keyword.decode(): option.val.decode() if option.val else None for option in Conninfo.get_defaults()}


def _without_path(options: str) -> tuple[str, tuple[str, ...]]:
    """libpq's `options` without the search path, and the schemas of that."""
    found: tuple[str, ...] = ()
    kept = options
    for match in _OPTION.finditer(options):
        if match[1].lower().replace("-", "_") == "search_path":
            found = _entries(match[2].replace("\\", ""))
            kept = kept.replace(match[0], "")
    return kept.strip(), found


def _entries(path: str) -> tuple[str, ...]:
    parts = [_PATH_ENTRY.fullmatch(part) for part in path.split(",")]
    if not all(parts):
        raise ConfigError(f"The search_path {path!r} of the database URL is not a list of schemas. Use schema=NAME.")
    return tuple(part[1] or part[2].lower() for part in parts if part)


def _named(schema: str) -> str:
    if not schema or schema != schema.strip() or "$" in schema or len(schema.encode()) > 63:
        raise ConfigError(f"schema={schema!r} of the database URL is not the name of a schema. Write schema=NAME.")
    return schema


def _one(name: str, value: str | tuple[str, ...]) -> str:
    if not isinstance(value, str):
        raise ConfigError(f"The database URL has the parameter {name} {len(value)} times. Keep one.")
    return value


def _count(name: str, value: str, *, least: int) -> int:
    if not value.isascii() or not value.isdigit() or int(value) < least:
        raise ConfigError(f"{name}={value!r} of the database URL is not a whole number from {least} on.")
    return int(value)


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


def _shown(url: URL) -> str:
    return url.set(query={}).render_as_string(hide_password=True)
