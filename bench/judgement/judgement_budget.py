"""Budget of false promotions: what a year of tests of models that are just bad enough spends, setting by setting.

Just bad enough is a true gain of exactly 0 for `proven`, and of exactly the tolerance less than who is live for `safe`.
The rule is the package's, with its error of the days and its Student t; the floor by the history is left out, which
only makes errors larger. Clustered trades come several a day, and those of one day make the same.

Usage: judgement_budget.py [--repeats N] [--budget B]
"""

import argparse
import math
import os

import numpy as np
from judgement_looks import AT_ONCE, Fixed, year
from judgement_worlds import LOOKS, WORLDS, YEAR, Setting, World

from gatekeeper.documents.budget import z_of
from gatekeeper.judgement.statistics.student_t import critical_value

TOLERANCE = 0.5
EQUAL = WORLDS[2]
WORSE = World("each worse by 0.5 than who is live", -TOLERANCE, relative=True)
SETTINGS = (
    *(Setting(rho) for rho in (0.5, 0.8, 0.9, 0.97, 0.995)),
    *(Setting(rho, trend=0.2) for rho in (0.5, 0.8, 0.97)),
    *(Setting(rho, kind="real") for rho in (0.5, 0.8, 0.9, 0.97)),
    Setting(0.9, years=2),
    Setting(0.8, kind="ideas", ideas=120),
    *(Setting(0.95, kind="ideas", ideas=ideas, together=3) for ideas in (60, 120)),
    Setting(0.8, kin=0.9),
    Setting(0.8, kin=0.98),
)


def errors_off(setting: Setting, z: float) -> float:
    """The errors that the rule's bound lies below the gain, where the two differ in every week of the window."""
    weeks = round(LOOKS * setting.years)
    return critical_value(z, min(weeks + 59, setting.window - 5))


def spent(setting: Setting, world: World, rule: Fixed, repeats: int) -> tuple[float, float]:
    """Mean promotions of a year, and their standard error."""
    found = []
    for start in range(0, repeats, AT_ONCE):
        rng = np.random.default_rng([16, SETTINGS.index(setting), start])
        (live,) = year(world, setting, min(AT_ONCE, repeats - start), rng, (rule,))
        found.append(live.promotions)
    each = np.concatenate(found)
    return float(each.mean()), float(each.std(ddof=1)) / math.sqrt(len(each))


def main() -> None:
    """Prints a row a setting, and the setting that spends most."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=800, help="simulated years of each cell")
    words.add_argument("--budget", type=float, default=1.0)
    given = words.parse_args()
    z = z_of(given.budget, LOOKS)
    print(f"Promotions a year of models that are just bad enough, budget {given.budget:g}, z {z:g}\n")
    print("| setting | `proven`, true gain 0 | `safe`, worse by 0.5 |\n| --- | --- | --- |")
    largest = (0.0, 0.0, "")
    for setting in SETTINGS:
        sure, cells = errors_off(setting, z), []
        for name, world, tolerance in (("proven", EQUAL, 0.0), ("safe", WORSE, TOLERANCE)):
            mean, error = spent(setting, world, Fixed(name, tolerance, sure), given.repeats)
            largest = max(largest, (mean, error, f"{name}, {setting}"))
            cells.append(f"{mean:.2f} ± {error:.2f}")
        print(f"| {setting} | {' | '.join(cells)} |", flush=True)
    print(f"\nThe worst: {largest[2]}, {largest[0]:.2f} ± {largest[1]:.2f}")
    print(f"{given.repeats:,} years a cell of {YEAR} days a window; {sum(os.times()[:4]):.0f} s of one core")


if __name__ == "__main__":
    main()
