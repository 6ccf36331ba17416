"""Tables in Markdown for docs/why/policies.md, and its three pictures."""

import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path
from textwrap import fill
from typing import Any

from judgement_looks import FIXED
from judgement_once import closed_form
from judgement_worlds import WORLDS, Setting, World

Cells = Mapping[tuple[World, Setting], Mapping[str, Mapping[str, float]]]
CORRELATIONS = (0.5, 0.8, 0.9, 0.97)
ONE_YEAR = tuple(Setting(rho) for rho in CORRELATIONS)
LONGER = (
    Setting(years=2),
    Setting(years=4),
    Setting(trend=0.2),
    Setting(kind="real"),
    Setting(kind="ideas", ideas=60),
    Setting(kin=0.9),
)
SETTINGS = ONE_YEAR + LONGER
ISSUE = WORLDS[:6]
"""Those of the table that is to be reproduced; the seventh is harder."""


def table(title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Prints it."""
    print(f"\n### {title}\n")
    print("|", " | ".join(header), "|")
    print("|", " | ".join("---" for _ in header), "|")
    for row in rows:
        print("|", " | ".join(row), "|")


def names(cells: Cells) -> list[str]:
    """The policies that were compared."""
    return [name for name in next(iter(cells.values())) if name != "never"]


def regret(cells: Cells, world: World, setting: Setting) -> dict[str, float]:
    """Live skill below the best of all policies, never promoting among them."""
    each = cells[world, setting]
    best = max(one["live"] for one in each.values())
    return {name: best - one["live"] for name, one in each.items()}


def worst(cells: Cells, worlds: Sequence[World], settings: Sequence[Setting], name: str) -> float:
    """The largest regret of one policy, where it was measured."""
    here = [each for each in itertools.product(worlds, settings) if each in cells]
    return max(regret(cells, *each)[name] for each in here)


def by_world(title: str, cells: Cells, settings: Sequence[Setting]) -> None:
    """The worst of the settings, world by world."""
    shown = names(cells)
    worlds = [world for world in WORLDS if (world, settings[0]) in cells]
    rows = [(world.name, *(f"{worst(cells, [world], settings, name):.2f}" for name in shown)) for world in worlds]
    largest = ("**largest of the first six**", *(f"**{worst(cells, ISSUE, settings, name):.2f}**" for name in shown))
    table(title, ("challengers' true skill against the champion's", *shown), [*rows[:6], largest, *rows[6:]])


def by_setting(title: str, cells: Cells, settings: Sequence[Setting], worlds: Sequence[World] = ISSUE) -> None:
    """The largest regret in any world, setting by setting."""
    shown = names(cells)
    rows = [(str(one), *(f"{worst(cells, worlds, [one], name):.2f}" for name in shown)) for one in settings]
    table(title, ("setting", *shown), rows)


def counts(title: str, cells: Cells, world: World, settings: Sequence[Setting]) -> None:
    """Promotions a year, and their largest."""
    shown = names(cells)
    rows = [(str(one), *(f"{cells[world, one][name]['promotions']:.2f}" for name in shown)) for one in settings]
    table(title, ("setting", *shown), rows)


def worlds_of(title: str, cells: Cells, setting: Setting) -> None:
    """Live skill, promotions, of them truly worse."""
    shown = ["never", *names(cells)]
    rows = [
        (
            world.name,
            *(
                f"{one['live']:+.2f}, {one['promotions']:.1f} ({one['worse']:.2f})"
                for one in map(each.get, shown)
                if one
            ),
        )
        for world, each in ((world, cells[world, setting]) for world in WORLDS if (world, setting) in cells)
    ]
    table(title, ("world", *shown), rows)


def pictures(cells: Cells, powers: Mapping[tuple[float, float], Sequence[float]], folder: Path) -> None:
    """Live skill by correlation; power beside the closed form; the largest regret by setting."""
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "judgement", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    folder.mkdir(parents=True, exist_ok=True)
    for name, draw in (
        ("judgement-live", lambda: _live(plt, cells)),
        ("judgement-power", lambda: _power(plt, powers)),
        ("judgement-regret", lambda: _regret(plt, cells)),
    ):
        figure = draw()
        figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
        plt.close(figure)


def _colour(name: str) -> str:
    """The same policy has the same colour in every picture."""
    return "grey" if name == "never" else f"C{[rule.name for rule in FIXED].index(name)}"


def _live(plt: Any, cells: Cells) -> Any:
    figure, panels = plt.subplots(2, 3, figsize=(10, 6), layout="constrained", sharex=True)
    measured = {world for world, _ in cells}
    for world, axes in zip((world for world in ISSUE if world in measured), panels.flat, strict=False):
        here = [(one.rho, cells[world, one]) for one in ONE_YEAR if (world, one) in cells]
        for name in ("never", *(rule.name for rule in FIXED)):
            rhos, live, error = zip(*((rho, e[name]["live"], 2 * e[name]["error"]) for rho, e in here), strict=True)
            axes.errorbar(rhos, live, error, label=name, color=_colour(name), capsize=2, marker="o", markersize=3)
        axes.set_title(fill(world.name, 32), fontsize=9)
        axes.set_xlabel("correlation of the two")
        axes.set_ylabel("true Sharpe live, above 1")
    panels.flat[0].legend(fontsize=8)
    return figure


def _power(plt: Any, powers: Mapping[tuple[float, float], Sequence[float]]) -> Any:
    rhos = sorted({rho for rho, _ in powers})
    figure, panels = plt.subplots(1, len(rhos), figsize=(10, 3), layout="constrained", sharey=True, squeeze=False)
    fine = [step / 50 for step in range(51)]
    for rho, axes in zip(rhos, panels.flat, strict=True):
        gains = sorted(gain for each, gain in powers if each == rho)
        for number, rule in enumerate(FIXED):
            form = [closed_form(Setting(rho), gain, rule) for gain in fine]
            axes.plot(fine, form, label=rule.name, color=_colour(rule.name))
            seen = [powers[rho, gain][number] for gain in gains]
            axes.plot(gains, seen, "o", color=_colour(rule.name), markersize=4)
        axes.set_title(f"correlation {rho:g}", fontsize=9)
        axes.set_xlabel("true gain, annual Sharpe")
    panels.flat[0].set_ylabel("promoted by one look, %")
    panels.flat[0].legend(fontsize=8)
    return figure


def _regret(plt: Any, cells: Cells) -> Any:
    figure, axes = plt.subplots(figsize=(10, 4), layout="constrained")
    here = [one for one in SETTINGS if (ISSUE[-1], one) in cells]
    rules = [rule.name for rule in FIXED]
    for number, name in enumerate(rules):
        heights = [worst(cells, ISSUE, [one], name) for one in here]
        axes.bar(
            [place + (number - 1.5) / 5 for place in range(len(here))], heights, 1 / 5, label=name, color=_colour(name)
        )
    words = ["\n".join(fill(part, 16) for part in str(one).split(", ")) for one in here]
    axes.set_xticks(range(len(here)), words, fontsize=7)
    axes.set_ylabel("largest regret, annual Sharpe")
    axes.legend(fontsize=8)
    return figure
