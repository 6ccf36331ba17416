"""Gate texts: the sentences and numbers of the promotion rule's gates and verdicts (promotion.py decides)."""

import math
from collections.abc import Sequence

from gatekeeper.documents.evaluation import HOLDOUT, Answer, Gate, Number, Refit, Verdict, Window
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.verdict import Gain, Policy

ALL_GATES = "all gates"

LONGEST_HOLDOUT = 3650
"""Days: the limit of GATEKEEPER_HOLDOUT_DAYS."""


def figure(value: float | None, *beside: float | None) -> str:
    """`value` in the fewest digits that tell it apart from the values beside it."""
    if value is None:
        return "undefined"
    others = [other for other in beside if other is not None and other != value]
    for digits in (4, 6, 9):
        text = f"{value:.{digits}g}"
        if all(text != f"{other:.{digits}g}" for other in others):
            return text
    return repr(float(value))


def comparable(passed: bool, one_window: bool, cards: Sequence[Scorecard]) -> Gate:
    """The gate `comparable` with its text and numbers."""
    window = cards[0].window
    faults = [f"{card.name} was trained on part of it, or on unknown data" for card in cards if not card.out_of_sample]
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
    """The gate `enough` with its text and numbers."""
    window = cards[0].window
    approved = ", ".join(f"{role} approved {_approved(card)} of {card.ideas}" for role, card in _roles(cards))
    text = f"{approved} ideas (floor {policy.floor_trades}); {window.days} market days (floor {policy.floor_days})"
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


def _approved(card: Scorecard) -> str:
    """The number of approved ideas, and of those entered if not all were."""
    return f"{card.kept_trades} (entered {card.taken_trades})" if card.passed_over else str(card.kept_trades)


def defined(
    passed: bool, days: int, challenger: Scorecard, champion: Scorecard | None, ungated: Scorecard | None
) -> Gate:
    """The gate `defined` with its text and numbers."""
    cards = {"challenger": challenger, "champion": champion, "ungated": ungated}
    sharpes = {role: card.sharpe for role, card in cards.items() if card is not None}
    text = f"annual Sharpe over {days} days: "
    text += ", ".join(f"{role} {figure(sharpe)}" for role, sharpe in sharpes.items())
    text += "" if passed else "; each needs a defined Sharpe on the same days, at least 5"
    return Gate("defined", passed, {"days": days, **{f"{role}_sharpe": each for role, each in sharpes.items()}}, text)


def distinct(passed: bool | None, differing: int | None) -> Gate:
    """The gate `distinct` with its text and numbers."""
    if differing is None:
        return Gate("distinct", passed, {"differing": None}, "the two were not measured on the same ideas")
    text = f"{differing} ideas decided differently"
    if not passed:
        text = f"same decisions: {text}" + (", with the same daily returns" if differing else "")
    return Gate("distinct", passed, {"differing": differing}, text)


def better(passed: bool | None, gain: Gain, policy: Policy) -> Gate:
    """The gate `better` with its text and numbers."""
    value = figure(gain.value, policy.margin)
    text = f"the gain of {value} in annual Sharpe {is_or_not(passed)} over the margin of {policy.margin:g}"
    return Gate("better", passed, {"gain": gain.value, "margin": policy.margin}, text)


def drawdown(passed: bool, challenger: Scorecard, champion: Scorecard, policy: Policy) -> Gate:
    """The gate `drawdown` with its text and numbers."""
    limit = champion.max_drawdown + policy.drawdown_allowance
    text = (
        f"the maximum drawdown of {figure(challenger.max_drawdown, limit)} of capital {is_or_not(passed)} within the "
        f"limit of {figure(limit, challenger.max_drawdown)} (the champion's {figure(champion.max_drawdown)} plus the "
        f"allowance of {policy.drawdown_allowance:g})"
    )
    numbers: dict[str, Number] = {
        "challenger_drawdown": challenger.max_drawdown,
        "champion_drawdown": champion.max_drawdown,
        "allowance": policy.drawdown_allowance,
    }
    return Gate("drawdown", passed, numbers, text)


def bound(passed: bool | None, challenger: Scorecard, gain: Gain, policy: Policy) -> Gate:
    """The gate `bound` with its text and numbers."""
    numbers: dict[str, Number] = {
        "bound": gain.bound,
        "standard_error": gain.standard_error,
        "p": gain.p,
        **significance(policy),
        "tolerance": policy.tolerance,
        "detectable_gain": gain.detectable,
        "days_needed": gain.days_needed,
    }
    if policy.tolerance is None:
        return Gate("bound", passed, numbers, f"policy {policy.name} needs no lower bound; it is {figure(gain.bound)}")
    limit = -policy.tolerance if policy.tolerance else 0.0
    text = f"the gain's lower confidence bound of {figure(gain.bound, limit)} {is_or_not(passed)} over {limit:g}"
    if passed is False and gain.detectable is not None:
        detectable = figure(gain.detectable, policy.gain_of_interest)
        text += f". With this window only a Sharpe gain above {detectable} is detectable"
        text += _longer_window(challenger, gain, policy)
    return Gate("bound", passed, numbers, text)


def alike(passed: bool | None, refit: Refit) -> Gate:
    """The gate `alike` with its text and numbers."""
    share = figure(refit.share, refit.limit)
    text = (
        f"the refit {refit.name}, fitted on all data to the as-of, decides {refit.differing} of {refit.ideas} ideas "
        f"differently from the judged model: {share} {is_or_not(passed)} within the limit of {refit.limit:g}"
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
        text += ". GATEKEEPER_REFIT_DISAGREEMENT sets the limit; the judged model itself can be promoted by hand"
    return Gate("alike", passed, numbers, text)


def _longer_window(challenger: Scorecard, gain: Gain, policy: Policy) -> str:
    """The window, or the ideas a year, that would detect the gain of interest; "" if this window does.

    In calendar days, rounded up to ten. Weeks alone are never promised: a window ends its growth at the holdout.
    """
    if gain.days_needed is None or gain.detectable is None or gain.detectable <= policy.gain_of_interest:
        return ""
    wanted, window = f"{policy.gain_of_interest:g}", challenger.window
    days = math.ceil(gain.days_needed * 365 / policy.periods_per_year / 10) * 10
    if days > LONGEST_HOLDOUT:
        text = (
            f". Detecting {wanted} needs a window of about {days} days, and GATEKEEPER_HOLDOUT_DAYS may be at most "
            f"{LONGEST_HOLDOUT}"
        )
    elif window.bound_by == HOLDOUT:
        text = (
            f". Detecting {wanted} needs a longer holdout: about {days} days plus the embargo (GATEKEEPER_HOLDOUT_DAYS)"
        )
    else:
        text = (
            f". Detecting {wanted} needs a window of about {days} days; this one starts after {window.bound_by} and "
            "grows each week, up to the holdout less the embargo (GATEKEEPER_HOLDOUT_DAYS)"
        )
    # Twice the ideas of the same edge make the annual Sharpe larger by the root of two, and its error no smaller.
    ideas = challenger.ideas * policy.periods_per_year / len(challenger.daily)
    more = math.ceil(ideas * ((gain.detectable / policy.gain_of_interest) ** 2 - 1))
    return f"{text}; {more} more ideas a year of the same kind would do as well" if more > 0 else text


def same_bytes(challenger: Scorecard, champion: Scorecard, policy: Policy, kind: str) -> Verdict:
    """The verdict on a challenger with the same bytes as the champion; no other gate is evaluated."""
    text = f"same decisions: {challenger.name} has the same bytes as {champion.name}, sha256 {challenger.sha256}"
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
    """The verdict with its message, and whether it needs a person's attention (`alert`)."""
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
        live = challenger.name if refit is None else f"{refit.name} (refit of {challenger.name})"
        return f"promote {live}" + ("" if champion is not None else " as the first primary")
    if champion is None:
        return f"{answer}, so there is still no primary"
    return f"keep {champion.live}" if answer == "keep" else f"undecided, {champion.live} stays the primary"


def _won(gain: Gain, gates: dict[str, Gate]) -> str:
    if gain.value is None:
        return gates["defined"].text
    return "; ".join(gates[name].text for name in ("better", "bound", "distinct", "league") if name in gates)


def _stuck(decided_by: str, challenger: Scorecard, champion: Scorecard, policy: Policy) -> str | None:
    """The reason that no later Monday can judge this champion either, and the way out; None if one can."""
    window = champion.window
    if window.ready is None and (window.empty or window.days < policy.floor_days):
        return "this window never becomes long enough with this holdout: raise GATEKEEPER_HOLDOUT_DAYS"
    if decided_by == "comparable" and champion.trained_to is None and not champion.out_of_sample:
        fault = "its training data are unknown"
    elif decided_by == "enough" and window.days >= policy.floor_days and _vetoes_too_much(champion, policy):
        fault = (
            f"it approves {champion.kept_trades} of {champion.ideas} ideas, under the floor of {policy.floor_trades}"
        )
    elif decided_by == "defined" and champion.sharpe is None:
        fault = "the Sharpe of its returns is undefined"
    else:
        return None
    target = "ID" if challenger.model_id is None else str(challenger.model_id)
    return (
        f"no challenger can be judged against {champion.live}, since {fault}. "
        f"To replace it by hand: gatekeeper promote -i {target}"
    )


def _vetoes_too_much(champion: Scorecard, policy: Policy) -> bool:
    """Whether the champion's vetoes, not a lack of ideas, leave too few trades to judge."""
    return champion.kept_trades < policy.floor_trades <= champion.ideas


def _less_than_ungated(challenger: Scorecard, ungated: Scorecard) -> str:
    ours, theirs = challenger.total_return, ungated.total_return
    return (
        f"{challenger.name} made LESS than taking every idea: {figure(ours, theirs)} of capital against "
        f"{figure(theirs, ours)} ungated (Sharpe {figure(challenger.sharpe)} against {figure(ungated.sharpe)})"
    )


def _when(window: Window) -> str:
    start = f"the window starts on {window.start:%Y-%m-%d}, limited by {window.bound_by}"
    if window.ready is None:
        return f"{start}, and never becomes long enough with this holdout: raise GATEKEEPER_HOLDOUT_DAYS"
    return f"{start}, and is long enough from about {window.ready.isoformat()} on (later with market holidays)"


def significance(policy: Policy) -> dict[str, Number]:
    """The numbers that set how far the bound lies below the gain; an older document went by alpha alone."""
    if policy.alpha is not None:
        return {"alpha": policy.alpha}
    return {"z": policy.z, "budget": policy.budget, "tests_a_year": policy.tests_a_year}


def is_or_not(passed: bool | None) -> str:
    """The verb of a gate's sentence."""
    return "is" if passed else "is not"


def _roles(cards: Sequence[Scorecard]) -> list[tuple[str, Scorecard]]:
    return list(zip(("challenger", "champion"), cards, strict=False))
