"""Which look is this? An as-of, the settings that bear on its result, and the key that names it."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from gatekeeper.config import Settings, override
from gatekeeper.errors import AsOfError, ConfigError

DAG_ID = "gatekeeper_weekly"
PARAMETERS = ("data", "recipe", "seed", "threshold", "holdout_days", "policy", "tolerance", "margin")
WEEKLY_HOUR = 2

# Where things are, and how servers answer, changes no result: these stay out of the run key.
_PLACES = frozenset(
    {
        "db",
        "models",
        "path_prefix",
        "work",
        "reports",
        "grace_seconds",
        "model_size_cap_mb",
        "poll_seconds",
        "on_no_model",
    }
)


@dataclass(frozen=True, slots=True)
class Run:
    """One look: an as-of and every setting that bears on its result."""

    as_of: datetime
    settings: Settings
    actor: str = "gatekeeper"

    @property
    def key(self) -> str:
        """The same for the same DAG, as-of and parameters, whoever runs it and however often."""
        judged = {name: value for name, value in self.settings.model_dump().items() if name not in _PLACES}
        digest = hashlib.sha256(json.dumps(judged, sort_keys=True).encode()).hexdigest()
        return f"{DAG_ID}/{self.as_of:%Y-%m-%dT%H:%M:%SZ}/{digest[:16]}"

    @property
    def work(self) -> Path:
        """Where this run's files travel between the steps."""
        return Path(self.settings.work) / self.key.replace("/", "_").replace(":", "")


def parse_as_of(text: str) -> datetime:
    """`2018-11-05`, at 02:00 UTC as the schedule has it, or a full ISO 8601 instant with its offset (without: UTC)."""
    try:
        instant = datetime.fromisoformat(text.strip())
    except ValueError:
        raise AsOfError(f"as-of {text!r} is no ISO 8601 date; write it like 2018-11-05 or 2018-11-05T02:00Z") from None
    if len(text.strip()) == len("2018-11-05"):
        instant = instant.replace(hour=WEEKLY_HOUR)
    instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    return instant.replace(microsecond=0)


def start(
    as_of: datetime,
    *,
    now: datetime,
    settings: Settings,
    parameters: Mapping[str, object] | None = None,
    actor: str = "gatekeeper",
) -> Run:
    """The run of `as_of`; `now` only serves to refuse an as-of in the future.

    Raises ConfigError for a parameter that is unknown or out of range, AsOfError for an as-of that can't be run.
    """
    from gatekeeper.market import sources

    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    unknown = sorted(set(given) - set(PARAMETERS))
    if unknown:
        raise ConfigError(f"unknown parameter {', '.join(unknown)}; a run takes as_of, {', '.join(PARAMETERS)}")
    run = Run(as_of.astimezone(UTC).replace(microsecond=0), override(settings, given), actor)
    sources.check_as_of(run.settings.data, run.as_of, now)
    return run
