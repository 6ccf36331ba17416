"""League: multiple testing of earlier challengers and this week's against the champion (Hansen's SPA test).

Hansen's test of superior predictive ability (2005), by `arch`, on each day's contribution to each gain in annual
Sharpe, in units of that gain's own error, with the policy's tolerance added. Its critical value holds for the largest
of all contenders' figures at once (Romano & Wolf 2005, the first step): the chance that *any* contender that is truly
worse by the tolerance or more exceeds it is at most that of one test alone at the policy's z, whichever is picked
afterwards.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import FieldTest, Verdict
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.promotion import TODAY
from gatekeeper.judgement.rule.verdict import Edition, Gain, Policy
from gatekeeper.judgement.statistics.bootstrap import block_length

DRAWS = 2_000
SEED = 0

Row = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """The champion and all contenders on the same days and ideas, this week's challenger first."""

    champion: Scorecard
    contenders: tuple[Scorecard, ...]


@dataclass(frozen=True, slots=True)
class FieldResult:
    """The result of a field under one policy; tuples have one entry for each contender."""

    policy: Policy
    gains: tuple[Gain, ...]
    alone: tuple[Verdict, ...]
    """The verdict on each contender alone."""
    test: FieldTest | None
    """None under a policy without a bound, or if no gain has an error."""
    winner: int | None
    """The contender with the largest gain among those that pass every gate and the test; None if none does."""
    edition: Edition = TODAY

    def bound(self, number: int) -> float | None:
        """The simultaneous lower bound of a contender's gain, which holds for all of them at once."""
        gain, critical = self.gains[number], self._critical(number)
        return None if gain.value is None or critical is None else gain.value - critical * (gain.standard_error or 0.0)

    def detectable(self, number: int) -> float | None:
        """The gain of one contender among so many that this window detects, with the policy's power."""
        error, critical = self.gains[number].standard_error, self._critical(number)
        if self.policy.tolerance is None or critical is None or error is None:
            return None
        return self.edition.detectable_gain(error, critical, self.policy)

    def _critical(self, number: int) -> float | None:
        """The errors that the bound lies below the gain: the test's, and no fewer than for this contender alone."""
        gain = self.gains[number]
        if self.test is None or gain.value is None or gain.bound is None or not gain.standard_error:
            return None
        return max(self.test.critical, (gain.value - gain.bound) / gain.standard_error)

    def is_sure(self, number: int) -> bool | None:
        """Whether a contender's bound as one of many lies over minus the tolerance; None if it has no bound."""
        bound, tolerance = self.bound(number), self.policy.tolerance
        if tolerance is None:
            return True
        return None if bound is None else bound > -tolerance


def contest(
    field: Field,
    policy: Policy,
    ungated: Scorecard | None = None,
    *,
    kind: str = "weekly",
    draws: int = DRAWS,
    seed: int = SEED,
    edition: Edition = TODAY,
) -> FieldResult:
    """Test every contender, alone and as one of all. The same field and policy give the same result.

    edition: of the rule by which each is judged alone.
    """
    alone = tuple(edition.judge(card, field.champion, policy, ungated, kind=kind) for card in field.contenders)
    gains = tuple(Gain(verdict.gain, verdict.standard_error, verdict.bound) for verdict in alone)
    test = _test(field, gains, policy, edition, draws, seed)
    held = FieldResult(policy, gains, alone, test, None, edition)
    passing = [number for number, verdict in enumerate(alone) if verdict.answer == "promote" and held.is_sure(number)]
    if not passing:
        return held
    return replace(held, winner=max(passing, key=lambda number: (gains[number].value or 0.0, -number)))


def _test(
    field: Field, gains: Sequence[Gain], policy: Policy, edition: Edition, draws: int, seed: int
) -> FieldTest | None:
    """The test of all contenders whose gain has an error; the others can't win and don't enter it."""
    if policy.tolerance is None:
        return None
    rows = [
        standardised(card, field.champion, gain, policy, edition)
        for card, gain in zip(field.contenders, gains, strict=True)
        if gain.standard_error
    ]
    return _spa(np.column_stack(rows), policy, draws, seed) if rows else None


def standardised(card: Scorecard, champion: Scorecard, gain: Gain, policy: Policy, edition: Edition = TODAY) -> Row:
    """(T,) daily contributions; mean x sqrt(T) is the gain plus the tolerance in units of the rule's own error."""
    annual = edition.daily_gain(card, champion, policy)
    error = (gain.standard_error or math.nan) * math.sqrt(len(annual))
    return (annual + (policy.tolerance or 0.0)) / error


def _spa(rows: Row, policy: Policy, draws: int, seed: int) -> FieldTest:
    """The SPA test of (T, k) figures in units of their error already, since `arch` doesn't studentise here."""
    from arch.bootstrap import SPA

    block = block_length(rows)
    # Of losses: the benchmark's are zero, and a contender's are what it gains less.
    spa = SPA(np.zeros(len(rows)), -rows, block_size=block, reps=draws, bootstrap="stationary", seed=seed)
    spa.compute()
    critical = float(spa.critical_values(policy.single_alpha)["consistent"]) * math.sqrt(len(rows))
    critical = max(critical, policy.z)  # one among others is never surer than it is alone
    return FieldTest(critical, float(spa.pvalues["consistent"]), block, draws, seed)
