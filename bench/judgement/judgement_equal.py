"""Power of the rule's first edition and today's at one size, on books of ideas judged by the whole pipeline.

The rule's floor makes it smaller in size, so at one z it finds less. Here each edition has the z at which it promotes
the stated share of models that are no better, and both judge the same books (judgement_books.py). Errors are those of
300 bootstrap draws of the books, those that z is found by among them.

Usage: judgement_equal.py [--repeats N]
"""

import argparse
import os
from collections.abc import Callable
from statistics import NormalDist

import judgement_pages as pages
import numpy as np
from judgement_books import HISTORY, Book, Calendar, Told, contenders, midnight, normal, skewed, streams
from judgement_table import DAYS, GOOD, LOSER, POWER, of

from gatekeeper.documents.evaluation import Verdict
from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.rule import edition_1, promotion

SIZES = (0.01, 0.0192)
DRAWS = 300
Z = 2.07
Row = np.ndarray
CASES = {
    "30 symmetric ideas": (30, normal(), {"0.2": normal(0.2), "0.4": normal(0.4)}),
    **{
        f"{count} ideas that win often and lose much": (count, LOSER, {"0.4": skewed(0.9, 9.0, 0.4)})
        for count in (15, 30)
    },
}


def scores(book: Callable[[np.random.Generator], Book], repeats: int, seed: int) -> Row:
    """(2, repeats) how many errors each edition sees a gain over 0, of a normal; -inf where another gate fails."""
    calendar = Calendar.of(DAYS)
    settings, sides = calendar.settings(0, **POWER), contenders(midnight(calendar.every[HISTORY]))
    found = np.empty((2, repeats))
    for number, rng in enumerate(streams(repeats, seed)):
        run = backtest.run(Told(book(rng), calendar).dataset(), settings, *sides)
        rule = run.rules.policy.with_name("proven")
        for edition, judge in enumerate((edition_1.judge, promotion.judge)):
            found[edition, number] = errors_over(judge(run.challenger, run.champion, rule, run.ungated))
    return found


def errors_over(verdict: Verdict) -> float:
    """The largest z at which it would still promote."""
    others = all(gate.passed for gate in verdict.gates if gate.name != "bound")
    if not others or verdict.p is None:
        return -np.inf
    return -NormalDist().inv_cdf(min(max(verdict.p, 1e-300), 1 - 1e-12))


def powers(none: Row, better: Row, size: float) -> Row:
    """The share of better ones that each edition promotes, at the z that promotes this share of those no better."""
    hurdles = np.quantile(none, 1 - size, axis=1, method="higher")
    return np.mean(better > hurdles[:, None], axis=1)


def main() -> None:
    """Prints a table for each size."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=2500, help="books of each kind; twice as many that are no better")
    repeats = words.parse_args().repeats
    rng, rows = np.random.default_rng(16), []
    for what, (count, no_better, edges) in CASES.items():
        none = scores(of(GOOD, no_better, count), 2 * repeats, 8)
        for edge, draw in edges.items():
            better = scores(of(GOOD, draw, count), repeats, 9)
            cells = [" / ".join(f"{100 * each:.2f}" for each in np.mean(one > Z, axis=1)) for one in (none, better)]
            for size in SIZES:
                drawn = np.array([powers(again(none, rng), again(better, rng), size) for _ in range(DRAWS)])
                (before, now), errors = powers(none, better, size), drawn.std(axis=0)
                apart = (drawn[:, 1] - drawn[:, 0]).std()
                cells.append(f"{100 * before:.1f} ± {100 * errors[0]:.1f} / {100 * now:.1f} ± {100 * errors[1]:.1f}")
                cells.append(f"{100 * (now - before):+.1f} ± {100 * apart:.1f}")
            rows.append((f"{what}, edge {edge}", *cells))
            print(rows[-1], flush=True)
    header = [each for size in SIZES for each in (f"power at a size of {100 * size:g} %", "apart")]
    pages.table("First edition / today, %", ("book", f"size at z {Z:g}", "power there", *header), rows)
    print(f"\n{repeats:,} books of each kind; {sum(os.times()[:4]):.0f} s of one core")


def again(found: Row, rng: np.random.Generator) -> Row:
    """As many books, drawn anew."""
    return found[:, rng.integers(found.shape[1], size=found.shape[1])]


if __name__ == "__main__":
    main()
