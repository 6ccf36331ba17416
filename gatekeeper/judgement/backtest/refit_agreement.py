"""Refit agreement: how often the deployed refit decides unlike the judged model, on the ideas of its window.

A refit has the judged model's recipe and seed, and is fitted on all data to the as-of, the window included. Its return
in the window would therefore show nothing and is not measured; only its differing decisions are counted.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np

from gatekeeper.judgement.backtest.contender import decided
from gatekeeper.judgement.backtest.scorecard import Scorecard

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.market.ideas import Ideas

Document = dict[str, Any]

COUNTS = ("both_kept", "only_refit", "only_twin", "both_vetoed")


@dataclass(frozen=True, slots=True)
class Refit:
    """A refit deployed instead of the judged model, and how both decided the ideas of the judged model's window."""

    name: str
    sha256: str
    threshold: float
    trained_to: datetime | None
    model_id: int | None
    limit: float
    """The largest share of these ideas that may be decided differently."""
    both_kept: int = 0
    only_refit: int = 0
    only_twin: int = 0
    both_vetoed: int = 0

    @property
    def ideas(self) -> int:
        """The number of ideas that both decided."""
        return self.both_kept + self.only_refit + self.only_twin + self.both_vetoed

    @property
    def differing(self) -> int:
        """The number of ideas that they decided differently."""
        return self.only_refit + self.only_twin

    @property
    def share(self) -> float | None:
        """The share of ideas decided differently; None if there were no ideas."""
        return self.differing / self.ideas if self.ideas else None

    @property
    def alike(self) -> bool | None:
        """Whether the share is within the limit; None if it is undefined."""
        return None if self.share is None else self.share <= self.limit

    def to_dict(self) -> Document:
        """JSON-friendly."""
        counts = {name: getattr(self, name) for name in COUNTS}
        return {**_who(self), "limit": self.limit, **counts}


@dataclass(frozen=True, slots=True)
class Twins:
    """The deployed refits of challenger and champion; None if a model is deployed itself."""

    challenger: Refit | None = None
    champion: Document | None = field(default=None)

    def to_dict(self) -> Document:
        """The refits for JSON; empty if both models are deployed themselves."""
        if self.challenger is None and self.champion is None:
            return {}
        ours = None if self.challenger is None else self.challenger.to_dict()
        return {"twins": {"challenger": ours, "champion": self.champion}}


def compared(
    challenger: "Contender", champion: "Contender | None", card: Scorecard, ideas: "Ideas", limit: float
) -> Twins:
    """The challenger's refit on the (n,) ideas of the judged model's `card`, and the champion's deployed refit."""
    live = None if champion is None or champion.refit is None else _who(champion.refit)
    return Twins(None if challenger.refit is None else _compared(challenger.refit, card, ideas, limit), live)


def refit_of(document: Mapping[str, Any]) -> Refit | None:
    """The refit that an evaluation would deploy instead of its challenger; None if it would deploy the challenger."""
    said = (document.get("twins") or {}).get("challenger")
    if said is None:
        return None
    trained_to = None if said["trained_to"] is None else datetime.fromisoformat(said["trained_to"])
    return Refit(**{**said, "trained_to": trained_to})


def faults(refit: Refit | None, document: Mapping[str, Any]) -> list[str]:
    """Decisions of the refit that don't fit the judged model's scorecard, in sentences."""
    if refit is None:
        return []
    card, said = document["scorecards"]["challenger"], []
    if not card["tested"]:
        return [] if refit.ideas == 0 else ["the refit decided ideas on which the judged model was not tested"]
    if refit.ideas != card["ideas"]:
        said.append(f"the refit decided {refit.ideas} ideas, and the judged model {card['ideas']}")
    if refit.both_kept + refit.only_twin != card["kept_trades"]:
        kept = refit.both_kept + refit.only_twin
        theirs = card["kept_trades"]
        said.append(f"the judged model approved {kept} ideas next to its refit, and {theirs} by its scorecard")
    return said


def _compared(refit: "Contender", twin: Scorecard, ideas: "Ideas", limit: float) -> Refit:

    counts: Document = dict.fromkeys(COUNTS, 0)
    if twin.tested:
        ours, theirs = decided(refit, ideas)[1], twin.kept
        pairs = (ours & theirs, ours & ~theirs, ~ours & theirs, ~ours & ~theirs)
        counts = {name: int(np.count_nonzero(pair)) for name, pair in zip(COUNTS, pairs, strict=True)}
    who: Document = {**_who(refit), "trained_to": refit.trained_to, "limit": limit}
    return Refit(**who, **counts)


def _who(model: "Contender | Refit") -> Document:
    return {
        "name": model.name,
        "sha256": model.sha256,
        "threshold": model.threshold,
        "trained_to": None if model.trained_to is None else model.trained_to.isoformat(),
        "model_id": model.model_id,
    }
