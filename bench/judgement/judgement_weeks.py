"""False promotions and power where two models differ in few weeks, if the floor on those weeks were lower.

Books judged by the whole pipeline (judgement_books.py): the challenger takes one idea more in each of so many weeks of
a year, or three that make the same. What it takes more is no better: payoffs that win often and lose much, the reverse
of them (a lottery), symmetric ones. `safe` is also held to its own edge, a loss of 0.5 of annual Sharpe. Each test is
at 1.92 %, as in the table (judgement_table.py); the floor of 5 weeks is 1 here.

Usage: judgement_weeks.py [--repeats N] [--budget B]
"""

import argparse
import math
import os
from collections.abc import Callable

import judgement_pages as pages
import numpy as np
from judgement_books import Book, Draw, differing, normal, skewed, verdicts
from judgement_table import DAYS, GOOD, Z_207, shown

from gatekeeper.judgement.statistics import pooled_error

WEEKS = (3, 4, 5, 8)
EDGE = 0.8
"""Of an idea in its deviations: one that is truly better by far."""


def reverse(draw: Draw) -> Draw:
    """Its losses as wins."""
    return lambda rng, count: -draw(rng, count)


def in_weeks(weeks: int, more: Draw, together: int) -> Callable[[np.random.Generator], Book]:
    """A book in which only the challenger takes ideas in so many distinct weeks; one day of each."""

    def drawn(rng: np.random.Generator) -> Book:
        book = differing(rng, DAYS, normal(GOOD), more, weeks * together, together=together)
        ours = book.challenger & ~book.champion & (book.day >= 0)
        chosen = 5 * rng.choice((DAYS - 15) // 5, weeks, replace=False) + rng.integers(5)
        day = book.day.copy()
        day[ours] = np.repeat(chosen, together)
        return Book(day, book.outcome, book.challenger, book.champion)

    return drawn


def losing(weeks: int, together: int) -> float:
    """The edge at which the ideas cost 0.5 of annual Sharpe: so far below 0, in deviations, each must lie."""
    return -0.5 / math.sqrt(252) * DAYS / (weeks * together)


def main() -> None:
    """Prints a row for each payoff, and columns by weeks."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=2000, help="books a cell, of the hardest row")
    words.add_argument("--budget", type=float, help="another than that of 1.92 % a test, as false promotions a year")
    given = words.parse_args()
    repeats, budget = given.repeats, Z_207 if given.budget is None else {"false_promotions_a_year": given.budget}
    pooled_error.FEWEST_WEEKS[True] = 1
    often = skewed(0.9, 9.0)
    rows = []
    for what, policy, draw, together, share in (
        ("no better, wins .9 and loses 9x", "proven", often, 1, 0.4),
        ("the same, three at a time", "proven", often, 3, 0.4),
        ("no better, wins 9x at .1", "proven", reverse(often), 1, 1.0),
        ("the same, three at a time", "proven", reverse(often), 3, 0.4),
        ("no better, symmetric", "proven", normal(), 1, 0.4),
        ("no better, symmetric", "safe", normal(), 1, 0.2),
        ("worse by 0.5 Sharpe, symmetric", "safe", None, 1, 0.2),
        (f"better, an edge of {EDGE:g} an idea", "proven", normal(EDGE), 1, 0.2),
    ):
        count = max(2, round(repeats * share))
        cells = []
        for weeks in WEEKS:
            more = normal(losing(weeks, together)) if draw is None else draw
            found = verdicts(in_weeks(weeks, more, together), DAYS, count, 7, **budget, too_good=50.0)
            cells.append(shown(found.promoted[policy], count))
        rows.append((what, f"`{policy}`", *cells))
        print(rows[-1], flush=True)
    pages.table("Promoted, %, by weeks in which the two differ", ("book", "policy", *map(str, WEEKS)), rows)
    print(f"\n{repeats:,} books a cell of the lottery, a fifth or two of so many of the others;", end=" ")
    print(f"{sum(os.times()[:4]):.0f} s of one core")


if __name__ == "__main__":
    main()
