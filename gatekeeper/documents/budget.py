"""Error budget: the critical value z that keeps the false promotions of a year within a budget.

Simulated over whole years of weekly runs, not for one test alone: after a false promotion the lucky window of the new
champion stands in the way of the next, and successive tests share most of their days. Each figure is the smallest z at
which no simulated setting spends more than the budget (docs/why/judgement.md).
"""

import math
from collections.abc import Sequence
from statistics import NormalDist

BUDGETS = (0.25, 0.5, 1.0, 2.0)
"""Columns: false promotions a year."""
TESTS = (12, 52, 250)
"""Rows: tests a year."""
TABLE = ((1.98, 1.50, 1.00, 0.36), (2.50, 2.11, 1.55, 0.86), (2.95, 2.68, 2.02, 1.26))

SAFE, PROVEN = 0.5, 1.0
"""Budgets of the two policies if none is set."""


def z_of(budget: float, tests_a_year: float) -> float:
    """z for this budget: linear in its logarithm, and in the root of the tests; outside the table its nearest edge."""
    columns, rows = [math.log(each) for each in BUDGETS], [math.sqrt(each) for each in TESTS]
    along = [_between(columns, row, math.log(budget)) for row in TABLE]
    return _between(rows, along, math.sqrt(tests_a_year))


def outside(budget: float, tests_a_year: float) -> str:
    """The sentence on a budget or number of tests outside the table, and what its edge means there; "" inside."""
    few, many = budget < BUDGETS[0] or tests_a_year > TESTS[-1], budget > BUDGETS[-1] or tests_a_year < TESTS[0]
    if not few and not many:
        return ""
    return (
        f"z is simulated for {BUDGETS[0]:g} to {BUDGETS[-1]:g} false promotions and {TESTS[0]} to {TESTS[-1]} tests a "
        f"year; for {budget:g} and {tests_a_year:g} the nearest edge holds, and "
        f"{'may spend more than' if few else 'spends less than'} the budget."
    )


def alpha_of(z: float) -> float:
    """The chance that one test alone, not a year of them, promotes a challenger at the edge of what may pass."""
    return NormalDist().cdf(-z)


def z_of_alpha(alpha: float) -> float:
    """The critical value of one test alone with this chance."""
    return -NormalDist().inv_cdf(alpha)


def _between(places: Sequence[float], values: Sequence[float], at: float) -> float:
    """The value at a place, by straight lines between the places; the nearest value outside."""
    if at <= places[0]:
        return values[0]
    for left, right, low, high in zip(places, places[1:], values, values[1:], strict=False):
        if at == right:
            return high  # to the last bit
        if at < right:
            return low + (high - low) * (at - left) / (right - left)
    return values[-1]
