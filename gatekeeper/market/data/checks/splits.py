"""Split check: an open that leaves the close before by a factor, without the trading of a crash.

On market days, and around the clock from bar to bar. What other symbols did doesn't matter: splits of many symbols may
fall on one day.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.adjusting import first_bar
from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.corporate_actions import Split
from gatekeeper.market.data.bars.untraded import usable_volume
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity

Floats = NDArray[np.float64]

USUAL = 20
"""Days before, whose medians are what is usual."""
FEWEST = 5
"""With fewer days before, nothing is usual yet."""
FACTOR, RANGES = 1.8, 6.0
"""Least factor of a split, and by how many usual daily ranges, log(high / low), it must be larger."""
CRASH_VOLUME, CRASH_RANGE = 3.0, 4.0
"""A crash has so many times the usual volume, or range."""
WHOLE = (2, 3, 4, 5, 6, 7, 8, 10, 12, 15, 20, 25, 30, 40, 50, 100, 1000)
SMALL = ((3, 2), (4, 3), (5, 4), (6, 5), (5, 2), (5, 3))
NEAR = 0.03
SMALL_RANGES, SMALL_VOLUME = 5.0, 2.5
AROUND_THE_CLOCK = 0.1
"""Share of weekend days from which a market never closes."""

_RATIOS = [(n, 1) for n in WHOLE] + [(1, n) for n in WHOLE] + list(SMALL) + [(b, a) for a, b in SMALL]
_LEAST = 6 / 5 / (1 + NEAR)


@dataclass(frozen=True, slots=True, eq=False)
class _Days:
    """Market days, or bars around the clock: (n,) each. row: the first bar of each."""

    row: NDArray[np.intp]
    open: Floats
    high: Floats
    low: Floats
    close: Floats


@dataclass(frozen=True, slots=True)
class _Jump:
    """An open, or a close whose opens are the closes before, against the close before. volume: NaN if unknown."""

    factor: float
    ranges: float
    range: float
    volume: float
    held: bool

    @property
    def is_large(self) -> bool:
        return abs(math.log(self.factor)) > math.log(FACTOR) and self.ranges > RANGES

    @property
    def is_quiet(self) -> bool:
        """With a volume: traded as on any day, which a crash is not."""
        return self.volume < CRASH_VOLUME and self.range <= CRASH_RANGE

    def severity(self) -> Severity | None:
        """How grave it is as a split that prices aren't adjusted for; None if it is none."""
        with_volume = not math.isnan(self.volume)
        if self.is_large:
            grave = self.is_quiet if with_volume else _is_near(self.factor, WHOLE_RATIOS)
            return Severity.REFUSED if grave and not self.held else Severity.WARNING
        small = with_volume and self.ranges > SMALL_RANGES and self.volume < SMALL_VOLUME
        return Severity.WARNING if small and _is_near(self.factor, SMALL_RATIOS) else None


WHOLE_RATIOS = tuple(math.log(n) for n in WHOLE)
SMALL_RATIOS = tuple(math.log(a / b) for a, b in SMALL)


def splits(checked: Checked) -> Iterator[Finding]:
    """Refused: a jump that only a split explains. Warned: one that a crash may explain, and small ratios."""
    for bars in checked.candles:
        days = _market_days(bars)
        candidates = _candidates(days)
        volume = _volume(bars, days) if len(candidates) else None
        for day in candidates:
            jump = _jump(days, volume, day)
            severity = jump.severity() if jump else None
            if jump and severity:
                yield _finding(bars, days, day, jump, severity, checked.splits)


def _market_days(bars: Candles) -> _Days:
    days = bars.days
    if (days[1:] != days[:-1]).all():
        return _Days(np.arange(len(bars)), bars.open, bars.high, bars.low, bars.close)
    row = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
    if np.mean(~np.is_busday(days[row])) >= AROUND_THE_CLOCK:
        return _Days(np.arange(len(bars)), bars.open, bars.high, bars.low, bars.close)
    last = np.append(row[1:], len(bars)) - 1
    high, low = np.maximum.reduceat(bars.high, row), np.minimum.reduceat(bars.low, row)
    return _Days(row, bars.open[row], high, low, bars.close[last])


def _volume(bars: Candles, days: _Days) -> Floats | None:
    """The volume of each day, NaN where it is 0; None if the bars have none that counts."""
    volume = usable_volume(bars)
    if volume is None:
        return None
    if len(days.row) < len(bars):
        volume = np.add.reduceat(np.nan_to_num(volume), days.row)
    return np.where(volume > 0, volume, np.nan)


def _candidates(days: _Days) -> NDArray[np.intp]:
    before = days.close[:-1]
    up, down = before * _LEAST, before / _LEAST
    far = np.zeros(len(before), dtype=np.bool_)
    for now in (days.open[1:], days.close[1:]):
        far |= (now > up) | (now < down)
    return np.flatnonzero(far) + 1


def _jump(days: _Days, traded: Floats | None, day: int) -> _Jump | None:
    """The jump of a day against the days before; None if there are too few of them."""
    past = slice(max(0, day - USUAL), day)
    ranges, opens = np.log(days.high[past] / days.low[past]), days.open[past][1:]
    if traded is not None:  # days without trades have no range that would be usual
        ranges = ranges[~(np.isnan(traded[past]) & (ranges == 0))]
    if len(ranges) < FEWEST:
        return None
    usual = float(np.median(ranges)) or _usual_move(days, past)
    held = bool(np.mean(np.isclose(opens, days.close[past][:-1], rtol=1e-6, atol=0)) > 0.5)
    moves = [days.open[day] / days.close[day - 1]]
    if held:  # then a split shows within the bar
        moves.append(days.close[day] / days.close[day - 1])
    factor = float(max(moves, key=lambda move: abs(math.log(move))))
    size, wide = abs(math.log(factor)), math.log(days.high[day] / days.low[day])
    return _Jump(
        factor=factor,
        ranges=size / usual if usual else math.inf,
        range=wide / usual if usual else (math.inf if wide else 0.0),
        volume=_times_usual(traded, past, day) * min(1.0, factor),
        held=held,
    )


def _usual_move(days: _Days, past: slice) -> float:
    """Of days that mostly have one price, the usual way from a close to the next day's other price; 0 if none moved.

    A penny stock's is its tick.
    """
    close = days.close[past]
    highest, lowest = np.maximum(days.high[past][1:], close[:-1]), np.minimum(days.low[past][1:], close[:-1])
    moves = np.log(highest / lowest)
    return float(np.median(moves[moves > 0])) if (moves > 0).any() else 0.0


def _times_usual(volume: Floats | None, past: slice, day: int) -> float:
    if volume is None or np.count_nonzero(~np.isnan(volume[past])) < FEWEST:
        return math.nan
    return float(volume[day] / np.nanmedian(volume[past]))


def _is_near(factor: float, logs: tuple[float, ...]) -> bool:
    """Within 3 % of one of the ratios or its inverse."""
    size = abs(math.log(factor))
    return any(abs(math.expm1(size - log)) <= NEAR for log in logs)


def _finding(
    bars: Candles, days: _Days, day: int, jump: _Jump, severity: Severity, applied: tuple[Split, ...]
) -> Finding:
    symbol, row = bars.symbol, int(days.row[day])
    at = _when(bars, row, whole_days=len(days.row) < len(bars))
    new, old = min(_RATIOS, key=lambda ratio: abs(math.log(ratio[0] / ratio[1] * jump.factor)))
    line = f"{symbol},{at},{new}" if old == 1 else f"{symbol},{at},{new}:{old}"
    numbers = {"factor": jump.factor, "range": jump.range}
    traded = (
        ""
        if math.isnan(jump.volume)
        else (f", {jump.volume:.2g} times the usual volume in old shares (a crash: {CRASH_VOLUME:g})")
    )
    if traded:
        numbers["volume"] = jump.volume
    text = (
        f"{symbol} {'closes' if jump.held else 'opens'} on {at} at {jump.factor:.3g} times the close before, with "
        f"{jump.range:.2g} times the usual range (a crash: {CRASH_RANGE:g}){traded}. "
    )
    if listed := [split for split in applied if split.symbol == symbol and first_bar(bars, split) == row]:
        text += f"GATEKEEPER_SPLITS lists a split that the prices were adjusted for already. Remove `{listed[0]}`."
    elif severity is Severity.REFUSED:
        text += f"Its prices aren't adjusted for a split. Load adjusted ones, or add to GATEKEEPER_SPLITS: `{line}`."
    else:
        text += f"If it is a split, load adjusted prices, or add to GATEKEEPER_SPLITS: `{line}`."
    return Finding(severity, "split", symbol, at, text, f"split:{symbol}:{at}", numbers)


def _when(bars: Candles, row: int, *, whole_days: bool) -> str:
    """The market day; of a shorter bar around the clock, when it opened."""
    if whole_days or bars.closes_at[row] - bars.opens_at[row] >= np.timedelta64(20, "h"):
        return str(bars.days[row])
    return f"{bars.opens_at[row].astype('datetime64[m]')}Z"
