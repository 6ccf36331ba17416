"""Promotion rule: decides whether a challenger replaces the champion (promote, keep or undecided), gate by gate."""

import numpy as np

from gatekeeper.documents.evaluation import Answer, Gate, Refit, Verdict
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule import gains, gate_texts, saves_texts, verdict_texts
from gatekeeper.judgement.rule.gains import Gains
from gatekeeper.judgement.rule.verdict import Edition, Gain, Policy
from gatekeeper.judgement.statistics.pooled_error import FEWEST_WEEKS
from gatekeeper.judgement.statistics.sharpe import FEWEST_DAYS

TESTS = frozenset({"bound", "saves", "league"})
"""Gates that a better model may fail if the window has too few days."""

FLOORS = frozenset({"comparable", "enough", "defined"})
"""Gates whose failure says that the window tells nothing."""

A_PERSONS = frozenset({"selective", "plausible"})
"""Gates whose failure leaves the decision to a person."""

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
        return verdict_texts.same_bytes(challenger, champion, policy, kind)
    found = gains.between(challenger, champion, policy)
    gates: tuple[Gate, ...] = (
        comparable(challenger, champion),
        enough(challenger, champion, policy, found),
        defined(challenger, champion, found, ungated),
    )
    if champion is not None:
        gates += _against(challenger, champion, found, policy)
    gates += (plausible(challenger, policy),)
    if many is not None:
        gates += (many,)
    if refit is not None:
        gates += (alike(refit),)
    if ungated is not None:
        gates += (beats_ungated(challenger, champion, ungated, policy),)
    failed = [gate.name for gate in gates if not gate.passed]
    answer = _answer(gates, failed, policy)
    return verdict_texts.verdict(answer, gates, failed, found, challenger, champion, ungated, policy, kind, refit)


def _against(challenger: Scorecard, champion: Scorecard, found: Gains, policy: Policy) -> tuple[Gate, ...]:
    """The gates that compare the two."""
    gates = [distinct(challenger, champion)]
    if not found.in_capital:
        gates.append(better(found.shown, policy))
    gates.append(drawdown(challenger, champion, policy))
    if not found.in_capital:
        gates.append(bound(challenger, found.shown, policy))
    if found.capital is not None:
        gates.append(saves(challenger, champion, found, policy))
    if found.in_capital:
        gates.append(selective(challenger))
    return tuple(gates)


def _answer(gates: tuple[Gate, ...], failed: list[str], policy: Policy) -> Answer:
    if not failed:
        return "promote"
    if failed[0] in FLOORS | A_PERSONS or (set(failed) <= TESTS | A_PERSONS and too_blunt(gates, policy)):
        return "undecided"
    return "keep"


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


def enough(challenger: Scorecard, champion: Scorecard | None, policy: Policy, found: Gains) -> Gate:
    """Gate `enough`: market days, and each model's trades or the weeks in which the two differ, reach their floors.

    The trades of two whose capital is compared have no floor. Only a policy with a bound asks for weeks, and only of
    models that differ at all.
    """
    cards = [challenger] if champion is None else [challenger, champion]
    passed = all(card.window.days >= policy.floor_days for card in cards)
    if not found.in_capital:
        passed = passed and all(card.taken_trades >= policy.floor_trades for card in cards)
    weeks = None
    if champion is not None and policy.tolerance is not None and distinct(challenger, champion).passed:
        evidence = gains.evidence_of(challenger)
        weeks = FEWEST_WEEKS[evidence.history is not None]
        passed = passed and evidence.differing.weeks >= weeks
    return gate_texts.enough(passed, cards, policy, found, weeks)


def defined(challenger: Scorecard, champion: Scorecard | None, found: Gains, ungated: Scorecard | None) -> Gate:
    """Gate `defined`: the gain has a standard error, or without a champion, the challenger has a Sharpe ratio."""
    days = len(challenger.daily)
    measured = challenger.sharpe is not None if champion is None else found.shown.standard_error is not None
    passed = measured and days >= FEWEST_DAYS
    return gate_texts.defined(passed, days, challenger, champion, ungated, in_capital=found.in_capital)


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
    return gate_texts.bound(_is_sure(gain, policy), challenger, gain, policy)


def saves(challenger: Scorecard, champion: Scorecard, found: Gains, policy: Policy) -> Gate:
    """Gate `saves`: the gain in capital is over the margin, and its bound over minus the tolerance.

    It takes the place of `better` and `bound` where Sharpe ratios tell nothing, and stands beside them if either model
    lost: of two losers the wilder one may have the better Sharpe.
    """
    gain = found.capital or Gain()
    over = None if gain.value is None else gain.value > policy.margin
    sure = _is_sure(gain, policy)
    passed = None if over is None or sure is None else over and sure
    return saves_texts.saves(passed, bool(over), challenger, champion, found, policy)


def selective(challenger: Scorecard) -> Gate:
    """Gate `selective`, of few trades: the challenger approves some ideas and vetoes others; else a person decides."""
    return gate_texts.selective(0 < challenger.kept_trades < challenger.ideas, challenger)


def plausible(challenger: Scorecard, policy: Policy) -> Gate:
    """Gate `plausible`: the challenger's Sharpe is not too good to be true; else a person decides."""
    return gate_texts.plausible(challenger.sharpe is None or challenger.sharpe <= policy.too_good, challenger, policy)


def alike(refit: Refit) -> Gate:
    """Gate `alike`: the refit decides at most the allowed share of the window's ideas unlike the judged model."""
    return gate_texts.alike(refit.alike, refit)


def beats_ungated(challenger: Scorecard, champion: Scorecard | None, ungated: Scorecard, policy: Policy) -> Gate:
    """Gate `ungated`: the challenger made more than taking every idea, if the setting asks for that here."""
    asked = policy.beat_ungated == "always" or (policy.beat_ungated == "bootstrap" and champion is None)
    passed = not asked or challenger.total_return > ungated.total_return
    return gate_texts.beats_ungated(passed, challenger, ungated, policy, asked=asked)


def too_blunt(gates: tuple[Gate, ...], policy: Policy) -> bool:
    """Whether a test that failed was too weak to detect the gain of interest (statistical power)."""
    failed = {gate.name: gate.numbers["detectable_gain"] for gate in gates if gate.name in TESTS and not gate.passed}
    if failed.get("saves", 0.0) is None:  # it failed by the gain itself, and no longer window would have helped
        return False
    return any(isinstance(gain, float) and gain > policy.gain_of_interest for gain in failed.values())


def _is_sure(gain: Gain, policy: Policy) -> bool | None:
    if policy.tolerance is None:
        return True
    return None if gain.bound is None else gain.bound > -policy.tolerance


TODAY = Edition(judge, gains.daily_gain, gains.detectable_gain)
"""The edition by which new evaluations are judged."""
