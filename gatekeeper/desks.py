"""Desks: one for each strategy or asset class, each with its own registry, by name in `desks.toml`.

Only the standard library is needed here: DAG files ask while Airflow parses them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from gatekeeper.errors import ConfigError

FILE = "desks.toml"
DEFAULT = "default"
MONDAYS = "0 2 * * 1"

_FORMER = {"GATEKEEPER_GATES": "GATEKEEPER_DESKS", "GATEKEEPER_GATE": "GATEKEEPER_DESK"}
_FORMER_FILE = "gates.toml"
_ON = {"1", "true", "t", "yes", "y", "on"}  # as the settings read it
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_POSTGRESQL = re.compile(r"postgres(ql)?(\+\w+)?://")


@dataclass(frozen=True, slots=True)
class Desk:
    """One desk as its file has it; `settings` are those of config.py that it sets for itself."""

    name: str = DEFAULT
    title: str = ""
    schedule: str = MONDAYS
    schema: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    is_default: bool = True

    def dag_id(self, act: str) -> str:
        """Of its DAG for `act`: weekly, promote or monitor."""
        return f"gatekeeper_{act}" if self.is_default else f"gatekeeper_{act}_{self.name}"

    def asks(self, environment: Mapping[str, str]) -> bool:
        """Does a person approve its promotions? For DAG files, as Airflow parses them; their tasks ask the settings."""
        return str(self.settings.get("approval", environment.get("GATEKEEPER_APPROVAL", ""))).strip().lower() in _ON


def from_environment(environment: Mapping[str, str]) -> tuple[Desk, ...]:
    """The desks of GATEKEEPER_DESKS, or of desks.toml in the working folder. Raises ConfigError for a former name."""
    for former, name in _FORMER.items():
        if former in environment:
            raise ConfigError(f"{former} is called {name} now, and would change nothing: rename it")
    if Path(_FORMER_FILE).exists():
        raise ConfigError(f"{_FORMER_FILE} is called {FILE} now, and would change nothing: rename the file")
    return declared(Path(environment.get("GATEKEEPER_DESKS") or FILE))


def declared(path: Path) -> tuple[Desk, ...]:
    """The default desk first, then the others by name.

    Without a file, or where it names no other as the default, that is the one which the environment describes. Raises
    ConfigError.
    """
    try:
        said = path.read_text("utf-8")
    except FileNotFoundError:
        if path != Path(FILE):
            raise ConfigError(f"GATEKEEPER_DESKS={path}: there is no such file; write one, or unset it") from None
        return (Desk(),)
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path} can't be read: {fault}") from None
    content = _tables(path, said)
    named = content.pop(DEFAULT, DEFAULT)
    if isinstance(named, dict):  # a table [default]: what the default desk sets for itself
        content[DEFAULT], named = named, DEFAULT
    desks = [_desk(path, name, said, is_default=name == named) for name, said in sorted(content.items())]
    if named == DEFAULT and DEFAULT not in content:
        desks.append(Desk())
    if not any(desk.is_default for desk in desks):
        raise ConfigError(f"{path}: default = {named!r} names no desk of this file; there are {_names(desks)}")
    return tuple(sorted(desks, key=lambda desk: (not desk.is_default, desk.name)))


def _tables(path: Path, said: str) -> dict[str, object]:
    import tomllib  # most houses have no such file

    try:
        return tomllib.loads(said)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{path} can't be read: {fault}") from None


def chosen(desks: Sequence[Desk], name: str | None) -> Desk:
    """The desk of that name; without one, the default. Raises ConfigError."""
    for desk in desks:
        if desk.name == name or (not name and desk.is_default):
            return desk
    raise ConfigError(f"there is no desk {name!r}; there are {_names(desks)}. A desk is a table of {FILE}: [{name}]")


def _desk(path: Path, name: str, said: object, *, is_default: bool) -> Desk:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: {name!r} is no name of a desk; it takes small letters, digits and _, begins with a letter and "
            "has at most 32"
        )
    if not isinstance(said, dict):
        raise ConfigError(f"{path}: {name} = {said!r} is no desk; a desk is a table: [{name}] and its settings below")
    settings = dict(said)
    title, schedule = settings.pop("title", ""), settings.pop("schedule", MONDAYS)
    schema = settings.pop("schema", None)
    for key, value in (("title", title), ("schedule", schedule), ("schema", schema or "")):
        if not isinstance(value, str):
            raise ConfigError(f"{path}: {key} = {value!r} of desk {name} is no text")
    if len(schedule.split()) != 5:
        raise ConfigError(f"{path}: schedule = {schedule!r} of desk {name} is no cron line of five fields: {MONDAYS!r}")
    if schema is not None and not _NAME.fullmatch(schema):
        raise ConfigError(f"{path}: schema = {schema!r} of desk {name}: small letters, digits and _, at most 32")
    if nested := sorted(key for key, value in settings.items() if isinstance(value, dict | list)):
        raise ConfigError(f"{path}: {', '.join(nested)} of desk {name} holds more than one value; a setting has one")
    if not is_default and "db" not in settings and schema is None:
        raise ConfigError(
            f"{path}: desk {name} names no registry of its own: give it a db, or a schema of the PostgreSQL database "
            "that GATEKEEPER_DB names"
        )
    return Desk(name, title, schedule, schema, settings, is_default)


def refuse_shared(places: Mapping[str, Mapping[str, str]]) -> None:
    """Raise ConfigError where two desks would write to one registry or one folder; places: of each desk, by setting."""
    seen: dict[tuple[str, str], str] = {}
    for name, own in places.items():
        for what, value in own.items():
            other = seen.setdefault((what, value.rstrip("/")), name)
            if other != name:
                raise ConfigError(f"the desks {other} and {name} have the same {what}, {value}; each needs its own")


def database_of(desk: Desk, url: str) -> str:
    """Where the desk's registry is: `url`, in its schema where it has one. Raises ConfigError."""
    if desk.schema is None:
        return url
    if not _POSTGRESQL.match(url) or "options=" in url:
        raise ConfigError(
            f"schema = {desk.schema!r} of desk {desk.name} needs a PostgreSQL database whose URL sets no options, "
            f"not {url}"
        )
    return f"{url}{'&' if '?' in url else '?'}options=-csearch_path%3D{desk.schema}"


def _names(desks: Iterable[Desk]) -> str:
    return ", ".join(sorted(desk.name for desk in desks)) or "none"
