"""Input of the data checks: the bars or labelled ideas of a source as one as-of knows them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from gatekeeper.market.data.candles import Candles
from gatekeeper.market.data.corporate_actions import Split
from gatekeeper.market.findings import Finding
from gatekeeper.market.ideas import Ideas
from gatekeeper.settings import Settings


@dataclass(frozen=True, slots=True, eq=False)
class Checked:
    """What is checked: nothing in it came after the as-of.

    candles: each symbol's bars, with splits of GATEKEEPER_SPLITS applied; of labelled ideas those of
    GATEKEEPER_IDEA_BARS, if it is set. ideas: labelled ideas, or those found in the bars; None before any are looked
    for. splits: those that were applied.
    """

    candles: tuple[Candles, ...]
    ideas: Ideas | None
    as_of: datetime
    settings: Settings
    splits: tuple[Split, ...] = ()


Check = Callable[[Checked], Iterable[Finding]]
