"""Glossary of a report: sizing, costs and calendars of an evaluation in sentences."""

from collections.abc import Mapping
from typing import Any

FIXED = "returns are summed, not compounded, net of costs"


def of(document: Mapping[str, Any]) -> dict[str, str]:
    """The rules of an evaluation in sentences, by name. Older documents have fewer of them."""
    rules = document["rules"]
    said = {"Sizing": _sizing(rules)}
    if "costs" in document:
        said["Costs"] = _costs(document)
    if "calendars" in rules:
        named = rules["calendars"]
        said["Calendars"] = (
            f"By symbol: {named}. The market days of a symbol without one are the days of its data."
            if named
            else "None set: market days are the days of the data."
        )
    return said


def _sizing(rules: Mapping[str, Any]) -> str:
    sizing = rules.get("sizing") or {"kind": "fraction", "most_open": None}
    if sizing["kind"] == "fraction":
        each = f"Each trade is {_percent(rules['fraction'])} of the initial capital"
    else:
        each = (
            f"Each trade is so large that a move of ATR14 makes {_percent(sizing['target'])} of the initial capital, "
            f"but no larger than {_percent(sizing['largest'])} of it"
        )
    return f"{each}; {FIXED}. {_room(sizing['most_open'])}"


def _room(most_open: int | None) -> str:
    if most_open is None:
        return "Any number of positions may be open at once."
    return (
        f"At most {most_open} position{'s' * (most_open != 1)} may be open at once. Approved ideas beyond that are "
        "passed over, in the order of time, symbol and strategy."
    )


def _costs(document: Mapping[str, Any]) -> str:
    told, rates = document["costs"], document["rules"]["rates"]
    if told is None:
        return "The outcomes are net of costs; their source doesn't give the costs."
    if "commission" not in told["parts"]:
        return "The source gives the total cost of each trade, not its parts."
    return (
        f"Commission {_points(rates['commission'])} per side; spread {_points(rates['spread'])}, half of it per side; "
        f"slippage {rates['slippage']:g} of ATR14 per side; for each calendar day held, shorts pay "
        f"{_percent(rates['borrow'])} a year and longs {_percent(rates['funding'])}. All are parts of the entry price."
    )


def _percent(value: float) -> str:
    short = f"{100 * value:.2f}"
    return f"{short} %" if abs(float(short) - 100 * value) < 1e-9 else f"{100 * value:g} %"


def _points(value: float) -> str:
    return f"{1e4 * value:g} bp"
