"""Streams of an evaluation as arrays: returns, exposure and trades, with buy and hold as one of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import BuyAndHold, EvaluationDocument, Rules, TradesBySide
from gatekeeper.judgement.statistics.sharpe import risk_free_per_period

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
            daily, exposed = np.array(card.daily), _exposed(card)
            excess = _excess(daily, exposed, rules)
            found.append(Stream(role, daily, excess, exposed, sides.get(role), rules.periods_per_year, trials))
    if isinstance(held := document.buy_and_hold, BuyAndHold):
        daily, whole = np.array(held.daily), np.ones(len(held.daily))
        excess = _excess(daily, whole, rules)
        found.append(Stream(HELD, daily, excess, whole, None, rules.periods_per_year, trials))
    return found


def _excess(daily: Floats, exposed: Floats | None, rules: Rules) -> Floats:
    """Returns less the risk-free rate on what was exposed; on all capital in older documents, as these were judged."""
    rate = risk_free_per_period(rules.risk_free, rules.periods_per_year)
    return daily - (rate if exposed is None else rate * exposed)


def _exposed(card: object) -> Floats | None:
    exposed = getattr(card, "exposed", None)  # TEMPORARY until the record has it
    return np.array(exposed) if isinstance(exposed, list) else None
