"""Ageing curve: annual Sharpe of older models less that of the newest, on the same ideas, from a rehearsal's models.

A model is as old as the end of its training, whatever holdout it was trained with: the challenger of one Monday is the
model that a desk without a holdout would have deployed a holdout earlier, for it knows nothing later. So the weeks of a
rehearsal hold every age, and none is trained for this.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.ageing import AgeBin, AgeingCurve, AgeingDifference, HoldoutCost
from gatekeeper.errors import TrainingRefused
from gatekeeper.judgement.statistics.sharpe import sharpe_ratio
from gatekeeper.rehearsal.start_dates import FEWEST_WEEKS

EDGES = (0, 13, 26, 39, 52, 104)
"""Ages in weeks that bound the bins. The newest model is in its first week, age 0, and in no bin."""
HOLDOUTS = (90, 180, 365)
LEVEL = 0.05
DRAWS = 2000
AT_ONCE = 200  # draws whose counts are held together
SEED = 0

Floats = NDArray[np.float64]
Decisions = NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class MeasuredAges:
    """Sharpe ratios of A ages as measured, (A,), and in each draw of days, (draws, A); NaN where undefined."""

    seen: Floats
    drawn: Floats
    blocks: int
    power: float

    def difference(self, weights: Floats, base: "MeasuredAges | None" = None) -> AgeingDifference:
        """A weighted sum of the Sharpe ratios, less that of `base` on the same draws."""
        used = np.flatnonzero(weights)  # an undefined age undoes only what it is part of
        seen, every = (self.seen, self.drawn) if base is None else (self.seen - base.seen, self.drawn - base.drawn)
        value, drawn = float(seen[used] @ weights[used]), every[:, used] @ weights[used]
        drawn = drawn[np.isfinite(drawn)]
        if not math.isfinite(value) or len(drawn) < 2:
            return AgeingDifference(None, None, None)
        # Blocks vary about their own mean, as a variance with ddof 0 does.
        error = float(drawn.std(ddof=1)) * math.sqrt(self.blocks / (self.blocks - 1))
        normal = NormalDist()
        return AgeingDifference(value, error, (normal.inv_cdf(1 - LEVEL / 2) + normal.inv_cdf(self.power)) * error)


def by_age(decide: Mapping[int, Decisions], weeks: NDArray[np.intp], ages: int) -> Decisions:
    """(ages, n) bool: idea i as decided by the model trained k weeks before its week.

    decide: by week of training, (n,) decisions on all ideas, of which only those of later weeks are read. weeks: (n,)
    the week of each idea. A week without a model has that of the week before.
    """
    found = np.zeros((ages, len(weeks)), dtype=np.bool_)
    for week in np.unique(weeks):
        here = weeks == week
        model: Decisions | None = None
        trained = sorted(each for each in decide if each <= week)
        for age in range(ages):
            while trained and trained[-1] > week - age:
                trained.pop()
            model = decide[trained[-1]] if trained else None
            if model is not None:
                found[age, here] = model[here]
    return found


def oldest_age(first: int, last: int) -> int:
    """The oldest age in weeks, one of EDGES, that leaves a year of weeks for all. Raises TrainingRefused."""
    fitting = [edge for edge in EDGES[1:] if last - first + 1 - (edge - 1) >= FEWEST_WEEKS]
    if not fitting:
        raise TrainingRefused(
            f"{last - first + 1} weeks have a model; an ageing curve needs at least {FEWEST_WEEKS + EDGES[1] - 1}, a "
            "year and the youngest age. Begin the rehearsal earlier."
        )
    return fitting[-1]


def block_of(days: int, periods_per_year: int) -> int:
    """Days in a block: a quarter, since neighbouring models err alike for months; at most an eighth of all days."""
    return max(1, min(round(periods_per_year / 4), days // 8))


def counts(days: int, block: int, draws: int, seed: int = SEED) -> Iterator[NDArray[np.float32]]:
    """Circular block bootstrap (Politis & Romano 1992): how often each draw takes each day, (some, days) at a time."""
    rng = np.random.default_rng(seed)
    blocks = math.ceil(days / block)
    for start in range(0, draws, AT_ONCE):
        some = min(AT_ONCE, draws - start)
        starts = rng.integers(days, size=(some, blocks))
        taken = (starts[:, :, None] + np.arange(block)).reshape(some, -1)[:, :days] % days
        flat = np.bincount((taken + days * np.arange(some)[:, None]).ravel(), minlength=some * days)
        yield flat.reshape(some, days).astype(np.float32)


def measure(excess: Floats, periods_per_year: int, *, block: int, power: float, draws: int = DRAWS) -> MeasuredAges:
    """The Sharpe ratios of (A, T) daily excess returns of all ages; each draw takes the same days of all."""
    days = excess.shape[1]
    seen = np.array([_number(sharpe_ratio(row, periods_per_year)) for row in excess])
    # In units of each stream's own deviation, so that no square vanishes; a stream without one stays undefined.
    scale = np.where(np.isfinite(seen), excess.std(axis=1), np.nan)[:, None]
    units = (excess / scale).T.astype(np.float64)
    table = np.concatenate((units, np.square(units)), axis=1)
    drawn = []
    for some in counts(days, block, draws):
        mean, square = np.split(some @ table / days, 2, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            drawn.append(mean / np.sqrt((square - mean**2) * days / (days - 1)) * math.sqrt(periods_per_year))
    return MeasuredAges(seen, np.concatenate(drawn), math.ceil(days / block), power)


def curve(
    found: MeasuredAges, holdouts: Sequence[int], about: tuple[str, str, int], first: MeasuredAges | None
) -> AgeingCurve:
    """The curve of what was measured. about: first day, last day, ideas. first: the same of the first training."""
    ages = len(found.seen)
    newest, years = _one(ages, 0), np.arange(ages) * 7 / 365.25
    centred = years - years.mean()
    bins = [
        AgeBin(since, until, found.difference(_mean(ages, since, until) - newest))
        for since, until in pairwise(EDGES)
        if until <= ages
    ]
    costs = [
        HoldoutCost(each, found.difference(_one(ages, math.ceil(each / 7)) - newest))
        for each in holdouts
        if math.ceil(each / 7) < ages
    ]
    level = found.difference(newest)
    return AgeingCurve(
        begins=about[0],
        ends=about[1],
        ideas=about[2],
        newest=level.value,
        newest_error=level.error,
        slope=found.difference(centred / (centred @ centred)),
        bins=bins,
        holdouts=costs,
        over_first=None if first is None else found.difference(newest, first),
    )


def _one(ages: int, age: int) -> Floats:
    return np.asarray(np.arange(ages) == age, dtype=np.float64)


def _mean(ages: int, since: int, until: int) -> Floats:
    age = np.arange(ages)
    inside = (age >= max(since, 1)) & (age < until)
    return np.asarray(inside / np.count_nonzero(inside), dtype=np.float64)


def _number(value: float | None) -> float:
    return math.nan if value is None else value
