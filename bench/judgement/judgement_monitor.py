"""Simulation of the monitor: surprise of honest promotions, breaker over a year of daily checks, drift under memory.

Prints what is wanted and what is reached, each with its standard error. The statistics are the package's own, but for
the breaker's draws, which are made for many days at once and held to the package's.

Usage: judgement_monitor.py [--quick] [--repeats N] [gain] [breaker] [drift]
"""

import argparse
import math
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from judgement_looks import seen
from judgement_worlds import DAILY, FREEDOM, LOOKS, WEEK, YEAR, Rows, Setting

from gatekeeper.judgement.live import breaker, drift
from gatekeeper.judgement.live.selection import luck, shrunk, surprise

ANNUAL = math.sqrt(YEAR)
LIVE = (63, 126, 252)
AFTER = range(len(LIVE))
RULES = {"safe": (2.11, 0.5), "proven": (1.55, 0.0)}  # z and tolerance
OF_INTEREST = 0.5
STAGES = (21, 63, 126, 252)


def main() -> None:
    """Prints the three tables."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("parts", nargs="*", choices=["gain", "breaker", "drift", []], default=[])
    words.add_argument("--quick", action="store_true", help="a few repeats: does it run?")
    words.add_argument("--repeats", type=int, default=1000, help="simulated years of each cell")
    given = words.parse_args()
    repeats = 40 if given.quick else given.repeats
    parts = {"gain": gains, "breaker": breakers, "drift": drifts}
    for name in given.parts or parts:
        parts[name](repeats)
    print(f"\n{sum(os.times()[:4]):.0f} s of one core")


def share(hits: Sequence[bool] | Rows) -> str:
    """A share in %, with its standard error."""
    found = np.asarray(hits, dtype=float)
    if not len(found):
        return "-"
    mean = float(found.mean())
    return f"{100 * mean:.1f} ± {100 * math.sqrt(max(mean * (1 - mean), 1 / len(found)) / len(found)):.1f}"


def gains(repeats: int) -> None:
    """Years of weekly challengers; the first that the rule promotes is live for as many days more."""
    print("\nSurprise under -2 in % of honest promotions after 63, 126, 252 days (wanted: at most 5, nominal 2.3),")
    print("next to (realised - measured) in standard errors, and gains: measured, predicted, true\n")
    for setting in (Setting(0.5), Setting(0.9), Setting(0.98), Setting(0.8, kin=0.9), Setting(0.8, trend=0.2)):
        for spread in (0.0, 0.1, 0.3, 1.0):
            for name, (z, tolerance) in RULES.items():
                rows = list(promoted(setting, spread, repeats, z, tolerance))
                ours, before = (
                    " | ".join(share([row.off(at, row.least if given else None) < -2 for row in rows]) for at in AFTER)
                    for given in (True, False)
                )
                means = np.mean([(row.gain, shrunk(row.gain, row.error, OF_INTEREST)[0], row.truth) for row in rows], 0)
                figures = ", ".join(f"{mean:.2f}" for mean in means)
                print(f"{setting}, sd {spread:g}, {name:6}: {ours}; before {before}; {figures}", flush=True)


@dataclass(frozen=True)
class Promoted:
    """A model that the rule let through, and what followed after each of LIVE days: gain and error."""

    gain: float
    error: float
    truth: float
    least: float
    after: tuple[tuple[float, float], ...]

    def off(self, at: int, least: float | None) -> float:
        """The surprise."""
        found = surprise(self.gain, self.error, *self.after[at], least)
        return 0.0 if found is None else found


def promoted(setting: Setting, spread: float, repeats: int, z: float, tolerance: float) -> Iterator[Promoted]:
    """The first of each year."""
    nature = setting.nature(np.random.default_rng(3), repeats, setting.window + LOOKS * WEEK + max(LIVE))
    first, level = nature.own(kin=False), np.zeros((repeats, 1))
    lucky, free = np.random.default_rng(4), np.ones(repeats, dtype=bool)
    for look in range(LOOKS):
        days = slice(look * WEEK, look * WEEK + setting.window)
        own, skill = nature.own(days.start), spread * lucky.standard_normal(repeats)
        one = nature.stream(own, days, skill[:, None])
        gain, error = (ANNUAL * each for each in seen(one, nature.stream(first, days, level)))
        least = np.maximum(0.0, z * error - tolerance)
        passing = np.flatnonzero(free & (gain > least))
        if not len(passing):
            continue
        after = []
        for length in LIVE:
            later = slice(days.stop, days.stop + length)
            streams = (nature.stream(own, later, skill[:, None]), nature.stream(first, later, level))
            after.append([ANNUAL * each for each in seen(*(each[passing] for each in streams))])
        for place, row in enumerate(passing):
            free[row] = False
            realised = tuple((float(made[place]), float(off[place])) for made, off in after)
            yield Promoted(float(gain[row]), float(error[row]), float(skill[row]), float(least[row]), realised)


def breakers(repeats: int) -> None:
    """The best of some backtests, and a year of daily checks."""
    hold_to_the_package()
    print("\nTripped in % within 21, 63, 126, 252 days at level 0.99 (wanted: at most 1 a year of promise-keepers)\n")
    kept = [(1, 0.0), (10, 0.0), (52, 0.0), (10, 0.9), (52, 0.9)]
    for compared, alike in kept:
        for truth in (0.5, 1.5):
            _line(f"keeps {truth:g}, best of {compared} alike by {alike:g}", repeats, compared, alike, truth, truth)
    for compared in (1, 20):
        _line(f"by the level of one check: keeps 0.5, best of {compared}", repeats, compared, 0.0, 0.5, 0.5, once)
    for compared, alike in ((1, 0.0), (52, 0.9)):
        for after in (0.0, -1.0, -3.0, -5.0):
            what = f"0.5 turns {after:g}, best of {compared} alike by {alike:g}"
            _line(what, max(100, repeats // 3), compared, alike, 0.5, after)


def _line(
    what: str, repeats: int, compared: int, alike: float, truth: float, after: float, bound: "Bound | None" = None
) -> None:
    rng = np.random.default_rng(7)
    days = np.array([_tripped(rng, compared, alike, truth, after, bound or yearly) for _ in range(repeats)])
    print(f"{what}: {' | '.join(share(days < stage) for stage in STAGES)}", flush=True)


def _tripped(rng: np.random.Generator, compared: int, alike: float, truth: float, after: float, bound: "Bound") -> int:
    """The day of the first trip, or one that never comes."""
    unit = math.sqrt((FREEDOM - 2) / FREEDOM) * DAILY
    common, own = rng.standard_t(FREEDOM, (1, YEAR)), rng.standard_t(FREEDOM, (compared, YEAR))
    backtests = unit * (math.sqrt(alike) * common + math.sqrt(1 - alike) * own) + truth * DAILY / ANNUAL
    best = backtests[np.argmax(backtests.mean(axis=1) / backtests.std(axis=1))]
    each_day = bound(best, luck(compared, alike, YEAR), rng)
    live = unit * rng.standard_t(FREEDOM, YEAR) + after * DAILY / ANNUAL
    over = breaker.drawdowns(live) > each_day
    over[: breaker.FEWEST_DAYS - 1] = False
    return int(np.argmax(over)) if over.any() else 10**6


Bound = Callable[[Rows, float, np.random.Generator], Rows]
"""(YEAR,) the drawdown at which the breaker trips on each day, from a backtest and the luck of its choice."""


def yearly(best: Rows, lucky: float, rng: np.random.Generator) -> Rows:
    """Today's: 99 % of the drawn years stay within it on every day."""
    bound: Rows = limit(best - best.std() * lucky, rng, 1000) * breaker.growth(YEAR)
    return bound


def once(best: Rows, _lucky: float, rng: np.random.Generator) -> Rows:
    """As it was before: on each day 99 % of the draws are within it, and nobody asks how the model was chosen."""
    bound: Rows = np.quantile(_falls(best, rng, 1000), 0.99, axis=0, method="higher")
    return bound


def limit(days: Rows, rng: np.random.Generator, times: int) -> float:
    """The breaker's bound over its growth, for independent days and many draws at once."""
    deepest = (_falls(days, rng, times) / breaker.growth(YEAR))[:, breaker.FEWEST_DAYS - 1 :].max(axis=1)
    return float(np.quantile(deepest, 0.99, method="higher"))


def _falls(days: Rows, rng: np.random.Generator, times: int) -> Rows:
    """(times, YEAR) the deepest fall so far in years drawn from a resampled backtest."""
    drawn = days.astype(np.float32)[rng.integers(len(days), size=(times, len(days)))]
    years = np.take_along_axis(drawn, rng.integers(len(days), size=(times, YEAR)), axis=1)
    equity = np.cumsum(years, axis=1)
    return np.maximum.accumulate(np.maximum.accumulate(np.maximum(equity, 0), axis=1) - equity, axis=1)


def hold_to_the_package() -> None:
    """The bound of many draws at once is the package's, or nothing here means anything."""
    rng = np.random.default_rng(0)
    days = rng.standard_t(FREEDOM, YEAR) * DAILY
    promise = breaker.Promise(days, 1, 0.0)
    theirs = breaker.examine(days, promise, level=0.99, floor_days=60, periods_per_year=YEAR, seed=1)
    ours = limit(days, rng, 10_000)
    if theirs.block == 1 and theirs.bound is not None and abs(ours / theirs.bound - 1) > 0.08:
        raise SystemExit(f"the bench's bound {ours} is not the package's {theirs.bound}")


def drifts(repeats: int) -> None:
    """Two columns of an AR(1), three times as many before as live; then the live ones moved by one deviation."""
    print("\nDrift of either of two columns, in %: without any (wanted: at most 1), after a shift of one by 1 sd; and")
    print("the share of columns with too few independent ideas for a test\n")
    rng = np.random.default_rng(2)
    for memory in (0.0, 0.9, 0.99):
        for count in (40, 100, 300, 1000, 3000):
            false, found, untested = [], [], []
            for number in range(repeats):
                whole = autoregressive(rng, memory, 4 * count)
                reference, live = whole[: 3 * count], whole[3 * count :]
                quiet = drift.compare(live, reference, ("one", "other"), seed=number)
                false.append(bool(quiet.drifted))
                untested += [shift.bound is None for shift in quiet.shifts]
                moved = drift.compare(live + np.array([1.0, 0.0]), reference, ("one", "other"), seed=number)
                found.append("one" in moved.drifted)
            print(f"AR {memory:g}, {count} live: {share(false)}; {share(found)}; {share(untested)}", flush=True)


def autoregressive(rng: np.random.Generator, memory: float, count: int) -> Rows:
    """(count, 2) of unit variance."""
    from scipy.signal import lfilter

    start = rng.standard_normal((1, 2))
    size = math.sqrt(1 - memory**2)
    return lfilter([size], [1.0, -memory], rng.standard_normal((count, 2)), axis=0, zi=memory * start)[0]


if __name__ == "__main__":
    main()
