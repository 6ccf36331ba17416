"""Simulated years of weekly tests under each policy, many years at once, by the package's own statistic.

Every policy meets the same market and challengers as good; who wins is the champion of the next look.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from judgement_worlds import LOOKS, WEEK, YEAR, Nature, Rows, Setting, World

from gatekeeper.documents import budget

SAFE, PROVEN = (budget.z_of(each, LOOKS) for each in (budget.SAFE, budget.PROVEN))
"""The rule's z at each policy's own budget: 2.11 and 1.55."""
FLOOR_TRADES, FLOOR_DAYS = 30, 60
AT_ONCE = 100  # repeats whose arrays still fit a core's cache


@dataclass(frozen=True)
class Seen:
    """What one look shows of two streams, (repeats,) each; per day."""

    delta: Rows
    error: Rows
    enough: Rows


def seen(a: Rows, b: Rows) -> tuple[Rows, Rows]:
    """Difference of Sharpe per day and its error, for each row of two (repeats, days): sharpe_difference, all at once.

    Ledoit & Wolf (2008), sec. 3.1, as in gatekeeper/judgement/statistics/sharpe.py, which a test holds it to.
    """
    days = a.shape[1]
    columns = (a, b, a * a, b * b)
    means = [column.mean(axis=1) for column in columns]
    squares = [np.einsum("ij,ij->i", each, each) - days * mean**2 for each, mean in zip(columns, means, strict=True)]
    spreads = [np.sqrt(square / days) for square in squares[:2]]
    unbiased = math.sqrt((days - 1) / days)
    delta = unbiased * (means[0] / spreads[0] - means[1] / spreads[1])
    slopes = (means[2] / spreads[0] ** 3, -means[3] / spreads[1] ** 3)
    slopes += (-0.5 * means[0] / spreads[0] ** 3, 0.5 * means[1] / spreads[1] ** 3)
    influence = a * (slopes[0][:, None] + slopes[2][:, None] * a)
    influence += b * (slopes[1][:, None] + slopes[3][:, None] * b)
    influence -= influence.mean(axis=1, keepdims=True)
    return delta, _error(influence, _bandwidth(columns, means, squares))


def _bandwidth(columns: Sequence[Rows], means: Sequence[Rows], squares: Sequence[Rows]) -> Rows:
    """Andrews (1991), as the package has it; of the deviations from the means, without writing them out."""
    days = columns[0].shape[1]
    count = days - 1
    above, below = 0.0, 0.0
    for each, mean, square in zip(columns, means, squares, strict=True):
        lagged = np.einsum("ij,ij->i", each[:, :-1], each[:, 1:])
        lagged += count * mean**2 - mean * (2 * days * mean - each[:, 0] - each[:, -1])
        # Deviations sum to 0: the days before lack the last, the days after the first.
        first, last = each[:, 0] - mean, each[:, -1] - mean
        xx = square - last**2 - last**2 / count
        yy = square - first**2 - first**2 / count
        xy = lagged - last * first / count
        rho = xy / xx
        noise = ((yy - rho * xy) / square) ** 2  # in units of its own variance
        gap = np.where(rho == 1, np.finfo(float).eps, 1 - rho)
        above, below = above + 4 * rho**2 * noise / gap**8, below + noise / gap**4
    return 2.6614 * (above / below * days) ** 0.2


def _error(influence: Rows, bandwidth: Rows) -> Rows:
    days = influence.shape[1]
    variance = np.einsum("ij,ij->i", influence, influence)
    for lag in range(1, min(days, math.ceil(bandwidth.max()))):
        x = lag / bandwidth
        weight = np.where(x <= 0.5, 1 - 6 * x**2 + 6 * x**3, 2 * np.clip(1 - x, 0, None) ** 3)
        variance += 2 * weight * np.einsum("ij,ij->i", influence[:, lag:], influence[:, :-lag])
    return np.sqrt(np.maximum(variance, 0) / (days - 4) / days)


@dataclass(frozen=True)
class Fixed:
    """Gates 2, 5 and 7 of the promotion rule. tolerance: None for no bound; sure: errors that the bound lies off."""

    name: str
    tolerance: float | None
    sure: float = 0.0

    def promotes(self, look: Seen) -> Rows:
        """Which of the years promote."""
        better = look.enough & (look.delta * math.sqrt(YEAR) >= 1e-9)
        if self.tolerance is None:
            return better
        return better & ((look.delta - self.sure * look.error) * math.sqrt(YEAR) > -self.tolerance)


@dataclass(frozen=True)
class Never:
    """Keeps what it has: what a world can lose by promoting shows beside it."""

    name: str = "never"


NEVER = Never()
FIXED = (
    Fixed("better", None),
    Fixed("proven", 0.0, PROVEN),
    Fixed("safe 0.25", 0.25, SAFE),
    Fixed("safe 0.5", 0.5, SAFE),
)
POLICIES = (NEVER, *FIXED)


class Live:
    """Who is live under one policy, in each of the years. holdout: weeks of age that a model has as it goes live."""

    def __init__(self, policy: Any, own: Rows, holdout: float) -> None:
        self.policy, self.holdout, repeats = policy, holdout, len(own)
        self.own, self.skill, self.since = own.copy(), np.zeros(repeats), np.zeros(repeats)
        self.unknown = np.ones(repeats, dtype=bool)  # is it the one that the year began with?
        self.total, self.counted = np.zeros(repeats), 0
        self.promotions, self.worse = np.zeros(repeats), np.zeros(repeats)

    def now(self, world: World, look: int) -> Rows:
        """Its true skill."""
        return world.aged(self.skill, self.age(look))

    def age(self, look: int) -> Rows:
        """Weeks since the end of its training."""
        return self.holdout + look - self.since

    def shown(self, world: World, look: int, days: slice) -> Rows:
        """Its true skill on the days that the look sees, (repeats, 1 or days)."""
        return world.shown(self.skill, self.age(look), days)

    def promote(self, which: Rows, own: Rows, fresh: Rows, world: World, look: int) -> None:
        """The challenger takes over. fresh: its true skill at the end of its training."""
        self.own[which] = own[which]
        self.worse += which & (world.aged(fresh, self.holdout) < self.now(world, look) - 1e-9)
        self.promotions += which
        self.unknown &= ~which
        self.skill, self.since = np.where(which, fresh, self.skill), np.where(which, look, self.since)


def look_at(nature: Nature, own: Rows, live: Live, days: slice, a: Rows, before: Rows) -> Seen:
    """The two on one window. The error only where it can matter: nobody promotes what was no better."""
    b = nature.stream(live.own, days, before)
    trades = np.minimum(nature.trades(own, days), nature.trades(live.own, days))
    enough = (trades >= FLOOR_TRADES) & (days.stop - days.start >= FLOOR_DAYS)
    delta, error = _per_day(a) - _per_day(b), np.full(len(a), np.inf)
    if live.policy.tolerance is not None:
        rows = np.flatnonzero(enough & (delta > 0))
        if len(rows):
            delta[rows], error[rows] = seen(a[rows], b[rows])
    return Seen(delta, error, enough)


def _per_day(returns: Rows) -> Rows:
    """The Sharpe of each row."""
    days = returns.shape[1]
    mean = returns.mean(axis=1)
    variance = (np.einsum("ij,ij->i", returns, returns) - days * mean**2) / (days - 1)
    return mean / np.sqrt(variance)


def simulated(
    world: World, setting: Setting, repeats: int, seed: int, policies: Sequence[Any] = POLICIES
) -> dict[str, dict[str, float]]:
    """Each policy in that many years: means, and the error of the mean live skill."""
    parts = [
        year(world, setting, min(AT_ONCE, repeats - start), np.random.default_rng([seed, start]), policies)
        for start in range(0, repeats, AT_ONCE)
    ]
    return {policy.name: summary([part[number] for part in parts]) for number, policy in enumerate(policies)}


def year(world: World, setting: Setting, repeats: int, rng: np.random.Generator, policies: Sequence[Any]) -> list[Live]:
    """52 looks, a week apart."""
    nature = setting.nature(rng, repeats, setting.window + LOOKS * WEEK)
    first = nature.own(kin=False)
    lives = [Live(policy, first, setting.holdout) for policy in policies]
    for look in range(LOOKS):
        days = slice(look * WEEK, look * WEEK + setting.window)
        own, luck = nature.own(days.start), rng.standard_normal(repeats)
        a = nature.stream(own, days, world.shown(world.fresh(luck, lives[0].skill), setting.holdout, days))
        for live in lives:
            now = live.now(world, look)
            if not isinstance(live.policy, Never):
                fresh = world.fresh(luck, now)
                if world.relative:
                    a = nature.stream(own, days, world.shown(fresh, setting.holdout, days))
                found = look_at(nature, own, live, days, a, live.shown(world, look, days))
                live.promote(live.policy.promotes(found), own, fresh, world, look)
            live.total += live.now(world, look)
            live.counted += 1
    return lives


def summary(parts: Sequence[Live]) -> dict[str, float]:
    """Over all years."""
    live = np.concatenate([part.total / part.counted for part in parts])
    return {
        "live": float(live.mean()),
        "error": float(live.std(ddof=1) / math.sqrt(len(live))),
        "promotions": float(np.concatenate([part.promotions for part in parts]).mean()),
        "worse": float(np.concatenate([part.worse for part in parts]).mean()),
    }
