"""Settings in force: read from the environment and desks.toml, by desk, with the source of each.

The environment is read once, by `load()`; everything else takes a `Settings` as an argument.
"""

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from pydantic import SecretStr, ValidationError

from gatekeeper import desks as desks_file
from gatekeeper.desks import Desk
from gatekeeper.errors import ConfigError, mask
from gatekeeper.settings import ALARM_LEVELS, PREFIX, Settings

LIKENESS = 0.8  # by difflib: an unknown name at least this similar to a setting's is taken for a misspelling
ALARMS = ("alarms", "alarm_levels")
OWN_FOLDERS = ("models", "work", "reports", "spool")  # folders that two desks never share


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
    name, own = desk or os.environ.get(f"{PREFIX}DESK") or "", Desk()
    with suppress(ConfigError):
        own = desks_file.chosen(desks(), name)
    given = {key: str(own.settings.get(key, os.environ.get(PREFIX + key.upper(), ""))) for key in ALARMS}
    levels = given["alarm_levels"].replace(",", " ").split()
    known = " ".join(word for word in levels if word.partition("=")[2] in ALARM_LEVELS)
    return Settings.model_construct(desk=name or own.name, alarms=SecretStr(given["alarms"]), alarm_levels=known)


def choose(desk: str) -> None:
    """Use this desk from now on, in this process and its children. Raises ConfigError if it does not exist."""
    os.environ[f"{PREFIX}DESK"] = desks_file.chosen(desks(), desk).name


def _of(desk: Desk, overrides: Mapping[str, object]) -> Settings:
    if desk.fault:
        raise ConfigError(desk.fault)
    known = set(Settings.model_fields) - {"desk", "desks"}
    if unknown := sorted(set(desk.settings) - known):
        meant = {name: get_close_matches(name.lower(), known | desks_file.KEYS, n=1) for name in unknown}
        hints = [f"Did you mean {right[0]} instead of {name}?" for name, right in meant.items() if right]
        sets = f"Desk {desk.name} sets {', '.join(unknown)}, which is not a setting."
        raise ConfigError(" ".join([sets, *hints, "`gatekeeper config` lists them."]))
    _refuse_misspelt(os.environ)
    try:
        settings = _checked({**desk.settings, "desk": desk.name, **overrides})
    except ConfigError as fault:
        raise fault if not desk.settings else ConfigError(f"Desk {desk.name}: {fault}") from None
    own: dict[str, object] = {}
    if desk.schema is not None and "db" not in overrides:
        own["db"] = desks_file.database_of(desk, settings.db)
    if desk.is_apart:
        apart = {name for name in OWN_FOLDERS if name not in desk.settings and name not in overrides}
        own |= {name: f"{getattr(settings, name).rstrip('/')}/{desk.name}" for name in sorted(apart)}
    return settings.model_copy(update=own)


def _refuse_misspelt(names: Iterable[str]) -> None:
    """Raise ConfigError for a misspelt setting. A name unlike any setting's passes: Kubernetes, for one, sets
    GATEKEEPER_SERVICE_HOST for a service of that name."""
    ours = {name.upper().removeprefix(PREFIX).lower() for name in names if name.upper().startswith(PREFIX)}
    for name in sorted(ours - Settings.model_fields.keys()):
        if meant := get_close_matches(name, Settings.model_fields, n=1, cutoff=LIKENESS):
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
        faults = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in fault['loc']).upper()}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigError(f"{faults.rstrip('.')}. `gatekeeper config` shows every setting.") from None


def sources(settings: Settings) -> list[tuple[str, str, str, str]]:
    """Name, value, source and description of each setting, with passwords masked.

    source: `desks.toml` for a value that the desk sets or that follows from its name, else `environment` or `default`.
    """
    desk = desks_file.chosen(desks(), settings.desk)
    environment = {name.upper() for name in os.environ}
    own = {"desk", "db"} if desk.schema else {"desk"}
    own = own | (set(OWN_FOLDERS) if desk.is_apart else set()) | set(desk.settings)

    def source(name: str) -> str:
        if name in own and (desk.settings or desk.is_apart):
            return "desks.toml"
        return "environment" if PREFIX + name.upper() in environment else "default"

    return [
        (PREFIX + name.upper(), mask(str(getattr(settings, name))), source(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
