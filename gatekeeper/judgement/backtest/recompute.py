"""Recomputation of a scorecard's figures from its daily returns, and their comparison with what a document holds."""

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Rules
from gatekeeper.judgement.statistics.sharpe import max_drawdown, sharpe_ratio

CLOSE = 1e-12
"""Two processors may round the last digit of a sum differently."""


def of_daily(daily: NDArray[np.float64], rules: Rules) -> dict[str, float | None]:
    """The figures of a scorecard that follow from its (T,) daily returns under the document's `rules`."""
    return {
        "sharpe": sharpe_ratio(daily, rules.periods_per_year, rules.risk_free),
        "total_return": float(daily.sum()),
        "max_drawdown": max_drawdown(daily),
    }


def same(one: object, other: object) -> bool:
    """Whether the document's value equals the recomputed one, within rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= CLOSE * max(1.0, abs(one))
    return one == other
