"""Stored features: reads `featureVec`, numbers and actions in the formats that servers write."""

import json
from decimal import Decimal
from math import nan

from gatekeeper.features import FEATURES
from gatekeeper.market.data.trades.closed_trades import ACTIONS, GIVEN


def vector_of(stored: object) -> list[float] | None:
    """The features, (7,) in FEATURES order, NaN for a missing number; None if it is not a feature vector."""
    if isinstance(stored, str):
        try:
            stored = json.loads(stored)
        except ValueError:
            return None
    if isinstance(stored, dict):
        return [number_of(stored.get(name)) for name in FEATURES[:-1]] + [action_of(stored.get(FEATURES[-1]))]
    if isinstance(stored, list) and len(stored) in {len(GIVEN), len(FEATURES)}:
        return [number_of(value) for value in stored[: len(GIVEN)]] + [action_of((*stored, None)[len(GIVEN)])]
    return None


def number_of(stored: object) -> float:
    """The number; NaN if it is not a number."""
    if isinstance(stored, (int, float, Decimal)) and not isinstance(stored, bool):
        return float(stored)
    try:
        return float(stored) if isinstance(stored, str) else nan
    except ValueError:
        return nan


def action_of(stored: object) -> float:
    """1 buy, 0 sell, NaN for neither."""
    if isinstance(stored, bool):
        return float(stored)
    return ACTIONS.get(str(stored).strip().lower(), nan)
