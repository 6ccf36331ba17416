"""Check of daylight saving: daily bars that keep to the clock of a zone, whose days have 23 to 25 hours."""

from collections.abc import Iterator

import numpy as np

from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.data.spans import DAY, zones
from gatekeeper.market.findings import Finding, Severity


def daylight(checked: Checked) -> Iterator[Finding]:
    """A note on each symbol whose daily bars move with a zone's clock, and on how many have 23 or 25 hours."""
    for bars in checked.as_read:
        lengths = bars.closes_at - bars.opens_at
        if np.median(lengths) != DAY:
            continue
        stamped = bars.closes_at if bars.symbol in checked.closing else bars.opens_at
        found = zones(stamped)
        if not found:
            continue
        changed = int(np.count_nonzero(lengths != DAY))
        text = (
            f"The daily bars of {bars.symbol} keep to one local time, as in {found[0]}; {changed} of them have 23 or "
            "25 hours, and each ends where the next begins."
        )
        yield Finding(Severity.NOTE, "dst", bars.symbol, "", text, numbers={"days": float(changed)})
