"""Rules: every number that an evaluation went by, pinned with it; nothing later looks at the settings of its day.

Returns and drawdowns are parts of the initial capital, rates parts of the entry price, Sharpe figures annual.
"""

import math
from typing import Literal, TypeVar

from msgspec import Struct, structs

from gatekeeper.documents import budget as budgets
from gatekeeper.errors import DataError

PolicyName = Literal["better", "safe", "proven"]

POLICIES: tuple[PolicyName, ...] = ("better", "safe", "proven")

EDITIONS = (1, 2)
"""Editions of the judgement; new evaluations go by the last one."""

LARGEST_ALPHA = 0.05  # of documents that went by alpha

UNKNOWN_IN_FORMAT_1 = (
    "threshold", "seed", "holdout_days", "embargo_days", "refit_disagreement", "breaker_level", "replay", "reading",
)  # fmt: skip
"""Rules that no document of format 1 holds."""


Known = TypeVar("Known")


def known(rule: Known | None) -> Known:
    """A rule that is known: the document is of today's format, or was completed. Raises DataError."""
    if rule is None:
        raise DataError("the evaluation, of an older format, doesn't hold this rule; complete its rules first")
    return rule


class Policy(Struct, frozen=True, omit_defaults=True):
    """Every number that the promotion rule uses. Sharpe figures are annual, drawdowns parts of the initial capital."""

    name: PolicyName
    """Name of the policy: better, safe or proven."""
    safe_tolerance: float
    """`safe`: how far below 0 the lower bound of the gain may lie, in annual Sharpe."""
    z: float
    """Standard errors between the gain and its lower bound, in a long window."""
    margin: float
    """Gain that must be exceeded, in annual Sharpe."""
    floor_trades: int
    """Fewest trades to be judged."""
    floor_days: int
    """Fewest market days to be judged."""
    drawdown_allowance: float
    """Allowance by which a drawdown may be deeper than the champion's."""
    gain_of_interest: float
    """Gain that a window should be able to show, in annual Sharpe."""
    power: float
    """Chance to show it if it exists, 0 to 1."""
    periods_per_year: int
    """Market days in a year: 252, or 365 around the clock."""
    risk_free: float
    """Yearly risk-free rate."""
    beat_ungated: Literal["warn", "bootstrap", "always"] = "warn"
    """Which promotions need a model that made more than taking every idea; left out if none does."""
    too_good: float = 5.0
    """Annual Sharpe above which a person decides. Older documents lack it."""
    tests_a_year: int | None = None
    """Weekly runs that the desk's schedule makes in a year. Older documents, which went by `alpha`, lack it."""
    safe_budget: float | None = None
    """`safe`: most false promotions a year, on average. Older documents lack it."""
    proven_budget: float | None = None
    """`proven`: the same."""
    alpha: float | None = None
    """Of older documents: the chance of a false promotion that one test may have, which `z` follows from."""

    def __post_init__(self) -> None:
        """Raise ValueError for what no policy has."""
        if self.name not in POLICIES:
            raise ValueError(f"policy {self.name!r} is unknown; choose one of {', '.join(POLICIES)}")
        if self.alpha is not None and not 0 < self.alpha <= LARGEST_ALPHA:
            raise ValueError(f"alpha {self.alpha} is not over 0 and at most {LARGEST_ALPHA}")
        if not 0 <= self.z < math.inf:
            raise ValueError(f"z {self.z} is not a number from 0 on")
        set_by = (self.tests_a_year, self.safe_budget, self.proven_budget)
        if any((each is None) == (self.alpha is None) for each in set_by):
            raise ValueError("z follows from alpha, or from tests_a_year, safe_budget and proven_budget")
        if self.alpha is None and not all(0 < (each or 0) < math.inf for each in set_by):
            raise ValueError(
                f"tests_a_year {self.tests_a_year}, safe_budget {self.safe_budget} and proven_budget "
                f"{self.proven_budget} are not all over 0"
            )
        if not 0 < self.power < 1:
            raise ValueError(f"power {self.power} is not between 0 and 1")
        if self.periods_per_year < 1:
            raise ValueError(f"periods_per_year {self.periods_per_year} is under 1")

    @property
    def tolerance(self) -> float | None:
        """How far below 0 the lower bound may lie; None if the policy needs no bound."""
        return {"better": None, "safe": self.safe_tolerance, "proven": 0.0}[self.name]

    @property
    def budget(self) -> float | None:
        """Most false promotions a year, on average; None for `better`, which has no such budget, and if not known."""
        return {"better": None, "safe": self.safe_budget, "proven": self.proven_budget}[self.name]

    @property
    def right_z(self) -> float:
        """z as it follows from budget and tests a year, or from alpha. For `better` the bound that `proven` shows."""
        if self.alpha is not None:
            return budgets.z_of_alpha(self.alpha)
        return budgets.z_of(self.budget or known(self.proven_budget), known(self.tests_a_year))

    @property
    def single_alpha(self) -> float:
        """The chance that one test alone promotes a challenger at the edge of what may pass."""
        return budgets.alpha_of(self.z) if self.alpha is None else self.alpha

    def with_name(self, name: PolicyName) -> "Policy":
        """The same numbers under another of the three policies, with the z of its budget."""
        other = structs.replace(self, name=name)
        return structs.replace(other, z=other.right_z)


class SizingRecord(Struct, frozen=True):
    """Sizing rule of trades."""

    kind: Literal["fraction", "volatility"]
    """Whether each trade is the same part of capital, or smaller if ATR14 is larger."""
    fraction: float
    """`fraction`: part of the initial capital in each trade."""
    target: float
    """`volatility`: what a move of ATR14 makes, as a part of capital."""
    largest: float
    """`volatility`: largest part of capital in one trade."""
    most_open: int | None
    """Most positions that one stream holds at once; null for any number."""


class RatesRecord(Struct, frozen=True):
    """Cost rates of the replay."""

    commission: float
    """A side, as a part of the entry price."""
    spread: float
    """Spread as a part of the entry price, half of it paid per side."""
    slippage: float
    """A side, as a part of ATR14."""
    borrow: float
    """Yearly rate paid on shorts, for each calendar day held."""
    funding: float
    """The same on longs."""


class ReplayRecord(Struct, frozen=True):
    """Rules by which bars become ideas and trades."""

    pullback_width: float
    """A pull-back lies this close to the SMA50, as a part of the price."""
    time_stop_bars: int
    """Bars after which an open trade is closed, entry bar included."""
    barrier_atr: float
    """Distance of stop and target from the entry price, in multiples of ATR14."""


class ReadingRecord(Struct, frozen=True):
    """How the source's own file or log was read; these hold for that source, and for no other."""

    bar_stamp: Literal["open", "close"]
    """Whether a bar's time is that of its `open` or `close`."""
    max_hold: int | None
    """Days after which the outcome from an older server counts as known; null if not set."""


class Rules(Struct, frozen=True, kw_only=True):
    """All that an evaluation went by. Null is not known: a document of format 1 doesn't hold it."""

    edition: int
    """Edition of the judgement: 2. Documents of formats 1 and 2 were judged by edition 1, and are rechecked by it."""
    policy: Policy
    """Policy in force, with its numbers."""
    marked: bool
    """Whether trades are marked to market day by day, or booked on the day of their exit."""
    sizing: SizingRecord
    """Sizing rule of trades."""
    rates: RatesRecord | None
    """Cost rates of the replay."""
    calendars: str | None
    """Exchange calendars by symbol, as the setting has them; may be empty."""
    threshold: float | None
    """Score from which on an idea is approved, 0 to 1, for a model that was registered without one."""
    seed: int | None
    """Seed of the training and of the monitor's bootstraps."""
    holdout_days: int | None
    """Days before the as-of that training never used."""
    embargo_days: int | None
    """Days left out between the training data and the window."""
    longest_hold_days: int
    """Days by which every trade is closed."""
    refit_disagreement: float | None
    """Largest share of ideas that a refit may decide differently, 0 to 1."""
    breaker_level: float | None
    """Quantile of the backtest's drawdowns beyond which the monitor's breaker trips, 0 to 1."""
    replay: ReplayRecord | None
    """Rules by which bars become ideas and trades."""
    reading: ReadingRecord | None
    """How the source's file or log was read."""

    def __post_init__(self) -> None:
        """Raise ValueError for an edition that there isn't, or a policy of the other one."""
        if self.edition not in EDITIONS:
            raise ValueError(f"edition {self.edition} of the judgement is unknown; there are 1 and 2")
        if (self.edition == 1) != (self.policy.alpha is not None):
            raise ValueError(f"edition {self.edition} of the judgement with alpha {self.policy.alpha} can't be")

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of the rules that the document, of format 1, doesn't hold; empty for one of today."""
        return tuple(name for name in (*UNKNOWN_IN_FORMAT_1, "rates", "calendars") if getattr(self, name) is None)

    @property
    def periods_per_year(self) -> int:
        """Market days in a year."""
        return self.policy.periods_per_year

    @property
    def risk_free(self) -> float:
        """Yearly risk-free rate."""
        return self.policy.risk_free

    def completed(self, today: "Rules") -> "Rules":
        """The same, with the rules of today where these are unknown."""
        return structs.replace(self, **{name: getattr(today, name) for name in self.unknown})
