"""Charts of a data passport: a symbol's bars with what was found of them, and a feature's correlations by lag."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.judgement.report.charts import CHALLENGER, CHAMPION, FAINT, MOMENTS, UNGATED, dated, drawn

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 240
MOST_IDEAS = 80
MOST_HOLES = 60
LOGARITHMIC = 4.0
"""Ratio of the highest to the lowest price from which on the scale is logarithmic."""

Times = NDArray[np.datetime64]
Floats = NDArray[np.float64]


def symbol(
    name: str,
    bars: tuple[Times, Floats, Floats, Floats],
    holes: Sequence[tuple[np.datetime64, np.datetime64]],
    suspects: Sequence[np.datetime64],
    ideas: tuple[Times, Times],
) -> str:
    """Closes with the range of highs and lows, thinned. bars: closes' times, high, low, close; ideas: won and lost."""
    at, high, low, close = bars
    edges = np.unique(np.linspace(0, len(at), min(len(at), MOST_POINTS) + 1).round().astype(np.int64))
    start, last = edges[:-1], edges[1:] - 1

    def draw(axes: "Axes") -> None:
        highest, lowest = np.maximum.reduceat(high, start), np.minimum.reduceat(low, start)
        axes.fill_between(at[last], lowest, highest, color=UNGATED, alpha=0.3, linewidth=0, label="range")
        axes.plot(at[last], close[last], color=CHALLENGER, linewidth=1.2, label="close")
        for number, (begin, end) in enumerate(holes[:MOST_HOLES]):
            axes.axvspan(
                _number(begin), _number(end), color=FAINT, alpha=0.5, linewidth=0, label="hole" if number == 0 else None
            )
        for number, suspect in enumerate(suspects):
            label = "suspected" if number == 0 else None
            axes.axvline(_number(suspect), color=CHAMPION, linestyle=(0, (5, 2)), linewidth=1.4, label=label)
        if high.max() / low.min() > LOGARITHMIC:
            axes.set_yscale("log")
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}" if high.max() / low.min() < 2 * LOGARITHMIC else "")
        bottom = axes.get_xaxis_transform()
        for stroke, when, height in zip(MOMENTS, ideas, (0.08, 0.03), strict=False):
            few = when[np.unique(np.linspace(0, len(when) - 1, min(len(when), MOST_IDEAS)).round().astype(np.int64))]
            axes.plot(few, [height] * len(few), transform=bottom, **{**stroke, "markersize": 4, "markeredgewidth": 0.8})
        dated(axes, baseline=False)
        axes.set_ylabel("price")

    return drawn(name, draw, columns=4)


def lags(name: str, lag: Sequence[int], correlation: Floats, bound: float) -> str:
    """Rank correlation by lag as bars, those after the idea in another colour, with the band of chance."""

    def draw(axes: "Axes") -> None:
        colours = [CHAMPION if each > 0 else CHALLENGER for each in lag]
        axes.axhspan(-bound, bound, color=UNGATED, alpha=0.2, linewidth=0)
        axes.bar(lag, correlation, color=colours, width=0.7)
        axes.axhline(0, color=FAINT, linewidth=0.8)
        reach = max(0.2, 1.15 * float(np.nanmax(np.abs(correlation))))
        axes.set_ylim(-reach, reach)
        axes.set_xticks(list(lag))
        axes.set_xlabel("bars from the idea; 1 is the next one")
        axes.set_ylabel("rank correlation")

    return drawn(name, draw)


def _number(instant: np.datetime64) -> float:
    """The instant on an axis of dates."""
    from matplotlib.dates import date2num

    return float(date2num(instant))  # type: ignore[no-untyped-call]  # matplotlib has no types here
