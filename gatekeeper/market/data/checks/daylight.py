"""Check of daylight saving: daily bars that keep to the clock of a zone, whose days have 23 to 25 hours."""

from collections.abc import Iterator

import numpy as np

from gatekeeper.market.data.bars.spans import DAY, zones
from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import SHOWN, Finding, Severity


def daylight(checked: Checked) -> Iterator[Finding]:
    """A note on the symbols whose daily bars move with one zone's clock, and on how many bars have 23 or 25 hours."""
    changed: dict[str, dict[str, int]] = {}
    for bars in checked.as_read:
        lengths = bars.closes_at - bars.opens_at
        if np.median(lengths) != DAY:
            continue
        stamped = bars.closes_at if bars.symbol in checked.closing else bars.opens_at
        if found := zones(stamped):
            changed.setdefault(found[0], {})[bars.symbol] = int(np.count_nonzero(lengths != DAY))
    for zone, by_symbol in changed.items():
        names = ", ".join([*by_symbol][:SHOWN]) + (
            f" and {len(by_symbol) - SHOWN} more" if len(by_symbol) > SHOWN else ""
        )
        days = sum(by_symbol.values())
        text = f"The daily bars of {names} keep to one local time, as in {zone}" + (
            f"; {days} of them have 23 or 25 hours, and each ends where the next begins." if days else "."
        )
        yield Finding(Severity.NOTE, "dst", next(iter(by_symbol)), "", text, numbers={"days": float(days)})
