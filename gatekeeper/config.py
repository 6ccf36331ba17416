"""Settings in force: read from the environment and desks.toml, by desk, with the source of each.

The environment is read once, by `load()`; everything else takes a `Settings` as an argument.
"""

import os
import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import SecretStr, ValidationError

from gatekeeper import desks as desks_file
from gatekeeper.desks import Desk
from gatekeeper.errors import ConfigError
from gatekeeper.secret_urls import SecretUrl, shown
from gatekeeper.setting_words import ALARM_LEVELS
from gatekeeper.settings import PREFIX, Settings

LIKENESS = 0.8  # by difflib: an unknown name at least this similar to a setting's is taken for a misspelling
ALARMS = ("alarms", "alarm_levels")
OWN_FOLDERS = ("models", "work", "reports", "spool")  # folders that two desks never share
FROM_FILE = "_file"  # GATEKEEPER_DB_FILE names a file that holds GATEKEEPER_DB
LARGEST_SECRET = 64 * 1024  # bytes
SECRETS = tuple(
    name
    for name, field in Settings.model_fields.items()
    if {SecretUrl, SecretStr} & {field.annotation, *get_args(field.annotation)}
)

# What Kubernetes sets in every pod for a service `gatekeeper` or `gatekeeper-...`, and Docker for a link.
_OF_A_SERVICE = re.compile(r"(\w+_)?(service_(host|port(_\w+)?)|port(_\d+_(tcp|udp|sctp)(_(proto|port|addr))?)?)")
_OF_A_PORT = ("tcp://", "udp://", "sctp://")
_noted: set[str] = set()


def load(overrides: Mapping[str, object] | None = None, desk: str | None = None) -> Settings:
    """The settings of one desk, by precedence: `overrides`, desks.toml, the environment, the defaults.

    `desk` defaults to GATEKEEPER_DESK, else to the default desk. Raises ConfigError, which names each setting at fault.
    """
    unknown = sorted(set(overrides or {}) - set(Settings.model_fields))
    if unknown:
        raise ConfigError(f"Unknown setting {', '.join(unknown)}. Known: {', '.join(sorted(Settings.model_fields))}.")
    declared = desks()
    named = desk or os.environ.get(f"{PREFIX}DESK")
    chosen = desks_file.chosen(declared, named)
    if len(declared) > 1 and (fault := standing_desks().faults.get(chosen.name)):
        raise fault
    return _of(chosen, overrides or {})


@dataclass(frozen=True, slots=True)
class StandingDesks:
    """The desks that can run, each with its settings, the default first; by name what is wrong with the others."""

    ready: tuple[tuple[Desk, Settings], ...]
    faults: Mapping[str, ConfigError]

    def refuse_faults(self) -> None:
        """Raise ConfigError with what is wrong with each desk that can't run."""
        if self.faults:
            raise ConfigError(" ".join(map(str, self.faults.values())))


def standing_desks() -> StandingDesks:
    """All desks: a mistake in one leaves the others standing. Raises ConfigError if the file itself can't be read."""
    each: list[tuple[Desk, Settings]] = []
    faults: dict[str, ConfigError] = {}
    for desk in desks():
        try:
            each.append((desk, _of(desk, {})))
        except ConfigError as fault:
            faults[desk.name] = fault
    own = {desk.name: {name: getattr(of, name) for name in ("db", *OWN_FOLDERS)} for desk, of in each}
    faults |= {name: ConfigError(why) for name, why in desks_file.shared(own).items()}
    return StandingDesks(tuple(one for one in each if one[0].name not in faults), faults)


def desks() -> tuple[Desk, ...]:
    """All desks, the default first, those that can't run too. Raises ConfigError."""
    return desks_file.from_environment(os.environ)


def alarms_alone(desk: str | None = None) -> Settings:
    """Settings of which only the desk's alarms were read, unchecked: to report that the others are wrong."""
    name, own, given = desk or os.environ.get(f"{PREFIX}DESK") or "", Desk(), _given(os.environ)
    with suppress(ConfigError):
        own = desks_file.chosen(desks(), name)
    found: dict[str, object] = {key: given.get(key, "") for key in ALARMS}
    for source in (given, own.settings):
        with suppress(ConfigError):
            named = {**source, **_from_files(source, str)}
            found |= {key: named[key] for key in ALARMS if key in named}
    levels = str(found["alarm_levels"]).replace(",", " ").split()
    known = " ".join(word for word in levels if word.partition("=")[2] in ALARM_LEVELS)
    receivers = SecretUrl.receivers("")
    with suppress(ValueError):
        receivers = SecretUrl.receivers(str(found["alarms"]))
    return Settings.model_construct(desk=name or own.name, alarms=receivers, alarm_levels=known)


def choose(desk: str) -> None:
    """Use this desk from now on, in this process and its children. Raises ConfigError if it does not exist."""
    os.environ[f"{PREFIX}DESK"] = desks_file.chosen(desks(), desk).name


def _of(desk: Desk, overrides: Mapping[str, object]) -> Settings:
    if desk.fault:
        raise ConfigError(desk.fault)
    known = set(Settings.model_fields) - {"desk", "desks"} | {f"{name}{FROM_FILE}" for name in SECRETS}
    if unknown := sorted(set(desk.settings) - known):
        meant = {name: get_close_matches(name.lower(), known | desks_file.KEYS, n=1) for name in unknown}
        hints = [f"Did you mean {right[0]} instead of {name}?" for name, right in meant.items() if right]
        sets = f"Desk {desk.name} sets {', '.join(unknown)}, which is not a setting."
        raise ConfigError(" ".join([sets, *hints, "`gatekeeper config` lists them."]))
    given = _given(os.environ)
    _refuse_misspelt(given)
    from_files = _from_files(given, lambda name: PREFIX + name.upper())
    try:
        own_values = {**desk.settings, **_from_files(desk.settings, str)}
        own_values = {name: value for name, value in own_values.items() if name in Settings.model_fields}
        settings = _checked({**_instead_of_services(given), **from_files, **own_values, "desk": desk.name, **overrides})
    except ConfigError as fault:
        raise fault if not desk.settings else ConfigError(f"Desk {desk.name}: {fault}") from None
    own: dict[str, object] = {}
    if desk.schema is not None and "db" not in overrides:
        own["db"] = desks_file.database_of(desk, settings.db)
    if desk.is_apart:
        apart = {name for name in OWN_FOLDERS if name not in own_values and name not in overrides}
        own |= {name: _below(getattr(settings, name), desk.name) for name in sorted(apart)}
    return settings.model_copy(update=own)


def _below(folder: str | SecretUrl, desk: str) -> str | SecretUrl:
    if isinstance(folder, SecretUrl):
        return SecretUrl.store(f"{folder.reveal().rstrip('/')}/{desk}")
    return f"{folder.rstrip('/')}/{desk}"


def _given(environment: Mapping[str, str]) -> dict[str, str]:
    """The variables of ours, by name in lower case without the prefix."""
    upper = {name.upper(): value for name, value in environment.items()}
    return {name.removeprefix(PREFIX).lower(): value for name, value in upper.items() if name.startswith(PREFIX)}


def _is_of_a_service(name: str, value: str) -> bool:
    if not _OF_A_SERVICE.fullmatch(name):
        return False
    return value.startswith(_OF_A_PORT) or name not in Settings.model_fields


def _instead_of_services(given: Mapping[str, str]) -> dict[str, object]:
    """The default of each setting whose variable Kubernetes has set for a service; noted once."""
    mistaken = {name: value for name, value in given.items() if _is_of_a_service(name, value)}
    mistaken = {name: value for name, value in mistaken.items() if name in Settings.model_fields}
    defaults = {name: Settings.model_fields[name].default for name in mistaken}
    for name in mistaken.keys() - _noted:
        from gatekeeper.logs import logger

        _noted.add(name)
        logger("gatekeeper").warning(
            "%s%s=%s is what Kubernetes sets for a service named gatekeeper, so it is ignored: the default %s applies. "
            "Rename the service, set enableServiceLinks: false, or set %s%s in the container.",
            *(PREFIX, name.upper(), shown(mistaken[name]), defaults[name], PREFIX, name.upper()),
        )
    return defaults


def _from_files(given: Mapping[str, object], named: Callable[[str], str]) -> dict[str, object]:
    """The settings that `given` names a file for, as `db_file`. Raises ConfigError; it never shows a file's content."""
    found: dict[str, object] = {}
    for name in SECRETS:
        path = given.get(name + FROM_FILE)
        if not path:
            continue
        if given.get(name):
            raise ConfigError(f"Both {named(name)} and {named(name + FROM_FILE)} are set. Unset one of them.")
        found[name] = _secret_of(str(path), named(name + FROM_FILE))
    return found


def _secret_of(path: str, name: str) -> str:
    """The content of a secret's file, without one newline at its end."""
    where = f"{name}={path}" if path.startswith("/") else name  # what is no path may be the secret itself
    way_out = "Name a readable file that holds the secret and nothing else."
    try:
        with open(path, "rb") as file:  # noqa: PTH123  # pathlib reads no part of a file
            content = file.read(LARGEST_SECRET + 1)
        text = content.decode()
    except (OSError, ValueError) as fault:
        why = (fault.strerror if isinstance(fault, OSError) else "") or "it is not text in UTF-8"
        raise ConfigError(f"{where} can't be read: {why}. {way_out}") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if text.startswith("\ufeff"):
        raise ConfigError(
            f"{where} begins with a byte order mark, which is no part of a secret. Save it without a BOM."
        )
    if not text.strip() or len(content) > LARGEST_SECRET:
        fault_text = "is empty" if not text.strip() else f"has more than {LARGEST_SECRET // 1024} KiB"
        raise ConfigError(f"{where} {fault_text}. {way_out}")
    return text


def _refuse_misspelt(given: Mapping[str, str]) -> None:
    """Raise ConfigError for a misspelt setting. A name unlike any setting's passes, as a service's of Kubernetes."""
    known = {*Settings.model_fields, *(name + FROM_FILE for name in SECRETS)}
    for name, value in sorted(given.items()):
        if name in known or _is_of_a_service(name, value):
            continue
        if (whole := name.removesuffix(FROM_FILE)) != name and whole in Settings.model_fields:
            raise ConfigError(
                f"{PREFIX}{name.upper()} is not read: of the settings, only {', '.join(SECRETS)} may be in a file. Set "
                f"{PREFIX}{whole.upper()} instead."
            )
        if meant := get_close_matches(name, sorted(known), n=1, cutoff=LIKENESS):
            raise ConfigError(
                f"{PREFIX}{name.upper()} is not a setting. Did you mean {PREFIX}{meant[0].upper()}? Rename or unset "
                "it; `gatekeeper config` lists the settings."
            )


def override(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """`settings` with `changes`, checked as if they came from the environment. Raises ConfigError."""
    return _checked({**settings.model_dump(), **changes}) if changes else settings


def _checked(values: dict[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(_fault(fault["loc"], fault["input"], fault["msg"]) for fault in error.errors())
        raise ConfigError(f"{faults.rstrip('.')}. `gatekeeper config` shows every setting.") from None


def _fault(place: tuple[int | str, ...], value: object, message: str) -> str:
    name = ".".join(str(part) for part in place)
    is_url = isinstance(value, str) and "://" in value  # where none belongs: what it holds may be a secret
    given = "" if name in SECRETS else f"={shown(str(value))!r}" if is_url else f"={value!r}"
    told = message.removeprefix("Value error, ")
    if told == message and (field := Settings.model_fields.get(name)):  # a bare limit: say what is asked for, too
        told += f" ({field.description})"
    return f"{PREFIX}{name.upper()}{given}: {told}"


def sources(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Name, value, source and description of each setting, without secrets.

    source: `desks.toml` for a value that the desk sets or that follows from its name, else `file` (named by
    GATEKEEPER_..._FILE), `environment` or `default`.
    """
    desk = desks_file.chosen(desks(), settings.desk)
    given = _given(os.environ)
    environment = {name for name, value in given.items() if not _is_of_a_service(name, value)}
    own = {"desk", "db"} if desk.schema else {"desk"}
    own = own | (set(OWN_FOLDERS) if desk.is_apart else set()) | set(desk.settings)

    def source(name: str) -> str:
        if name + FROM_FILE in desk.settings:
            return "file"
        if name in own and (desk.settings or desk.is_apart):
            return "desks.toml"
        if given.get(name + FROM_FILE):
            return "file"
        return "environment" if name in environment else "default"

    return [
        (PREFIX + name.upper(), _shown(getattr(settings, name)), source(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} = {own!r}" for key, own in value.items())
    return " ".join(value) if isinstance(value, tuple) else str(value)
