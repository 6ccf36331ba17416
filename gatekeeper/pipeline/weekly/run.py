"""Weekly run: its as-of, the settings that affect its result, and its run key."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path

from gatekeeper import schedule as cron
from gatekeeper.config import override
from gatekeeper.errors import AsOfError, ConfigError
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.settings import Settings

DAG_ID = "gatekeeper_weekly"
PARAMETERS = (
    "data",
    "recipe",
    "seed",
    "train_years",
    "half_life_days",
    "threshold",
    "holdout_days",
    "policy",
    "tolerance",
    "margin",
)
WEEKLY_HOUR = 2
FIRST_YEAR, LAST_YEAR = 1970, 2200  # far within what 64 bits of nanoseconds hold

# Where things are, and how servers answer, changes no result: these stay out of the run key.
_PLACES = frozenset(
    {
        "splits",  # its content is in the key
        "accept",  # lets data through as it is, and changes none of it
        "idea_bars",  # data are checked by them, and nothing else
        "desk",
        "desks",
        "db",
        "models",
        "path_prefix",
        "work",
        "reports",
        "grace_seconds",
        "model_size_cap_mb",
        "poll_seconds",
        "on_no_model",
        "host",
        "port",
        "workers",
        "token",
        "max_body_kb",
        "max_ideas",
        "spool",
        "spool_cap_mb",
        "idea_memory",
        "alarms",
        "alarm_levels",
        "breaker",
        "breaker_level",
        "approval",
        "approval_timeout_hours",
        "approvers",
        "signing_key",
    }
)
_BUDGETED = frozenset({"schedule", "false_promotions_a_year"})

# Came with a later version: left out of the run key until they are set, so that an upgrade makes no look a new one.
_LATER = frozenset(
    {
        "deploy",
        "refit_disagreement",
        "league",
        "league_size",
        "spread_bp",
        "slippage_atr",
        "borrow",
        "funding",
        "calendars",
        "sizing",
        "volatility_target",
        "largest_fraction",
        "most_open",
        "beat_ungated",
        "too_good",
        "columns",
    }
)


@dataclass(frozen=True, slots=True)
class Run:
    """One weekly run: an as-of and every setting that affects its result."""

    as_of: datetime
    settings: Settings
    actor: str = "gatekeeper"

    @property
    def key(self) -> str:
        """The run key: the same for the same DAG, as-of and parameters, whoever runs it and however often."""
        judged = self.settings.model_dump(exclude=set(_PLACES | _BUDGETED), exclude_none=True)
        for name in _LATER & judged.keys():
            if judged[name] == Settings.model_fields[name].default:
                del judged[name]
        if self.settings.splits and (splits := self._splits()):
            judged["splits"] = splits
        judged |= self._budgeted()
        digest = hashlib.sha256(json.dumps(judged, sort_keys=True, default=_whole).encode()).hexdigest()
        return f"{DAG_ID}/{self.as_of:%Y-%m-%dT%H:%M:%SZ}/{digest[:16]}"

    def _splits(self) -> str | None:
        """The digest of the splits up to the as-of, wherever their file lies."""
        from gatekeeper.market.data.bars import corporate_actions

        return corporate_actions.digest(corporate_actions.read(self.settings.splits), self.as_of)

    def _budgeted(self) -> dict[str, object]:
        """What sets z, as far as it was set: the schedule counts by its tests a year, not by its hour.

        `false_promotions_a_year` is what each key has held since before its default was by policy.
        """
        settings = self.settings
        set_ = {"budget": settings.false_promotions_a_year, "tests_a_year": settings.tests_a_year}
        if settings.tests_a_year == cron.tests_a_year(cron.MONDAYS):
            del set_["tests_a_year"]
        if settings.false_promotions_a_year is None:
            del set_["budget"]
        return {"false_promotions_a_year": 1.0, **set_}

    @property
    def work(self) -> Path:
        """The folder of this run's files between the steps."""
        return Path(self.settings.work) / self.key.replace("/", "_").replace(":", "")


def _whole(url: object) -> str:
    """A source as it is written, since its password may choose what it holds; of the digest nothing can be read."""
    if not isinstance(url, SecretUrl):
        raise TypeError(f"{type(url).__name__} has no place in a run key")
    return url.reveal()


def parse_as_of(text: str) -> datetime:
    """An as-of from `2018-11-05` (at 02:00 UTC, as scheduled) or an ISO 8601 instant (UTC unless it has an offset)."""
    text = text.strip()
    try:
        try:
            instant = datetime.combine(date.fromisoformat(text), time(WEEKLY_HOUR))
        except ValueError:
            instant = datetime.fromisoformat(text)
        instant = instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
    except (ValueError, OverflowError):
        raise AsOfError(
            f"as-of {text!r} is not an ISO 8601 date; write it like 2018-11-05 or 2018-11-05T02:00Z"
        ) from None
    return instant.replace(microsecond=0)


def start(
    as_of: datetime,
    *,
    now: datetime,
    settings: Settings,
    parameters: Mapping[str, object] | None = None,
    actor: str = "gatekeeper",
    reads: bool = True,
) -> Run:
    """The run of `as_of`; `now` only serves to refuse an as-of in the future.

    reads: whether the source will be read; only then is it checked for this as-of, since its modules import slowly.
    Raises ConfigError for a parameter that is unknown or out of range, AsOfError for an as-of that can't be run.
    """
    given = {name: value for name, value in (parameters or {}).items() if value is not None}
    unknown = sorted(set(given) - set(PARAMETERS))
    if unknown:
        raise ConfigError(f"unknown parameter {', '.join(unknown)}; a run takes its as-of and {', '.join(PARAMETERS)}")
    if not FIRST_YEAR <= as_of.year <= LAST_YEAR:
        raise AsOfError(f"as-of {as_of.isoformat()} lies outside {FIRST_YEAR} to {LAST_YEAR}; choose one within")
    run = Run(as_of.astimezone(UTC).replace(microsecond=0), override(settings, given), actor)
    if reads:
        from gatekeeper.market import sources

        sources.check_as_of(run.settings.data, run.as_of, now)
    return run
