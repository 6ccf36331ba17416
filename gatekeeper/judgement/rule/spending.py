"""Budget spent: the promotions by luck to expect of a desk's own challengers in a year, by how alike they are.

z keeps the false promotions within the budget whatever the challengers are like (documents/budget.py). Challengers that
are alike share their luck against the champion, so that they spend less: how much less was simulated.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.documents.rules import known
from gatekeeper.judgement.rule.verdict import Policy

Floats = NDArray[np.float64]

FEWEST_CHALLENGERS, MOST_CHALLENGERS = 8, 400
FEWEST_DAYS = 60
"""Market days that two windows must share."""
A_YEAR, NEIGHBOURS = timedelta(days=365), timedelta(days=42)

TESTS = (12, 52, 250)
"""Tests a year."""
CORRELATIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
CRITICAL = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
SPENT = {
    12: (
        (2.926, 1.561, 0.846, 0.435, 0.181, 0.059, 0.015),
        (2.938, 1.519, 0.817, 0.406, 0.169, 0.057, 0.013),
        (2.919, 1.510, 0.795, 0.374, 0.158, 0.047, 0.012),
        (2.832, 1.456, 0.734, 0.352, 0.141, 0.041, 0.014),
        (2.820, 1.423, 0.708, 0.309, 0.128, 0.040, 0.012),
        (2.807, 1.386, 0.671, 0.293, 0.117, 0.038, 0.008),
        (2.824, 1.442, 0.699, 0.291, 0.108, 0.035, 0.010),
    ),
    52: (
        (5.590, 2.642, 1.494, 0.854, 0.439, 0.173, 0.052),
        (5.465, 2.545, 1.401, 0.763, 0.382, 0.152, 0.039),
        (5.435, 2.470, 1.302, 0.676, 0.321, 0.119, 0.033),
        (5.225, 2.407, 1.235, 0.625, 0.282, 0.107, 0.031),
        (5.125, 2.241, 1.104, 0.505, 0.208, 0.077, 0.022),
        (5.038, 2.186, 1.042, 0.467, 0.185, 0.060, 0.015),
        (5.151, 2.252, 1.046, 0.447, 0.155, 0.048, 0.013),
    ),
    250: (
        (9.004, 3.741, 2.135, 1.292, 0.759, 0.366, 0.132),
        (8.867, 3.676, 2.008, 1.178, 0.637, 0.291, 0.098),
        (8.706, 3.520, 1.900, 1.040, 0.535, 0.239, 0.080),
        (8.570, 3.409, 1.782, 0.914, 0.445, 0.179, 0.060),
        (8.063, 3.116, 1.542, 0.739, 0.316, 0.118, 0.037),
        (7.990, 3.022, 1.406, 0.640, 0.252, 0.086, 0.027),
        (7.984, 3.053, 1.414, 0.583, 0.219, 0.068, 0.015),
    ),
}
"""By tests, a row for each correlation, a column for each z: `bench/judgement/judgement_alike.py`, with its errors."""


@dataclass(frozen=True, slots=True, eq=False)
class Tested:
    """One test: the two streams on its window. The models are told apart by their sha256."""

    as_of: datetime
    days: NDArray[np.datetime64]
    challenger: Floats
    champion: Floats
    model: str | None
    against: str | None

    @classmethod
    def of(cls, as_of: datetime, document: EvaluationDocument) -> "Tested | None":
        """The test of an evaluation; None if it compared no two models."""
        ours, theirs = document.scorecards.challenger, document.scorecards.champion
        if theirs is None or not ours.tested or not theirs.tested:
            return None
        days = np.array(document.days, dtype="datetime64[D]")
        return cls(as_of, days, np.array(ours.daily), np.array(theirs.daily), ours.sha256, theirs.sha256)


@dataclass(frozen=True, slots=True)
class Alike:
    """How alike successive challengers are: the mean correlation of their gains over the champion.

    Of all pairs that are at most six weeks apart. 0.5 if they share nothing but the champion, 1 if they are the same.
    """

    correlation: float
    challengers: int


def alike(tests: Sequence[Tested]) -> Alike | None:
    """How alike the challengers of these tests, in order of time, are; None for too few of them, or too few days."""
    found = []
    for place, one in enumerate(tests):
        for other in tests[place + 1 :]:
            if other.as_of - one.as_of > NEIGHBOURS:
                break
            if (correlation := _correlation(one, other)) is not None:
                found.append(correlation)
    return Alike(float(np.mean(found)), len(tests)) if found and len(tests) >= FEWEST_CHALLENGERS else None


def of_a_year(newest_first: Iterable[tuple[datetime, EvaluationDocument]]) -> Alike | None:
    """How alike the challengers of the year to the newest as-of are, by their evaluations."""
    found: list[Tested] = []
    last = None
    for as_of, document in newest_first:
        last = last or as_of
        if last - as_of >= A_YEAR or len(found) == MOST_CHALLENGERS:
            break
        if (test := Tested.of(as_of, document)) is not None:
            found.append(test)
    return alike(sorted(found, key=lambda test: test.as_of))


def expected(policy: Policy, alike: Alike, standard_error: float) -> float:
    """Promotions a year of models that are just bad enough, for a policy with a budget.

    standard_error: the gain's, in annual Sharpe. A gain must exceed the margin, too, which is so many errors over what
    such a model has: only with small errors does it ask for more than z.
    """
    hurdle = max(policy.z, (policy.margin + known(policy.tolerance)) / standard_error)
    return promotions(hurdle, known(policy.tests_a_year), alike.correlation)


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
