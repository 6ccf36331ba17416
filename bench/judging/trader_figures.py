"""Traders' figures by empyrical-reloaded, which tests/judgement/statistics/traders.json holds: prints that file.

Run by the benchmarks' environment: build/bench/bin/python bench/judging/trader_figures.py
"""

import json
import sys
import warnings
from importlib.metadata import version

import numpy as np

TEN_DAYS = [0.01, -0.02, 0.015, 0.003, -0.007, 0.012, 0.0, -0.004, 0.009, 0.001]


def rows() -> dict[str, list[float]]:
    """Ten days of the golden numbers, and 250 days of which three in ten have a trade."""
    random = np.random.default_rng(16)
    sparse = np.where(random.random(250) < 0.3, np.round(random.standard_t(3, 250) * 0.002, 6), 0.0)
    return {"ten days": TEN_DAYS, "sparse": sparse.tolist()}


def figures(daily: list[float]) -> dict[str, object]:
    """What empyrical says of them at 252 periods a year."""
    import empyrical

    row = np.array(daily)
    return {
        "daily": daily,
        "sharpe": float(empyrical.sharpe_ratio(row)),
        "sortino": float(empyrical.sortino_ratio(row)),
        "expected_shortfall": float(empyrical.conditional_value_at_risk(row, 0.05)),
        "calmar": float(empyrical.calmar_ratio(row)),
        "calmar_of_small": float(empyrical.calmar_ratio(row / 10_000)),
    }


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    made = {
        "by": f"empyrical-reloaded {version('empyrical-reloaded')}",
        "rows": {name: figures(daily) for name, daily in rows().items()},
    }
    json.dump(made, sys.stdout, indent=1)
