"""Costs paid: gross return, transaction costs by part, and net return of each stream."""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import UNSET

from gatekeeper.documents.evaluation import CostsPaid, EvaluationDocument
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.backtest.sizing import each
from gatekeeper.market.replay.costs import PARTS, WHOLE

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.backtest import Backtest

CLOSE = 1e-9
"""Sums in another order may differ in their last digits."""


def of(backtest: "Backtest") -> CostsPaid | None:
    """Gross, each cost and net of each stream tested, as parts of capital. None if the source gives no costs."""
    costs = backtest.ideas.costs
    if costs is None:
        return None
    names = PARTS if costs.shape[1] == len(PARTS) else WHOLE
    cards = {"challenger": backtest.challenger, "champion": backtest.champion, "ungated": backtest.ungated}
    tested = {role: card for role, card in cards.items() if card is not None and card.tested}
    return CostsPaid(list(names), {role: _stream(card, backtest, names) for role, card in tested.items()})


def faults(document: EvaluationDocument) -> list[str]:
    """Costs of a document that don't add up, in sentences; empty if it holds no costs."""
    costs, cards, found = document.costs, dict(document.scorecards), []
    if costs is None or costs is UNSET:
        return []
    for role, row in costs.streams.items():
        if role not in cards or (missing := {"gross", "net", *costs.parts} - row.keys()):
            found.append(f"the {role}'s costs lack {'its scorecard' if role not in cards else ', '.join(missing)}")
            continue
        paid = sum(row[name] for name in costs.parts)
        made = cards[role].total_return
        if abs(row["gross"] - paid - row["net"]) > CLOSE:
            found.append(f"the {role}'s gross {row['gross']} less costs of {paid} is not its net {row['net']}")
        if abs(row["net"] - made) > CLOSE:
            found.append(f"the {role}'s net return is {row['net']} by its costs and {made} by its scorecard")
    return found


def _stream(card: Scorecard, backtest: "Backtest", names: tuple[str, ...]) -> dict[str, float]:
    ideas, sizing = backtest.ideas, backtest.sizing
    taken = sizing.taken(ideas, card.kept)
    size = each(sizing.of(ideas), len(ideas))[taken]
    paid = np.asarray(ideas.costs)[taken]
    parts = {name: float(size @ column) for name, column in zip(names, paid.T, strict=True)}
    return {"gross": card.total_return + sum(parts.values()), **parts, "net": card.total_return}
