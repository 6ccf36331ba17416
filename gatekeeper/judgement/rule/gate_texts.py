"""How are gates and verdicts put to people? Words and numbers only; what passes is decided in promotion.py."""

import math
from collections.abc import Sequence

from gatekeeper.documents.evaluation import Answer, Gate, Number, Refit, Verdict, Window
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.verdict import Gain, Policy

ALL_GATES = "all gates"


def figure(value: float | None, *beside: float | None) -> str:
    """`value` in as few digits as tell it apart from what it is compared with."""
    if value is None:
        return "undefined"
    others = [other for other in beside if other is not None and other != value]
    for digits in (4, 6, 9):
        text = f"{value:.{digits}g}"
        if all(text != f"{other:.{digits}g}" for other in others):
            return text
    return repr(float(value))


def comparable(passed: bool, one_window: bool, cards: Sequence[Scorecard]) -> Gate:
    """The words of the gate `comparable`."""
    window = cards[0].window
    faults = [f"{card.name} has seen part of it, or nobody knows" for card in cards if not card.out_of_sample]
    if not one_window:
        faults.append("the models were measured on different windows")
    if window.empty:
        faults.append(f"the window is empty; {_when(window)}")
    text = f"ideas that started from {window.start:%Y-%m-%d %H:%M} to {window.end:%Y-%m-%d %H:%M} UTC"
    text += "; " + "; ".join(faults) if faults else ", out of sample"
    numbers: dict[str, Number] = {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        "days": window.days,
        "ready": None if window.ready is None else window.ready.isoformat(),
        **{f"{role}_out_of_sample": int(card.out_of_sample) for role, card in _roles(cards)},
    }
    return Gate("comparable", passed, numbers, text)


def enough(passed: bool, cards: Sequence[Scorecard], policy: Policy) -> Gate:
    """The words of the gate `enough`."""
    window = cards[0].window
    kept = ", ".join(f"{role} kept {_kept(card)} of {card.ideas}" for role, card in _roles(cards))
    text = f"{kept} ideas (floor {policy.floor_trades}); {window.days} market days (floor {policy.floor_days})"
    if window.days < policy.floor_days:
        text += f"; {_when(window)}"
    numbers: dict[str, Number] = {
        "floor_trades": policy.floor_trades,
        "days": window.days,
        "floor_days": policy.floor_days,
        "ideas": cards[0].ideas,
        "ready": None if window.ready is None else window.ready.isoformat(),
        **{f"{role}_kept": card.kept_trades for role, card in _roles(cards)},
        **{f"{role}_passed_over": card.passed_over for role, card in _roles(cards) if card.passed_over},
    }
    return Gate("enough", passed, numbers, text)


def _kept(card: Scorecard) -> str:
    """How many; and how many of those were entered, where not all of them."""
    return f"{card.kept_trades} (entered {card.taken_trades})" if card.passed_over else str(card.kept_trades)


def defined(
    passed: bool, days: int, challenger: Scorecard, champion: Scorecard | None, ungated: Scorecard | None
) -> Gate:
    """The words of the gate `defined`."""
    cards = {"challenger": challenger, "champion": champion, "ungated": ungated}
    sharpes = {role: card.sharpe for role, card in cards.items() if card is not None}
    text = "annual Sharpe " + ", ".join(f"{figure(sharpe)} {role}" for role, sharpe in sharpes.items())
    text += f" over {days} days" + ("" if passed else "; needs a Sharpe of each, on the same days, 5 at least")
    return Gate("defined", passed, {"days": days, **{f"{role}_sharpe": each for role, each in sharpes.items()}}, text)


def distinct(passed: bool | None, differing: int | None) -> Gate:
    """The words of the gate `distinct`."""
    if differing is None:
        return Gate("distinct", passed, {"differing": None}, "not the same ideas")
    text = f"{differing} ideas decided differently"
    if not passed:
        text = f"same decisions: {text}" + (", with the same daily returns" if differing else "")
    return Gate("distinct", passed, {"differing": differing}, text)


def better(passed: bool | None, gain: Gain, policy: Policy) -> Gate:
    """The words of the gate `better`."""
    text = (
        f"gain {figure(gain.value, policy.margin)} annual Sharpe {is_or_not(passed)} over the margin {policy.margin:g}"
    )
    return Gate("better", passed, {"gain": gain.value, "margin": policy.margin}, text)


def drawdown(passed: bool, challenger: Scorecard, champion: Scorecard, policy: Policy) -> Gate:
    """The words of the gate `drawdown`."""
    limit = champion.max_drawdown + policy.drawdown_allowance
    text = (
        f"drawdown {figure(challenger.max_drawdown, limit)} of capital, champion's {figure(champion.max_drawdown)} "
        f"and allowance {policy.drawdown_allowance:g} make {figure(limit, challenger.max_drawdown)}"
    )
    numbers: dict[str, Number] = {
        "challenger_drawdown": challenger.max_drawdown,
        "champion_drawdown": champion.max_drawdown,
        "allowance": policy.drawdown_allowance,
    }
    return Gate("drawdown", passed, numbers, text)


def bound(passed: bool | None, challenger: Scorecard, gain: Gain, policy: Policy) -> Gate:
    """The words of the gate `bound`."""
    numbers: dict[str, Number] = {
        "bound": gain.bound,
        "standard_error": gain.standard_error,
        "p": gain.p,
        "alpha": policy.alpha,
        "tolerance": policy.tolerance,
        "detectable_gain": gain.detectable,
        "days_needed": gain.days_needed,
    }
    if policy.tolerance is None:
        return Gate("bound", passed, numbers, f"policy {policy.name} asks for no bound; it is {figure(gain.bound)}")
    limit = -policy.tolerance if policy.tolerance else 0.0
    text = f"lower bound {figure(gain.bound, limit)} {is_or_not(passed)} over {limit:g}"
    if passed is False and gain.detectable is not None:
        text += f"; these days can only show a gain over {figure(gain.detectable, policy.gain_of_interest)}"
        text += _what_would_do(challenger, gain, policy)
    return Gate("bound", passed, numbers, text)


def alike(passed: bool | None, refit: Refit) -> Gate:
    """The words of the gate `alike`."""
    share = figure(refit.share, refit.limit)
    text = (
        f"{refit.name}, fitted on all that is known, decides {refit.differing} of {refit.ideas} ideas otherwise than "
        f"its judged twin: {share} {is_or_not(passed)} within {refit.limit:g}"
    )
    numbers: dict[str, Number] = {
        "differing": refit.differing,
        "ideas": refit.ideas,
        "share": refit.share,
        "limit": refit.limit,
        "only_refit_keeps": refit.only_refit,
        "only_twin_keeps": refit.only_twin,
    }
    if not passed:
        text += "; GATEKEEPER_REFIT_DISAGREEMENT sets that, and the twin itself can be promoted by hand"
    return Gate("alike", passed, numbers, text)


def _what_would_do(challenger: Scorecard, gain: Gain, policy: Policy) -> str:
    """How many more weeks, or ideas a year, would show the gain of interest; nothing where these days do."""
    if gain.days_needed is None or gain.detectable is None or gain.detectable <= policy.gain_of_interest:
        return ""
    weeks = math.ceil((gain.days_needed - len(challenger.daily)) * 52 / policy.periods_per_year)
    text = f": {policy.gain_of_interest:g} takes {weeks} more weeks of such days"
    # Twice the ideas of the same edge make the annual Sharpe larger by the root of two, and its error no smaller.
    ideas = challenger.ideas * policy.periods_per_year / len(challenger.daily)
    more = math.ceil(ideas * ((gain.detectable / policy.gain_of_interest) ** 2 - 1))
    return f"{text}, or {more} more ideas a year of the same kind" if more > 0 else text


def same_bytes(challenger: Scorecard, champion: Scorecard, policy: Policy, kind: str) -> Verdict:
    """The verdict on a challenger that is the champion's very bytes: no other gate is asked."""
    text = f"same decisions: {challenger.name} has the very bytes of {champion.name}, sha256 {challenger.sha256}"
    gate = Gate("distinct", False, {"differing": 0}, text)
    return Verdict(
        "keep", kind, policy.name, (gate,), "distinct", f"keep {champion.live}: {text}", gain=0.0, differing=0
    )


def verdict(
    answer: Answer,
    gates: tuple[Gate, ...],
    failed: list[str],
    gain: Gain,
    challenger: Scorecard,
    champion: Scorecard | None,
    ungated: Scorecard | None,
    policy: Policy,
    kind: str,
    refit: Refit | None = None,
) -> Verdict:
    """The verdict with its message, and whether a person should look."""
    by_name = {gate.name: gate for gate in gates}
    decided_by = failed[0] if failed else ALL_GATES
    message = f"{_headline(answer, challenger, champion, refit)}: " + (
        f"{decided_by}: {by_name[decided_by].text}" if failed else _won(gain, by_name)
    )
    if refit is not None and not failed:
        message += f"; {by_name['alike'].text}"
    stuck = None if champion is None or not failed else _stuck(decided_by, challenger, champion, policy)
    if stuck:
        message += f". ALERT: {stuck}"
    worse = answer == "promote" and ungated is not None and challenger.total_return < ungated.total_return
    if worse and ungated is not None:
        message += f". WARNING: {_less_than_ungated(challenger, ungated)}"
    differing = by_name["distinct"].numbers["differing"] if champion is not None else None
    return Verdict(
        answer=answer,
        kind="bootstrap" if champion is None and kind == "weekly" else kind,
        policy=policy.name,
        gates=gates,
        decided_by=decided_by,
        message=message,
        alert=bool(stuck) or (champion is None and (worse or decided_by == "alike")),
        gain=gain.value,
        standard_error=gain.standard_error,
        bound=gain.bound,
        p=gain.p,
        differing=differing if isinstance(differing, int) else None,
        detectable_gain=gain.detectable,
    )


def _headline(answer: Answer, challenger: Scorecard, champion: Scorecard | None, refit: Refit | None) -> str:
    if answer == "promote":
        live = challenger.name if refit is None else f"{refit.name}, refit of {challenger.name}"
        return f"promote {live}" + ("" if champion is not None else " as the first primary")
    if champion is None:
        return f"{answer}, and there is still no primary"
    return f"keep {champion.live}" if answer == "keep" else f"undecided, {champion.live} stays"


def _won(gain: Gain, gates: dict[str, Gate]) -> str:
    if gain.value is None:
        return gates["defined"].text
    said = [gates[name].text for name in ("better", "bound", "distinct", "league") if name in gates]
    return ", ".join(said)


def _stuck(decided_by: str, challenger: Scorecard, champion: Scorecard, policy: Policy) -> str | None:
    """Why no later Monday will judge this champion either, and what a person can do; None where one will."""
    window = champion.window
    if window.ready is None and (window.empty or window.days < policy.floor_days):
        return "no later date makes this window long enough: lengthen GATEKEEPER_HOLDOUT_DAYS"
    if decided_by == "comparable" and champion.trained_to is None and not champion.out_of_sample:
        fault = "nobody knows what it was trained on"
    elif decided_by == "enough" and window.days >= policy.floor_days and _vetoes_too_much(champion, policy):
        fault = f"it keeps {champion.kept_trades} of {champion.ideas} ideas, under the floor of {policy.floor_trades}"
    elif decided_by == "defined" and champion.sharpe is None:
        fault = "its returns have no Sharpe"
    else:
        return None
    target = "ID" if challenger.model_id is None else str(challenger.model_id)
    return (
        f"no challenger can be judged against {champion.live}, since {fault}; "
        f"to replace it by hand: gatekeeper promote -i {target}"
    )


def _vetoes_too_much(champion: Scorecard, policy: Policy) -> bool:
    """Is it the champion's vetoes, not a lack of ideas, that leave too little to judge?"""
    return champion.kept_trades < policy.floor_trades <= champion.ideas


def _less_than_ungated(challenger: Scorecard, ungated: Scorecard) -> str:
    ours, theirs = challenger.total_return, ungated.total_return
    return (
        f"{challenger.name} made LESS than taking every idea: {figure(ours, theirs)} of capital against "
        f"{figure(theirs, ours)} ungated (Sharpe {figure(challenger.sharpe)} against {figure(ungated.sharpe)})"
    )


def _when(window: Window) -> str:
    start = f"it starts at {window.start:%Y-%m-%d}, bound by {window.bound_by}"
    if window.ready is None:
        return f"{start}; no later date will do with this holdout: lengthen GATEKEEPER_HOLDOUT_DAYS"
    return f"{start}; it will do from about {window.ready.isoformat()} on (market holidays add to that)"


def is_or_not(passed: bool | None) -> str:
    """The verb of a gate's sentence."""
    return "is" if passed else "is not"


def _roles(cards: Sequence[Scorecard]) -> list[tuple[str, Scorecard]]:
    return list(zip(("challenger", "champion"), cards, strict=False))
