"""Chart of the decision: the gain with its interval, the margin and minus the tolerance, on one line.

Drawn as plain SVG without style attributes, so that pages whose policy forbids those show it too; its colours are
variables of the page around it, light and dark.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.judgement.report.trader_formats import ratio

if TYPE_CHECKING:
    from markupsafe import Markup

WIDTH, LEFT, RIGHT = 420.0, 14.0, 406.0
ROW, AXIS, HEIGHT = 42.0, 64.0, 84.0
"""Heights of the interval, of the axis, and of the whole."""

MOST_TICKS = 7
STEPS = (0.1, 0.2, 0.5)
BORDER = 0.06
"""Part of the span that stays free on either side."""


@dataclass(frozen=True, slots=True)
class ChartMark:
    """One entry of the legend: the class of its key, and its words."""

    key: str
    words: str


@dataclass(frozen=True, slots=True)
class DecisionChart:
    """The drawing, its content in words, and its legend."""

    about: str
    legend: tuple[ChartMark, ...]
    drawing: str

    @property
    def svg(self) -> "Markup":
        """The drawing is ours and holds numbers alone."""
        from markupsafe import Markup

        return Markup(self.drawing)  # noqa: S704  # see above


def of(document: EvaluationDocument) -> DecisionChart | None:
    """The chart; None without a gain and its bound."""
    verdict, policy = document.verdict, document.policy
    gain, lower = verdict.gain, verdict.bound
    if gain is None or lower is None:
        return None
    upper, floor = 2 * gain - lower, None if policy.tolerance is None else 0.0 - policy.tolerance
    legend = [
        ChartMark("gain", f"gain {ratio(gain)}, to exceed the margin"),
        ChartMark("interval", f"its interval, {ratio(lower)} to {ratio(upper)}; the lower end is the bound"),
        ChartMark("margin", f"margin {ratio(policy.margin)}"),
    ]
    if floor is not None:
        legend.append(ChartMark("tolerance", f"{ratio(floor)}, minus the tolerance, to be exceeded by the bound"))
    test = f"no bound under {policy.name}" if floor is None else f"minus the tolerance {ratio(floor)}"
    about = (
        f"In annual Sharpe: gain {ratio(gain)}, interval {ratio(lower)} to {ratio(upper)}, "
        f"margin {ratio(policy.margin)}, {test}."
    )
    return DecisionChart(about, tuple(legend), _drawn(gain, lower, upper, policy.margin, floor))


def _drawn(gain: float, lower: float, upper: float, margin: float, floor: float | None) -> str:
    shown = [lower, upper, margin, 0.0] + ([] if floor is None else [floor])
    span = max(max(shown) - min(shown), 1e-3)
    low, high = min(shown) - BORDER * span, max(shown) + BORDER * span

    def at(value: float) -> float:
        return LEFT + (RIGHT - LEFT) * (value - low) / (high - low)

    parts = [_line(LEFT, AXIS, RIGHT, AXIS, "faint")]
    for tick in ticks(low, high):
        parts += [_line(at(tick), AXIS, at(tick), AXIS + 4, "faint"), _text(at(tick), AXIS + 17, f"{tick:g}")]
    parts.append(_line(at(0), 8, at(0), AXIS, "faint"))
    if floor is not None:
        parts.append(_line(at(floor), 8, at(floor), AXIS, "bad", 2, "2 3"))
    parts.append(_line(at(margin), 8, at(margin), AXIS, "good", 2, "7 3"))
    parts.append(_line(at(lower), ROW, at(upper), ROW, "challenger", 3))
    parts += [_line(at(end), ROW - 7, at(end), ROW + 7, "challenger", 3) for end in (lower, upper)]
    parts.append(f'<circle cx="{at(gain):.1f}" cy="{ROW:.1f}" r="6.5" fill="var(--challenger)"/>')
    head = f'class="chart" role="img" aria-labelledby="about-decision" viewBox="0 0 {WIDTH:g} {HEIGHT:g}"'
    return f"<svg {head}>{''.join(parts)}</svg>"


def ticks(low: float, high: float) -> Sequence[float]:
    """Round numbers between the two, with the smallest of the steps .1, .2, .5 x 10^n that gives few enough."""
    power = 10.0 ** math.floor(math.log10((high - low) / MOST_TICKS))
    step = next(
        each for scale in (power, 10 * power, 100 * power) for each in (scale * part * 10 for part in STEPS)
        if (high - low) / each <= MOST_TICKS
    )  # fmt: skip
    return [round(number * step, 10) for number in range(math.ceil(low / step), math.floor(high / step) + 1)]


def _line(x1: float, y1: float, x2: float, y2: float, ink: str, width: float = 1, dashes: str = "") -> str:
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    ends = f'x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"'
    return f'<line {ends} stroke="var(--{ink})" stroke-width="{width:g}"{dashed}/>'


def _text(x: float, y: float, words: str) -> str:
    words = words.replace("-", "\N{MINUS SIGN}")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="middle" font-size="11" fill="currentColor">{words}</text>'
