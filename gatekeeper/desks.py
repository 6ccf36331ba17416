"""Desks: one for each strategy or asset class, each with its own registry, by name in `desks.toml`.

Uses the standard library alone, since DAG files import it while Airflow parses them.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from gatekeeper import schedule
from gatekeeper.errors import ConfigError
from gatekeeper.secret_urls import SecretUrl

FILE = "desks.toml"
DEFAULT = "default"
KEYS = {"title", "schema"}  # of a desk's table, beside the settings
LISTS = {"accept"}  # the settings that are lists of text there
TABLES = {"columns"}  # those that are tables there

_FORMER = {"GATEKEEPER_GATES": "GATEKEEPER_DESKS", "GATEKEEPER_GATE": "GATEKEEPER_DESK"}
_FORMER_FILE = "gates.toml"
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_POSTGRESQL = re.compile(r"postgres(ql)?(\+\w+)?://", re.IGNORECASE)
_OWN_SCHEMA = re.compile(r"[?&](options|schema)=")


@dataclass(frozen=True, slots=True)
class Desk:
    """One desk of the file. `settings`: the settings of settings.py that it overrides."""

    name: str = DEFAULT
    title: str = ""
    schema: str | None = None
    settings: Mapping[str, object] = field(default_factory=dict)
    is_default: bool = True
    fault: str = ""
    """What is wrong with its table, so that it can't run; empty if nothing is."""

    @property
    def is_apart(self) -> bool:
        """Whether its folders, DAGs and connection bear its name: they go with its registry.

        Being the default is no part of it: `default = NAME` in the file would move them otherwise.
        """
        return self.name != DEFAULT and not (self.is_default and self.schema is None and not _names_a_db(self.settings))

    def dag_id(self, act: str) -> str:
        """The id of its DAG for `act`: weekly, promote or monitor."""
        return f"gatekeeper_{act}_{self.name}" if self.is_apart else f"gatekeeper_{act}"


def from_environment(environment: Mapping[str, str]) -> tuple[Desk, ...]:
    """The desks of GATEKEEPER_DESKS, or of desks.toml in the working folder. Raises ConfigError for a former name."""
    for former, name in _FORMER.items():
        if former in environment:
            raise ConfigError(f"{former} is called {name} now and has no effect. Rename it.")
    if Path(_FORMER_FILE).exists():
        raise ConfigError(f"{_FORMER_FILE} is called {FILE} now and has no effect. Rename the file.")
    return declared(Path(environment.get("GATEKEEPER_DESKS") or FILE))


def declared(path: Path) -> tuple[Desk, ...]:
    """The desks of the file: the default desk first, then the others by name.

    Without a file, or if the file names no default, the default desk is the one that the environment describes. A desk
    whose table is wrong says so by its `fault`. Raises ConfigError if the file can't be read, or names another default.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        if path != Path(FILE):
            raise ConfigError(f"GATEKEEPER_DESKS={path} does not exist. Write that file, or unset it.") from None
        return (Desk(),)
    except (OSError, UnicodeDecodeError) as fault:
        raise ConfigError(f"{path} can't be read: {fault}.") from None
    content = _tables(path, text)
    named = content.pop(DEFAULT, DEFAULT)
    if isinstance(named, dict):  # a table [default]: what the default desk sets for itself
        content[DEFAULT], named = named, DEFAULT
    desks = [_read(path, name, value, is_default=name == named) for name, value in sorted(content.items())]
    if named == DEFAULT and DEFAULT not in content:
        desks.append(Desk())
    if not any(desk.is_default for desk in desks):
        raise ConfigError(f"{path}: default = {named!r} names no desk of this file. Its desks are {_names(desks)}.")
    return tuple(sorted(desks, key=lambda desk: (not desk.is_default, desk.name)))


def _tables(path: Path, text: str) -> dict[str, object]:
    import tomllib  # imported here, since most installations have no such file

    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise ConfigError(f"{path} is not valid TOML: {fault}.") from None


def chosen(desks: Sequence[Desk], name: str | None) -> Desk:
    """The desk of this name; without a name, the default desk. Raises ConfigError."""
    for desk in desks:
        if desk.name == name or (not name and desk.is_default):
            return desk
    raise ConfigError(f"There is no desk {name!r}, only {_names(desks)}. A desk is a table of {FILE}: [{name}].")


def _read(path: Path, name: str, value: object, *, is_default: bool) -> Desk:
    try:
        return _desk(path, name, value, is_default=is_default)
    except ConfigError as fault:
        return Desk(name, is_default=is_default, fault=str(fault))


def _desk(path: Path, name: str, value: object, *, is_default: bool) -> Desk:
    if not _NAME.fullmatch(name):
        raise ConfigError(
            f"{path}: {name!r} is not a valid desk name. Use at most 32 lower-case letters, digits and _, and begin "
            "with a letter."
        )
    if not isinstance(value, dict):
        raise ConfigError(f"{path}: {name} is a value, not a desk. Write a table: [{name}] and its settings below it.")
    settings = dict(value)
    title, schema = settings.pop("title", ""), settings.pop("schema", None)
    line = settings.get("schedule", schedule.MONDAYS)
    for key, given in (("title", title), ("schedule", line), ("schema", schema or "")):
        if not isinstance(given, str):
            raise ConfigError(f"{path}: {key} = {given!r} of desk {name} is not text. Put it in quotes.")
    if why := schedule.fault(line):
        raise ConfigError(
            f"{path}: schedule = {line!r} of desk {name} is not a cron expression of five fields ({why}). Write one "
            f"such as {schedule.MONDAYS!r} (minute, hour, day of the month, month, day of the week), or @daily."
        )
    if schema is not None and not _NAME.fullmatch(schema):
        raise ConfigError(
            f"{path}: schema = {schema!r} of desk {name} is not a valid name. Use at most 32 lower-case letters, "
            "digits and _, and begin with a letter."
        )
    settings |= {key: _list(path, name, key, settings[key]) for key in LISTS & settings.keys()}
    settings |= {key: _table(path, f"{key} of desk {name}", settings[key]) for key in TABLES & settings.keys()}
    single = {key: given for key, given in settings.items() if key not in TABLES}
    if nested := sorted(key for key, given in single.items() if isinstance(given, dict | list)):
        raise ConfigError(f"{path}: {', '.join(nested)} of desk {name} is a list or table. A setting takes one value.")
    if not is_default and not _names_a_db(settings) and schema is None:
        raise ConfigError(
            f"{path}: desk {name} has no registry of its own. Give it a db, or a schema in the PostgreSQL database of "
            "GATEKEEPER_DB."
        )
    return Desk(name, title, schema, settings, is_default)


def _list(path: Path, name: str, key: str, given: object) -> tuple[str, ...]:
    if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
        raise ConfigError(f'{path}: {key} = {given!r} of desk {name} is not a list of text. Write ["...", "..."].')
    return tuple(given)


def _table(path: Path, what: str, given: object) -> dict[str, object]:
    """A table whose values are text, lists of text, true or false."""
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: {what} is a value, not a table. Write a table of its own, [DESK.columns].")
    for key, value in given.items():
        each = value if isinstance(value, list) else [value]
        if not all(isinstance(one, str | bool) for one in each):
            raise ConfigError(f"{path}: {key} = {value!r} in {what} is not text. Put it in quotes.")
    return dict(given)


def columns_file(name: str) -> dict[str, object]:
    """The mapping of columns in a TOML file, with or without a header such as [fx.columns]; empty without a name.

    Raises ValueError, as settings are checked.
    """
    if not name.strip():
        return {}
    path = Path(name)
    try:
        content = _tables(path, path.read_text("utf-8"))
        while len(content) == 1 and isinstance(inner := next(iter(content.values())), dict):
            content = inner
        return _table(path, "columns", content)
    except (OSError, UnicodeDecodeError) as fault:
        why = fault.strerror if isinstance(fault, OSError) else "it is not UTF-8"
        raise ValueError(f'It can\'t be read: {why}. Name a TOML file, with lines such as open = "Erster".') from None
    except ConfigError as fault:
        raise ValueError(str(fault)) from None


def _names_a_db(settings: Mapping[str, object]) -> bool:
    return not {"db", "db_file"}.isdisjoint(settings)


def shared(places: Mapping[str, Mapping[str, str | SecretUrl]]) -> dict[str, str]:
    """By desk, the fault that it shares a registry or folder with another one. places: by desk, then by setting."""
    seen: dict[tuple[str, str], str] = {}
    faults: dict[str, str] = {}
    for name, own in places.items():
        for what, value in own.items():
            whole = value.reveal() if isinstance(value, SecretUrl) else value
            other = seen.setdefault((what, _place(whole)), name)
            if other != name:
                fault = f"The desks {other} and {name} share the {what} {value}. Give each its own."
                faults.setdefault(other, fault)
                faults.setdefault(name, fault)
    return faults


def _place(value: str) -> str:
    """The place that a folder or database URL means, however it is written."""
    scheme, apart, rest = value.strip().partition("://")
    if not apart:
        return str(Path(value).resolve())
    scheme = scheme.lower().partition("+")[0]
    scheme = "postgresql" if scheme == "postgres" else scheme
    if scheme == "sqlite":
        return f"{scheme}:{Path(unquote(rest.removeprefix('/'))).resolve()}"
    return f"{scheme}://{rest.rstrip('/')}"


def database_of(desk: Desk, url: SecretUrl) -> SecretUrl:
    """The URL of the desk's registry: `url`, with the desk's schema if it has one. Raises ConfigError."""
    if desk.schema is None:
        return url
    whole = url.reveal().strip()
    if not _POSTGRESQL.match(whole) or _OWN_SCHEMA.search(whole):
        raise ConfigError(
            f"schema = {desk.schema!r} of desk {desk.name} needs a PostgreSQL URL without options or a schema of its "
            f"own, not {url}. Change GATEKEEPER_DB, or give the desk a db."
        )
    return SecretUrl.database(f"{whole}{'&' if '?' in whole else '?'}schema={desk.schema}")


def _names(desks: Iterable[Desk]) -> str:
    return ", ".join(sorted(desk.name for desk in desks)) or "none"
