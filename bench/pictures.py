"""Growth pictures: time and memory by size, one picture a section, one panel for each work, both axes logarithmic."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from results import Result

WIDE = 3
"""Panels in a row."""
SIZES = 3
"""At so many sizes at least was a work measured that has a panel."""
Line = list[tuple[float, float]]


def drawn(results: Sequence[Result], sections: Sequence[str], folder: Path) -> Mapping[str, str]:
    """The file's name for each section that was measured at several sizes. Those of former runs go."""
    names = {}
    for former in folder.glob("bench-*.svg"):
        former.unlink()
    for section in sections:
        panels = lines([each for each in results if each.section == section])
        if panels:
            names[section] = f"bench-{section.lower().replace(' ', '-')}.svg"
            folder.mkdir(parents=True, exist_ok=True)
            _save(_figure(panels), folder / names[section])
    return names


def lines(results: Sequence[Result]) -> dict[tuple[str, str], dict[str, Line]]:
    """For each work and unit, whose time at which sizes; those of few sizes are left out."""
    panels: dict[tuple[str, str], dict[str, Line]] = {}
    for each in results:
        if math.isnan(each.amount) or math.isnan(each.ours):
            continue
        sides = panels.setdefault((each.work, each.unit), {})
        for side, figure in (("ours", each.ours), (each.peer, each.theirs)):
            line = sides.setdefault(side, [])
            if not math.isnan(figure) and each.amount not in dict(line):
                line.append((each.amount, figure))
    return {
        panel: {side: sorted(line) for side, line in sides.items() if line}
        for panel, sides in panels.items()
        if len(sides["ours"]) >= SIZES
    }


def _figure(panels: Mapping[tuple[str, str], Mapping[str, Line]]) -> Any:
    import matplotlib as mpl

    mpl.use("svg")
    mpl.rcParams.update({"svg.hashsalt": "bench", "svg.fonttype": "none"})
    from matplotlib import pyplot as plt

    wide = min(WIDE, len(panels))
    deep = math.ceil(len(panels) / wide)
    figure, axes = plt.subplots(deep, wide, figsize=(4 * wide, 3 * deep), squeeze=False, layout="constrained")
    for axis in axes.flat[len(panels) :]:
        axis.remove()
    for axis, ((work, unit), sides) in zip(axes.flat, panels.items(), strict=False):
        for side, line in sides.items():
            dashes = "-" if side == "ours" else "--"
            axis.plot(*zip(*line, strict=True), dashes, marker="o", markersize=3, label=side)
        axis.set(xscale="log", yscale="log", title=work, ylabel=unit)
        axis.title.set_fontsize("small")
        axis.grid(visible=True, alpha=0.3)
        axis.legend(fontsize="x-small", frameon=False)
    return figure


def _save(figure: Any, file: Path) -> None:
    from matplotlib import pyplot as plt

    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)
