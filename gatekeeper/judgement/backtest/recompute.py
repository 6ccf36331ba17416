"""Recomputation of a scorecard's figures from its daily returns, and their comparison with what a document holds."""

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import LeagueRow, Rules, ScorecardRecord
from gatekeeper.judgement.statistics.sharpe import excess_returns, max_drawdown, sharpe_ratio

CLOSE = 1e-12
"""Two processors may round the last digit of a sum differently."""

Row = NDArray[np.float64]


def exposed_of(record: ScorecardRecord | LeagueRow) -> Row:
    """(T,) part of capital exposed; 1 for a document of edition 1, which took the risk-free rate off all capital."""
    if record.exposed is UNSET:
        return np.ones(len(record.daily or []))
    return np.array(record.exposed or [], dtype=np.float64)


def of_daily(daily: Row, exposed: Row, rules: Rules) -> dict[str, float | None]:
    """The figures of a scorecard that follow from its (T,) daily returns and exposure under the document's `rules`."""
    year = rules.periods_per_year
    return {
        "sharpe": sharpe_ratio(excess_returns(daily, exposed, rules.risk_free, year), year),
        "total_return": float(daily.sum()),
        "max_drawdown": max_drawdown(daily),
    }


def same(one: object, other: object) -> bool:
    """Whether the document's value equals the recomputed one, within rounding."""
    if isinstance(one, float) and isinstance(other, float):
        return abs(one - other) <= CLOSE * max(1.0, abs(one))
    return one == other
