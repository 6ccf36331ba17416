"""Comparison of promotion policies over simulated years of weekly runs: live skill, regret, promotions, power, cost.

A year has 52 looks, a week apart. Each has a fresh challenger; its returns on the window and the champion's correlate
by rho. The rule is the package's own; who wins is the champion of the next look. What counts is the *true* Sharpe of
who is live, averaged over the year, and how far it lies below the best policy's in the same years: the regret.

Usage: judgement.py [--quick] [--repeats N] [--processes N] [--plots FOLDER] [--figures FILE]
"""

import argparse
import itertools
import json
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import judgement_holdouts as holdouts
import judgement_once as once
import judgement_pages as pages
import numpy as np
from judgement_learning import learned, unavoidable
from judgement_looks import FIXED, POLICIES, seen, simulated
from judgement_worlds import ALWAYS_WORSE, WORLDS, Rows, Setting
from rich.console import Console
from rich.progress import track

from gatekeeper.documents.budget import alpha_of
from gatekeeper.judgement.statistics.sharpe import sharpe_difference

EVERY = (*WORLDS, *ALWAYS_WORSE.values())
GAINS = (0.0, 0.25, 0.5, 1.0)
LEARNING = (*pages.ONE_YEAR, Setting(trend=0.2), Setting(kind="ideas", ideas=60), Setting(kin=0.9))


def main() -> None:
    """Prints the tables; draws the pictures and keeps all figures as JSON where it is said to."""
    words = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words.add_argument("--quick", action="store_true", help="a few years of two settings: does it run?")
    words.add_argument("--repeats", type=int, default=250, help="simulated years of each cell")
    words.add_argument("--processes", type=int, default=os.cpu_count())
    words.add_argument("--plots", type=Path, help="a folder for the pictures")
    words.add_argument("--figures", type=Path, help="a JSON file for every cell")
    given = words.parse_args()
    repeats = 4 if given.quick else given.repeats
    settings = pages.SETTINGS[:1] if given.quick else pages.SETTINGS
    learning = LEARNING[:1] if given.quick else LEARNING
    hold_to_the_package()
    work = list(itertools.product((WORLDS[2], *EVERY[5:]) if given.quick else EVERY, settings))
    years = list(itertools.product(WORLDS[:1] if given.quick else WORLDS, learning))
    with ExitStack() as stack:
        at_once: Any = map
        if given.processes > 1:
            at_once = stack.enter_context(ProcessPoolExecutor(given.processes)).map
        cells = _ran(at_once, "a year", one_cell, work, repeats)
        second = _ran(at_once, "a second year", two_years, years, repeats, False)
        again = _ran(at_once, "a second year, new champion", two_years, years, repeats, True)
    show_years(cells, settings)
    powers = show_power(settings, 50 * repeats)
    show_price(5 * repeats, repeats, *(((0.9,), (0.5,)) if given.quick else ((0.5, 0.9, 0.97), GAINS)))
    show_learning(second, again, learning)
    holdouts.show(repeats)
    show_bootstrap(200 if given.quick else 10_000)
    if given.figures:
        keep({"a year": cells, "second year": second, "second year, new champion": again}, given.figures)
    if given.plots:
        pages.pictures(cells, powers, given.plots)
    print(f"\n{repeats:,} years a cell; {sum(os.times()[:4]):.0f} s of one core for all of it")


def hold_to_the_package() -> None:
    """The statistic of all years at once is the promotion rule's own, or nothing here means anything."""
    rng = np.random.default_rng(0)
    a, b = rng.standard_t(5, (2, 20, 252)) * 0.01
    for ours, one, other in zip(zip(*seen(a, b), strict=True), a, b, strict=True):
        theirs = sharpe_difference(one, other)
        if not np.allclose(ours, (theirs.delta, theirs.standard_error), rtol=1e-10, atol=0):
            raise SystemExit(f"the bench's statistic {ours} is not the package's {theirs}")


def one_cell(world: Any, setting: Setting, repeats: int) -> dict[str, dict[str, float]]:
    """One world in one setting, every fixed policy and the anytime-valid ones; all worlds with the same luck."""
    # A window of four years costs four times as much, and tells the same.
    few = repeats if setting.years == 1 else repeats // 2
    policies = (*POLICIES, once.anytime(0.0, setting), once.anytime(0.5, setting))
    return simulated(world, setting, few, pages.SETTINGS.index(setting), policies)


def two_years(world: Any, setting: Setting, repeats: int, new: bool) -> dict[str, dict[str, float]]:
    """The second year, after one under `safe`."""
    return learned(world, setting, repeats // 2, 100 + LEARNING.index(setting), again=new)


def _ran(at_once: Any, name: str, work: Callable[..., Any], cells: Sequence[Any], *given: Any) -> dict[Any, Any]:
    rows = zip(*((*cell, *given) for cell in cells), strict=True)
    return dict(zip(cells, track(at_once(work, *rows), name, len(cells), console=Console(stderr=True)), strict=True))


def show_years(cells: pages.Cells, settings: Sequence[Setting]) -> None:
    """Regret, and promotions."""
    one_year = [setting for setting in settings if setting in pages.ONE_YEAR]
    pages.by_world("Regret, one year: the worst of four correlations", cells, one_year)
    pages.by_setting("Largest regret of the first six worlds, by setting", cells, settings)
    pages.counts("Promotions of equals a year", cells, WORLDS[2], settings)
    for size, world in ALWAYS_WORSE.items():
        pages.counts(f"Promotions a year where each is worse by {size:g} than who is live", cells, world, settings)
    title = "True Sharpe live above 1, promotions a year, (of them truly worse)"
    for setting in settings:
        if setting in (Setting(), settings[0]):
            pages.worlds_of(f"{title}: {setting}", cells, setting)


def show_power(settings: Sequence[Setting], repeats: int) -> dict[tuple[float, float], list[float]]:
    """One look, simulated and by the closed form; and its size at the edge of what a policy may let in."""
    found = {}
    rows = []
    for rho, gain in itertools.product(pages.CORRELATIONS, GAINS):
        found[rho, gain] = once.one_look(Setting(rho), gain, FIXED, repeats, int(1000 * (rho + gain)))
        forms = [once.closed_form(Setting(rho), gain, rule) for rule in FIXED]
        rows.append(
            (f"{rho:g}", f"{gain:g}", *(f"{a:.1f} / {b:.1f}" for a, b in zip(found[rho, gain], forms, strict=True)))
        )
    pages.table("One look promotes, %: simulated / closed form", ("rho", "true gain", *(r.name for r in FIXED)), rows)
    rows = []
    for setting in settings:
        edges = ((rule, -(rule.tolerance or 0.0)) for rule in FIXED[1:])
        rows.append(
            (str(setting), *(f"{once.one_look(setting, gain, (rule,), repeats, 7)[0]:.2f}" for rule, gain in edges))
        )
    allowed = [f"{100 * alpha_of(rule.sure):.2f}" for rule in FIXED[1:]]
    header = ("setting", *(f"{r.name}, worse by {r.tolerance:g}" for r in FIXED[1:]))
    pages.table("One look promotes at the edge, %", header, [("allowed", *allowed), *rows])
    return found


def show_price(repeats: int, fewer: int, rhos: Sequence[float], gains: Sequence[float]) -> None:
    """What an anytime guarantee costs in power."""
    for title, work, size in (
        ("One challenger looked at 52 times: promoted at the first look, by the last, %", once.followed, repeats),
        ("A fresh challenger each week: champion replaced within the year, %, mean weeks until", once.replaced, fewer),
    ):
        rows, header = [], []
        for rho, gain in itertools.product(rhos, gains):
            each = work(rho, gain, size, int(1000 * (rho + gain)))
            header = ["rho", "true gain", *each]
            rows.append((f"{rho:g}", f"{gain:g}", *(f"{a:.0f}, {b:.0f}" for a, b in each.values())))
        pages.table(title, header, rows)


def show_learning(second: pages.Cells, again: pages.Cells, settings: Sequence[Setting]) -> None:
    """The second year, with what the first one taught."""
    for name, cells in (("with whom `safe` left live", second), ("with a new, unknown champion", again)):
        one_year = [setting for setting in settings if setting in pages.ONE_YEAR]
        pages.by_world(f"Second year, {name}: regret, the worst of four correlations", cells, one_year)
        pages.by_setting(f"Second year, {name}: largest regret of all seven worlds", cells, settings, WORLDS)
    # A year of data, growing to two; with a record, three growing to five: of the new champion and of the one before.
    rows = [
        (f"{rho:g}", *(f"{unavoidable(rho, known):.3f}" for known in ((1, 2), (3, 5)))) for rho in pages.CORRELATIONS
    ]
    pages.table(
        "Regret that no rule can stay under", ("rho", "first year", "new champion, after a year's record"), rows
    )


def show_bootstrap(draws: int) -> None:
    """The confirmation's time beside `arch`'s circular block bootstrap of the same statistic, 1,000 days."""
    from arch.bootstrap import CircularBlockBootstrap

    from gatekeeper.judgement.statistics.resampling import confirm

    rng = np.random.default_rng(0)
    a, b = rng.normal(0.0005, 0.01, (2, 1000))

    def gap(x: Rows, y: Rows) -> float:
        return float(x.mean() / x.std(ddof=1) - y.mean() / y.std(ddof=1))

    ours, theirs = [], []
    confirm(a, b, block=5, draws=10)  # imports once
    for _ in range(5):
        began = time.process_time()
        confirm(a, b, block=5, draws=draws)
        ours.append(time.process_time() - began)
        began = time.process_time()
        CircularBlockBootstrap(5, a, b, seed=0).apply(gap, draws)
        theirs.append(time.process_time() - began)
    mine, other = sorted(ours)[2], sorted(theirs)[2]
    print(
        f"\n{draws:,} bootstrap draws on 1,000 days: ours, studentised, {mine:.3f} s of one core; arch, the bare gap, ",
        end="",
    )
    print(f"{other:.3f} s; ratio {mine / other:.3f}")


def keep(figures: dict[str, pages.Cells], file: Path) -> None:
    """All cells as JSON."""
    rows = [
        {"part": part, "world": world.name, **vars(setting), "policies": policies}
        for part, cells in figures.items()
        for (world, setting), policies in cells.items()
    ]
    file.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
