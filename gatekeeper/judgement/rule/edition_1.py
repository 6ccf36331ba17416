"""Edition 1 of the promotion rule: how documents of formats 1 and 2 were judged, for their recheck alone.

Its Sharpe gain has the error of a bandwidth with units, a normal quantile of alpha, and no floor; too few trades are
undecided. What it took off for the risk-free rate, that of all capital, comes with its scorecards (recompute.py). Gates
have their numbers and no words: these are the stored document's.
"""

import math
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Answer, Gate, Number, Refit, Verdict
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.verdict import Edition, Gain, Policy
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS, daily_influence, sharpe_difference

ZERO, MOST_DAYS, WITHIN = 1e-9, 1_000_000, 1e-12
TESTS = frozenset({"bound", "league"})


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
    """The verdict of edition 1; arguments as for today's `judge`."""
    if champion is not None and _same_bytes(challenger, champion):
        gate = Gate("distinct", False, {"differing": 0}, "")
        return Verdict("keep", kind, policy.name, (gate,), "distinct", "", gain=0.0, differing=0)
    gain = gain_of(challenger, champion, policy)
    gates = _floors(challenger, champion, gain, ungated, policy)
    if champion is not None:
        gates += _against(challenger, champion, gain, policy)
    if many is not None:
        gates += (many,)
    if refit is not None:
        gates += (_alike(refit),)
    failed = [gate.name for gate in gates if not gate.passed]
    decided_by = failed[0] if failed else "all gates"
    answer: Answer = "keep" if failed else "promote"
    if decided_by in ("comparable", "enough", "defined") or (failed and set(failed) <= TESTS and _blunt(gates, policy)):
        answer = "undecided"
    worse = answer == "promote" and ungated is not None and challenger.total_return < ungated.total_return
    alert = worse or decided_by == "alike" if champion is None else _stuck(decided_by, champion, policy)
    differing = next((gate.numbers["differing"] for gate in gates if gate.name == "distinct"), None)
    return Verdict(
        answer=answer,
        kind="bootstrap" if champion is None and kind == "weekly" else kind,
        policy=policy.name,
        gates=gates,
        decided_by=decided_by,
        message="",
        alert=alert,
        gain=gain.value,
        standard_error=gain.standard_error,
        bound=gain.bound,
        p=gain.p,
        differing=differing if isinstance(differing, int) else None,
        detectable_gain=gain.detectable,
    )


def gain_of(challenger: Scorecard, champion: Scorecard | None, policy: Policy) -> Gain:
    """The gain of edition 1 in annual Sharpe, its standard error and bound, and what the window could detect."""
    if champion is None or len(challenger.daily) != len(champion.daily):
        return Gain()
    rate, periods = policy.risk_free, policy.periods_per_year
    ours, theirs = (card.excess(rate, periods) for card in (challenger, champion))
    difference = sharpe_difference(ours, theirs, unit_free=False)
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
    detectable = detectable_gain(error, sure, policy)
    longer = ((sure + able) * error / (policy.gain_of_interest + policy.tolerance)) ** 2
    needed = math.ceil(min(longer * len(challenger.daily), MOST_DAYS))
    return Gain(value, error, value - sure * error, difference.p_one_sided, detectable, needed)


def detectable_gain(error: float, critical: float, policy: Policy) -> float:
    """The gain that its bound detects, whatever the margin."""
    return (critical + NormalDist().inv_cdf(policy.power)) * error - (policy.tolerance or 0.0)


def daily_gain(challenger: Scorecard, champion: Scorecard, policy: Policy) -> NDArray[np.float64]:
    """(T,) what each day adds to the annual gain in Sharpe."""
    rate, periods = policy.risk_free, policy.periods_per_year
    return daily_influence(challenger.excess(rate, periods), champion.excess(rate, periods)) * math.sqrt(periods)


def _same_bytes(challenger: Scorecard, champion: Scorecard) -> bool:
    same = challenger.sha256 is not None and challenger.sha256 == champion.sha256
    return same and challenger.threshold == champion.threshold


def _floors(
    challenger: Scorecard, champion: Scorecard | None, gain: Gain, ungated: Scorecard | None, policy: Policy
) -> tuple[Gate, ...]:
    """Gates `comparable`, `enough` and `defined`, whose failure left a verdict undecided."""
    roles = {"challenger": challenger} if champion is None else {"challenger": challenger, "champion": champion}
    cards, window, days = list(roles.values()), challenger.window, len(challenger.daily)
    ready = None if window.ready is None else window.ready.isoformat()
    one_window = all(card.window == window and len(card.kept) == challenger.ideas for card in cards)
    comparable = one_window and not window.empty and all(card.out_of_sample for card in cards)
    span: dict[str, Number] = {"start": window.start.isoformat(), "end": window.end.isoformat(), "days": window.days}
    seen = {f"{role}_out_of_sample": int(card.out_of_sample) for role, card in roles.items()}
    floors = {"floor_trades": policy.floor_trades, "days": window.days, "floor_days": policy.floor_days}
    counts = {f"{role}_kept": card.kept_trades for role, card in roles.items()}
    counts |= {f"{role}_passed_over": card.passed_over for role, card in roles.items() if card.passed_over}
    enough = all(card.window.days >= policy.floor_days and card.taken_trades >= policy.floor_trades for card in cards)
    defined = challenger.sharpe is not None and days >= FEWEST_DAYS
    if champion is not None:
        defined = defined and champion.sharpe is not None and gain.standard_error is not None
    shown = roles if ungated is None else {**roles, "ungated": ungated}
    return (
        Gate("comparable", comparable, {**span, "ready": ready, **seen}, ""),
        Gate("enough", enough, {**floors, "ideas": challenger.ideas, "ready": ready, **counts}, ""),
        Gate("defined", defined, {"days": days, **{f"{role}_sharpe": card.sharpe for role, card in shown.items()}}, ""),
    )


def _against(challenger: Scorecard, champion: Scorecard, gain: Gain, policy: Policy) -> tuple[Gate, ...]:
    """Gates `distinct`, `better`, `drawdown` and `bound`."""
    differing = None
    if len(challenger.kept) == len(champion.kept):
        differing = int(np.count_nonzero(challenger.kept != champion.kept))
    distinct = None if differing is None else differing > 0 and not np.array_equal(challenger.daily, champion.daily)
    deep = {"challenger_drawdown": challenger.max_drawdown, "champion_drawdown": champion.max_drawdown}
    shallow = challenger.max_drawdown - champion.max_drawdown <= policy.drawdown_allowance + WITHIN
    sure: bool | None = True
    if policy.tolerance is not None:
        sure = None if gain.bound is None else gain.bound > -policy.tolerance
    better = None if gain.value is None else gain.value > policy.margin
    bound: dict[str, Number] = {"bound": gain.bound, "standard_error": gain.standard_error, "p": gain.p}
    bound |= {"alpha": policy.alpha, "tolerance": policy.tolerance}
    bound |= {"detectable_gain": gain.detectable, "days_needed": gain.days_needed}
    return (
        Gate("distinct", distinct, {"differing": differing}, ""),
        Gate("better", better, {"gain": gain.value, "margin": policy.margin}, ""),
        Gate("drawdown", shallow, {**deep, "allowance": policy.drawdown_allowance}, ""),
        Gate("bound", sure, bound, ""),
    )


def _alike(refit: Refit) -> Gate:
    numbers: dict[str, Number] = {"differing": refit.differing, "ideas": refit.ideas, "share": refit.share}
    numbers |= {"limit": refit.limit, "only_refit_keeps": refit.only_refit, "only_twin_keeps": refit.only_twin}
    return Gate("alike", refit.alike, numbers, "")


def _blunt(gates: tuple[Gate, ...], policy: Policy) -> bool:
    """Whether a test that failed was too weak to detect the gain of interest."""
    shown = [gate.numbers["detectable_gain"] for gate in gates if gate.name in TESTS and not gate.passed]
    return any(isinstance(gain, float) and gain > policy.gain_of_interest for gain in shown)


def _stuck(decided_by: str, champion: Scorecard, policy: Policy) -> bool:
    """Whether no later Monday could judge this champion either."""
    window = champion.window
    if decided_by == "all gates":
        return False
    if window.ready is None and (window.empty or window.days < policy.floor_days):
        return True
    if decided_by == "comparable":
        return champion.trained_to is None and not champion.out_of_sample
    if decided_by == "enough" and window.days >= policy.floor_days:
        return champion.kept_trades < policy.floor_trades <= champion.ideas
    return decided_by == "defined" and champion.sharpe is None


EDITION = Edition(judge, daily_gain, detectable_gain)
