"""What a year of tests really spends: false promotions by z, tests a year, and how alike the challengers are.

All models are equally good, so that every promotion is by luck; that is what just bad enough means for `proven`, and
for `safe` once its tolerance is added. A year begins with a champion that nobody chose. Each test compares a challenger
with who is live on the window's year of days, at the exact size of z; who wins is the next champion. Challengers share
the part `kin` of what is their own. Against a champion of another make their gains then correlate by (1 + kin) / 2:
0.5 where they share nothing but the champion, 1 where they are the same. `chain` is another structure, by which
neighbouring weeks are most alike: its rows show that the mean correlation of those at most six weeks apart tells what
is spent.

Usage: judgement_alike.py [--repeats N]   (4,000 years a cell: four minutes of one core)
"""

import argparse
import math

import numpy as np
from scipy import stats

SEED = 16
CRITICAL = (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0)
CORRELATIONS = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 1.0)
GRID = {12: (48, 4), 52: (52, 1), 250: (250, 1)}
"""By tests a year: steps of a year, and steps from one test to the next."""
ALMOST = 0.999  # the correlation that stands for 1, where no two challengers would ever differ
Figures = tuple[np.ndarray, np.ndarray]


def spent(
    tests: int,
    correlation: float,
    repeats: int,
    seed: int = SEED,
    *,
    critical: tuple[float, ...] = CRITICAL,
    chain: float = 0.0,
) -> Figures:
    """Mean promotions of a year for each critical value, and their standard errors. chain: of neighbouring weeks."""
    rng = np.random.default_rng([seed, tests, round(1000 * correlation), round(1000 * chain)])
    year, step = GRID[tests]
    shape = (repeats, 2 * year)
    kin = 2 * min(correlation, ALMOST) - 1
    shared = np.float32(math.sqrt(kin)) * rng.standard_normal(shape, dtype=np.float32)
    champions = np.repeat(rng.standard_normal(shape, dtype=np.float32)[None], len(critical), axis=0)
    hurdles = stats.t.ppf(stats.norm.cdf(critical), year - 1)
    promoted = np.zeros((len(critical), repeats))
    own = shared
    for number in range(tests):
        noise = rng.standard_normal(shape, dtype=np.float32)
        if chain:
            own = noise if number == 0 else np.float32(chain) * own + np.float32(math.sqrt(1 - chain**2)) * noise
        else:
            own = shared + np.float32(math.sqrt(1 - kin)) * noise
        window = slice((number + 1) * step, (number + 1) * step + year)
        for champion, hurdle, count in zip(champions, hurdles, promoted, strict=True):
            gain = own[:, window] - champion[:, window]
            wins = gain.mean(axis=1) > hurdle * gain.std(axis=1, ddof=1) / math.sqrt(year)
            count += wins
            champion[wins] = own[wins]
    return promoted.mean(axis=1), promoted.std(axis=1, ddof=1) / math.sqrt(repeats)


def correlation_of(chain: float) -> float:
    """Mean correlation of the gains of a chain's weekly challengers at most six weeks apart, as `plan` measures it."""
    return float((1 + np.mean(chain ** np.arange(1, 7))) / 2)


def main() -> None:
    """Prints the table of gatekeeper/judgement/rule/spending.py, and how a chain's years agree with it."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--repeats", type=int, default=4000, help="simulated years of each cell")
    repeats = words.parse_args().repeats
    for tests in GRID:
        print(f"\n### {tests} tests a year\n")
        print("| correlation of the gains |", " | ".join(f"z {z:g}" for z in CRITICAL), "|")
        print("|", " | ".join("---" for _ in range(len(CRITICAL) + 1)), "|")
        rows = []
        for correlation in CORRELATIONS:
            means, errors = spent(tests, correlation, repeats)
            rows.append(tuple(round(float(each), 3) for each in means))
            print(
                f"| {correlation:g} |",
                " | ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True)),
                "|",
                flush=True,
            )
        print("\n", rows)
    print("\n### A chain, 52 tests a year\n")
    for chain in (0.5, 0.9, 0.98, 0.995):
        means, errors = spent(52, 0.5, repeats, chain=chain)
        told = " | ".join(f"{m:.3f} ± {e:.3f}" for m, e in zip(means, errors, strict=True))
        print(f"| neighbours {chain:g}, gains {correlation_of(chain):.3f} | {told} |", flush=True)


if __name__ == "__main__":
    main()
