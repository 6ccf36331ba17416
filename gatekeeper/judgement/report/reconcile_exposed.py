"""Reconciliation of what was exposed: the part of capital in open positions, against trades and sizes."""

from collections.abc import Iterator

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument, LeagueRow, ScorecardRecord
from gatekeeper.documents.rules import Rules
from gatekeeper.judgement.report.figures import CLOSE, Told
from gatekeeper.market.data.trades.closed_trades import day_of
from gatekeeper.market.ideas import instant

Row = NDArray[np.float64]
UNGATED = "the ungated"


def faults(document: EvaluationDocument) -> Told:
    """What was exposed, where it contradicts others of the document; nothing of one by edition 1, which lacks it."""
    if document.rules.edition == 1:
        return
    rows: list[tuple[str, ScorecardRecord | LeagueRow]] = [(f"the {role}", card) for role, card in document.scorecards]
    if document.league is not None:
        rows += [(row.name, row) for row in document.league.contenders]
    held: dict[str, Row] = {}
    for name, card in rows:
        if card.exposed is UNSET or (card.exposed is None) != (card.daily is None):
            yield f"what {name} had exposed is {'missing' if card.daily is not None else 'there without its returns'}"
        elif card.exposed is not None and len(card.exposed) != len(card.daily or []):
            yield f"{name} was exposed on {len(card.exposed)} days, and has returns of {len(card.daily or [])}"
        elif card.exposed:
            held[name] = np.array(card.exposed)
            yield from _of_trades(name, held[name], card, document)
    yield from _beside_ungated(held, document.rules)


def _of_trades(name: str, held: Row, card: ScorecardRecord | LeagueRow, document: EvaluationDocument) -> Iterator[str]:
    """Each trade is entered once, with at most its largest size, and not before the window starts.

    Only a window that starts on a weekend, or at midnight, has room for an entry before its first market day.
    """
    sizing, taken = document.rules.sizing, card.kept_trades - card.passed_over
    largest = sizing.fraction if sizing.kind == "fraction" else sizing.largest
    starts = day_of(np.array([instant(document.window.start)]))[0]
    if (held[0] != 0 and starts >= np.datetime64(document.days[0])) or held.min() < 0:
        yield f"{name} had {held[0]} of capital exposed before the first day, and {held.min()} on one"
    entered = np.maximum(np.diff(held, prepend=0.0), 0.0).sum()
    if entered > largest * taken + CLOSE:
        yield f"{name} entered {entered} of capital in {taken} trades of at most {largest}"
    if sizing.most_open is not None and held.max() > largest * sizing.most_open + CLOSE:
        yield f"{name} had {held.max()} of capital exposed, in at most {sizing.most_open} trades of {largest}"
    count = held / largest
    if sizing.kind == "fraction" and np.abs(count - np.rint(count)).max() > CLOSE * max(1, taken):
        yield f"what {name} had exposed is no multiple of {largest}"
    alone = int(np.count_nonzero(np.array(card.daily)[held == 0]))
    if alone > taken:
        yield f"{name} made something on {alone} days without open positions, and entered {taken} trades"


def _beside_ungated(held: dict[str, Row], rules: Rules) -> Iterator[str]:
    """Without a limit on positions, ungated has all those open that another has."""
    if rules.sizing.most_open is not None or UNGATED not in held:
        return
    for name, each in held.items():
        if len(each) != len(held[UNGATED]) or (each > held[UNGATED] + CLOSE).any():
            yield f"{name} had more of capital exposed than ungated"
