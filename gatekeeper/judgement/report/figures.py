"""Figures of an evaluation document that follow from others, told apart from those that it states."""

import math
from collections.abc import Iterator

from gatekeeper.documents.evaluation import EvaluationDocument, ScorecardRecord, TradeOutcomes

CLOSE = 1e-9
"""Sums in another order may differ in their last digits."""

PATHS_CLOSE = 2e-6
"""Written paths may differ from their outcome by a hundredth of a basis point, and their sums by that for each."""

Told = Iterator[str]
"""Sentences, one for each figure that is not what it must be."""


def is_right(what: str, right: object, found: object, *, within: float = 0.0) -> Told:
    """A sentence if `found` is not `right`; a sum that is beyond all numbers is nobody's."""
    if isinstance(right, float | int) and isinstance(found, float | int) and within:
        if math.isfinite(right) and abs(right - found) <= within * max(1.0, abs(right)):
            return
    elif right == found:
        return
    yield f"{what} is {right}, and the document says {found}"


def models_of(document: EvaluationDocument) -> list[tuple[str, ScorecardRecord]]:
    """Role and scorecard of challenger and champion."""
    return [(role, card) for role, card in document.scorecards if role != "ungated"]


def scored_of(document: EvaluationDocument) -> dict[str, ScorecardRecord]:
    """The same of those that were scored."""
    return {role: card for role, card in models_of(document) if card.tested}


def share(what: str, rate: float | None, count: int) -> Told:
    """A share of `count` things is a whole number of them; undefined of none."""
    if (rate is None) != (count == 0):
        yield f"{what} is {rate} of {count}"
    elif rate is not None and not (0 <= rate <= 1 and abs(rate * count - round(rate * count)) < 1e-6):
        yield f"{what} of {rate} is no share of {count}"


def some_trades(what: str, some: TradeOutcomes) -> Told:
    """Count, win rate, mean and sum of some trades fit each other."""
    yield from share(f"the win rate of {what}", some.win_rate, some.count)
    if some.count < 0 or (some.mean is None) != (some.count == 0):
        yield f"{what} are {some.count}, with a mean of {some.mean}"
    else:
        yield from is_right(f"the sum of {what}", (some.mean or 0.0) * some.count, some.total, within=CLOSE)


def winners(some: TradeOutcomes) -> int:
    """The number of them that won."""
    return round((some.win_rate or 0.0) * some.count)
