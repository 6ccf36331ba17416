"""Reference league, written from the text alone: the best of many contenders, tested as the best of many.

Only Hansen's test itself is `arch`'s, on daily gains and errors that are made here.
"""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from arch.bootstrap import SPA, optimal_block_length
from scipy import stats

from gatekeeper.market.ideas import Dataset
from tests.support.referee import Array, gradient_of, moments
from tests.support.referee_rule import Compared, Ruling, decide, judged, unseen, z_of

DRAWS, SEED = 2000, 0


@dataclass
class LeagueRuling:
    """The contest: one entry for each contender, this week's first."""

    alone: list[Ruling]
    test: tuple[float, float, int] | None = None
    """Critical value, p and block length; None if nobody's gain has an error."""
    bounds: list[float | None] = field(default_factory=list)
    winner: int | None = None
    verdicts: list[Ruling] = field(default_factory=list)
    """With the gate `league`."""

    @property
    def in_capital(self) -> list[bool]:
        """Who is compared by capital, since one of the two took few trades."""
        return [each.compared is not None and each.compared.by_sharpe is None for each in self.alone]


def contested(
    data: Dataset, settings: Any, window: tuple[Any, Any], contenders: list[Array], theirs: Array, *, tests: int = 52
) -> LeagueRuling:
    """The league of these contenders against the champion under a policy with a bound."""
    alone = [judged(data, settings, window, each, theirs, tests=tests) for each in contenders]
    found = LeagueRuling(alone)
    sides = [compared(each) for each in alone]
    tolerance = sides[0].tolerance or 0.0
    rows = [
        (daily_gain(side) + tolerance) / (error * math.sqrt(side.days)) for side in sides if (error := error_of(side))
    ]
    if rows:
        budget = settings.false_promotions_a_year or {"safe": 0.5, "proven": 1.0}[settings.policy]
        found.test = hansen(np.column_stack(rows), z_of(budget, tests))
    critical = [critical_of(side, found.test) for side in sides]
    found.bounds = [
        None if c is None or side.shown.gain is None else side.shown.gain - c * error_of(side)
        for side, c in zip(sides, critical, strict=True)
    ]
    sure = [None if bound is None else bound > -tolerance for bound in found.bounds]
    passing = [n for n, each in enumerate(alone) if each.answer == "promote" and sure[n]]
    if passing:  # the largest gain, and the first of several alike
        found.winner = min(passing, key=lambda n: (-(alone[n].shown.gain or 0.0), n))
    for number, each in enumerate(alone):
        found.verdicts.append(with_league(each, sure[number], critical[number], found.winner in (None, number)))
    return found


def compared(ruling: Ruling) -> Compared:
    assert ruling.compared is not None
    return ruling.compared


def error_of(side: Compared) -> float:
    """The error of the gain that is shown; 0 without one, and if it is so but for rounding."""
    error = side.shown.error
    return error if error is not None and error > 1e-12 else 0.0


def daily_gain(side: Compared) -> Array:
    """What each day adds to the annual gain that is shown: by the delta method, or of capital in the wilder's units."""
    a, b, year = side.a.excess, side.b.excess, math.sqrt(side.periods)
    if side.by_sharpe is None:
        return (a - b) / max(float(a.std(ddof=1)), float(b.std(ddof=1))) * year
    delta = a.mean() / a.std(ddof=1) - b.mean() / b.std(ddof=1)
    parts = moments(a, b)
    return np.asarray(delta + (parts - parts.mean(axis=0)) @ gradient_of(a, b)) * year


def hansen(rows: Array, z: float) -> tuple[float, float, int]:
    """Critical value (no less than one test's z), p, and the longest of the columns' block lengths."""
    block = max(1, round(float(np.nanmax(optimal_block_length(rows)["stationary"]))))
    spa = SPA(np.zeros(len(rows)), -rows, block_size=block, reps=DRAWS, bootstrap="stationary", seed=SEED)
    spa.compute()
    level = float(stats.norm.sf(z))
    found = float(spa.critical_values(level)["consistent"]) * math.sqrt(len(rows))
    return max(found, z), float(spa.pvalues["consistent"]), block


def critical_of(side: Compared, test: tuple[float, float, int] | None) -> float | None:
    """Errors between gain and bound: the league's, and no fewer than this contender alone has."""
    if test is None or not error_of(side) or side.shown.critical is None:
        return None
    return max(test[0], side.shown.critical)


def with_league(alone: Ruling, sure: bool | None, critical: float | None, first: bool) -> Ruling:
    """The same verdict with the gate `league` before that of ungated."""
    side = compared(alone)
    passed = None if sure is None else sure and first
    gates = [*alone.gates[:-1], ("league", passed), alone.gates[-1]]
    many = None
    if not sure and critical is not None:
        shown = replace(side.shown, critical=critical)
        many = side.detectable(shown)
    ruling = decide(gates, side.shown)
    if unseen(side, [name for name, each in gates if not each], many):
        ruling.answer = "undecided"
    return ruling
