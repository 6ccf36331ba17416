"""Unit of the outcomes: fractions of the entry price, or percent, basis points, money, R multiples or labels.

Bars decide if they are at hand, else the outcomes' size for the time that trades are held. Outcomes that aren't
fractions are refused, never converted by what is found here.
"""

from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from gatekeeper.features import FEATURES
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.data.checks.lags import spearman
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import Ideas

Floats = NDArray[np.float64]
Unit = Literal["fraction", "percent", "bp", "log", "money", "labels", "R", "unclear"]

SETTING = "GATEKEEPER_OUTCOME_UNIT"
FEWEST = 100
AT_ONE = 0.25
FRACTIONS_UNDER, PERCENT_FROM, BP_FROM, MONEY_FROM = 1.5, 2.5, 250, 25_000
EXPLAINED = 0.5
"""Rank correlation with what the bars made, from which they decide."""

_FACTORS: dict[float, Unit] = {1: "fraction", 100: "percent", 10_000: "bp"}
_NEAR = 3
_MOST_LOST = -1.05  # all of the price, and costs
_YEAR, _DAY = np.timedelta64(8766, "h"), np.timedelta64(1, "D")
_WAYS: dict[Unit, str] = {
    "percent": f"Set {SETTING}=percent, or divide them by 100.",
    "bp": f"Set {SETTING}=bp, or divide them by 10000.",
    "log": f"Set {SETTING}=log, or write exit / entry - 1 for a buy, 1 - exit / entry for a sell.",
    "money": "Divide each by the entry price times the size.",
    "labels": "Give what each trade made, as a fraction of its entry price: 0.023 is 2.3 %.",
    "R": "Multiply each by its stop's distance as a fraction of the entry price.",
    "unclear": f"Set {SETTING} to fraction, percent, bp or log.",
}


def check(checked: Checked) -> Iterable[Finding]:
    """The finding about labelled ideas' outcomes, if they aren't fractions."""
    if checked.ideas is None:
        return ()
    found = unit(checked.ideas, checked.candles) or beyond_all(checked.ideas)
    # Who set the unit knows it: a size that would fit two of them is no reason to ask again.
    return () if found is None or (found.key == "unit:unclear" and checked.settings.outcome_unit) else (found,)


def unit(ideas: Ideas, bars: Sequence[Candles] = ()) -> Finding | None:
    """A refused finding for outcomes that aren't fractions; None if they are, or if they are under 100."""
    if len(ideas) < FEWEST:
        return None
    found, sign, numbers = _by_bars(ideas, bars) or _by_value(ideas.outcome) or _by_size(ideas)
    if found == "fraction":
        return None
    text = f"The outcomes aren't fractions of the entry price: {sign}. {_WAYS[found]}"
    return Finding(Severity.REFUSED, "unit", "", "", text, f"unit:{found}", numbers)


def beyond_all(ideas: Ideas) -> Finding | None:
    """A refused finding for buys that lost more than their entry price, as rows of another unit do; None without any.

    However few they are: one row in percent among fractions is a drawdown of all capital.
    """
    bought = ideas.features[:, FEATURES.index("action")] > 0
    rows = np.flatnonzero(bought & (ideas.outcome < _MOST_LOST))
    if not len(rows):
        return None
    first = rows[0]
    text = (
        f"{len(rows)} of {np.count_nonzero(bought)} buys lost more than their entry price, the first "
        f"{ideas.symbol[first]} {str(ideas.time[first])[:16]} with an outcome of {ideas.outcome[first]:.4g}; a "
        "fraction of it is no lower than -1, so these rows are in another unit. Fix or remove them."
    )
    return Finding(Severity.REFUSED, "unit", "", "", text, "unit:loss", {"ideas": float(len(rows))})


Judged = tuple[Unit, str, dict[str, float]]


def _by_bars(ideas: Ideas, bars: Sequence[Candles]) -> Judged | None:
    """The unit by what the bars made from entry to exit; None if they don't explain the outcomes."""
    growth = held_growth(ideas, bars)
    rows = np.isfinite(growth) & (growth != 1) & (ideas.outcome != 0)
    if np.count_nonzero(rows) < FEWEST:
        return None
    growth, outcome = growth[rows], ideas.outcome[rows]
    side = np.where(ideas.features[rows, FEATURES.index("action")] > 0, 1.0, -1.0)
    simple, log = side * (growth - 1), side * np.log(growth)
    if spearman(simple, outcome) < EXPLAINED:
        return None
    ratio = float(np.median(np.abs(outcome)) / np.median(np.abs(simple)))
    factor = min(_FACTORS, key=lambda each: abs(np.log(ratio / each)))
    numbers = {"factor": ratio, "ideas": float(len(outcome))}
    if not 1 / _NEAR < ratio / factor < _NEAR:
        return "money", f"they are {ratio:.3g} times what the bars made over {len(outcome)} trades", numbers
    left = [float(np.median(np.abs(outcome / factor - each))) for each in (simple, log)]
    if factor != 1:
        return _FACTORS[factor], f"they are {ratio:.3g} times what the bars made over {len(outcome)} trades", numbers
    if left[1] < left[0] / 2:
        sign = f"they differ by {left[1]:.2g} from the bars' log returns and by {left[0]:.2g} from the simple ones"
        return "log", sign, numbers
    return "fraction", "", numbers


def held_growth(ideas: Ideas, bars: Sequence[Candles]) -> Floats:
    """(n,) the newest close at the exit over that at the idea; NaN without bars of its symbol around both."""
    growth = np.full(len(ideas), np.nan)
    for each in bars:
        rows = np.flatnonzero(ideas.symbol == each.symbol)
        first, last = (
            np.searchsorted(each.closes_at, times[rows], side="right") - 1 for times in (ideas.time, ideas.closed_at)
        )
        there = first >= 0
        growth[rows[there]] = each.close[last[there]] / each.close[first[there]]
    return growth


def _by_value(outcome: Floats) -> Judged | None:
    if np.isin(outcome, (0, 1)).all():
        return "labels", f"all {len(outcome)} are 0 or 1, which are labels", {}
    share = float(np.mean(np.isclose(np.abs(outcome), 1, rtol=0, atol=1e-9)))
    if share >= AT_ONE:
        return "R", f"{share:.0%} of {len(outcome)} are 1 or -1 exactly, as R multiples are", {"share": share}
    return None


def _by_size(ideas: Ideas) -> Judged:
    hold = np.median((ideas.closed_at - ideas.time).astype(np.int64)).astype("timedelta64[ns]")
    if not hold:  # bare dates: a part of a day, by which the size is no larger than it looks
        hold = _DAY
    size = float(np.median(np.abs(ideas.outcome)) / np.sqrt(hold / _YEAR))
    sign = (
        f"their median of {np.median(np.abs(ideas.outcome)):.4g} in a median hold of {hold / _DAY:.3g} days is "
        f"{size:.3g} a year (by the square root of time), where fractions are under {FRACTIONS_UNDER}"
    )
    numbers = {"a_year": size, "ideas": float(len(ideas))}
    if size < FRACTIONS_UNDER:
        return "fraction", "", numbers
    if size < PERCENT_FROM:
        return "unclear", f"{sign} and percent from {PERCENT_FROM}", numbers
    if size < BP_FROM:
        return "percent", f"{sign}; percent are from {PERCENT_FROM} to {BP_FROM}", numbers
    if size < MONEY_FROM:
        return "bp", f"{sign}; basis points are from {BP_FROM} to {MONEY_FROM:,}", numbers
    return "money", f"{sign}; money is from {MONEY_FROM:,}", numbers
