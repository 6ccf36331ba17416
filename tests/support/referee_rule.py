"""Reference promotion rule, written from the text alone: ideas in, verdict out (referee.py has the statistics)."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from gatekeeper.market.ideas import Dataset
from tests.support.referee import (
    Array,
    Measured,
    Pool,
    Stream,
    by_capital,
    by_sharpe,
    nightly,
    open_days,
    size_of,
    stream,
    week_of,
)

TOLERANCES = {"better": None, "safe": 0.5, "proven": 0.0}
BUDGETS = (0.25, 0.5, 1.0, 2.0)
TABLE = {12: (1.98, 1.50, 1.00, 0.36), 52: (2.50, 2.11, 1.55, 0.86), 250: (2.95, 2.68, 2.02, 1.26)}
"""z by tests a year and budget. 0.36 is what docs/why/judgement.md found for 12 tests and a budget of 2."""


def z_of(budget: float, tests: int) -> float:
    """z, linear in log(budget) between columns and in sqrt(tests) between rows; the nearest edge outside."""
    columns = [float(np.interp(math.log(budget), np.log(BUDGETS), row)) for row in TABLE.values()]
    return float(np.interp(math.sqrt(tests), np.sqrt(list(TABLE)), columns))


@dataclass
class Ruling:
    """The verdict: each gate that was asked, in order."""

    answer: str
    decided_by: str
    gates: list[tuple[str, bool | None]]
    shown: Measured
    p: float | None = None
    detectable: float | None = None
    streams: dict[str, Stream] = field(default_factory=dict)
    capital: Measured | None = None
    compared: "Compared | None" = None


@dataclass
class Compared:
    """All that the gates look at."""

    settings: Any
    days: int
    ideas: int
    periods: int
    a: Stream
    b: Stream
    everything: Stream
    pooled: bool
    weeks: int
    tolerance: float | None
    capital: Measured
    by_sharpe: Measured | None
    """None where few trades leave the comparison to capital."""

    @property
    def shown(self) -> Measured:
        """What the verdict shows."""
        return self.by_sharpe or self.capital

    def over(self, each: Measured) -> bool:
        return each.gain is not None and each.gain > self.settings.margin

    def sure(self, each: Measured) -> bool:
        return each.bound is not None and (self.tolerance is None or each.bound > -self.tolerance)

    def detectable(self, each: Measured) -> float | None:
        """The gain that such an error shows with the power wanted: over the margin, its bound over -tolerance."""
        if each.error is None or each.critical is None or self.tolerance is None:
            return None
        hurdle = max(self.settings.margin, each.critical * each.error - self.tolerance)
        return float(hurdle + stats.norm.ppf(self.settings.power) * each.error)


def judged(
    data: Dataset, settings: Any, window: tuple[Any, Any], approves: Array, theirs: Array | None, *, tests: int = 52
) -> Ruling:
    """The verdict. `approves`, `theirs`: of every idea of the dataset; `window`: its first and last instant."""
    start, end = window
    rows = np.flatnonzero((data.ideas.time >= start) & (data.ideas.time <= end))
    days = data.market_days[data.market_days >= start.astype("datetime64[D]")]
    a = stream(data, settings, rows, approves[rows], days)
    everything = stream(data, settings, rows, np.ones(len(rows), dtype=bool), days)
    if theirs is None:
        return bootstrap(settings, a, everything, days, data.periods_per_year)
    b = stream(data, settings, rows, theirs[rows], days)
    found = compared(data, settings, start, rows, (a, b, everything), tests)
    gates = gates_of(found)
    ruling = decide(gates, found.shown)
    if unseen(found, [name for name, passed in gates if not passed]):
        ruling.answer = "undecided"
    shown = found.shown
    if shown.error and shown.gain is not None:
        ruling.p = float(stats.t.sf((shown.gain + (found.tolerance or 0.0)) / shown.error, shown.dof))
    ruling.detectable = found.detectable(shown)
    ruling.capital, ruling.compared = found.capital, found
    ruling.streams = {"challenger": a, "champion": b, "ungated": everything}
    return ruling


def compared(
    data: Dataset, settings: Any, start: Any, rows: Array, streams: tuple[Stream, Stream, Stream], tests: int
) -> Compared:
    """Gains, with the error of history and of the ideas that one alone entered."""
    a, b, everything = streams
    pool, periods = pool_of(data, settings, start), data.periods_per_year
    budget = settings.false_promotions_a_year or {"safe": 0.5, "proven": 1.0, "better": 1.0}[settings.policy]
    z = z_of(budget, tests)
    alone = rows[a.taken & ~b.taken], rows[b.taken & ~a.taken]
    only = [week_of(data, row) for row in alone[0]], [week_of(data, row) for row in alone[1]]
    few = min(a.taken.sum(), b.taken.sum()) < settings.floor_trades
    few = few or a.sharpe(periods) is None or b.sharpe(periods) is None
    capital = by_capital(a, b, pool, only, z, periods)
    if len(alone[1]) and capital.error is not None and capital.critical is not None:
        wilder = max(float(a.excess.std(ddof=1)), float(b.excess.std(ddof=1)))
        capital.lost = -sum(made_by(data, settings, row) for row in alone[1])
        scale = wilder * len(a.excess) / math.sqrt(periods)
        capital.lost_bound = capital.lost - capital.critical * capital.error * scale
    return Compared(
        settings=settings,
        days=len(a.excess),
        ideas=len(rows),
        periods=periods,
        a=a,
        b=b,
        everything=everything,
        pooled=pool is not None,
        weeks=len(set(only[0] + only[1])),
        tolerance=settings.tolerance if settings.policy == "safe" else TOLERANCES[settings.policy],
        capital=capital,
        by_sharpe=None if few else by_sharpe(a, b, pool, only, z, periods),
    )


def pool_of(data: Dataset, settings: Any, start: Any) -> Pool | None:
    """Every idea known before the window starts; None under 30."""
    before = np.flatnonzero(data.ideas.known_at <= start)
    if len(before) < 30:
        return None
    made = [made_by(data, settings, row) for row in before]
    return Pool(np.array(made), np.array([week_of(data, row) for row in before]))


def made_by(data: Dataset, settings: Any, row: int) -> float:
    """What one idea makes of capital, less the rate of its nights."""
    first, last = open_days(data, row)
    nights = int(np.count_nonzero((data.market_days > first) & (data.market_days <= last)))
    return float(size_of(data, settings, row) * (data.ideas.outcome[row] - nightly(settings, data) * nights))


def gates_of(found: Compared) -> list[tuple[str, bool | None]]:
    """Each gate, in order."""
    a, b, settings, capital = found.a, found.b, found.settings, found.capital
    differ = bool((a.approved != b.approved).any()) and not np.array_equal(a.daily, b.daily)
    weeks = found.weeks >= (5 if found.pooled else 15) or settings.policy == "better" or not differ
    deeper = a.drawdown - b.drawdown > settings.drawdown_allowance + 1e-12
    saves = None if capital.gain is None else found.over(capital) and found.sure(capital)
    gates: list[tuple[str, bool | None]] = [
        ("comparable", found.days > 0),
        ("enough", found.days >= settings.floor_days and weeks),
        ("defined", found.days >= 5 and found.shown.gain is not None),
        ("distinct", differ),
    ]
    if found.by_sharpe is None:
        gates += [("drawdown", not deeper), ("saves", saves)]
        gates += [("selective", bool(0 < a.approved.sum() < found.ideas))]
    else:
        gates += [("better", found.over(found.by_sharpe)), ("drawdown", not deeper)]
        gates += [("bound", found.sure(found.by_sharpe))]
        if min(a.excess.mean(), b.excess.mean()) <= 0:
            gates += [("saves", saves)]
    return [*gates, *closing(settings, a, found.everything, found.periods, first=False)]


def unseen(found: Compared, failed: list[str], of_many: float | None = None) -> bool:
    """Whether only the bounds failed (and what a person decides anyway), and the gain of interest may be there.

    of_many: the gain that the league's bound would show, where that is what failed.
    """
    bounds = {"bound", "saves", "league"}
    if not set(failed) & bounds or set(failed) - bounds - {"selective", "plausible"}:
        return False
    if "saves" in failed and not found.over(found.capital):
        return False
    tested = [each for name, each in (("bound", found.shown), ("saves", found.capital)) if name in failed]
    shown = [found.detectable(each) for each in tested] + ([of_many] if "league" in failed else [])
    return any((gain or 0.0) > found.settings.gain_of_interest for gain in shown)


def bootstrap(settings: Any, a: Stream, everything: Stream, days: Array, periods: int) -> Ruling:
    """A first primary: the floors and a Sharpe ratio, and what is asked of every promotion."""
    gates: list[tuple[str, bool | None]] = [
        ("comparable", len(days) > 0),
        ("enough", bool(a.taken.sum() >= settings.floor_trades and len(days) >= settings.floor_days)),
        ("defined", a.sharpe(periods) is not None and len(days) >= 5),
    ]
    ruling = decide([*gates, *closing(settings, a, everything, periods, first=True)], Measured())
    ruling.streams = {"challenger": a, "ungated": everything}
    return ruling


def closing(
    settings: Any, a: Stream, everything: Stream, periods: int, *, first: bool
) -> list[tuple[str, bool | None]]:
    """The gates of every promotion."""
    sharpe = a.sharpe(periods)
    gates: list[tuple[str, bool | None]] = [("plausible", sharpe is None or sharpe <= settings.too_good)]
    asked = settings.beat_ungated == "always" or (settings.beat_ungated == "bootstrap" and first)
    gates.append(("ungated", not asked or float(a.daily.sum()) > float(everything.daily.sum())))
    return gates


def decide(gates: list[tuple[str, bool | None]], shown: Measured) -> Ruling:
    first = next((name for name, passed in gates if not passed), None)
    if first is None:
        return Ruling("promote", "all gates", gates, shown)
    unsure = first in ("comparable", "enough", "defined", "selective", "plausible")
    return Ruling("undecided" if unsure else "keep", first, gates, shown)
