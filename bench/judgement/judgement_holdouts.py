"""Cost of a holdout in worlds that age: its models are older as they go live, and its window shows their gain better.

Every model ages from the end of its training. Live skill is the true annual Sharpe less that of a usual model on the
day that its training ends.

Usage: judgement_holdouts.py [--repeats N]
"""

import argparse
import os
from dataclasses import dataclass

import judgement_pages as pages
from judgement_looks import NEVER, Fixed, simulated
from judgement_worlds import Setting, World

DAYS = (90, 180, 365, 730)
RHOS = (0.8, 0.95)
AGEING = (0.0, 0.1, 0.25, 0.5)
POLICIES = (NEVER, Fixed("better", None), Fixed("proven, z 1.55", 0.0, 1.55), Fixed("safe 0.5, z 2.11", 0.5, 2.11))


@dataclass(frozen=True)
class Cell:
    """One world with one holdout."""

    ages: float
    rho: float
    days: int

    def simulated(self, repeats: int) -> dict[str, dict[str, float]]:
        """Each policy, all holdouts with the same seed."""
        setting = Setting(self.rho, years=self.days / 365)
        return simulated(World("ages", spread=0.3, ages=self.ages), setting, repeats, 17, POLICIES)


def show(repeats: int) -> None:
    """A table for each correlation: true Sharpe live with its standard error, and promotions a year."""
    for rho in RHOS:
        rows = []
        for ages in AGEING:
            for days in DAYS:
                found = Cell(ages, rho, days).simulated(repeats)
                cells = [
                    f"{one['live']:+.2f} ± {one['error']:.2f} ({one['promotions']:.1f})"
                    for one in (found[policy.name] for policy in POLICIES)
                ]
                rows.append((f"{ages:g}", f"{days}", f"{0 - ages * days / 365:+.2f}", *cells))
        header = ("lost in a year of age", "holdout, days", "age at promotion costs", *(p.name for p in POLICIES))
        pages.table(f"True Sharpe live, promotions a year in brackets; correlation {rho:g}", header, rows)


def main() -> None:
    """Prints the tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=400, help="simulated years of each cell")
    repeats = words.parse_args().repeats
    show(repeats)
    print(f"\n{repeats:,} years a cell; {sum(os.times()[:4]):.0f} s of one core for all of it")


if __name__ == "__main__":
    main()
