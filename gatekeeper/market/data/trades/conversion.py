"""Conversion of outcomes to fractions of the entry price, from the unit that the setting `outcome_unit` names."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Unit = Literal["fraction", "percent", "bp", "log"]

_DIVISORS = {"percent": 100.0, "bp": 10_000.0}


def outcomes(given: Floats, action: Floats, unit: Unit) -> Floats:
    """(n,) as fractions. action: 1 for a buy, 0 for a sell, whose log return is the negative of the price's."""
    if unit == "log":
        side = np.where(action > 0, 1.0, -1.0)
        return np.asarray(side * np.expm1(side * given), dtype=np.float64)
    return given / _DIVISORS[unit] if unit in _DIVISORS else given


def paths(given: Floats, start: NDArray[np.int64], action: Floats, unit: Unit) -> Floats:
    """(m,) the marks along paths as fractions of the entry price; those of idea i are given[start[i]:start[i + 1]]."""
    if unit != "log":
        return outcomes(given, np.empty(0), unit)
    lengths = np.diff(start)
    so_far = np.cumsum(given)
    before = np.repeat(np.append(0.0, so_far)[start[:-1]], lengths)
    made = outcomes(so_far - before, np.repeat(action, lengths), unit)
    first = np.zeros(len(given), dtype=np.bool_)
    first[start[:-1][lengths > 0]] = True
    return np.where(first, made, made - np.append(0.0, made[:-1]))


def costs(given: Floats, unit: Unit) -> Floats:
    """(n,) as fractions; beside log returns they are fractions."""
    return given / _DIVISORS[unit] if unit in _DIVISORS else given
