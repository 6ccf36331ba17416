"""Input of the data checks: the bars or labelled ideas of a source as one as-of knows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.corporate_actions import Split
from gatekeeper.market.findings import Finding
from gatekeeper.market.ideas import Ideas
from gatekeeper.settings import Settings

DEMO = "demo:"
"""The source whose bars nobody can change, so that nothing is proposed for it."""


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What is checked: nothing in it came after the as-of.

    candles: each symbol's bars, with splits of GATEKEEPER_SPLITS applied; of labelled ideas those of
    GATEKEEPER_IDEA_BARS, if it is set. ideas: labelled ideas, or those found in the bars; None before any are looked
    for. splits: those that were applied. source: its URI as it may be shown. as_read: each symbol's bars before
    calendars moved their closes. closing: the symbols whose stamps are read as closes.
    """

    candles: tuple[Candles, ...]
    ideas: Ideas | None
    as_of: datetime
    settings: Settings
    splits: tuple[Split, ...] = ()
    source: str = ""
    as_read: tuple[Candles, ...] = ()
    closing: frozenset[str] = frozenset()


Check = Callable[[Checked], Iterable[Finding]]
