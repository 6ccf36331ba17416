"""Which policy should decide? Simulated years of weekly looks: live skill, regret, promotions, and power.

A year has 52 looks, a week apart. Each has a fresh challenger; its returns on the last one, two or four years and the
champion's are heavy-tailed (Student t, 5 degrees), correlate by rho, and may trend. The rule is the package's own; who
wins is the champion of the next look. What counts is the *true* Sharpe of who is live, averaged over the year.

Usage: judgement.py [--quick] [--repeats N] [--plots FOLDER]
"""

import argparse
import itertools
import json
import math
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from gatekeeper.judgement.sharpe import sharpe_difference

YEAR, WEEK, LOOKS = 252, 5, 52
DAILY = 0.01
ALPHA, TOLERANCE = 1 / 52, 0.5
SURE = -NormalDist().inv_cdf(ALPHA)
POLICIES: dict[str, float | None] = {"better": None, "proven": 0.0, "safe 0.25": 0.25, "safe 0.5": 0.5}
CORRELATIONS = (0.5, 0.8, 0.9, 0.97)
Row = np.ndarray


@dataclass(frozen=True)
class World:
    """How good challengers are, against the champion that the year begins with; `ages`: Sharpe that a year costs."""

    name: str
    skill: Callable[[np.random.Generator], float]
    ages: float = 0.0


WORLDS = (
    World("all worse by 0.25", lambda _: -0.25),
    World("all worse by 0.5", lambda _: -0.5),
    World("all equal", lambda _: 0.0),
    World("all better by 0.5", lambda _: 0.5),
    World("differ by sd 0.3", lambda rng: rng.normal(0, 0.3)),
    World("differ by sd 0.3, champions age by 0.5 a year", lambda rng: rng.normal(0, 0.3), ages=0.5),
)


@dataclass(frozen=True)
class Setting:
    """One cell of the table."""

    world: int
    rho: float
    years: int = 1
    trend: float = 0.0

    def returns(self, rng: np.random.Generator, days: int) -> Row:
        """Unit noise: heavy-tailed, and with `trend` as the autocorrelation of a day and the next."""
        noise = rng.standard_t(5, days) / math.sqrt(5 / 3)
        if self.trend:
            for day in range(1, days):
                noise[day] = self.trend * noise[day - 1] + math.sqrt(1 - self.trend**2) * noise[day]
        return noise


@dataclass(frozen=True)
class Year:
    """What one policy made of one simulated year."""

    live: float
    promotions: int
    worse: int
    """Promotions of a challenger that was truly worse, by over 1e-9."""


def simulated(setting: Setting, tolerance: float | None, seed: int) -> Year:
    """One year under one policy; the same seed gives every policy the same market, and challengers as good."""
    rng = np.random.default_rng(seed)
    world, window = WORLDS[setting.world], setting.years * YEAR
    days = window + LOOKS * WEEK
    market = setting.returns(rng, days)
    own, skill, since = setting.returns(rng, days), 0.0, 0
    live, promotions, worse = [], 0, 0
    for look in range(LOOKS):
        end = window + look * WEEK
        now = skill - world.ages * (look - since) / LOOKS
        fresh, other = world.skill(rng), setting.returns(rng, days)
        seen = slice(end - window, end)
        a, b = (_stream(setting.rho, market[seen], each[seen], true) for each, true in ((other, fresh), (own, now)))
        if _promotes(a, b, tolerance):
            promotions += 1
            worse += fresh < now - 1e-9
            own, skill, since, now = other, fresh, look, fresh
        live.append(now)
    return Year(float(np.mean(live)), promotions, worse)


def _stream(rho: float, market: Row, own: Row, sharpe: float) -> Row:
    return DAILY * (math.sqrt(rho) * market + math.sqrt(1 - rho) * own + (1.0 + sharpe) / math.sqrt(YEAR))


def _promotes(a: Row, b: Row, tolerance: float | None) -> bool:
    """Gates 5 and 7 of the promotion rule; the others don't bear on the question."""
    found = sharpe_difference(a, b)
    if found.delta is None or found.standard_error is None or found.delta * math.sqrt(YEAR) < 1e-9:
        return False
    return tolerance is None or (found.delta - SURE * found.standard_error) * math.sqrt(YEAR) > -tolerance


def cell(setting: Setting, repeats: int) -> dict[str, dict[str, float]]:
    """Every policy in one setting: means over the repeats, and the error of the live skill's."""
    found = {}
    for name, tolerance in POLICIES.items():
        years = [simulated(setting, tolerance, 1000 * seed + setting.world) for seed in range(repeats)]
        live = np.array([year.live for year in years])
        found[name] = {
            "live": float(live.mean()),
            "error": float(live.std(ddof=1) / math.sqrt(repeats)),
            "promotions": float(np.mean([year.promotions for year in years])),
            "worse": float(np.mean([year.worse for year in years])),
        }
    return found


def power(setting: Setting, gain: float, tolerance: float | None, repeats: int) -> tuple[float, float]:
    """How often one look promotes a challenger that is better by `gain`, and how often the closed form says so."""
    rng = np.random.default_rng(int(1000 * (gain + setting.rho)))
    window = setting.years * YEAR
    hits = 0
    for _ in range(repeats):
        market, one, other = (setting.returns(rng, window) for _ in range(3))
        hits += _promotes(_stream(setting.rho, market, one, gain), _stream(setting.rho, market, other, 0.0), tolerance)
    error = math.sqrt(2 * (1 - setting.rho) / setting.years)
    hurdle = 0.0 if tolerance is None else max(0.0, SURE * error - tolerance)
    return hits / repeats, NormalDist().cdf((gain - hurdle) / error)


def settings() -> Iterator[Setting]:
    """All cells: every world and correlation for one year, then longer windows and trending days at rho 0.8."""
    for world, rho in itertools.product(range(len(WORLDS)), CORRELATIONS):
        yield Setting(world, rho)
    for world, (years, trend) in itertools.product(range(len(WORLDS)), ((2, 0.0), (4, 0.0), (1, 0.2))):
        yield Setting(world, 0.8, years, trend)


def main() -> None:
    """Prints the tables; keeps the figures as JSON, and the plots, where a folder is named."""
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("--quick", action="store_true")
    words.add_argument("--repeats", type=int, default=400)
    words.add_argument("--plots", type=Path)
    given = words.parse_args()
    repeats = 2 if given.quick else given.repeats
    chosen = list(settings())[:2] if given.quick else list(settings())
    with ProcessPoolExecutor() as pool:
        ran = pool.map(cell, chosen, itertools.repeat(repeats))
        found = dict(zip(chosen, track(ran, "simulating", len(chosen), console=Console(stderr=True)), strict=True))
    show_regret(found)
    show_counts(found)
    show_power(20 if given.quick else 4000)
    show_bootstrap(200 if given.quick else 10_000)
    if given.plots:
        keep(found, given.plots)


def show_regret(found: dict[Setting, dict[str, dict[str, float]]]) -> None:
    """Live skill beside the best policy of the same setting: the worst of the settings of each world."""
    shown = Table("world", "settings", *POLICIES, title="regret: true Sharpe live, below the best of these policies")
    largest = dict.fromkeys(POLICIES, 0.0)
    kinds = {
        "one year": lambda s: s.years == 1 and not s.trend,
        "longer, or trending": lambda s: s.years > 1 or s.trend,
    }
    for (number, world), (kind, belongs) in itertools.product(enumerate(WORLDS), kinds.items()):
        cells = [each for setting, each in found.items() if setting.world == number and belongs(setting)]
        if not cells:
            continue
        worst = {
            name: max(max(one["live"] for one in each.values()) - each[name]["live"] for each in cells)
            for name in POLICIES
        }
        largest = {name: max(largest[name], worst[name]) for name in POLICIES}
        shown.add_row(world.name, kind, *(f"{worst[name]:.2f}" for name in POLICIES))
    shown.add_row("largest regret anywhere", "", *(f"{value:.2f}" for value in largest.values()))
    Console(width=150).print(shown)


def show_counts(found: dict[Setting, dict[str, dict[str, float]]]) -> None:
    """Promotions a year, and how many of them truly worse."""
    shown = Table("world", "rho", "years", "trend", *POLICIES, title="promotions a year (of them truly worse)")
    for setting, each in found.items():
        cells = [f"{each[name]['promotions']:.1f} ({each[name]['worse']:.2f})" for name in POLICIES]
        about = (WORLDS[setting.world].name, f"{setting.rho:g}", str(setting.years), f"{setting.trend:g}")
        shown.add_row(*about, *cells)
    Console(width=150).print(shown)


def show_power(repeats: int) -> None:
    """One look, in percent: simulated beside the closed form."""
    shown = Table("gain", "rho", *POLICIES, title="power of one look of one year, %: simulated / closed form")
    for gain, rho in itertools.product((0.0, 0.25, 0.5, 1.0), CORRELATIONS):
        cells = (power(Setting(0, rho), gain, tolerance, repeats) for tolerance in POLICIES.values())
        shown.add_row(f"{gain:g}", f"{rho:g}", *(f"{100 * ours:.1f} / {100 * form:.1f}" for ours, form in cells))
    Console(width=150).print(shown)


def show_bootstrap(draws: int) -> None:
    """The confirmation's time beside `arch`'s circular block bootstrap of the same statistic, 1,000 days."""
    from arch.bootstrap import CircularBlockBootstrap

    from gatekeeper.judgement.resampling import confirm

    rng = np.random.default_rng(0)
    a, b = rng.normal(0.0005, 0.01, (2, 1000))

    def gap(x: Row, y: Row) -> float:
        return float(x.mean() / x.std(ddof=1) - y.mean() / y.std(ddof=1))

    ours, theirs = [], []
    for _ in range(3):
        began = time.process_time()
        confirm(a, b, block=5, draws=draws)
        ours.append(time.process_time() - began)
        began = time.process_time()
        CircularBlockBootstrap(5, a, b, seed=0).apply(gap, draws)
        theirs.append(time.process_time() - began)
    ratio = sorted(ours)[1] / sorted(theirs)[1]
    print(f"bootstrap, {draws} draws on 1,000 days: ours, studentised / arch, the bare gap: {ratio:.2f} of its time")


def keep(found: dict[Setting, dict[str, dict[str, float]]], folder: Path) -> None:
    """The figures, and a picture of the live skill by correlation."""
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    rows = [{**vars(setting), "name": WORLDS[setting.world].name, "policies": each} for setting, each in found.items()]
    (folder / "judgement.json").write_text(json.dumps(rows, indent=1))
    figure, panels = plt.subplots(2, 3, figsize=(10, 6), layout="constrained", sharex=True)
    for (number, world), axes in zip(enumerate(WORLDS), panels.flat, strict=True):
        cells = [(s.rho, each) for s, each in found.items() if s.world == number and s.years == 1 and not s.trend]
        for name in POLICIES:
            rhos, live, error = zip(*((rho, e[name]["live"], 2 * e[name]["error"]) for rho, e in cells), strict=True)
            axes.errorbar(rhos, live, error, label=name, capsize=2, marker="o", markersize=3)
        axes.set_title(world.name, fontsize=9)
        axes.set_xlabel("correlation of the two")
        axes.set_ylabel("true Sharpe live")
    panels.flat[0].legend(fontsize=8)
    figure.savefig(folder / "judgement.svg", metadata={"Date": None})


if __name__ == "__main__":
    main()
