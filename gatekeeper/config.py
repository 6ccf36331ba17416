"""Every setting with its default, in one place: what holds here, and where does it come from?

The environment is read once, by `load()`; everything else takes a `Settings` as an argument.
"""

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from typing import Any, Literal

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from gatekeeper import desks as desks_file
from gatekeeper.desks import DEFAULT, FILE, Desk
from gatekeeper.errors import ConfigError, mask

PREFIX = "GATEKEEPER_"
ALARM_KINDS = (
    "promoted",
    "kept",
    "undecided",
    "failed",
    "degraded",
    "rolled_back",
    "stale_feed",
    "breaker",
    "drift",
    "approval",
)
ALARM_LEVELS = ("off", "quiet", "loud")
LIKENESS = 0.8  # of an unknown name to a setting's, by difflib: the one is taken for a slip of the other
OWN_FOLDERS = ("models", "work", "reports", "spool")  # what two desks never share


class Settings(BaseSettings):
    """All that an operator can set, as `GATEKEEPER_<NAME>` in the environment. Frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True, allow_inf_nan=False
    )

    desks: str = Field(FILE, description="file that names the desks, where there is more than one", min_length=1)
    desk: str = Field(DEFAULT, description="the desk that all this is about", min_length=1)
    db: str = Field("sqlite:///registry.db", description="registry database (SQLAlchemy URL)")
    models: str = Field("models", description="folder of the model files, or a URL: s3://bucket/prefix", min_length=1)
    path_prefix: str = Field("models/", description="what every row's `path` begins with")
    data: str = Field("demo:", description="market data: demo:, candles:URI, ideas:URI, sql:")
    bar_stamp: Literal["open", "close"] = Field("open", description="are candles stamped at their open or their close")
    work: str = Field("work", description="folder for what travels between the weekly steps")
    reports: str = Field("reports", description="folder of the evaluation reports")

    recipe: str = Field("logistic", description="training recipe")
    seed: int = Field(0, ge=0, lt=2**32, description="seed of the training")
    threshold: float = Field(0.55, gt=0, lt=1, description="an idea that scores under it is vetoed")
    holdout_days: int = Field(365, ge=1, le=3650, description="days before the as-of that training never sees")
    longest_hold_days: int = Field(21, ge=1, le=365, description="no trade is open longer")
    embargo_days: int = Field(21, ge=0, le=365, description="days between training and the backtest window")
    min_ideas: int = Field(200, ge=2, description="fewest ideas to train on")
    min_class_ideas: int = Field(20, ge=1, description="fewest winning and fewest losing ideas to train on")

    pullback_width: float = Field(0.02, gt=0, lt=1, description="replay: how near the SMA50 a pull-back comes")
    time_stop_bars: int = Field(
        10, ge=1, le=1000, description="replay: bars until a trade is closed, entry bar counted"
    )
    barrier_atr: float = Field(2.0, gt=0, description="replay: distance of stop and target, in ATR14")
    cost_bp: float = Field(
        2.0, ge=0, lt=1000, description="replay: commission a side, in basis points of the entry price"
    )
    spread_bp: float = Field(0.0, ge=0, lt=1000, description="replay: spread, of which half is paid a side, the same")
    slippage_atr: float = Field(0.0, ge=0, le=1, description="replay: slippage a side, as a part of ATR14")
    borrow: float = Field(0.0, gt=-1, le=10, description="replay: yearly rate paid on shorts, by calendar day held")
    funding: float = Field(0.0, gt=-1, le=10, description="replay: the same on longs")
    calendars: str = Field(
        "", description="exchange calendars by symbol, as in 'SPX=XNYS BTC=24/7 *=XLON'; empty asks the data"
    )

    policy: Literal["better", "safe", "proven"] = Field("safe", description="promotion policy")
    tolerance: float = Field(0.5, ge=0, description="annual Sharpe by which `safe` may be wrong")
    margin: float = Field(0.0, ge=0, description="annual Sharpe that a gain must exceed")
    false_promotions_a_year: float = Field(1.0, gt=0, description="false promotions allowed in 52 looks")
    gain_of_interest: float = Field(0.5, gt=0, description="annual Sharpe gain that a window should be able to show")
    power: float = Field(0.8, gt=0.5, lt=1, description="chance to show it, where it exists")
    floor_trades: int = Field(30, ge=1, description="fewest kept trades to be judged")
    floor_days: int = Field(60, ge=5, description="fewest market days to be judged")
    drawdown_allowance: float = Field(0.05, ge=0, le=1, description="drawdown beyond the champion's, of capital")
    sizing: Literal["fraction", "volatility"] = Field(
        "fraction", description="is each trade a fixed part of capital, or so large that an ATR14 of move is one"
    )
    fraction: float = Field(0.05, gt=0, le=1, description="part of the initial capital in each trade")
    volatility_target: float = Field(
        0.0005, gt=0, le=0.1, description="volatility: part of capital that a move of ATR14 makes"
    )
    largest_fraction: float = Field(0.1, gt=0, le=1, description="volatility: largest part of capital in one trade")
    most_open: int | None = Field(None, ge=1, description="most positions open at once; later ideas are passed over")
    risk_free: float = Field(0.0, gt=-1, lt=1, description="yearly risk-free rate")
    deploy: Literal["judged", "refit"] = Field(
        "judged", description="what goes live: the judged bytes, or their twin that was fitted on all that is known"
    )
    refit_disagreement: float = Field(
        0.1, ge=0, le=1, description="refit: largest share of recent ideas that it may decide otherwise than its twin"
    )
    league: bool = Field(False, description="do rejected challengers go on competing?")
    league_size: int = Field(12, ge=1, le=50, description="league: how many of them, the newest")

    freshness_days: int = Field(7, ge=1, description="oldest newest bar, in days before the as-of")
    ideas_freshness_days: int = Field(30, ge=1, description="the same for labelled ideas")
    grace_seconds: int = Field(3600, ge=0, description="how long retired file names stay")
    model_size_cap_mb: int = Field(50, ge=1, le=2000, description="largest model file")
    poll_seconds: float = Field(1.0, gt=0, description="how often servers look at the registry")
    on_no_model: Literal["veto", "pass", "error"] = Field("veto", description="the answer where no model may answer")

    host: str = Field("127.0.0.1", description="server: the address it binds", min_length=1)
    port: int = Field(8055, ge=0, le=65535, description="server: the port; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="server: processes that answer")
    token: SecretStr | None = Field(None, description="server: what each POST has to bring as its bearer token")
    max_body_kb: int = Field(1024, ge=1, le=1024 * 1024, description="server: largest request, in KiB")
    max_ideas: int = Field(1000, ge=1, le=1_000_000, description="server: most ideas in one request")
    spool: str = Field("spool", description="server: folder of the decisions that are not in the database yet")
    spool_cap_mb: int = Field(256, ge=1, description="server: most that the spool may hold")
    alarms: SecretStr = Field(SecretStr(""), description="alarms: where to, as URLs of apprise; empty sends none")
    alarm_levels: str = Field("", description="alarms: KIND=off, quiet or loud, over what is the default")
    breaker: Literal["alarm", "rollback"] = Field(
        "alarm", description="monitor: what a live drawdown too deep leads to"
    )
    breaker_level: float = Field(0.99, gt=0.5, lt=1, description="monitor: how sure the drawdown has to be too deep")
    approval: bool = Field(False, description="Airflow: does a person approve each promotion?")
    approval_timeout_hours: float = Field(24.0, gt=0, description="Airflow: an approval that is late is a rejection")

    max_hold: int | None = Field(
        None, ge=1, le=365, description="sql: days until the outcome of an older server's idea was known"
    )

    @field_validator("alarm_levels")
    @classmethod
    def _levels_of_kinds(cls, said: str) -> str:
        for word in said.replace(",", " ").split():
            kind, _, level = word.partition("=")
            if kind not in ALARM_KINDS or level not in ALARM_LEVELS:
                raise ValueError(
                    f"{word!r} is no KIND=LEVEL; kinds are {', '.join(ALARM_KINDS)}, levels {', '.join(ALARM_LEVELS)}, "
                    "as in 'kept=quiet failed=loud'"
                )
        return said

    @field_validator("calendars")
    @classmethod
    def _calendars_of_symbols(cls, said: str) -> str:
        _pairs(said)
        return said

    @property
    def market_calendars(self) -> dict[str, str]:
        """Of `calendars`: the calendar's name for each symbol; `*` stands for all others."""
        return _pairs(self.calendars)

    @field_validator("league")
    @classmethod
    def _league_of_tested(cls, on: bool, values: ValidationInfo) -> bool:
        if on and values.data.get("policy") == "better":
            raise ValueError(
                "the best of many is picked for its luck too, and the policy 'better' tests nothing: "
                "set GATEKEEPER_POLICY to safe or proven, or GATEKEEPER_LEAGUE to false"
            )
        if on and values.data.get("deploy") == "refit":
            raise ValueError(
                "the refit of a challenger of weeks ago is no fresher than it, so a league of them can't be held: "
                "set GATEKEEPER_DEPLOY to judged, or GATEKEEPER_LEAGUE to false"
            )
        return on

    @property
    def holdout(self) -> timedelta:
        """`holdout_days`."""
        return timedelta(days=self.holdout_days)

    @property
    def longest_hold(self) -> timedelta:
        """`longest_hold_days`."""
        return timedelta(days=self.longest_hold_days)

    @property
    def embargo(self) -> timedelta:
        """`embargo_days`."""
        return timedelta(days=self.embargo_days)

    @property
    def alpha(self) -> float:
        """Significance of one weekly look: fixed, never measured from the last run, never over 0.05."""
        return min(0.05, self.false_promotions_a_year / 52)

    @property
    def model_size_cap(self) -> int:
        """Bytes."""
        return self.model_size_cap_mb * 1024 * 1024


def _pairs(said: str) -> dict[str, str]:
    """`SYMBOL=CALENDAR` words; a symbol may hold = signs itself, as ES=F does."""
    found: dict[str, str] = {}
    for word in said.replace(",", " ").split():
        symbol, _, name = word.rpartition("=")
        if not symbol or not name:
            raise ValueError(f"{word!r} is no SYMBOL=CALENDAR; write it as in 'SPX=XNYS BTC=24/7 *=XLON'")
        if symbol in found:
            raise ValueError(f"{symbol} is given two calendars, {found[symbol]} and {name}; keep one")
        found[symbol] = name
    return found


def load(overrides: Mapping[str, object] | None = None, desk: str | None = None) -> Settings:
    """The settings of one desk: `overrides` first, then what desks.toml says of it, the environment, the defaults.

    Without a name, that of GATEKEEPER_DESK counts, else the default desk. Raises ConfigError, naming each at fault.
    """
    unknown = sorted(set(overrides or {}) - set(Settings.model_fields))
    if unknown:
        raise ConfigError(f"unknown setting {', '.join(unknown)}; known: {', '.join(sorted(Settings.model_fields))}")
    declared = desks()
    named = desk or os.environ.get(f"{PREFIX}DESK")
    chosen = desks_file.chosen(declared, named)
    if len(declared) > 1:
        every_desk()
    return _of(chosen, overrides or {})


def every_desk() -> list[tuple[Desk, Settings]]:
    """Each desk with its settings, the default first. Raises ConfigError, for two that would share a place too."""
    each = [(desk, _of(desk, {})) for desk in desks()]
    own = {desk.name: {name: getattr(of, name) for name in ("db", *OWN_FOLDERS)} for desk, of in each}
    desks_file.refuse_shared(own)
    return each


def desks() -> tuple[Desk, ...]:
    """All that there are, the default first. Raises ConfigError."""
    return desks_file.from_environment(os.environ)


def choose(desk: str) -> None:
    """From now on, in this process and its children, all is about this desk. Raises ConfigError where there is none."""
    os.environ[f"{PREFIX}DESK"] = desks_file.chosen(desks(), desk).name


def _of(desk: Desk, overrides: Mapping[str, object]) -> Settings:
    if unknown := sorted(set(desk.settings) - (set(Settings.model_fields) - {"desk", "desks"})):
        raise ConfigError(f"desk {desk.name} sets {', '.join(unknown)}; `gatekeeper config` shows what can be set")
    _refuse_misspelt(os.environ)
    try:
        settings = _checked({**desk.settings, "desk": desk.name, **overrides})
    except ConfigError as fault:
        raise fault if not desk.settings else ConfigError(f"desk {desk.name}: {fault}") from None
    own: dict[str, object] = {}
    if desk.schema is not None and "db" not in overrides:
        own["db"] = desks_file.database_of(desk, settings.db)
    if not desk.is_default:
        apart = {name for name in OWN_FOLDERS if name not in desk.settings and name not in overrides}
        own |= {name: f"{getattr(settings, name).rstrip('/')}/{desk.name}" for name in sorted(apart)}
    return settings.model_copy(update=own)


def _refuse_misspelt(names: Iterable[str]) -> None:
    """A name like no setting's is let be: Kubernetes, for one, has GATEKEEPER_SERVICE_HOST for a service of ours."""
    ours = {name.upper().removeprefix(PREFIX).lower() for name in names if name.upper().startswith(PREFIX)}
    for name in sorted(ours - Settings.model_fields.keys()):
        if meant := get_close_matches(name, Settings.model_fields, n=1, cutoff=LIKENESS):
            raise ConfigError(
                f"{PREFIX}{name.upper()} is no setting and would change nothing; did you mean "
                f"{PREFIX}{meant[0].upper()}? Rename it or unset it; `gatekeeper config` shows every setting"
            )


def override(settings: Settings, changes: Mapping[str, object]) -> Settings:
    """`settings` with `changes` in their place, checked as if they came from the environment."""
    return _checked({**settings.model_dump(), **changes}) if changes else settings


def _checked(values: dict[str, Any]) -> Settings:
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = "; ".join(
            f"{PREFIX}{'.'.join(str(part) for part in fault['loc']).upper()}={fault['input']!r}: {fault['msg']}"
            for fault in error.errors()
        )
        raise ConfigError(f"{faults}; `gatekeeper config` shows every setting") from None


def sources(settings: Settings) -> list[tuple[str, str, str, str]]:
    """(name, value, source, description) of each setting, passwords masked.

    source is `desks.toml` for what the desk says or what comes of its name, else `environment` or `default`.
    """
    desk = desks_file.chosen(desks(), settings.desk)
    environment = {name.upper() for name in os.environ}
    own = {"desk", "db"} if desk.schema else {"desk"}
    own = own | (set() if desk.is_default else set(OWN_FOLDERS)) | set(desk.settings)

    def source(name: str) -> str:
        if name in own and (desk.settings or not desk.is_default):
            return "desks.toml"
        return "environment" if PREFIX + name.upper() in environment else "default"

    return [
        (PREFIX + name.upper(), mask(str(getattr(settings, name))), source(name), field.description or "")
        for name, field in Settings.model_fields.items()
    ]
