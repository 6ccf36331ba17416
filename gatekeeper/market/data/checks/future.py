"""Features that know the future: those that tell more of outcomes, or of the market's next bars, than anything can.

Four signs, each from 300 ideas on: rows on one line with the outcome (`line`), a run of values with one sign of outcome
(`pure`), a rank correlation with the outcome (`rank`) or with the market's next bars (`next`). They can't find a noisy
copy of the outcome in a fifth of the rows, nor a look ahead of half a bar.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.features import FEATURES
from gatekeeper.market.data.bars.candles import EXTRAS, Candles
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.data.checks.lags import next_returns, spearman
from gatekeeper.market.findings import SHOWN, Finding, Severity
from gatekeeper.market.ideas import Ideas

Floats = NDArray[np.float64]
Index = NDArray[np.intp]

FEWEST = 300
PAIRS = 100_000
FEWEST_ON_LINE = 12
LINE_SHARE = 0.01
PURE = 1e-5
RANK, RANK_ERROR = 0.25, 4.5
NEXT, NEXT_ERROR = 0.12, 5.5
AHEAD = (1, 5)
"""Bars over which the market's own return is taken."""

_RESOLUTIONS = (1e-6, 1e-5, 1e-4, 1e-3)
_CANDIDATES = 3
_WIDE = 20


@dataclass(frozen=True, slots=True)
class Line:
    """outcome = slope * feature + intercept in these rows."""

    slope: float
    intercept: float
    rows: Index


@dataclass(frozen=True, slots=True)
class SignRun:
    """Neighbouring values of a feature with one sign of outcome. chance: an upper bound for its probability."""

    rows: Index
    wins: bool
    blocks: int
    chance: float


def check(checked: Checked) -> Iterable[Finding]:
    """The findings about labelled ideas' features that know the future."""
    return () if checked.ideas is None else knowing(checked.ideas, checked.candles)


def check_found(checked: Checked) -> Iterable[Finding]:
    """The same of ideas that were found in bars: of the features that came with the bars alone.

    The others are computed here from closed bars. What they show is the market's own: in a steep trend `action` tells
    of outcomes, and hourly ideas of one fall all lose.
    """
    return () if checked.ideas is None else knowing(checked.ideas, checked.candles, EXTRAS)


def knowing(ideas: Ideas, bars: Sequence[Candles] = (), of: Collection[str] = FEATURES) -> list[Finding]:
    """A refused finding for each feature of `of` that shows one of the four signs; the first sign is told.

    bars: of the ideas' symbols, for `next`; nothing in either may have come after the as-of.
    """
    if len(ideas) < FEWEST:
        return []
    block = blocks(ideas)
    ahead = {bar: next_returns(ideas, bars, bar) for bar in AHEAD} if bars else {}
    found = []
    for column, name in enumerate(FEATURES):
        values = ideas.features[:, column].astype(np.float64)
        if name in of and values.min() < values.max():
            found += list(_signs(ideas, name, values, block, ahead))[:1]
    return found


def blocks(ideas: Ideas) -> NDArray[np.int64]:
    """(n,) the stretch of time, as long as the median hold, in which each idea came."""
    hold = np.median((ideas.closed_at - ideas.time).astype(np.int64))
    return ideas.time.astype(np.int64) // max(int(hold), 1)


def line(values: Floats, outcome: Floats, block: NDArray[np.int64]) -> Line | None:
    """The line on which most rows lie, if they are of `needed` distinct blocks, values and outcomes.

    A line is looked for among those through 100,000 random pairs of rows: of 1 % of the rows ten pairs agree. A
    second line of opposite slope through the same point at 0 is no copy of the outcome but the distance of a trade's
    stop and target, known at its entry: None.
    """
    needed = max(FEWEST_ON_LINE, LINE_SHARE * len(values))
    if min(len(np.unique(values)), len(np.unique(outcome))) < needed:
        return None
    best: Line | None = None
    error = _error(values), _error(outcome)
    for slope, intercept in _candidates(values, outcome):
        found = _refined(values, outcome, slope, intercept, error)
        if found is not None and (best is None or len(found.rows) > len(best.rows)):
            best = found
    if best is None:
        return None
    distinct = min(len(np.unique(of[best.rows])) for of in (block, values, outcome))
    return best if distinct >= needed and not _is_barrier(values, outcome, best, needed) else None


def pure(values: Floats, outcome: Floats, block: NDArray[np.int64]) -> SignRun | None:
    """The least likely run of values in order with one sign of outcome, if its chance is under 1e-5.

    Equal values are one place in the order; if their outcomes differ in sign, a run ends there.
    """
    order = np.argsort(values, kind="stable")
    wins = outcome[order] > 0
    share = float(wins.mean())
    if share in (0.0, 1.0):
        return None
    starts = np.flatnonzero(np.append(True, np.diff(values[order]) > 0))
    sizes = np.diff(np.append(starts, len(order)))
    won = np.add.reduceat(wins.astype(np.int64), starts)
    kind = np.where(won == sizes, 1, np.where(won == 0, 0, -1))
    edges = np.flatnonzero(np.append(True, (np.diff(kind) != 0) | (kind[1:] < 0)))
    rows_from = starts[edges]
    rows_to = np.append(rows_from[1:], len(order))
    best: SignRun | None = None
    for sign, b in ((1, share), (0, 1 - share)):
        of_sign = np.flatnonzero(kind[edges] == sign)
        longest = of_sign[np.argsort(rows_from[of_sign] - rows_to[of_sign], kind="stable")][:_WIDE]
        for each in longest:
            rows = order[rows_from[each] : rows_to[each]]
            count = len(np.unique(block[rows]))
            chance = len(values) * (1 - b) * b**count
            if chance < PURE and (best is None or chance < best.chance):
                best = SignRun(rows, bool(sign), count, chance)
    return best


def rank(values: Floats, outcome: Floats) -> float | None:
    """Spearman's correlation with the outcome, if it is over .25 + 4.5 / sqrt(n)."""
    rho = spearman(values, outcome)
    return rho if abs(rho) > RANK + RANK_ERROR / np.sqrt(len(values)) else None


def ahead_of_market(values: Floats, returns: Floats) -> float | None:
    """Spearman's correlation with the market's next return, if it is over .12 + 5.5 / sqrt(n).

    returns: NaN where the bars don't reach so far.
    """
    known = np.isfinite(returns)
    if (n := int(known.sum())) < FEWEST:
        return None
    rho = spearman(values[known], returns[known])
    return rho if abs(rho) > NEXT + NEXT_ERROR / np.sqrt(n) else None


def _signs(
    ideas: Ideas, name: str, values: Floats, block: NDArray[np.int64], ahead: dict[int, Floats]
) -> Iterator[Finding]:
    n = len(ideas)
    # What a trade costs is known when it comes: where costs are large, honest features tell of them.
    gross = ideas.outcome if ideas.costs is None else ideas.outcome + ideas.costs.sum(axis=1)
    if found := line(values, ideas.outcome, block):
        needed = max(FEWEST_ON_LINE, LINE_SHARE * n)
        yield _finding(
            name,
            f"{len(found.rows)} of {n} ideas lie on one line with the outcome ({found.slope:.4g} * {name} "
            f"{found.intercept:+.4g}), and {needed:.0f} do not by chance ({_rows(ideas, name, values, found.rows)})",
            {"line": float(len(found.rows)), "limit": needed},
        )
    if run := pure(values, gross, block):
        sign = "won" if run.wins else "lost"
        yield _finding(
            name,
            f"all {len(run.rows)} ideas in a row of its values, at {run.blocks} separate times, {sign}: a chance of "
            f"{run.chance:.1g}, under the limit of {PURE:g} ({_rows(ideas, name, values, run.rows)})",
            {"pure": run.chance, "limit": PURE},
        )
    if rho := rank(values, gross):
        limit = RANK + RANK_ERROR / np.sqrt(n)
        top = np.argsort(-values, kind="stable")
        yield _finding(
            name,
            f"its rank correlation with the outcome is {rho:.2f} over {n} ideas, over the limit of {limit:.2f} "
            f"(largest: {_rows(ideas, name, values, top)})",
            {"rank": rho, "limit": limit},
        )
    for bar, returns in ahead.items():
        if rho := ahead_of_market(values, returns):
            n = int(np.isfinite(returns).sum())
            limit = NEXT + NEXT_ERROR / np.sqrt(n)
            over = "the next bar" if bar == 1 else f"the next {bar} bars"
            yield _finding(
                name,
                f"its rank correlation with the market's return over {over} is {rho:.2f} over {n} ideas, over the "
                f"limit of {limit:.2f}",
                {"next": rho, "limit": limit, "bars": float(bar)},
            )


def _finding(name: str, sign: str, numbers: dict[str, float]) -> Finding:
    text = (
        f"{name} knows the future: {sign}. Compute it from bars that have closed at the idea's time, or leave it out."
    )
    return Finding(Severity.REFUSED, "knows", "", "", text, f"knows:{name}", numbers)


def _rows(ideas: Ideas, name: str, values: Floats, rows: Index) -> str:
    return ", ".join(
        f"{ideas.symbol[row]} {str(ideas.time[row])[:16]} {name} {values[row]:.6g} outcome {ideas.outcome[row]:.6g}"
        for row in rows[:SHOWN]
    )


def _candidates(values: Floats, outcome: Floats) -> Iterable[tuple[float, float]]:
    """Slope and intercept of lines that several of the random pairs agree on, by a Hough transform at four widths."""
    random = np.random.default_rng(0)  # the same data gives the same findings
    first, second = random.integers(0, len(values), size=(2, PAIRS))
    kept = (values[first] != values[second]) & (outcome[first] != outcome[second])
    first, second = first[kept], second[kept]
    x, y = (_standard(each) for each in (values, outcome))
    across, up = x[second] - x[first], y[second] - y[first]
    angle = np.arctan(up / across)
    distance = y[first] * np.cos(angle) - x[first] * np.sin(angle)
    for width in _RESOLUTIONS:
        cells = np.floor(angle / width) * 1e9 + np.floor(distance / width)
        _, inverse, counts = np.unique(cells, return_inverse=True, return_counts=True)
        for cell in np.argsort(-counts, kind="stable")[:_CANDIDATES]:
            if counts[cell] < 3:
                break
            pairs = np.flatnonzero(inverse == cell)
            farthest = pairs[np.argmax(np.abs(across[pairs]))]
            i, j = first[farthest], second[farthest]
            slope = (outcome[j] - outcome[i]) / (values[j] - values[i])
            yield slope, outcome[i] - slope * values[i]


def _standard(values: Floats) -> Floats:
    spread = float(np.subtract(*np.quantile(values, [0.75, 0.25]))) or float(values.std()) or 1.0
    return (values - np.median(values)) / spread


def _refined(
    values: Floats, outcome: Floats, slope: float, intercept: float, error: tuple[Floats, Floats]
) -> Line | None:
    """The line fitted to the rows on it; None if no more lie on it than in as wide a strip beside it."""
    for allowed in (4, 1):
        width = abs(slope) * error[0] + error[1]
        off = np.abs(outcome - slope * values - intercept)
        rows = np.flatnonzero(off <= allowed * width)
        if len(rows) < FEWEST_ON_LINE or np.ptp(values[rows]) == 0:
            return None
        fit = np.polynomial.Polynomial.fit(values[rows], outcome[rows], 1).convert().coef
        if len(fit) < 2 or fit[1] == 0:
            return None
        intercept, slope = float(fit[0]), float(fit[1])
    beside = (np.count_nonzero(off <= _WIDE * width) - len(rows)) / (_WIDE - 1)
    return Line(slope, intercept, rows) if len(rows) >= 5 * beside else None


def _error(values: Floats) -> Floats:
    """(n,) by how much each value may be off: half of the last decimal place that it is written to, and float32's."""
    error = np.abs(values) * 2.0**-22
    rounded = np.zeros(len(values), dtype=np.bool_)
    for places in range(7):
        scaled = values * 10.0**places
        ends = ~rounded & (np.abs(scaled - np.round(scaled)) <= np.minimum(np.abs(scaled) * 2.0**-22, 0.01))
        error[ends] += 0.5 * 10.0**-places
        rounded |= ends
    return error


def _is_barrier(values: Floats, outcome: Floats, found: Line, needed: float) -> bool:
    """Whether other rows lie on a line of opposite slope with the same intercept."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (outcome - found.intercept) / (found.slope * values)
    others = ratio[np.isfinite(ratio) & (ratio < 0)]
    _, counts = np.unique(np.round(others, 3), return_counts=True)
    return bool(len(counts)) and counts.max() >= needed
