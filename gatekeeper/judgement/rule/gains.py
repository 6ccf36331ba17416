"""Gains: what the challenger gained over the champion, in Sharpe or in capital, with the error of each."""

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evidence import DifferingIdeas, Evidence
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.verdict import Gain, Policy
from gatekeeper.judgement.statistics.capital_gain import CapitalGain, capital_gain
from gatekeeper.judgement.statistics.pooled_error import Precision, Slopes, precision, sharpe_slopes
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS, daily_influence, sharpe_difference

ZERO = 1e-9
"""An annual gain smaller than this is rounding, not skill."""

MOST_DAYS = 1_000_000
"""Market days; the cap of `days_needed`."""

UNKNOWN = Evidence(DifferingIdeas(0, 0, 0, 0, 0.0), None)
"""Of a scorecard that doesn't say how its trades differ: no week counts."""


@dataclass(frozen=True, slots=True)
class Gains:
    """The gain that a verdict shows, and the gain in capital where that is asked for."""

    shown: Gain
    capital: Gain | None = None
    """None if only the Sharpe ratios are compared."""
    in_capital: bool = False
    """Whether the gain in capital takes the place of that in Sharpe."""


def between(challenger: Scorecard, champion: Scorecard | None, policy: Policy) -> Gains:
    """The gains that the policy asks for: in capital if the Sharpe ratios can't tell, in both units of two losers."""
    if champion is None or len(challenger.daily) != len(champion.daily):
        return Gains(Gain())
    if compares_capital(challenger, champion, policy):
        gain = in_capital(challenger, champion, policy)
        return Gains(gain, gain, in_capital=True)
    gain = in_sharpe(challenger, champion, policy)
    losing = any(float(each.mean()) <= 0 for each in _excess(challenger, champion, policy) if len(each))
    return Gains(gain, in_capital(challenger, champion, policy) if losing else None)


def compares_capital(challenger: Scorecard, champion: Scorecard, policy: Policy) -> bool:
    """Whether either entered too few trades for a Sharpe ratio that tells anything, or has none."""
    return any(card.taken_trades < policy.floor_trades or card.sharpe is None for card in (challenger, champion))


def evidence_of(challenger: Scorecard) -> Evidence:
    """How the challenger's trades differ from the champion's, and the history that says what such trades make."""
    return challenger.evidence or UNKNOWN


def in_sharpe(challenger: Scorecard, champion: Scorecard, policy: Policy) -> Gain:
    """The gain in annual Sharpe."""
    ours, theirs = _excess(challenger, champion, policy)
    difference, days = sharpe_difference(ours, theirs), len(ours)
    if difference.delta is None:
        return Gain()
    if difference.standard_error is None:
        return Gain(_rounded(difference.delta * math.sqrt(policy.periods_per_year)))
    evidence = evidence_of(challenger)
    sides = (Slopes(0.0), Slopes(0.0)) if evidence.history is None else (sharpe_slopes(ours), sharpe_slopes(theirs))
    known = precision(
        difference.standard_error, evidence, sides, days_squared=days * (days - 4), most_dof=days - FEWEST_DAYS
    )
    return _gain(difference.delta, known, days, policy)


def in_capital(challenger: Scorecard, champion: Scorecard, policy: Policy) -> Gain:
    """The gain in capital, in the annual Sharpe of the wilder stream; undefined if neither moves."""
    found = _capital(challenger, champion, policy)
    if found is None:
        return Gain()
    evidence, days = evidence_of(challenger), len(found.daily)
    known = found.precision(evidence)
    gain = _gain(found.value, known, days, policy)
    if not evidence.differing.only_champion:
        return gain
    loss = -evidence.differing.champion_made
    return replace(
        gain, loss=loss, loss_bound=loss - known.critical(policy.z) * known.standard_error * found.scale * days
    )


def daily_gain(challenger: Scorecard, champion: Scorecard, policy: Policy) -> NDArray[np.float64]:
    """(T,) what each day adds to the annual gain that a verdict shows; their mean is the gain."""
    year = math.sqrt(policy.periods_per_year)
    if compares_capital(challenger, champion, policy):
        found = _capital(challenger, champion, policy)
        return np.zeros(len(challenger.daily)) if found is None else found.daily * year
    return daily_influence(*_excess(challenger, champion, policy)) * year


def detectable_gain(error: float, critical: float, policy: Policy) -> float:
    """The gain that an error detects with the policy's power: over the margin, with its bound over the tolerance."""
    hurdle = policy.margin
    if policy.tolerance is not None:
        hurdle = max(hurdle, critical * error - policy.tolerance)
    return hurdle + NormalDist().inv_cdf(policy.power) * error


def _gain(value: float, known: Precision, days: int, policy: Policy) -> Gain:
    """The annual gain of a gain per period."""
    year = math.sqrt(policy.periods_per_year)
    gain, error, critical = _rounded(value * year), known.standard_error * year, known.critical(policy.z)
    tested = policy.tolerance is not None
    return Gain(
        value=gain,
        standard_error=error,
        bound=gain - critical * error,
        p=known.p((gain + (policy.tolerance or 0.0)) / year),
        detectable=detectable_gain(error, critical, policy) if tested else None,
        days_needed=_days_needed(error, critical, days, policy) if tested else None,
        critical=critical,
        dof=known.dof,
        pooled=None if known.pooled is None else known.pooled * year,
    )


def _days_needed(error: float, critical: float, days: int, policy: Policy) -> int | None:
    """The days with which the gain of interest is detectable: the error falls with their square root."""
    able = NormalDist().inv_cdf(policy.power)
    over_margin, over_bound = policy.gain_of_interest - policy.margin, policy.gain_of_interest + (policy.tolerance or 0)
    if over_margin <= 0:
        return None
    longer = max(able * error / over_margin, (critical + able) * error / over_bound) ** 2
    return math.ceil(min(longer * days, MOST_DAYS))


def _capital(challenger: Scorecard, champion: Scorecard, policy: Policy) -> CapitalGain | None:
    return capital_gain(*_excess(challenger, champion, policy))


def _excess(challenger: Scorecard, champion: Scorecard, policy: Policy) -> tuple[NDArray[np.float64], ...]:
    rate, periods = policy.risk_free, policy.periods_per_year
    return challenger.excess(rate, periods), champion.excess(rate, periods)


def _rounded(gain: float) -> float:
    return 0.0 if abs(gain) < ZERO else gain
