"""Table of what the promotion rule lets through and what it finds, before its second edition and now.

Each row is a made-up book judged by the whole pipeline (judgement_books.py): the share of books that a policy promotes,
in percent with its binomial error. `before` was measured by the same books with the rule's first edition (commit
cc07fc8), whose z was 2.07 for every policy; the rows of size and power are therefore judged at that z here too.

Usage: judgement_table.py [--quick] [--repeats N] [--own] [--json FILE]
"""

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from judgement_books import Book, differing, normal, replaced, skewed, verdicts
from rich.console import Console
from rich.table import Table

BEFORE = Path(__file__).with_name("judgement_before.json")
GOOD, BAD = 0.08, -0.08
"""Edge of an idea in its deviations; with 240 a year an annual Sharpe of 1.24 and -1.24."""
DAYS, QUARTER = 250, 13
Z_207 = {"false_promotions_a_year": 0.5253}
"""The budget whose z, at 52 tests a year, is the first edition's 2.07."""
Z_150 = {"false_promotions_a_year": 1.0515}
POWER = {**Z_207, "too_good": 50.0}
"""As good as some of the better ones are, a person would be asked; what counts here is what the test finds."""


@dataclass(frozen=True)
class Row:
    """One row: who is counted in which books. wanted: the value that the design asks for, as it says it."""

    name: str
    policy: str
    book: Callable[[np.random.Generator], Book]
    wanted: str
    settings: dict[str, Any] = field(default_factory=dict)
    days: int = DAYS
    weeks: int = 0
    """Tested each week of so many; 0: once."""


def of(common: float, more: Any, count: int, together: int = 1, base: int = 240) -> Callable[..., Book]:
    """Books in which only the challenger approves `count` more."""
    return lambda rng: differing(rng, DAYS, normal(common), more, count, together=together, base=base)


def vetoing(sharpe: float, approved: int) -> Callable[..., Book]:
    """A champion of that annual Sharpe, whose 240 ideas a year the challenger vetoes but for `approved`."""

    def drawn(rng: np.random.Generator) -> Book:
        book = differing(rng, DAYS, normal(sharpe / math.sqrt(240)), normal(), 0, base=240, after=5 * QUARTER)
        few = np.zeros(len(book.day), dtype=bool)
        there = np.flatnonzero(book.day >= 0)
        few[rng.choice(there, approved, replace=False)] = True
        return Book(book.day, book.outcome, few, book.champion)

    return drawn


LOSER = skewed(0.9, 9.0)
ROWS = (
    *(
        Row(f"no better: {count} ideas that win .9 and lose 9x", "proven", of(GOOD, LOSER, count), "<= 2.5", Z_207)
        for count in (8, 15, 30)
    ),
    *(
        Row(f"no better: {count} of them, three at a time", "proven", of(GOOD, LOSER, count, 3), "<= 2.5", Z_207)
        for count in (15, 30)
    ),
    *(
        Row(f"no better: {count} ideas, symmetric", "proven", of(GOOD, normal(), count), "<= 2.5", Z_207)
        for count in (8, 15, 30, 60)
    ),
    *(
        Row(f"better: {count} ideas of an edge of {edge:g}, symmetric", "proven", of(GOOD, normal(edge), count),
            "within 3 of before", POWER)
        for count in (30, 60, 120)
        for edge in (0.2, 0.4)
    ),
    *(
        Row(f"better: {count} ideas of an edge of .4 that win often and lose much", "proven",
            of(GOOD, skewed(0.9, 9.0, 0.4), count), "no lower at equal size", POWER)
        for count in (15, 30, 60)
    ),
    Row("worthless noise, 60 ideas, no rate", "safe", of(GOOD, normal(), 60), "3", Z_207),
    Row("worthless noise, 60 ideas, 3 % a year", "safe", of(GOOD, normal(), 60), "3", {**Z_207, "risk_free": 0.03}),
    *(
        Row("two losers, the wilder", policy, of(BAD, normal(), 240), wanted, Z_207)
        for policy, wanted in (("better", "50"), ("safe", "6 to 9"), ("proven", "2"))
    ),
    *(
        Row(f"champion of Sharpe {sharpe}, {approved} of its ideas approved: replaced within 13 weeks, z {z}", "safe",
            vetoing(sharpe, approved), wanted, settings, weeks=QUARTER)
        for z, settings, wants in (("2.07", Z_207, ("69 to 79", "40")), ("1.5", Z_150, ("90", "60")))
        for sharpe, wanted in zip((-2, -1), wants, strict=True)
        for approved in (1, 5)
    ),
)  # fmt: skip


def main() -> None:
    """Prints the table; keeps the shares as JSON where it is said to."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help="a few books a row: does it run?")
    words.add_argument(
        "--repeats", type=int, default=2500, help="books a row; a tenth of them where weeks are followed"
    )
    words.add_argument("--own", action="store_true", help="only the rows of size, at the z of the policy's own budget")
    words.add_argument("--json", type=Path, help="a file for the shares by row")
    given = words.parse_args()
    repeats = 20 if given.quick else given.repeats
    before = json.loads(BEFORE.read_text()) if BEFORE.exists() else {}
    table = Table("book", "policy", "before", "now", "wanted", title=f"{repeats:,} books a row, promoted, %")
    shares = {}
    rows = [replace(row, settings={}) for row in ROWS if row.name.startswith("no better")] if given.own else ROWS
    for row in rows:
        share, counted = measured(row, repeats)
        key = f"{row.name}, {row.policy}"
        shares[key] = [share, counted]
        table.add_row(
            row.name, row.policy, shown(*before[key]) if key in before else "", shown(share, counted), row.wanted
        )
    Console(width=160).print(table)
    if given.json:
        given.json.write_text(json.dumps(shares, indent=1) + "\n")


def measured(row: Row, repeats: int) -> tuple[float, int]:
    """The share of books promoted, and how many books."""
    if row.weeks:
        count = max(10, repeats // 10)
        return float(np.mean(replaced(row.book, row.days, row.weeks, count, 7, **row.settings) < row.weeks)), count
    return verdicts(row.book, row.days, repeats, 7, **row.settings).promoted[row.policy], repeats


def shown(share: float, repeats: int) -> str:
    """In percent, with its binomial error."""
    return f"{100 * share:.1f} ± {100 * math.sqrt(share * (1 - share) / repeats):.1f}"


if __name__ == "__main__":
    main()
