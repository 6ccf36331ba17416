"""Glossary of a report: sizing, costs and calendars of an evaluation in sentences."""

from msgspec import UNSET

from gatekeeper.documents.evaluation import CostsPaid, EvaluationDocument, RatesRecord, SizingRecord

FIXED = "returns are summed, not compounded, net of costs"


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
