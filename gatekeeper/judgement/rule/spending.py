"""Budget spent: the promotions by luck to expect of a desk's own challengers in a year, by how alike they are.

z keeps the false promotions within the budget whatever the challengers are like (documents/budget.py). Challengers that
are alike share their luck against the champion, so that they spend less: how much less was simulated.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.judgement.rule.verdict import Policy

Floats = NDArray[np.float64]

FEWEST_CHALLENGERS, MOST_CHALLENGERS = 8, 60
FEWEST_DAYS = 60
"""Market days that two windows must share."""
A_YEAR = timedelta(days=365)

TESTS = (12, 52, 250)
"""Tests a year."""
CORRELATIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
CRITICAL = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SPENT: dict[int, tuple[tuple[float, ...], ...]] = {}
"""By tests, a row for each correlation, a column for each z: `bench/judgement/judgement_alike.py`, ± 0.03 at most."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """One test: the two streams on its window. The models are told apart by their sha256."""

    days: NDArray[np.datetime64]
    challenger: Floats
    champion: Floats
    model: str | None
    against: str | None

    @classmethod
    def of(cls, document: EvaluationDocument) -> "Tested | None":
        """The test of an evaluation; None if it compared no two models."""
        ours, theirs = document.scorecards.challenger, document.scorecards.champion
        if theirs is None or not ours.tested or not theirs.tested:
            return None
        days = np.array(document.days, dtype="datetime64[D]")
        return cls(days, np.array(ours.daily), np.array(theirs.daily), ours.sha256, theirs.sha256)


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike the challengers of a year are: the mean correlation of their gains over the champion, of all pairs.

    0.5 if they share nothing but the champion, 1 if they are the same.
    """

    correlation: float
    challengers: int


def alike(tests: Sequence[Tested]) -> Alike | None:
    """How alike the challengers of a year's tests, in order of time, are; None for too few of them, or of days."""
    tests = [
        tests[place]
        for place in np.unique(np.linspace(0, len(tests) - 1, min(len(tests), MOST_CHALLENGERS)).astype(int))
    ]
    found = [each for one, other in combinations(tests, 2) if (each := _correlation(one, other)) is not None]
    if len(tests) < FEWEST_CHALLENGERS or not found:
        return None
    return Alike(float(np.mean(found)), len(tests))


def a_year(newest_first: Iterable[tuple[datetime, EvaluationDocument]]) -> list[Tested]:
    """The tests of the year to the newest as-of, in order of time."""
    found: list[Tested] = []
    last = None
    for as_of, document in newest_first:
        last = last or as_of
        if last - as_of >= A_YEAR:
            break
        if (test := Tested.of(document)) is not None:
            found.append(test)
    return found[::-1]


def expected(policy: Policy, alike: Alike, standard_error: float) -> float | None:
    """Promotions a year of models that are just bad enough; None for a policy without a budget.

    standard_error: the gain's, in annual Sharpe. A gain must exceed the margin, too, which is so many errors over what
    such a model has: only with small errors does it ask for more than z.
    """
    if policy.tolerance is None or policy.tests_a_year is None:
        return None
    hurdle = max(policy.z, (policy.margin + policy.tolerance) / standard_error)
    return promotions(hurdle, policy.tests_a_year, alike.correlation)


def promotions(z: float, tests_a_year: float, correlation: float) -> float:
    """Promotions a year of equals, from the simulated table; outside it its nearest edge."""
    at_rows = [[math.exp(np.interp(z, CRITICAL, np.log(row))) for row in SPENT[tests]] for tests in TESTS]
    by_tests = [float(np.interp(correlation, CORRELATIONS, row)) for row in at_rows]
    return float(np.interp(math.sqrt(tests_a_year), np.sqrt(TESTS), by_tests))


def _correlation(one: Tested, other: Tested) -> float | None:
    """Of the two gains in Sharpe over the later one's champion; None for too few days, or if either never differs."""
    common, here, there = np.intersect1d(one.days, other.days, assume_unique=True, return_indices=True)
    if len(common) < FEWEST_DAYS or one.model == other.against:
        return None
    streams = one.challenger[here], other.challenger[there], other.champion[there]
    if not all(stream.std() > 0 for stream in streams):
        return None
    first, second, champion = (stream / stream.std() for stream in streams)
    if not (first - champion).any() or not (second - champion).any():
        return None
    found = np.corrcoef(first - champion, second - champion)[0, 1]
    return float(found) if np.isfinite(found) else None
