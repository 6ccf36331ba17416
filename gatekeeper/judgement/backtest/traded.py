"""Trades by side: what each stream's long and short trades won, lost and turned over, as parts of capital."""

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.traded import SideTrades, TradesBySide
from gatekeeper.features import FEATURES
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.backtest.sizing import each

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.backtest import Backtest

ACTION = FEATURES.index("action")


def of(backtest: "Backtest") -> dict[str, TradesBySide]:
    """Long and short trades of each stream that was backtested, by role."""
    cards = {"challenger": backtest.challenger, "champion": backtest.champion, "ungated": backtest.ungated}
    return {role: _stream(card, backtest) for role, card in cards.items() if card is not None and card.tested}


def _stream(card: Scorecard, backtest: "Backtest") -> TradesBySide:
    ideas, sizing = backtest.ideas, backtest.sizing
    taken = sizing.taken(ideas, card.kept)
    size = each(sizing.of(ideas), len(ideas))
    buys = ideas.features[:, ACTION] == 1
    return TradesBySide(*(_side(size[mine], ideas.outcome[mine]) for mine in (taken & buys, taken & ~buys)))


def _side(size: NDArray[np.float64], outcome: NDArray[np.float64]) -> SideTrades:
    won = outcome > 0
    return SideTrades(
        count=len(outcome),
        won=int(np.count_nonzero(won)),
        gained=float(size[won] @ outcome[won]),
        lost=float(size[~won] @ -outcome[~won]) + 0.0,
        size=float(size.sum()),
    )
