"""Check of the last bar's volume: far under the usual, the bar may have been read before it closed."""

from collections.abc import Iterator

import numpy as np

from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity

LEAST = 0.3
"""Of the median of the bars before."""
BEFORE = 20


def last_volume(checked: Checked) -> Iterator[Finding]:
    """A note on each symbol whose last bar has a volume under .3 of the median of the 20 before it."""
    for bars in checked.candles:
        if bars.volume is None or len(bars) <= BEFORE:
            continue
        last, before = float(bars.volume[-1]), bars.volume[-1 - BEFORE : -1]
        if last >= LEAST * before.max():
            continue
        usual = float(np.median(before))
        if last < LEAST * usual:
            text = (
                f"The last bar of {bars.symbol} has a volume of {last:g}, under {LEAST:g} of {usual:g}, the median of "
                f"the {BEFORE} before it. It is used; if its market was still open when it was read, read it anew."
            )
            at = str(bars.opens_at[-1])[:19]
            yield Finding(Severity.NOTE, "unfinished", bars.symbol, at, text, numbers={"volume": last, "usual": usual})
