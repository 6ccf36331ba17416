"""Charts of an evaluation: small SVG drawings (matplotlib) in the colours of the page around them."""

import atexit
import io
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import CalibrationBin, OutcomeHistogram, ScoreHistogram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_POINTS = 400
SIZE = (4.6, 2.9)
"""Inches: small enough that the words stay legible on a phone."""

LEFT, RIGHT, BOTTOM, TOP, LEGEND = 0.155, 0.975, 0.17, 0.97, 0.085
"""Parts of the size: the axes' borders, and the height of one row of the legend."""

# Matplotlib wants colours, the page has variables (light and dark): drawn in these, replaced in the SVG.
_INK = {
    "#010101": "currentColor",
    "#010102": "var(--faint)",
    "#010103": "var(--challenger)",
    "#010104": "var(--champion)",
    "#010105": "var(--ungated)",
    "#010106": "var(--third)",
    "#010107": "var(--fourth)",
}
TEXT, FAINT, CHALLENGER, CHAMPION, UNGATED, THIRD, FOURTH = _INK
# Told apart by their strokes too, for those who don't see the colours.
_STROKES: dict[str, dict[str, Any]] = {
    "challenger": {"color": CHALLENGER, "linestyle": "-", "linewidth": 1.8, "zorder": 4},
    "champion": {"color": CHAMPION, "linestyle": (0, (5, 2)), "linewidth": 1.6, "zorder": 3},
    "ungated": {"color": UNGATED, "linestyle": (0, (1, 1.4)), "linewidth": 1.4, "zorder": 2},
}
# Of streams without a role of their own, in their order.
_MORE: tuple[dict[str, Any], ...] = (
    {"color": CHAMPION, "linestyle": (0, (5, 2)), "linewidth": 1.6},
    {"color": CHALLENGER, "linestyle": "-", "linewidth": 1.8},
    {"color": THIRD, "linestyle": (0, (7, 2, 1, 2)), "linewidth": 1.6},
    {"color": FOURTH, "linestyle": (0, (3, 1.5)), "linewidth": 1.3},
    {"color": TEXT, "linestyle": (0, (1, 1)), "linewidth": 1.2},
    {"color": UNGATED, "linestyle": (0, (1, 2.4)), "linewidth": 1.2},
)
MOMENTS: tuple[dict[str, Any], ...] = (
    {"color": CHALLENGER, "marker": "|", "linestyle": "", "markersize": 13, "markeredgewidth": 1.6},
    {"color": CHAMPION, "marker": "x", "linestyle": "", "markersize": 6, "markeredgewidth": 1.6},
    {"color": TEXT, "marker": "o", "linestyle": "", "markersize": 5, "markerfacecolor": "none"},
)
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "figure.dpi": 72,  # that of an SVG
    "font.size": 10,
    "text.color": TEXT,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": FAINT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": TEXT,
    "ytick.color": TEXT,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "grid.linewidth": 0.4,
    "legend.frameon": False,
}

Floats = NDArray[np.float64]
Curves = Mapping[str, Floats]


def equity(days: NDArray[np.datetime64], daily: Curves) -> str:
    """Running sum of the daily returns of each, in percent of the initial capital."""
    return _curves("equity", days, {name: 100 * np.cumsum(each) for name, each in daily.items()}, np.take)


def drawdown(days: NDArray[np.datetime64], daily: Curves) -> str:
    """Fall from the peak of each, in percent of the initial capital."""
    fallen = {}
    for name, each in daily.items():
        running = np.concatenate(([0.0], np.cumsum(each)))
        fallen[name] = 100 * (running - np.maximum.accumulate(running))[1:]
    return _curves("drawdown", days, fallen, _lowest)


def approved_and_vetoed(days: NDArray[np.datetime64], kept: NDArray[np.float64], ungated: NDArray[np.float64]) -> str:
    """Returns of the challenger's approved trades, and those that its vetoed ones would have made."""

    def draw(axes: "Axes") -> None:
        at = chosen(len(days))
        for label, each, like in (("approved", kept, "challenger"), ("vetoed", ungated - kept, "ungated")):
            axes.plot(days[at], 100 * np.cumsum(each)[at], label=label, **_STROKES[like])
        dated(axes)

    return drawn("kept", draw)


def streams(name: str, days: NDArray[np.datetime64], daily: Curves) -> str:
    """Running sum of the daily returns of up to six streams of any name, in percent of the initial capital."""

    def draw(axes: "Axes") -> None:
        at = chosen(len(days))
        for stroke, (label, each) in zip(_MORE, daily.items(), strict=False):
            axes.plot(days[at], 100 * np.cumsum(each)[at], label=label, **stroke)
        dated(axes)

    return drawn(name, draw, columns=2)


def gain(days: NDArray[np.datetime64], value: Floats, error: Floats, sure: float) -> str:
    """The gain in annual Sharpe as the window grew, with a band of so many standard errors to each side."""

    def draw(axes: "Axes") -> None:
        axes.fill_between(days, value - sure * error, value + sure * error, color=UNGATED, alpha=0.25, label="band")
        axes.plot(days, value, label="gain", **_STROKES["challenger"])
        dated(axes)
        axes.set_ylabel("annual Sharpe")

    return drawn("gain", draw)


def calibration(rows: Mapping[str, Sequence[CalibrationBin]]) -> str:
    """Calibration: the share of ideas that won by score; on the diagonal the score equals the win rate."""

    def draw(axes: "Axes") -> None:
        axes.plot((0, 1), (0, 1), color=FAINT, linewidth=0.8)
        for name, bins in rows.items():
            scores, won = [each.score for each in bins], [each.won for each in bins]
            axes.plot(scores, won, marker="o", markersize=3.5, label=name, **_STROKES[name])
        axes.set_xlim(0, 1)
        axes.set_ylim(0, 1)
        axes.set_xlabel("mean score")
        axes.set_ylabel("share that won")

    return drawn("calibration", draw)


def moments(name: str, days: NDArray[np.datetime64], rows: Mapping[str, Sequence[Sequence[np.datetime64]]]) -> str:
    """Events over these days, a row for each name: those that turned out well (lines), badly (crosses), and even."""

    def draw(axes: "Axes") -> None:
        for place, moments in enumerate(rows.values()):
            for stroke, when in zip(MOMENTS, moments, strict=False):
                axes.plot(when, [place] * len(when), **stroke)
        axes.set_yticks(range(len(rows)), list(rows))
        axes.set_xlim(days[0], days[-1])
        axes.set_ylim(-0.6, len(rows) - 0.4)
        dated(axes, baseline=False)

    return drawn(name, draw)


def scores(histograms: Mapping[str, ScoreHistogram], thresholds: Mapping[str, float]) -> str:
    """Histogram of each model's scores as steps, with its threshold as a vertical line."""

    def draw(axes: "Axes") -> None:
        for name, histogram in histograms.items():
            stroke = _STROKES[name]
            axes.stairs(histogram.counts, histogram.edges, label=name, **stroke)
            axes.axvline(thresholds[name], **{**stroke, "linewidth": 1.0})
        axes.set_xlim(0, 1)
        axes.set_ylabel("ideas")
        axes.set_xlabel("score")

    return drawn("scores", draw)


def outcomes(histogram: OutcomeHistogram) -> str:
    """Histogram of the outcomes of the trades that the challenger approved (filled) and vetoed (dotted)."""

    def draw(axes: "Axes") -> None:
        percent = 100 * np.asarray(histogram.edges)
        axes.stairs(histogram.kept, percent, label="approved", fill=True, color=CHALLENGER, alpha=0.45)
        axes.stairs(histogram.vetoed, percent, label="vetoed", **{**_STROKES["ungated"], "linewidth": 1.8})
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.set_ylabel("trades")
        axes.set_xlabel("outcome, % of entry price")

    return drawn("outcomes", draw)


def _curves(
    name: str,
    days: NDArray[np.datetime64],
    curves: Curves,
    thin: Callable[[NDArray[np.float64], NDArray[np.int64]], NDArray[np.float64]],
) -> str:
    def draw(axes: "Axes") -> None:
        at = chosen(len(days))
        for role, curve in curves.items():
            axes.plot(days[at], thin(curve, at), label=role, **_STROKES[role])
        dated(axes)

    return drawn(name, draw)


def chosen(count: int) -> NDArray[np.int64]:
    """At most MOST_POINTS rows, evenly spread, with the last."""
    return np.unique(np.linspace(0, count - 1, min(count, MOST_POINTS)).round().astype(np.int64))


def _lowest(curve: NDArray[np.float64], at: NDArray[np.int64]) -> NDArray[np.float64]:
    """The lowest point from each chosen row to the next, so that thinning hides no fall."""
    return np.asarray(np.minimum.reduceat(curve, at))


def dated(axes: "Axes", *, baseline: bool = True) -> None:
    """Dates on the horizontal axis; baseline: a line at 0, in percent of the capital."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]  # matplotlib has no types here
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # as above
    if baseline:
        axes.axhline(0, color=FAINT, linewidth=0.8)
        axes.set_ylabel("% of capital")


def drawn(name: str, draw: Callable[["Axes"], None], *, columns: int = 3) -> str:
    """One chart as an SVG element: the same bytes for the same numbers, without a date, nothing from outside."""
    _keep_home_empty()
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with mpl.rc_context():
        mpl.rcdefaults()  # whatever matplotlibrc this machine has
        mpl.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = Figure(figsize=SIZE)
        FigureCanvasSVG(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        draw(axes)
        handles, labels = axes.get_legend_handles_labels()
        # Placed by hand: a layout engine draws all of it once more, only to measure it.
        top = TOP - LEGEND * -(-len(labels) // columns)
        axes.set_position((LEFT, BOTTOM, RIGHT - LEFT, top - BOTTOM))
        if labels:
            figure.legend(handles, labels, loc="upper left", ncols=columns, handlelength=2.6)
        written = io.StringIO()
        nothing = {"Creator": None, "Date": None, "Format": None, "Type": None}
        figure.savefig(written, format="svg", transparent=True, metadata=nothing)
    return _inlined(written.getvalue(), name)


def _inlined(svg: str, name: str) -> str:
    """The element alone, without namespaces, fixed sizes or ids that another chart on the page has too."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r' xmlns(:xlink)?="[^"]*"', "", svg).replace("xlink:href", "href")
    svg = re.sub(r' id="[A-Za-z0-9.]+_\d+"', "", svg)
    svg = re.sub(r' (?:width|height)="[\d.]+pt"| version="1.1"', "", svg)
    svg = svg.replace("<svg", f'<svg class="chart" role="img" aria-labelledby="about-{name}"', 1)
    for colour, ink in _INK.items():
        svg = svg.replace(colour, ink)
    return svg.strip()


def _keep_home_empty() -> None:
    """Give matplotlib a folder of this process for its list of fonts, unless the user named one."""
    if "MPLCONFIGDIR" not in os.environ:
        folder = tempfile.mkdtemp(prefix="gatekeeper-matplotlib-")
        os.environ["MPLCONFIGDIR"] = folder
        atexit.register(shutil.rmtree, folder, ignore_errors=True)
