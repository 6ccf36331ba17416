"""Volume checks: bars without trades, volumes that are missing, constant or mostly 0, and bars that repeat."""

from collections.abc import Iterator

import numpy as np

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.untraded import ALIKE, Mask, like_before, stale, usable_volume
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity

NAMED = 3  # bars that a message names


def volume(checked: Checked) -> Iterator[Finding]:
    """Noted: bars that were not traded, a volume of 0 on a bar with a range, and a volume that is as good as none."""
    for bars in checked.candles:
        if bars.volume is None:
            continue
        yield from _of_volume(bars)


def repeated(checked: Checked) -> Iterator[Finding]:
    """Warned: a bar with a range that has the prices and volume of the bar before. Twice in a row: refused."""
    for bars in checked.candles:
        again: Mask = like_before(bars)
        known = usable_volume(bars) if again.any() else None
        if known is None:
            continue
        again &= (bars.high > bars.low) & (known > 0)
        if not again.any():
            continue
        twice = again[1:] & again[:-1]
        grave = bool(twice.any())
        count = int(np.count_nonzero(again))
        limit = "Two in a row can't be chance. " if grave else "One may be chance. "
        yield Finding(
            Severity.REFUSED if grave else Severity.WARNING,
            "repeated",
            bars.symbol,
            day_of(bars, int(np.flatnonzero(again)[0])),
            f"{bars.symbol}: {number(count, 'bar')} with a range {'have' if count != 1 else 'has'} the prices and the "
            f"volume of the bar before ({named(bars, again)}). {limit}Load the bars anew, or remove the copies.",
            f"repeated:{bars.symbol}",
            {"bars": count},
        )


def stale_bars(checked: Checked) -> Iterator[Finding]:
    """Warned: ten bars alike. Such bars give no ideas."""
    for bars in checked.candles:
        found = None if bars.untraded is None else stale(bars)
        if found is None:
            continue
        count = int(np.count_nonzero(found))
        yield Finding(
            Severity.WARNING,
            "stale",
            bars.symbol,
            day_of(bars, int(np.flatnonzero(found)[0])),
            f"{bars.symbol}: {number(count, 'bar')} like each of the {ALIKE - 1} before ({named(bars, found)}), as of "
            "a feed that stands still. They give no ideas. Load the bars anew, or remove those without trades.",
            f"stale:{bars.symbol}",
            {"bars": count},
        )


def _of_volume(bars: Candles) -> Iterator[Finding]:
    known, symbol = usable_volume(bars), bars.symbol
    if known is None:
        zero = np.count_nonzero(bars.volume == 0) / len(bars)
        how = f"0 on {zero:.0%} of its bars (limit: half)" if zero > 0.5 else "the same on all bars"
        text = f"{symbol}: the volume is {how}, which is taken for none. Checks that need a volume are left out."
        yield Finding(Severity.NOTE, "volume", symbol, "", text, numbers={"zero": zero})
        return
    zero_volume = known == 0
    if not zero_volume.any():
        return
    for mask, what, then in (
        (bars.high == bars.low, "one price, so not traded", "They give no ideas."),
        (bars.high > bars.low, "a range, so a missing volume", "They keep their ideas."),
    ):
        found = zero_volume & mask
        if found.any():
            count = int(np.count_nonzero(found))
            text = f"{symbol}: {number(count, 'bar')} with volume 0 and {what} ({named(bars, found)}). {then}"
            yield Finding(Severity.NOTE, "volume", symbol, day_of(bars, int(np.argmax(found))), text)


def number(count: int, noun: str) -> str:
    """`1 bar`, `2 bars`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def day_of(bars: Candles, row: int) -> str:
    """The market day of a daily bar; of a shorter one, when it opened."""
    if bars.closes_at[row] - bars.opens_at[row] < np.timedelta64(20, "h"):
        return f"{bars.opens_at[row].astype('datetime64[m]')}Z"
    return str(bars.days[row])


def named(bars: Candles, mask: Mask) -> str:
    """The first few bars of a mask by their days, and how many more there are."""
    rows = np.flatnonzero(mask)
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return ", ".join(day_of(bars, int(row)) for row in rows[:NAMED]) + more
