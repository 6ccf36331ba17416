"""Where does this registry live: which database, which folder, which habits?"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from gatekeeper.config import Settings
from gatekeeper.errors import ConfigError
from gatekeeper.registry import naming
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.store.base import Store
from gatekeeper.registry.store.local import LocalStore

SIZE_CAP = 50 * 1024 * 1024
THRESHOLD: float = Settings.model_fields["threshold"].default

_ALMOST_A_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+\w")  # a Path of a URL loses a slash; a drive has one letter

Step = Callable[[str], None]


def no_step(_name: str) -> None:
    """Nobody wants to know which step was reached."""


@dataclass(frozen=True, slots=True)
class RegistryContext:
    """All that registering and promoting act on. `step` is told of each step, so that a test can stop there."""

    database: Database
    store: Store
    path_prefix: str
    grace_seconds: int
    step: Step
    threshold: float = THRESHOLD  # of models whose file and caller say none
    vouched: set[str] = field(default_factory=set)  # sha256 that this process has verified

    @classmethod
    def at(
        cls,
        url: str,
        *,
        models: str | Path,
        path_prefix: str,
        size_cap: int,
        grace_seconds: int = 3600,
        step: Step = no_step,
        threshold: float | None = None,
        create: bool = False,
    ) -> "RegistryContext":
        """With `create` (only `db upgrade` does), a missing database file and models folder are made."""
        checked = checked_threshold(THRESHOLD if threshold is None else threshold)
        store = store_at(models, cap=size_cap, step=step)
        context = cls(Database.connect(url, create=create), store, path_prefix, grace_seconds, step, checked)
        if create:
            context.store.make()
            context.database.write_ahead()
        return context

    def path_of(self, version: str) -> str:
        """What a row of this version holds as its `path`."""
        return self.path_prefix + naming.file_name(version)


def store_at(models: str | Path, *, cap: int, step: Step = no_step) -> Store:
    """The store that the setting `models` names: a folder, a file:// URL, or what fsspec reaches, such as s3://.

    Raises ConfigError. Whether the store is there shows when it is first asked.
    """
    text = str(models)
    scheme, apart, rest = text.partition("://")
    if scheme in {"file", "local"} and apart:
        return LocalStore(Path(rest), cap=cap, step=step)
    if apart and isinstance(models, str):
        from gatekeeper.registry.store.object_store import ObjectStore  # a folder needs nothing of it

        return ObjectStore(text, cap=cap, step=step)
    if _ALMOST_A_URL.match(text):
        raise ConfigError(
            f"GATEKEEPER_MODELS={text!r} is neither folder nor URL; a URL is text, as 's3://bucket/prefix'"
        )
    return LocalStore(Path(models), cap=cap, step=step)


def checked_threshold(value: float) -> float:
    """`value` as it is. Raises ConfigError outside 0 to 1."""
    if not 0 < value < 1:
        raise ConfigError(f"threshold {value} lies outside 0 to 1: a score is a probability")
    return float(value)


def plain(value: str, what: str) -> str:
    """`value` stripped. Raises ConfigError where it is blank, or holds what no database stores."""
    stripped = value.strip()
    if not stripped:
        raise ConfigError(f"{what} is blank; say it in a word or two, it goes into the audit")
    return storable(stripped, what)


def storable(value: str, what: str) -> str:
    """`value` as it is. Raises ConfigError where it holds what no database stores."""
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigError(f"{what} {value!r} holds characters that can't be stored")
    return value


def aware(value: datetime | None, what: str) -> datetime | None:
    """`value` as it is. Raises ConfigError where it doesn't say its offset."""
    if value is not None and value.utcoffset() is None:
        raise ConfigError(f"{what} {value.isoformat()} has no offset; say {value.isoformat()}Z for UTC")
    return value
