"""In which words are costs, sizing and calendars put to people?"""

from collections.abc import Mapping
from typing import Any

FIXED = "returns are summed, not compounded, net of costs"


def of(document: Mapping[str, Any]) -> dict[str, str]:
    """Of an evaluation: what was chosen, and the defaults where nothing was. Documents of before tell of less."""
    rules = document["rules"]
    said = {"Sizing": _sizing(rules)}
    if "costs" in document:
        said["Costs"] = _costs(document)
    if "calendars" in rules:
        named = rules["calendars"]
        said["Calendars"] = (
            f"By symbol: {named}; a symbol without one has the days of its data."
            if named
            else "None named: a market day is one that the data know of."
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
        f"Open at once: {most_open} at most; a kept idea that finds no room is passed over, in the order of time, "
        "symbol and strategy."
    )


def _costs(document: Mapping[str, Any]) -> str:
    told, rates = document["costs"], document["rules"]["rates"]
    if told is None:
        return "The outcomes are net of costs, and their source doesn't tell the costs apart."
    if "commission" not in told["parts"]:
        return "The source tells what each trade paid, not for what."
    return (
        f"Commission {_points(rates['commission'])} a side; spread {_points(rates['spread'])}, half of it paid a side; "
        f"slippage {rates['slippage']:g} of ATR14 a side; for each calendar day held, shorts pay "
        f"{_percent(rates['borrow'])} a year and longs {_percent(rates['funding'])}. All of the entry price."
    )


def _percent(value: float) -> str:
    short = f"{100 * value:.2f}"
    return f"{short} %" if abs(float(short) - 100 * value) < 1e-9 else f"{100 * value:g} %"


def _points(value: float) -> str:
    return f"{1e4 * value:g} bp"
