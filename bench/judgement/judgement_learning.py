"""Promotion rule that learns from its own record: two years, the first under `safe`, the second by each policy.

What is learned, `Learner`: a model's advantage is its mean daily return over the consensus, the mean of all challengers
that were scored on that day, each in units of its own deviation; by Sharpe, its skill above a usual challenger's. How
much challengers differ (tau) is estimated from the record, as by DerSimonian & Laird (1986), and shrunk to a guess that
counts as 20 looks. The champion's advantage and its ageing are regressed on all its days, from a normal prior: of a
promoted one that of a challenger, so that the winner's curse is shrunk away. It promotes where the expected gain is
over zero.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

import numpy as np
from judgement_looks import AT_ONCE, FIXED, NEVER, Live, Never, look_at, summary
from judgement_worlds import LOOKS, WEEK, YEAR, Rows, Setting, World

RECORD = FIXED[3]  # safe 0.5


@dataclass(frozen=True)
class Learner:
    """The guesses that it begins with, as annual Sharpe."""

    name: str = "adaptive"
    differ: float = 0.2
    looks: int = 20
    unknown: float = 0.5
    """Deviation of what nobody promoted: the first champion's advantage."""
    first: float = 0.0
    """Its mean."""
    ages: float = 0.0
    ages_about: float = 0.3

    def tau2(self, record: "Record") -> Rows:
        """How much challengers differ: a variance."""
        raw = (np.square(record.shown) - record.errors2).sum(axis=0)
        return np.maximum(0.0, (raw + self.looks * self.differ**2) / (len(record.shown) + self.looks))

    def promotes(self, record: "Record", live: Live, gaps: Rows, look: int, end: int) -> Rows:
        """Is the challenger's advantage, as shrunk, over the champion's?"""
        tau2 = self.tau2(record)
        challenger = tau2 / (tau2 + record.errors2[-1]) * record.shown[-1]
        return challenger > self.champion(live, gaps, tau2, look, end)

    def champion(self, live: Live, gaps: Rows, tau2: Rows, look: int, end: int) -> Rows:
        """Its expected advantage now; gaps: of each day up to `end`, to the consensus, as annual Sharpe."""
        prior = np.where(live.unknown, self.unknown**2, np.maximum(tau2, 1e-6))
        weeks = (np.arange(end) + 1 - end) / WEEK
        lived = np.maximum(0.0, look - live.since[:, None] + weeks) / LOOKS
        known = weeks > (live.since - look - live.window / WEEK)[:, None]
        z, t, n = np.where(known, gaps, 0.0), np.where(known, lived, 0.0), known.sum(axis=1)
        mean = z.sum(axis=1) / n
        mean0 = np.where(live.unknown, self.first, 0.0)
        noise = (np.einsum("ij,ij->i", z, z) / n - mean**2) * _hang(np.where(known, gaps - mean[:, None], 0.0))
        # Two unknowns, level and ageing, in normal equations with their priors.
        a, b, d = (
            n / noise + 1 / prior,
            -t.sum(axis=1) / noise,
            np.square(t).sum(axis=1) / noise + 1 / self.ages_about**2,
        )
        e, f = z.sum(axis=1) / noise + mean0 / prior, -(z * t).sum(axis=1) / noise + self.ages / self.ages_about**2
        det = a * d - b * b
        level, ages = (d * e - b * f) / det, (a * f - b * e) / det
        return level - ages * (look - live.since) / LOOKS


def _hang(deviations: Rows) -> Rows:
    """By how much a mean's variance is larger where a day foretells the next: that of an AR(1)."""
    squares = np.einsum("ij,ij->i", deviations, deviations)
    # The very first challenger is the consensus: it deviates from itself by nothing.
    rho = np.einsum("ij,ij->i", deviations[:, 1:], deviations[:, :-1]) / np.maximum(squares, 1e-12)
    return np.maximum(1.0, (1 + rho) / (1 - rho))


def unavoidable(rho: float, known: tuple[float, float]) -> float:
    """Regret that no rule whatever can stay under in both of two worlds: all better by 0.5, all worse by 0.5.

    Challengers known for certain, returns normal: all that is left to chance is the champion's own noise over the years
    that it is known, from and to; then the best test between the two is wrong so often. The mean over the year.
    """
    years = np.linspace(*known, LOOKS)
    wrong = [NormalDist().cdf(-0.5 * math.sqrt(each / (1 - rho))) for each in years]
    return 0.5 * float(np.mean(wrong))


class Record:
    """What all looks so far have shown of challengers."""

    def __init__(self, repeats: int, days: int) -> None:
        self._sums, self._counts = np.zeros((repeats, days)), np.zeros(days)
        self._shown: list[Rows] = []
        self._errors2: list[Rows] = []

    def add(self, a: Rows, days: slice) -> None:
        """One week's challenger, by its returns."""
        units = a / a.std(axis=1, keepdims=True)
        self._sums[:, days] += units
        self._counts[days] += 1
        gaps = (units - self.consensus(days)) * math.sqrt(YEAR)
        self._shown.append(gaps.mean(axis=1))
        hang = _hang(gaps - gaps.mean(axis=1, keepdims=True))
        self._errors2.append(gaps.var(axis=1) * hang / gaps.shape[1])

    def consensus(self, days: slice) -> Rows:
        """Mean of the challengers that were scored on each day."""
        return self._sums[:, days] / self._counts[days]

    @property
    def shown(self) -> Rows:
        """(looks, repeats) advantage of each challenger."""
        return np.array(self._shown)

    @property
    def errors2(self) -> Rows:
        """(looks, repeats) its variance."""
        return np.array(self._errors2)


def learned(
    world: World, setting: Setting, repeats: int, seed: int, *, again: bool, learners: Sequence[Learner] = (Learner(),)
) -> dict[str, dict[str, float]]:
    """Each policy's second year, after a first under `safe`. again: the second begins as the first did, with an
    unknown champion, so that only the record of challengers helps; else with whom `safe` left live.
    """
    policies = (NEVER, *FIXED, *learners)
    parts = [
        two_years(world, setting, min(AT_ONCE, repeats - start), np.random.default_rng([seed, start]), policies, again)
        for start in range(0, repeats, AT_ONCE)
    ]
    return {policy.name: summary([part[number] for part in parts]) for number, policy in enumerate(policies)}


def two_years(
    world: World, setting: Setting, repeats: int, rng: np.random.Generator, policies: Sequence[Any], again: bool
) -> list[Live]:
    """104 looks; what counts is the second half."""
    total = setting.window + 2 * LOOKS * WEEK
    nature, record = setting.nature(rng, repeats, total), Record(repeats, total)
    lives = [Live(RECORD, nature.own(kin=False), setting.holdout)]
    for look in range(2 * LOOKS):
        if look == LOOKS:
            lives = _second(lives[0], policies, nature.own(kin=False) if again else None)
        days = slice(look * WEEK, look * WEEK + setting.window)
        own, luck = nature.own(days.start), rng.standard_normal(repeats)
        fresh = world.fresh(luck, lives[0].skill)
        a = nature.stream(own, days, world.shown(fresh, setting.holdout, days))
        record.add(a, days)
        for live in lives:
            live.window = setting.window
            if isinstance(live.policy, Learner):
                every = slice(0, days.stop)
                b = nature.stream(live.own, every, live.shown(world, look, every))
                gaps = (b / b[:, days].std(axis=1, keepdims=True) - record.consensus(every)) * math.sqrt(YEAR)
                live.promote(live.policy.promotes(record, live, gaps, look, days.stop), own, fresh, world, look)
            elif not isinstance(live.policy, Never):
                found = look_at(nature, own, live, days, a, live.shown(world, look, days))
                live.promote(live.policy.promotes(found), own, fresh, world, look)
            live.total += live.now(world, look)
            live.counted += 1
    return lives


def _second(first: Live, policies: Sequence[Any], own: Rows | None) -> list[Live]:
    lives = []
    for policy in policies:
        live = Live(policy, first.own if own is None else own, first.holdout)
        if own is None:
            live.skill, live.since, live.unknown = first.skill.copy(), first.since.copy(), first.unknown.copy()
        else:
            live.since += LOOKS
        lives.append(live)
    return lives
