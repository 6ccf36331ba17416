"""Refit agreement: how often the deployed refit decides unlike the judged model, on the ideas of its window.

A refit has the judged model's recipe and seed, and is fitted on all data to the as-of, the window included. Its return
in the window would therefore show nothing and is not measured; only its differing decisions are counted.
"""

from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs

from gatekeeper.documents.evaluation import EvaluationDocument, LiveModel, Refit, Twins
from gatekeeper.judgement.backtest.contender import decided
from gatekeeper.judgement.backtest.scorecard import Scorecard

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.market.ideas import Ideas


def compared(
    challenger: "Contender", champion: "Contender | None", card: Scorecard, ideas: "Ideas", limit: float
) -> Twins | None:
    """The challenger's refit on the (n,) ideas of the judged model's `card`, and the champion's deployed refit.

    None if both stand for themselves.
    """
    ours = None if challenger.refit is None else _compared(challenger.refit, card, ideas, limit)
    live = None if champion is None or champion.refit is None else _who(champion.refit)
    return None if ours is None and live is None else Twins(ours, live)


def faults(document: EvaluationDocument) -> list[str]:
    """Decisions of the refit that don't fit the judged model's scorecard, in sentences."""
    refit, card, found = document.refit, document.scorecards.challenger, []
    if refit is None:
        return []
    if not card.tested:
        return [] if refit.ideas == 0 else ["the refit decided ideas on which the judged model was not tested"]
    if refit.ideas != card.ideas:
        found.append(f"the refit decided {refit.ideas} ideas, and the judged model {card.ideas}")
    if refit.both_kept + refit.only_twin != card.kept_trades:
        kept, theirs = refit.both_kept + refit.only_twin, card.kept_trades
        found.append(f"the judged model approved {kept} ideas next to its refit, and {theirs} by its scorecard")
    return found


def _compared(refit: "Contender", twin: Scorecard, ideas: "Ideas", limit: float) -> Refit:
    counts = dict.fromkeys(("both_kept", "only_refit", "only_twin", "both_vetoed"), 0)
    if twin.tested:
        ours, theirs = decided(refit, ideas)[1], twin.kept
        pairs = (ours & theirs, ours & ~theirs, ~ours & theirs, ~ours & ~theirs)
        counts = {name: int(np.count_nonzero(pair)) for name, pair in zip(counts, pairs, strict=True)}
    return Refit(**{**structs.asdict(_who(refit)), "limit": limit, **counts})


def _who(model: "Contender") -> LiveModel:
    return LiveModel(model.name, model.sha256, model.threshold, model.trained_to, model.model_id)
