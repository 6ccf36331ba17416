"""Streams of an evaluation as arrays: returns, exposure and trades, with buy and hold as one of them."""

from dataclasses import dataclass

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import BuyAndHold, EvaluationDocument, TradesBySide
from gatekeeper.judgement.backtest.recompute import exposed_of
from gatekeeper.judgement.statistics.sharpe import excess_returns

HELD = "buy and hold"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    """One stream's (T,) returns and its trades; None where the document doesn't hold them."""

    name: str
    daily: Floats
    excess: Floats
    """Returns over the risk-free rate on what was exposed."""
    exposed: Floats | None
    """Parts of capital in open positions the night before each day."""
    sides: TradesBySide | None
    periods: int
    trials: int | None
    """Tests on record, at least this one."""

    @property
    def selected(self) -> bool:
        """Whether tests selected it; ungated and buy and hold are as they are."""
        return self.name in ("challenger", "champion")

    @property
    def untraded(self) -> str | None:
        """What stands in the place of figures of trades, if it has no trades to speak of."""
        return "not traded" if self.name == HELD else None


def streams_of(document: EvaluationDocument) -> list[Stream]:
    """The tested streams, and buy and hold as the last if the source has bars."""
    rules, sides = document.rules, document.sides or {}
    trials = None if document.looks is None else max(document.looks.spent, 1)
    found = []
    for role, card in document.scorecards:
        if card.tested:
            known = exposed_of(card)  # of all capital in older documents, which were judged so
            exposed = None if card.exposed is UNSET else known
            excess = excess_returns(card.daily, known, rules.risk_free, rules.periods_per_year)
            daily = np.array(card.daily)
            found.append(Stream(role, daily, excess, exposed, sides.get(role), rules.periods_per_year, trials))
    if isinstance(held := document.buy_and_hold, BuyAndHold):
        daily, whole = np.array(held.daily), np.ones(len(held.daily))
        excess = excess_returns(daily, whole, rules.risk_free, rules.periods_per_year)
        found.append(Stream(HELD, daily, excess, whole, None, rules.periods_per_year, trials))
    return found
