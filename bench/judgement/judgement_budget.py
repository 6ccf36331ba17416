"""Budget of false promotions: what a year of tests of models that are just bad enough spends, setting by setting.

Just bad enough is a true gain of exactly 0 for `proven`, and of exactly the tolerance less than who is live for `safe`.
The rule is the package's, with its Student t: first with the error of the days alone, as z was chosen; then with the
floor by the history as well, where the pool knows the true error of independent days. Clustered trades come several a
day, and those of one day make the same. The setting that spends most is repeated with other years, and z a bit larger.

Usage: judgement_budget.py [--repeats N] [--budget B]
"""

import argparse
import itertools
import math
import os
from dataclasses import dataclass, replace

import numpy as np
from judgement_looks import AT_ONCE, Fixed, Seen, year
from judgement_worlds import LOOKS, WORLDS, YEAR, Rows, Setting, World

from gatekeeper.documents.budget import z_of
from gatekeeper.judgement.statistics.pooled_error import HISTORY_WEEKS
from gatekeeper.judgement.statistics.student_t import critical_value

TOLERANCE = 0.5
EQUAL = WORLDS[2]
WORSE = World("each worse by 0.5 than who is live", -TOLERANCE, relative=True)
EDGES = {"proven": (EQUAL, 0.0), "safe": (WORSE, TOLERANCE)}
"""Worlds of models that are just bad enough, and the tolerance."""
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


@dataclass(frozen=True)
class Floored(Fixed):
    """The same rule with the error's floor. pooled: the error by the history, per day; weeks: in which two differ."""

    pooled: float = 0.0
    weeks: int = LOOKS

    def promotes(self, look: Seen) -> Rows:
        """Which of the years promote."""
        shrunk = (self.weeks * look.error**2 + HISTORY_WEEKS * self.pooled**2) / (self.weeks + HISTORY_WEEKS)
        return super().promotes(replace(look, error=np.sqrt(np.maximum(look.error**2, shrunk))))


def rule_of(name: str, setting: Setting, z: float, *, floored: bool) -> Fixed:
    """The bound lies so many errors below the gain as it does where the two differ in every week of the window."""
    weeks = round(LOOKS * setting.years)
    sure = critical_value(z, min(weeks + HISTORY_WEEKS - 1, setting.window - 5))
    pooled = math.sqrt(2 * (1 - setting.rho) / setting.window) if floored else 0.0
    return Floored(name, EDGES[name][1], sure, pooled, weeks)


def spent(setting: Setting, rule: Fixed, repeats: int, seed: int = 16) -> tuple[float, float]:
    """Mean promotions of a year, and their standard error."""
    found = []
    for start in range(0, repeats, AT_ONCE):
        rng = np.random.default_rng([seed, SETTINGS.index(setting), start])
        (live,) = year(EDGES[rule.name][0], setting, min(AT_ONCE, repeats - start), rng, (rule,))
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
    print("| setting | `proven` | `safe` | `proven`, floored | `safe`, floored |\n| --- | --- | --- | --- | --- |")
    largest = {False: (0.0, "", SETTINGS[0]), True: (0.0, "", SETTINGS[0])}
    for setting in SETTINGS:
        cells = []
        for floored, name in itertools.product((False, True), EDGES):
            mean, error = spent(setting, rule_of(name, setting, z, floored=floored), given.repeats)
            largest[floored] = max(largest[floored], (mean, name, setting), key=lambda found: found[0])
            cells.append(f"{mean:.2f} ± {error:.2f}")
        print(f"| {setting} | {' | '.join(cells)} |", flush=True)
    for floored, (_, name, setting) in largest.items():
        print(f"\nThe largest {'with' if floored else 'without'} the floor, in other years: {name}, {setting}")
        for each in (z, z + 0.05, z + 0.1):
            mean, error = spent(setting, rule_of(name, setting, each, floored=floored), 4 * given.repeats, 17)
            print(f"z {each:.2f}: {mean:.3f} ± {error:.3f}", flush=True)
    print(f"{given.repeats:,} years a cell of {YEAR} days a window; {sum(os.times()[:4]):.0f} s of one core")


if __name__ == "__main__":
    main()
