"""Costs paid: gross return, transaction costs by part, and net return of each stream."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.backtest.sizing import each
from gatekeeper.market.replay.costs import PARTS, WHOLE

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.backtest import Backtest

Document = dict[str, Any]

CLOSE = 1e-9
"""Sums in another order may differ in their last digits."""


def of(backtest: "Backtest") -> Document | None:
    """Gross, each cost and net of each stream tested, as parts of capital. None if the source gives no costs."""
    costs = backtest.ideas.costs
    if costs is None:
        return None
    names = PARTS if costs.shape[1] == len(PARTS) else WHOLE
    cards = {"challenger": backtest.challenger, "champion": backtest.champion, "ungated": backtest.ungated}
    tested = {role: card for role, card in cards.items() if card is not None and card.tested}
    return {
        "parts": list(names),
        "streams": {role: _stream(card, backtest, names) for role, card in tested.items()},
    }


def faults(document: Mapping[str, Any]) -> list[str]:
    """Costs of a document that don't add up, in sentences; empty if it holds no costs."""
    told, said = document.get("costs"), []
    if told is None:
        return []
    for role, row in told["streams"].items():
        paid = sum(row[name] for name in told["parts"])
        made = document["scorecards"][role]["total_return"]
        if abs(row["gross"] - paid - row["net"]) > CLOSE:
            said.append(f"the {role}'s gross {row['gross']} less costs of {paid} is not its net {row['net']}")
        if abs(row["net"] - made) > CLOSE:
            said.append(f"the {role}'s net return is {row['net']} by its costs and {made} by its scorecard")
    return said


def _stream(card: Scorecard, backtest: "Backtest", names: tuple[str, ...]) -> Document:
    ideas, sizing = backtest.ideas, backtest.sizing
    taken = sizing.taken(ideas, card.kept)
    size = each(sizing.of(ideas), len(ideas))[taken]
    paid = np.asarray(ideas.costs)[taken]
    parts = {name: float(size @ column) for name, column in zip(names, paid.T, strict=True)}
    return {"gross": card.total_return + sum(parts.values()), **parts, "net": card.total_return}
