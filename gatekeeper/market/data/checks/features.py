"""Features of the ideas: values outside their range, other units, constant columns and columns that are alike."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from gatekeeper.features import FEATURES, OPTIONAL_FEATURES, RANGES
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import SHOWN, Finding, Severity
from gatekeeper.market.ideas import Ideas

Columns = Mapping[str, NDArray[np.float32]]
Index = NDArray[np.intp]

FEWEST = 100
ACTION = "action"
FRACTIONS = ("fastMASlowDelta", "bbWidth")
HUNDREDS = ("rsi14", "adx14")


def check(checked: Checked) -> Iterable[Finding]:
    """The findings about the features of labelled ideas."""
    return () if checked.ideas is None else list(implausible(checked.ideas))


def implausible(ideas: Ideas) -> Iterator[Finding]:
    """Refused: values that a feature can't have. Warned, from 100 ideas on: units, constant columns, equal columns."""
    columns = {name: ideas.features[:, column] for column, name in enumerate(FEATURES)}
    for name, (low, high) in RANGES.items():
        outside = np.flatnonzero((columns[name] < low) | (columns[name] > high))
        if len(outside):
            yield _outside(ideas, name, outside)
    if len(ideas) >= FEWEST:
        yield from _units(columns)
        yield from _alike(columns)


def _outside(ideas: Ideas, name: str, rows: Index) -> Finding:
    values, (low, high) = ideas.features[:, FEATURES.index(name)], RANGES[name]
    shown = ", ".join(f"{ideas.symbol[row]} {str(ideas.time[row])[:16]} {values[row]:g}" for row in rows[:SHOWN])
    text = (
        f"{name} lies outside {low:g} to {high:g} in {len(rows)} of {len(ideas)} ideas ({shown}). Fix or remove the "
        "rows."
    )
    numbers = {"outside": float(len(rows)), "ideas": float(len(ideas))}
    return Finding(Severity.REFUSED, "range", "", "", text, f"range:{name}", numbers)


def _units(columns: Columns) -> Iterator[Finding]:
    for name in HUNDREDS:
        if 0 < (largest := float(columns[name].max())) <= 1:
            yield _warning(
                "range",
                f"{name} is at most {largest:g} in {len(columns[name])} ideas, and it goes to 100. Multiply it by 100, "
                "here and in what the bot sends.",
                f"range:{name}",
            )
    for name in FRACTIONS:
        if (middle := float(np.median(np.abs(columns[name])))) > 1:
            yield _warning(
                "range",
                f"{name} has a median size of {middle:g} in {len(columns[name])} ideas, and it is a fraction: 5 % is "
                "0.05. Divide it by 100 if it is in percent, or by the close if it is in units of price.",
                f"range:{name}",
            )


def _alike(columns: Columns) -> Iterator[Finding]:
    constant = {name: float(values[0]) for name, values in columns.items() if values.min() == values.max()}
    for name, value in constant.items():
        if name != ACTION and not (name in OPTIONAL_FEATURES and value == 0):
            yield _warning(
                "constant",
                f"{name} is {value:g} in all {len(columns[name])} ideas, from which nothing can be learned. Fill it in "
                "if that isn't so.",
                f"constant:{name}",
            )
    for first, second in combinations([name for name in columns if name not in constant], 2):
        if np.array_equal(columns[first], columns[second]):
            yield _warning(
                "same",
                f"{first} and {second} are equal in all {len(columns[first])} ideas. One of them is probably another "
                "column.",
                f"same:{first}:{second}",
            )


def _warning(kind: str, text: str, key: str) -> Finding:
    return Finding(Severity.WARNING, kind, "", "", text, key)
