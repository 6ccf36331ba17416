"""Promotion rule: decides whether a challenger replaces the champion (promote, keep or undecided), gate by gate."""

import math
from statistics import NormalDist

import numpy as np

from gatekeeper.documents.evaluation import Answer, Gate, Refit, Verdict
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule import gate_texts
from gatekeeper.judgement.rule.verdict import Gain, Policy
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS, sharpe_difference

ZERO = 1e-9
"""An annual gain smaller than this is rounding, not skill."""

MOST_DAYS = 1_000_000
"""Market days; the cap of `days_needed`."""

TESTS = frozenset({"bound", "league"})
"""Gates that a better model may fail if the window has too few days."""

WITHIN = 1e-12
"""Two drawdowns, as parts of capital, that differ by less are equal."""


def judge(
    challenger: Scorecard,
    champion: Scorecard | None,
    policy: Policy,
    ungated: Scorecard | None = None,
    *,
    kind: str = "weekly",
    refit: Refit | None = None,
    many: Gate | None = None,
) -> Verdict:
    """`promote` if every gate passes; `undecided` if the data can't tell; else `keep`. Without a champion: bootstrap.

    Every gate that can be evaluated is, in this order; the first that fails decides. refit: the model that would be
    deployed instead of the challenger. many: the league's gate on the challenger as one of all models compared.
    """
    if champion is not None and same_model(challenger, champion):
        return gate_texts.same_bytes(challenger, champion, policy, kind)
    gain = gain_of(challenger, champion, policy)
    gates: tuple[Gate, ...] = (
        comparable(challenger, champion),
        enough(challenger, champion, policy),
        defined(challenger, champion, gain, ungated),
    )
    if champion is not None:
        gates += (
            distinct(challenger, champion),
            better(gain, policy),
            drawdown(challenger, champion, policy),
            bound(challenger, gain, policy),
        )
    if many is not None:
        gates += (many,)
    if refit is not None:
        gates += (alike(refit),)
    failed = [gate.name for gate in gates if not gate.passed]
    answer: Answer = "keep"
    if not failed:
        answer = "promote"
    elif failed[0] in ("comparable", "enough", "defined") or (set(failed) <= TESTS and too_blunt(gates, policy)):
        answer = "undecided"
    return gate_texts.verdict(answer, gates, failed, gain, challenger, champion, ungated, policy, kind, refit)


def same_model(challenger: Scorecard, champion: Scorecard) -> bool:
    """Whether both have the same bytes and threshold, and so decide every idea alike."""
    same_bytes = challenger.sha256 is not None and challenger.sha256 == champion.sha256
    return same_bytes and challenger.threshold == champion.threshold


def comparable(challenger: Scorecard, champion: Scorecard | None) -> Gate:
    """Gate `comparable`: one window that is not empty and out of sample for both models."""
    cards = [challenger] if champion is None else [challenger, champion]
    one_window = all(card.window == challenger.window and len(card.kept) == challenger.ideas for card in cards)
    passed = one_window and not challenger.window.empty and all(card.out_of_sample for card in cards)
    return gate_texts.comparable(passed, one_window, cards)


def enough(challenger: Scorecard, champion: Scorecard | None, policy: Policy) -> Gate:
    """Gate `enough`: each model's trades and the window's market days reach their floors."""
    cards = [challenger] if champion is None else [challenger, champion]
    long_enough = all(card.window.days >= policy.floor_days for card in cards)
    passed = long_enough and all(card.taken_trades >= policy.floor_trades for card in cards)
    return gate_texts.enough(passed, cards, policy)


def defined(challenger: Scorecard, champion: Scorecard | None, gain: Gain, ungated: Scorecard | None) -> Gate:
    """Gate `defined`: both Sharpe ratios exist, on enough days for their difference to have a standard error."""
    days, sharpe = len(challenger.daily), challenger.sharpe
    passed = sharpe is not None and days >= FEWEST_DAYS
    if champion is not None:
        passed = passed and champion.sharpe is not None and gain.standard_error is not None
    return gate_texts.defined(passed, days, challenger, champion, ungated)


def distinct(challenger: Scorecard, champion: Scorecard) -> Gate:
    """Gate `distinct`: the two decide at least one idea differently, and their daily returns differ."""
    if len(challenger.kept) != len(champion.kept):
        return gate_texts.distinct(None, None)
    differing = int(np.count_nonzero(challenger.kept != champion.kept))
    return gate_texts.distinct(differing > 0 and not np.array_equal(challenger.daily, champion.daily), differing)


def better(gain: Gain, policy: Policy) -> Gate:
    """Gate `better`: the Sharpe gain is strictly over the margin."""
    return gate_texts.better(None if gain.value is None else gain.value > policy.margin, gain, policy)


def drawdown(challenger: Scorecard, champion: Scorecard, policy: Policy) -> Gate:
    """Gate `drawdown`: the challenger's maximum drawdown is at most the champion's plus the allowance."""
    passed = challenger.max_drawdown - champion.max_drawdown <= policy.drawdown_allowance + WITHIN
    return gate_texts.drawdown(passed, challenger, champion, policy)


def bound(challenger: Scorecard, gain: Gain, policy: Policy) -> Gate:
    """Gate `bound`: the gain's lower confidence bound is strictly over minus the tolerance; `better` needs none."""
    if policy.tolerance is None:
        return gate_texts.bound(True, challenger, gain, policy)
    passed = None if gain.bound is None else gain.bound > -policy.tolerance
    return gate_texts.bound(passed, challenger, gain, policy)


def alike(refit: Refit) -> Gate:
    """Gate `alike`: the refit decides at most the allowed share of the window's ideas unlike the judged model."""
    return gate_texts.alike(refit.alike, refit)


def too_blunt(gates: tuple[Gate, ...], policy: Policy) -> bool:
    """Whether a test that failed was too weak to detect the gain of interest (statistical power)."""
    shown = [gate.numbers["detectable_gain"] for gate in gates if gate.name in TESTS and not gate.passed]
    return any(isinstance(gain, float) and gain > policy.gain_of_interest for gain in shown)


def gain_of(challenger: Scorecard, champion: Scorecard | None, policy: Policy) -> Gain:
    """The gain in annual Sharpe, its standard error and bound, and the gain that this window can detect."""
    if champion is None or len(challenger.daily) != len(champion.daily):
        return Gain()
    rate, periods = policy.risk_free, policy.periods_per_year
    difference = sharpe_difference(challenger.excess(rate, periods), champion.excess(rate, periods))
    if difference.delta is None:
        return Gain()
    year = math.sqrt(periods)
    value = 0.0 if abs(difference.delta * year) < ZERO else difference.delta * year
    if difference.standard_error is None:
        return Gain(value)
    error = difference.standard_error * year
    sure, able = policy.z, NormalDist().inv_cdf(policy.power)
    if policy.tolerance is None:
        return Gain(value, error, value - sure * error, difference.p_one_sided)
    detectable = (sure + able) * error - policy.tolerance
    # The error falls with the square root of the days: so many would show the gain of interest.
    longer = ((sure + able) * error / (policy.gain_of_interest + policy.tolerance)) ** 2
    needed = math.ceil(min(longer * len(challenger.daily), MOST_DAYS))
    return Gain(value, error, value - sure * error, difference.p_one_sided, detectable, needed)
