"""Gate texts: the sentences and numbers of the promotion rule's gates (promotion.py decides)."""

import math
from collections.abc import Sequence

from gatekeeper.documents.evaluation import HOLDOUT, Gate, Number, Refit, Window
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.gains import Gains, evidence_of
from gatekeeper.judgement.rule.verdict import Gain, Policy
from gatekeeper.judgement.statistics.pooled_error import FEWEST_IN_POOL

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


def counted(number: int, what: str) -> str:
    """A number of things, in words: `1 idea`, `2 ideas`."""
    return f"{number} {what}" if number == 1 else f"{number} {what}s"


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


def enough(passed: bool, cards: Sequence[Scorecard], policy: Policy, found: Gains, weeks: int | None) -> Gate:
    """The gate `enough` with its text and numbers; weeks: in which the two must differ, None if that isn't asked."""
    window = cards[0].window
    floor = "no floor, since their capital is compared" if found.in_capital else f"floor {policy.floor_trades}"
    approved = ", ".join(f"{role} approved {_approved(card)} of {card.ideas}" for role, card in _roles(cards))
    of = "idea" if cards[0].ideas == 1 else "ideas"
    text = f"{approved} {of} ({floor}); {counted(window.days, 'market day')} (floor {policy.floor_days})"
    numbers: dict[str, Number] = {
        "floor_trades": None if found.in_capital else policy.floor_trades,
        "days": window.days,
        "floor_days": policy.floor_days,
        "ideas": cards[0].ideas,
        "ready": None if window.ready is None else window.ready.isoformat(),
        **{f"{role}_kept": card.kept_trades for role, card in _roles(cards)},
        **{f"{role}_passed_over": card.passed_over for role, card in _roles(cards) if card.passed_over},
    }
    if weeks is not None:
        more, told = _weeks(cards[0], weeks)
        text, numbers = text + more, numbers | told
    if window.days < policy.floor_days:
        text += f"; {_when(window)}"
    return Gate("enough", passed, numbers, text)


def _weeks(challenger: Scorecard, floor: int) -> tuple[str, dict[str, Number]]:
    """The weeks in which the two differ, and the history that says how precise that is."""
    evidence = evidence_of(challenger)
    differing, history = evidence.differing, evidence.history
    text = f"; {counted(differing.count, 'idea')} that only one of the two entered, in "
    text += counted(differing.weeks, "distinct week")
    text += f" (floor {floor}"
    if history is None:
        text += f", since fewer than {FEWEST_IN_POOL} ideas were known before the window to say what such ideas make)"
    else:
        text += f"; the {history.ideas} ideas known before the window say what such ideas make)"
    return text, {
        "differing_entered": differing.count,
        "differing_weeks": differing.weeks,
        "floor_weeks": floor,
        "pooled_ideas": None if history is None else history.ideas,
    }


def _approved(card: Scorecard) -> str:
    """The number of approved ideas, and of those entered if not all were."""
    return f"{card.kept_trades} (entered {card.taken_trades})" if card.passed_over else str(card.kept_trades)


def defined(
    passed: bool,
    days: int,
    challenger: Scorecard,
    champion: Scorecard | None,
    ungated: Scorecard | None,
    *,
    in_capital: bool,
) -> Gate:
    """The gate `defined` with its text and numbers."""
    cards = {"challenger": challenger, "champion": champion, "ungated": ungated}
    sharpes = {role: card.sharpe for role, card in cards.items() if card is not None}
    text = f"annual Sharpe over {days} days: "
    text += ", ".join(f"{role} {figure(sharpe)}" for role, sharpe in sharpes.items())
    if in_capital:
        text += "; what they made of capital is compared instead"
        text += "" if passed else ", which needs one of them to have made or lost something on at least 5 days"
    elif not passed:
        text += "; each needs a defined Sharpe on the same days, at least 5"
    return Gate("defined", passed, {"days": days, **{f"{role}_sharpe": each for role, each in sharpes.items()}}, text)


def distinct(passed: bool | None, differing: int | None) -> Gate:
    """The gate `distinct` with its text and numbers."""
    if differing is None:
        return Gate("distinct", passed, {"differing": None}, "the two were not measured on the same ideas")
    text = f"{counted(differing, 'idea')} decided differently"
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
    numbers = precision_numbers(gain, policy) | {"detectable_gain": gain.detectable, "days_needed": gain.days_needed}
    if policy.tolerance is None:
        return Gate("bound", passed, numbers, f"policy {policy.name} needs no lower bound; it is {figure(gain.bound)}")
    limit = -policy.tolerance if policy.tolerance else 0.0
    text = f"the gain's lower confidence bound of {figure(gain.bound, limit)} {is_or_not(passed)} over {limit:g}"
    text += inert(gain, policy)
    if passed is False:
        text += power_of(challenger, gain, policy)
    return Gate("bound", passed, numbers, text)


def precision_numbers(gain: Gain, policy: Policy) -> dict[str, Number]:
    """The numbers of a bound: what it is made of, and what it is compared with."""
    return {
        "bound": gain.bound,
        "standard_error": gain.standard_error,
        "pooled_error": gain.pooled,
        "critical": gain.critical,
        "degrees_of_freedom": gain.dof,
        "p": gain.p,
        **significance(policy),
        "tolerance": policy.tolerance,
    }


def inert(gain: Gain, policy: Policy) -> str:
    """A sentence if the bound of every model that is as good passes: then only the margin decides; else ""."""
    if gain.critical is None or gain.standard_error is None or not policy.tolerance:
        return ""
    width = gain.critical * gain.standard_error
    if width >= policy.tolerance:
        return ""
    return (
        f". This test is inert: critical value x error is {figure(width, policy.tolerance)}, under the tolerance of "
        f"{policy.tolerance:g}, so that every gain over 0 passes"
    )


def power_of(challenger: Scorecard, gain: Gain, policy: Policy) -> str:
    """The gain that the window detects, and the way to one that detects the gain of interest; for a failed test."""
    if gain.detectable is None:
        return ""
    detectable = figure(gain.detectable, policy.gain_of_interest)
    return (
        f". With this window only a Sharpe gain above {detectable} is detectable"
        f"{longer_window(challenger, gain, policy)}"
    )


def selective(passed: bool, challenger: Scorecard) -> Gate:
    """The gate `selective` with its text and numbers."""
    approved = {0: "none", challenger.ideas: "every one"}.get(challenger.kept_trades, str(challenger.kept_trades))
    text = f"the challenger approved {approved} of {counted(challenger.ideas, 'idea')}"
    text += "" if passed else f", so that it never becomes the primary alone: {needs_a_person(challenger)}"
    numbers: dict[str, Number] = {"approved": challenger.kept_trades, "ideas": challenger.ideas}
    return Gate("selective", passed, numbers, text)


def plausible(passed: bool, challenger: Scorecard, policy: Policy) -> Gate:
    """The gate `plausible` with its text and numbers."""
    sharpe = figure(challenger.sharpe, policy.too_good)
    text = f"the challenger's annual Sharpe of {sharpe} {'is not' if passed else 'is'} over {policy.too_good:g}"
    if not passed:
        text += (
            " (GATEKEEPER_TOO_GOOD), which is too good to be true: look for a feature that knows the future, or an "
            f"outcome that no account would have had; {needs_a_person(challenger)}"
        )
    return Gate("plausible", passed, {"challenger_sharpe": challenger.sharpe, "too_good": policy.too_good}, text)


def beats_ungated(passed: bool, challenger: Scorecard, ungated: Scorecard, policy: Policy, *, asked: bool) -> Gate:
    """The gate `ungated` with its text and numbers."""
    ours, theirs = challenger.total_return, ungated.total_return
    text = (
        f"the challenger made {figure(ours, theirs)} of capital, ungated (every idea taken) {figure(theirs, ours)}; "
        f"GATEKEEPER_BEAT_UNGATED={policy.beat_ungated} "
    )
    text += "asks it to have made more" if asked else "doesn't ask it to have made more here"
    numbers: dict[str, Number] = {"challenger_made": ours, "ungated_made": theirs, "asked": int(asked)}
    return Gate("ungated", passed, numbers, text)


def needs_a_person(challenger: Scorecard) -> str:
    """What a person does who wants the model nevertheless: the command to paste."""
    target = "ID" if challenger.model_id is None else str(challenger.model_id)
    return f"it needs a person: gatekeeper promote -i {target} --reason 'why it is right'"


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


def longer_window(challenger: Scorecard, gain: Gain, policy: Policy) -> str:
    """The window, or the ideas a year, that would detect the gain of interest; "" if this window does.

    In calendar days, rounded up to ten. Weeks alone are never promised: a window ends its growth at the holdout.
    """
    if gain.detectable is None or gain.detectable <= policy.gain_of_interest:
        return ""
    if gain.days_needed is None:
        return (
            f". No window detects {policy.gain_of_interest:g} (GATEKEEPER_GAIN_OF_INTEREST), which is not over the "
            f"margin of {policy.margin:g} (GATEKEEPER_MARGIN)"
        )
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
    return f"{text}; {counted(more, 'more idea')} a year of the same kind would do as well" if more > 0 else text


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
