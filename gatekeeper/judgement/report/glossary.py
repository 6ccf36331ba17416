"""Glossary of a report: sizing, costs, calendars and the numbers of the gates in sentences."""

from collections.abc import Sequence

from msgspec import UNSET

from gatekeeper.documents.evaluation import CostsPaid, EvaluationDocument, Gate, RatesRecord, SizingRecord

FIXED = "returns are summed, not compounded, net of costs"

GATE_NUMBERS = {
    "start": "from when on ideas count",
    "end": "last start of an idea that is sure to have ended by the as-of",
    "ready": "day from which on the window is long enough; none if it is, or if no day is known",
    "challenger_out_of_sample": "1 if the challenger was trained on none of these ideas, else 0",
    "champion_out_of_sample": "the same of the champion",
    "floor_trades": "fewest trades of each model (GATEKEEPER_FLOOR_TRADES); none where capital is compared",
    "days": "market days of the window, those without trades too",
    "floor_days": "fewest market days (GATEKEEPER_FLOOR_DAYS)",
    "ideas": "ideas of the window",
    "challenger_kept": "ideas that the challenger approved",
    "champion_kept": "ideas that the champion approved",
    "challenger_passed_over": "approved ideas that the challenger didn't enter (GATEKEEPER_MOST_OPEN)",
    "champion_passed_over": "the same of the champion",
    "differing_entered": "ideas that only one of the two models entered",
    "differing_weeks": "distinct weeks in which the entries of those ideas lie; ideas of one week may be alike",
    "floor_weeks": "fewest such weeks: 5 if history says what such ideas make, else 15",
    "pooled_ideas": "ideas known before the window, by which the error is floored; none under 30",
    "challenger_sharpe": "annual Sharpe ratio of the challenger, after costs and over the risk-free rate",
    "champion_sharpe": "the same of the champion",
    "ungated_sharpe": "the same of every idea taken",
    "differing": "ideas decided differently; in `alike` by the refit and its judged model",
    "approved": "ideas that the challenger approved",
    "gain": "annual Sharpe over the champion's; in `saves` what was made more, as a Sharpe of the wilder",
    "margin": "gain that must be exceeded (GATEKEEPER_MARGIN)",
    "bound": "lower confidence bound: gain less critical x standard_error; it must exceed minus the tolerance",
    "standard_error": "of the gain: by the daily returns, or larger if the history of ideas says so",
    "pooled_error": "standard error by the history alone: what ideas of the past would make of those that differ",
    "critical": "standard errors between gain and bound: z as a quantile of t; in `league` for the best of all",
    "degrees_of_freedom": "of Student's t: the fewer weeks the two differ in, the larger critical is",
    "p": "chance of such a gain, or a larger one, if the true gain were minus the tolerance",
    "z": "critical value in a long window, as budget and tests_a_year set it",
    "budget": "most false promotions a year, on average: a bound, not a forecast",
    "tests_a_year": "runs a year, by GATEKEEPER_SCHEDULE",
    "alpha": "of older documents: chance of a false promotion that one test may have",
    "tolerance": "how far below 0 the bound may lie: under `safe` GATEKEEPER_TOLERANCE, under `proven` 0",
    "detectable_gain": "gain that these days would show with the chance GATEKEEPER_POWER",
    "days_needed": "market days that would show the gain of interest (GATEKEEPER_GAIN_OF_INTEREST)",
    "champion_alone_lost": "part of capital that the ideas only the champion entered lost; negative if they made money",
    "champion_alone_lost_bound": "lower confidence bound of that loss",
    "challenger_drawdown": "deepest fall from a peak of the challenger, as a part of capital",
    "champion_drawdown": "the same of the champion",
    "allowance": "how much deeper than the champion's the drawdown may be (GATEKEEPER_DRAWDOWN_ALLOWANCE)",
    "too_good": "annual Sharpe above which a person decides (GATEKEEPER_TOO_GOOD)",
    "challenger_made": "return of the challenger, as a part of capital",
    "ungated_made": "return of every idea taken",
    "asked": "1 if GATEKEEPER_BEAT_UNGATED asks this promotion to have made more than taking every idea, else 0",
    "share": "part of the window's ideas that the refit decides unlike the judged model",
    "limit": "largest such part that is allowed (GATEKEEPER_REFIT_DISAGREEMENT)",
    "only_refit_keeps": "ideas that the refit approves and the judged model vetoes",
    "only_twin_keeps": "ideas that the judged model approves and the refit vetoes",
    "compared": "models in the league",
    "others": "the other models in the league",
    "bound_of_many": "lower confidence bound of the gain as that of one among all models compared",
    "most_gained": "model that passes every gate of the league with the largest gain",
}
"""The numbers of the gates, each in a line."""


def of(document: EvaluationDocument) -> dict[str, str]:
    """The rules of an evaluation in sentences, by name. Older documents have fewer of them."""
    rules = document.rules
    terms = {"Sizing": sizing(rules.sizing)}
    if document.costs is not UNSET and (document.costs is None or rules.rates is not None):
        terms["Costs"] = _costs(document.costs, rules.rates)
    if rules.calendars is not None:
        terms["Calendars"] = (
            f"By symbol: {rules.calendars}. The market days of a symbol without one are the days of its data."
            if rules.calendars
            else "None set: market days are the days of the data."
        )
    if rules.unknown:
        terms["Not known"] = f"The document, of an older format, doesn't hold these rules: {', '.join(rules.unknown)}."
    return terms


def of_gates(gates: Sequence[Gate]) -> dict[str, str]:
    """What the numbers of these gates mean, by name, in the order of the glossary."""
    shown = {name for gate in gates for name in gate.numbers}
    return {name: meaning for name, meaning in GATE_NUMBERS.items() if name in shown}


def sizing(rule: SizingRecord) -> str:
    """The size of each trade in a sentence."""
    if rule.kind == "fraction":
        each = f"Each trade is {_percent(rule.fraction)} of the initial capital"
    else:
        each = (
            f"Each trade is so large that a move of ATR14 makes {_percent(rule.target)} of the initial capital, "
            f"but no larger than {_percent(rule.largest)} of it"
        )
    return f"{each}; {FIXED}. {_room(rule.most_open)}"


def _room(most_open: int | None) -> str:
    if most_open is None:
        return "Any number of positions may be open at once."
    return (
        f"At most {most_open} position{'s' * (most_open != 1)} may be open at once. Approved ideas beyond that are "
        "passed over, in the order of time, symbol and strategy."
    )


def _costs(costs: CostsPaid | None, rates: RatesRecord | None) -> str:
    if costs is None:
        return "The outcomes are net of costs; their source doesn't give the costs."
    if "commission" not in costs.parts or rates is None:
        return "The source gives the total cost of each trade, not its parts."
    return (
        f"Commission {_points(rates.commission)} per side; spread {_points(rates.spread)}, half of it per side; "
        f"slippage {rates.slippage:g} of ATR14 per side; for each calendar day held, shorts pay "
        f"{_percent(rates.borrow)} a year and longs {_percent(rates.funding)}. All are parts of the entry price."
    )


def _percent(value: float) -> str:
    short = f"{100 * value:.2f}"
    return f"{short} %" if abs(float(short) - 100 * value) < 1e-9 else f"{100 * value:g} %"


def _points(value: float) -> str:
    return f"{1e4 * value:g} bp"
