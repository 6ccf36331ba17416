"""Refusal of a file of unknown shape: what was seen, what is missing, and a mapping ready to paste."""

from collections.abc import Mapping

import numpy as np
import pandas as pd

from gatekeeper.desks import FILE
from gatekeeper.errors import DataError
from gatekeeper.market.data.reading import times
from gatekeeper.market.data.reading.number_text import is_text, looks_numeric, number_format
from gatekeeper.market.data.reading.vendors.declaration import Shape
from gatekeeper.market.data.reading.vendors.plausibility import proposed
from gatekeeper.market.data.reading.vendors.words import BY_ROLE

_LINES, _WIDEST = 3, 160
_PRICES = ("open", "high", "low", "close")


def refuse(
    name: str,
    frame: pd.DataFrame,
    found: Mapping[str, tuple[str, ...]],
    lines: tuple[str, ...],
    shape: Shape,
    desk: str,
) -> None:
    """Raises DataError with the first lines, the roles that are missing, and the mapping to fill in."""
    missing = [role for role in shape.required if role not in found]
    columns = ", ".join(str(column) for column in frame.columns) or "none"
    guess = guessed(frame, found, shape)
    entries = [f"{role} = {_toml(guess[role])}" for role in shape.roles if role in guess]
    entries += [f'{role} = ""' for role in shape.required if role not in guess]
    seen = " / ".join(line[:_WIDEST] for line in lines[:_LINES])
    raise DataError(
        f"{name} has no column {', '.join(missing)}; it has: {columns}. Rename or add columns, or check this mapping "
        f"and put it below [{desk}] in {FILE}, or into a file that GATEKEEPER_COLUMNS names. First lines: {seen} | "
        f"Mapping: columns = {{ {', '.join(entries)} }}",
        "\n".join([f"[{desk}.columns]", *entries]),
    )


def guessed(frame: pd.DataFrame, found: Mapping[str, tuple[str, ...]], shape: Shape) -> dict[str, tuple[str, ...]]:
    """The proposed mapping: what is known by name, words of other languages, and of prices first what the bars show."""
    guess = {role: columns for role, columns in found.items() if not shape.prices or role not in _PRICES}
    for role in ("time", "volume", "symbol"):
        _add_by_word(guess, frame, role, shape)
    taken = {column for columns in guess.values() for column in columns}
    if "time" not in guess and (column := _time_like(frame, taken)):
        guess["time"] = (column,)
    if shape.prices:
        guess |= {role: (column,) for role, column in _by_the_bars(frame, guess).items()}
        taken = {column for columns in guess.values() for column in columns}
        guess |= {role: of for role, of in found.items() if role not in guess and taken.isdisjoint(of)}
        for role in _PRICES:
            _add_by_word(guess, frame, role, shape)
    return guess


def _add_by_word(guess: dict[str, tuple[str, ...]], frame: pd.DataFrame, role: str, shape: Shape) -> None:
    """Add the first free column that some language calls so."""
    if role in guess or role not in shape.roles:
        return
    words, taken = BY_ROLE[role], {column for columns in guess.values() for column in columns}
    for column in frame.columns:
        if str(column) not in taken and str(column).strip().lower().replace(" ", "_") in words:
            guess[role] = (str(column),)
            return


def _by_the_bars(frame: pd.DataFrame, guess: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """By role, the column that the bars show."""
    taken = {column for columns in guess.values() for column in columns}
    if "time" not in guess:
        return {}
    text = [str(name) for name in frame.columns if str(name) not in taken and looks_numeric(frame[name])]
    try:
        style = number_format([frame[name] for name in text if is_text(frame[name])])
        instants, _ = times.parse(_joined(frame, guess["time"]), "")
    except DataError:
        return {}
    order = np.argsort(instants, kind="stable")
    if "symbol" in guess:  # the bars of one symbol alone follow each other
        first = frame[guess["symbol"][0]].astype("str").to_numpy()
        order = order[first[order] == first[order[0]]]
    return proposed({name: style.read(frame[name]).to_numpy(dtype=np.float64, na_value=np.nan)[order] for name in text})


def _time_like(frame: pd.DataFrame, taken: set[str]) -> str:
    """The first column that can be read as times from 1900 on, "" if there is none."""
    for column in frame.columns:
        if str(column) in taken:
            continue
        try:
            instants, _ = times.parse(frame[column].head(1000), "")
        except DataError:
            continue
        steps = np.diff(instants) > np.timedelta64(0)
        if len(steps) and instants.min() > np.datetime64("1990-01-01") and (steps.all() or not steps.any()):
            return str(column)
    return ""


def _joined(frame: pd.DataFrame, columns: tuple[str, ...]) -> pd.Series:
    first = frame[columns[0]]
    for other in columns[1:]:
        first = first.astype("str") + " " + frame[other].astype("str")
    return first


def _toml(columns: tuple[str, ...]) -> str:
    quoted = ['"' + column.replace("\\", "\\\\").replace('"', '\\"') + '"' for column in columns]
    return quoted[0] if len(quoted) == 1 else f"[{', '.join(quoted)}]"
