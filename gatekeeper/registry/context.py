"""Registry context: database, model store and options that every registry operation shares."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.errors import ConfigError
from gatekeeper.registry import naming
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.store.base import Store
from gatekeeper.registry.store.local import LocalStore
from gatekeeper.secret_urls import SecretUrl, shown
from gatekeeper.settings import Settings

SIZE_CAP = 50 * 1024 * 1024
THRESHOLD: float = Settings.model_fields["threshold"].default

_ALMOST_A_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:/+\w")  # a Path of a URL loses a slash; a drive has one letter

Step = Callable[[str], None]
DatabaseUrl = str | SecretUrl
ModelsPlace = str | SecretUrl | Path


def no_step(_name: str) -> None:
    """Ignore the step: the default of `RegistryContext.step`."""


@dataclass(frozen=True, slots=True)
class RegistryContext:
    """Database, store and options. `step` is called with the name of each step, so that a test can stop there."""

    database: Database
    store: Store
    path_prefix: str
    grace_seconds: int
    step: Step
    threshold: float = THRESHOLD  # for models whose file and caller give none
    verified: set[str] = field(default_factory=set)  # sha256 of bytes that this process has verified

    @classmethod
    def at(
        cls,
        url: DatabaseUrl,
        *,
        models: ModelsPlace,
        path_prefix: str,
        size_cap: int,
        grace_seconds: int = 3600,
        step: Step = no_step,
        threshold: float | None = None,
        create: bool = False,
    ) -> "RegistryContext":
        """The context of the registry at `url`. With `create` (only `db upgrade`), make the database and the store.

        Raises ConfigError, SchemaOutOfDate if there is no SQLite file yet, Unavailable.
        """
        checked = checked_threshold(THRESHOLD if threshold is None else threshold)
        store = store_at(models, cap=size_cap, step=step)
        context = cls(Database.connect(url, create=create), store, path_prefix, grace_seconds, step, checked)
        if create:
            context.store.make()
            context.database.write_ahead()
        return context

    def path_of(self, version: str) -> str:
        """The `path` that a row of this version stores."""
        return self.path_prefix + naming.file_name(version)


def store_at(models: ModelsPlace, *, cap: int, step: Step = no_step) -> Store:
    """The store that the setting `models` names: a folder, a file:// URL, or an fsspec URL such as s3://.

    Raises ConfigError. Makes no connection: a missing store shows at its first use.
    """
    if isinstance(models, Path):
        _refuse_lost_slash(str(models))
        return LocalStore(models, cap=cap, step=step)
    try:
        url = SecretUrl.store(models) if isinstance(models, str) else models
    except ValueError as fault:
        raise ConfigError(f"The URL of the model store can't be read. {fault}") from None
    text = url.reveal()
    scheme, apart, rest = text.partition("://")
    if scheme in {"file", "local"} and apart:
        return LocalStore(Path(rest), cap=cap, step=step)
    if apart:
        from gatekeeper.registry.store.object_store import ObjectStore  # not needed for a folder

        return ObjectStore(url, cap=cap, step=step)
    _refuse_lost_slash(text)
    return LocalStore(Path(text), cap=cap, step=step)


def _refuse_lost_slash(text: str) -> None:
    if _ALMOST_A_URL.match(text):
        raise ConfigError(
            f"The model store {shown(text)!r} is neither a folder nor a URL. Write a URL as text, such as 's3://bucket/prefix'."
        )


def checked_threshold(value: float) -> float:
    """`value` unchanged. Raises ConfigError unless it lies between 0 and 1."""
    if not 0 < value < 1:
        raise ConfigError(f"The threshold {value} does not lie between 0 and 1. A score is a probability.")
    return float(value)


def plain(value: str, what: str) -> str:
    """`value` stripped. Raises ConfigError if it is blank or holds characters that a database can't store."""
    stripped = value.strip()
    if not stripped:
        raise ConfigError(f"The {what} is blank. Give a few words: they go into the promotion history.")
    return storable(stripped, what)


def storable(value: str, what: str) -> str:
    """`value` unchanged. Raises ConfigError if it holds characters that a database can't store."""
    if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ConfigError(
            f"The {what} {value!r} holds a null character or half of a surrogate pair, which a database can't store. "
            "Remove it."
        )
    return value


def aware(value: datetime | None, what: str) -> datetime | None:
    """`value` in UTC. Raises ConfigError if it has no UTC offset, or lies beyond what a database can store."""
    if value is not None and value.utcoffset() is None:
        raise ConfigError(f"The {what} {value.isoformat()} has no UTC offset. For UTC, write {value.isoformat()}Z.")
    try:
        return value and value.astimezone(UTC)
    except OverflowError:
        raise ConfigError(f"The {what} {value} lies beyond the years 1 to 9999 of UTC. Give another time.") from None
