"""Declarations of the settings: name, type, default, limits and meaning of each, and what is checked of it.

`config.load()` reads them; whoever needs one takes a `Settings` as an argument.
"""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SecretStr, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from gatekeeper import schedule as cron
from gatekeeper import setting_words as words
from gatekeeper.desks import DEFAULT, FILE, columns_file
from gatekeeper.secret_urls import SecretUrl, remember

PREFIX = "GATEKEEPER_"


class Settings(BaseSettings):
    """All settings, each read from `GATEKEEPER_<NAME>` in the environment. Frozen."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        frozen=True,
        extra="forbid",
        validate_default=True,
        allow_inf_nan=False,
        hide_input_in_errors=True,
    )

    desks: str = Field(FILE, description="file that declares the desks, if there is more than one", min_length=1)
    desk: str = Field(DEFAULT, description="desk that a command or task works for", min_length=1)
    db: SecretUrl = Field(
        SecretUrl.database("sqlite:///registry.db"),
        description="registry database: sqlite:///FILE or postgresql+psycopg://HOST/DATABASE",
    )
    models: SecretUrl = Field(
        SecretUrl.store("models"), description="model store: a folder, or a URL such as s3://bucket/prefix"
    )
    path_prefix: str = Field(
        "models/", description="what stands before the file name in each model's `path`; older servers read it"
    )
    data: SecretUrl = Field(
        SecretUrl.source("demo:"),
        description="market data: demo:, candles:URI (bars), ideas:URI (labelled ideas), sql: (logged decisions)",
    )
    bar_stamp: Literal["open", "close"] = Field(
        "open", description="whether a candle's time is that of the bar's open or of its close"
    )
    outcome_unit: Literal["fraction", "percent", "bp", "log"] | None = Field(
        None,
        description="what the `outcome`, `path` and `cost` of labelled ideas are in, if not fractions of the entry "
        "price; log: signed log returns. They are converted. Empty: fractions",
    )
    idea_features: SecretUrl | None = Field(
        None,
        description="files with the features of trades that have none: rows of symbol, time (of a bar, as "
        "GATEKEEPER_BAR_STAMP says) and features; joined to each trade is the newest row that was known at its entry",
    )
    idea_bars: SecretUrl | None = Field(
        None, description="bars of the labelled ideas' symbols, by which outcomes and features are checked"
    )
    splits: str = Field(
        "",
        description="CSV file of splits that prices aren't adjusted for: symbol, date of the first bar in new shares, "
        "new shares per old one; empty: none",
    )
    accept: Annotated[tuple[str, ...], NoDecode] = Field(
        (),
        description="findings about the market data that are right as they are, by the keys that `gatekeeper data` "
        "prints (split:AAPL:2005-02-28), separated by spaces; a list in desks.toml",
    )
    columns: Annotated[dict[str, str | list[str] | bool], NoDecode] = Field(
        {},
        description="which column of the market data holds what, for files that aren't recognised, and how their dates "
        "and numbers are written: a TOML file; a table in desks.toml",
    )
    work: str = Field("work", description="folder for the files that the steps of a weekly run hand to each other")
    reports: str = Field("reports", description="folder for the evaluation reports")

    schedule: str = Field(
        cron.MONDAYS, description="cron line of the weekly run, in UTC; its runs a year are the tests of the budget"
    )

    recipe: str = Field("hist_gradient_boosting", description="training recipe, by name")
    seed: int = Field(0, ge=0, lt=2**32, description="random seed of the training and of the monitor's bootstraps")
    threshold: float = Field(0.55, gt=0, lt=1, description="score below which an idea is vetoed")
    holdout_days: int = Field(
        365, ge=1, le=3650, description="days before the as-of that training never uses; they are for the backtest"
    )
    longest_hold_days: int = Field(
        21, ge=1, le=365, description="days by which every trade is closed; younger ideas are not used yet"
    )
    embargo_days: int = Field(
        21, ge=0, le=365, description="days left out between the training data and the backtest window"
    )
    min_ideas: int = Field(200, ge=2, description="fewest labelled ideas to train on; with fewer, training is refused")
    min_class_ideas: int = Field(
        20, ge=1, description="fewest winning and fewest losing ideas to train on; with fewer, training is refused"
    )
    train_years: float | None = Field(
        None, gt=0, le=200, description="years of ideas before the training's end to train on; empty: all of them"
    )
    half_life_days: float | None = Field(
        None,
        gt=0,
        le=36500,
        description="training: days of age, at the training's end, by which an idea's weight halves; empty: all equal",
    )

    pullback_width: float = Field(
        0.02, gt=0, lt=1, description="replay: a pull-back lies this close to the SMA50, as a fraction of the price"
    )
    time_stop_bars: int = Field(
        10, ge=1, le=1000, description="replay: bars after which an open trade is closed, entry bar included"
    )
    barrier_atr: float = Field(
        2.0, gt=0, description="replay: distance of stop and target from the entry price, in multiples of ATR14"
    )
    cost_bp: float = Field(
        2.0, ge=0, lt=1000, description="replay: commission at entry and at exit each, in basis points of the price"
    )
    spread_bp: float = Field(
        0.0, ge=0, lt=1000, description="replay: bid-ask spread in basis points; half paid at entry, half at exit"
    )
    slippage_atr: float = Field(
        0.0, ge=0, le=1, description="replay: slippage at entry and again at exit, as a fraction of ATR14"
    )
    borrow: float = Field(
        0.0, gt=-1, le=10, description="replay: annual rate on short positions by calendar day held; 0.02 is 2 %"
    )
    funding: float = Field(
        0.0, gt=-1, le=10, description="replay: annual rate on long positions by calendar day held; 0.02 is 2 %"
    )
    calendars: str = Field(
        "", description="exchange calendars by symbol: 'SPX=XNYS BTC=24/7 *=XLON'; empty: derived from the data"
    )

    policy: Literal["better", "safe", "proven"] = Field(
        "safe",
        description="promotion policy: better (a gain), safe (surely no worse by the tolerance), proven (a sure gain)",
    )
    tolerance: float = Field(
        0.5, ge=0, description="policy safe: how far below 0 the lower bound of the gain may lie, in annual Sharpe"
    )
    margin: float = Field(0.0, ge=0, description="gain that a challenger must exceed to be promoted, in annual Sharpe")
    false_promotions_a_year: float | None = Field(
        None,
        gt=0,
        description="budget: most false promotions a year, on average; empty: 0.5 for safe, 1 for proven",
    )
    gain_of_interest: float = Field(
        0.5, gt=0, description="smallest gain worth detecting, in annual Sharpe; if it can't be: undecided"
    )
    power: float = Field(0.8, gt=0.5, lt=1, description="probability with which a gain of that size is to be detected")
    floor_trades: int = Field(
        30, ge=1, description="fewest trades that each model must have taken in the window to be judged"
    )
    floor_days: int = Field(60, ge=5, description="fewest market days in the window for a judgement")
    drawdown_allowance: float = Field(
        0.05, ge=0, le=1, description="by how much the challenger's drawdown may exceed the champion's, of capital"
    )
    beat_ungated: Literal["warn", "bootstrap", "always"] = Field(
        "warn",
        description="must a model have made more than taking every idea? warn (an alarm if it made less), bootstrap "
        "(the first primary must), always (every promoted model must)",
    )
    too_good: float = Field(
        5.0, gt=0, description="annual Sharpe in the window above which a challenger is left to a person to decide"
    )
    sizing: Literal["fraction", "volatility"] = Field(
        "fraction", description="position size: fraction (part of capital), volatility (smaller where ATR14 is larger)"
    )
    fraction: float = Field(
        0.05, gt=0, le=1, description="sizing by fraction: part of the initial capital in each trade"
    )
    volatility_target: float = Field(
        0.0005,
        gt=0,
        le=0.1,
        description="sizing by volatility: part of capital that a move of one ATR14 gains or loses",
    )
    largest_fraction: float = Field(
        0.1, gt=0, le=1, description="sizing by volatility: largest part of capital in one trade"
    )
    most_open: int | None = Field(
        None, ge=1, description="most positions open at once, later ideas are skipped; not set: no limit"
    )
    risk_free: float = Field(
        0.0,
        gt=-1,
        lt=1,
        description="annual risk-free rate, taken off the exposed part of capital each night; 0.03 is 3 %",
    )
    deploy: Literal["judged", "refit"] = Field(
        "judged", description="a promotion deploys the judged model, or its refit: the same recipe on all that is known"
    )
    refit_disagreement: float = Field(
        0.1, ge=0, le=1, description="deploy refit: largest share of ideas that it may decide differently"
    )
    league: bool = Field(False, description="whether challengers that were not promoted compete again in later weeks")
    league_size: int = Field(
        12, ge=1, le=50, description="league: how many earlier challengers compete, the newest first"
    )

    freshness_days: int = Field(
        7, ge=1, description="largest age of the newest bar at the as-of, in days; older is refused"
    )
    ideas_freshness_days: int = Field(
        30, ge=1, description="largest age of the newest labelled idea at the as-of, in days; older is refused"
    )
    grace_seconds: int = Field(
        3600, ge=0, description="seconds for which the file of a retired name is kept, for servers that still read it"
    )
    model_size_cap_mb: int = Field(50, ge=1, le=2000, description="largest model file that is accepted, in MiB")
    poll_seconds: float = Field(1.0, gt=0, description="seconds between two queries of a server for a new primary")
    on_no_model: Literal["veto", "pass", "error"] = Field(
        "veto", description="server: answer if no model can score: veto, pass (approve) or error (HTTP 503)"
    )

    host: str = Field("127.0.0.1", description="server: address to listen on", min_length=1)
    port: int = Field(8055, ge=0, le=65535, description="server: port to listen on; 0 takes a free one")
    workers: int = Field(1, ge=1, le=64, description="server: number of processes")
    token: SecretStr | None = Field(
        None, description="server: bearer token that each POST must carry; not set: none is asked for"
    )
    max_body_kb: int = Field(1024, ge=1, le=1024 * 1024, description="server: largest request body, in KiB")
    max_ideas: int = Field(1000, ge=1, le=1_000_000, description="server: most ideas in one request")
    spool: str = Field("spool", description="server: folder for decisions that are not in the database yet")
    spool_cap_mb: int = Field(256, ge=1, description="server: largest size of that folder, in MiB")
    idea_memory: int = Field(
        5_000_000,
        ge=1,
        le=5_000_000,
        description="server: how many of the newest idea ids keep their first decision if they are asked again",
    )
    alarms: SecretUrl = Field(
        SecretUrl.receivers(""),
        description="alarms: receivers as Apprise URLs, separated by spaces; empty: none are sent",
    )
    alarm_levels: str = Field(
        "", description="alarms: off, quiet or loud by kind, where not the default: 'kept=quiet failed=loud'"
    )
    breaker: Literal["alarm", "rollback"] = Field(
        "alarm", description="monitor: what follows a live drawdown that is too deep: an alarm, or also a rollback"
    )
    breaker_level: float = Field(
        0.99,
        gt=0.5,
        lt=1,
        description="monitor: quantile of the backtest's drawdowns beyond which it trips; pinned with each evaluation",
    )
    approval: bool = Field(False, description="Airflow: whether a person must approve each promotion")
    approval_timeout_hours: float = Field(
        24.0, gt=0, description="Airflow: hours after which an unanswered approval counts as rejected"
    )
    approvers: str = Field(
        "",
        description="Airflow: users who may approve, by name, separated by spaces; empty: anyone but the one who asked",
    )

    signing_key: str | None = Field(
        None, description="receipts: private key that signs them, a PEM file (PKCS #8, Ed25519); not set: unsigned"
    )
    max_hold: int | None = Field(
        None,
        ge=1,
        le=365,
        description="logged ideas: days after which the outcome from an older server counts as known",
    )

    @field_validator("db", "models", "data", "idea_features", "idea_bars", "alarms", mode="before")
    @classmethod
    def _url(cls, value: object, field: ValidationInfo) -> object:
        if not isinstance(value, str):
            return value
        if field.field_name == "db":
            value = value.strip()
        if field.field_name in ("idea_features", "idea_bars") and not value.strip():
            return None
        kinds = {"db": SecretUrl.database, "data": SecretUrl.source, "alarms": SecretUrl.receivers}
        return kinds.get(str(field.field_name), SecretUrl.store)(value)

    @field_validator("train_years", "half_life_days", "false_promotions_a_year", "outcome_unit", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return None if isinstance(value, str) and not value.strip() else value

    @field_validator("accept", mode="before")
    @classmethod
    def _words(cls, value: object) -> object:
        return tuple(value.split()) if isinstance(value, str) else value

    @field_validator("columns", mode="before")
    @classmethod
    def _mapping(cls, value: object) -> object:
        return columns_file(value) if isinstance(value, str) else value

    @field_validator("models")
    @classmethod
    def _somewhere(cls, models: SecretUrl) -> SecretUrl:
        if not models:
            raise ValueError("It is empty. Name a folder, or a URL such as s3://bucket/prefix.")
        return models

    @field_validator("work", "reports", "spool", "signing_key")
    @classmethod
    def _on_this_machine(cls, path: str | None) -> str | None:
        if path and "://" in path:
            raise ValueError("It is a URL, and has to be a path on this machine.")
        return path

    @field_validator("schedule")
    @classmethod
    def _schedule(cls, line: str) -> str:
        if why := cron.fault(line):
            raise ValueError(
                f"It is not a cron expression of five fields ({why}). Write one such as {cron.MONDAYS!r} (minute, "
                "hour, day of the month, month, day of the week), or @daily."
            )
        return line

    @field_validator("token")
    @classmethod
    def _kept(cls, token: SecretStr | None) -> SecretStr | None:
        remember(token.get_secret_value() if token else "")
        return token

    @field_validator("alarm_levels")
    @classmethod
    def _levels_of_kinds(cls, text: str) -> str:
        words.refuse_levels(text)
        return text

    @field_validator("calendars")
    @classmethod
    def _calendars_of_symbols(cls, text: str) -> str:
        words.calendars(text)
        return text

    @property
    def market_calendars(self) -> dict[str, str]:
        """The calendar's name for each symbol in `calendars`; `*` stands for all others."""
        return words.calendars(self.calendars)

    @field_validator("league")
    @classmethod
    def _league_of_tested(cls, on: bool, values: ValidationInfo) -> bool:
        if on and values.data.get("policy") == "better":
            raise ValueError(
                "A league needs a policy that tests for chance, since the best of many models is partly lucky, and "
                "'better' does not. Set GATEKEEPER_POLICY to safe or proven, or GATEKEEPER_LEAGUE to false."
            )
        if on and values.data.get("deploy") == "refit":
            raise ValueError(
                "A league can't deploy refits, since the refit of an earlier challenger is no fresher than itself. "
                "Set GATEKEEPER_DEPLOY to judged, or GATEKEEPER_LEAGUE to false."
            )
        return on

    @property
    def approver_names(self) -> tuple[str, ...]:
        """The users of `approvers`."""
        return tuple(self.approvers.replace(",", " ").split())

    @property
    def holdout(self) -> timedelta:
        """`holdout_days` as a duration."""
        return timedelta(days=self.holdout_days)

    @property
    def longest_hold(self) -> timedelta:
        """`longest_hold_days` as a duration."""
        return timedelta(days=self.longest_hold_days)

    @property
    def embargo(self) -> timedelta:
        """`embargo_days` as a duration."""
        return timedelta(days=self.embargo_days)

    @property
    def tests_a_year(self) -> int:
        """Weekly runs that `schedule` makes in a year, whatever ran: each of them is a test."""
        return cron.tests_a_year(self.schedule)

    @property
    def model_size_cap(self) -> int:
        """`model_size_cap_mb` in bytes."""
        return self.model_size_cap_mb * 1024 * 1024
