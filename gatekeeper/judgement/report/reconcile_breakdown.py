"""Reconciliation of an evaluation's breakdown: histograms, calibration, slices and ideas decided differently."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import pairwise

import numpy as np

from gatekeeper.documents.evaluation import (
    CalibrationBin,
    EvaluationDocument,
    Flips,
    ScorecardRecord,
    Slice,
    TradeOutcomes,
)
from gatekeeper.judgement.backtest import breakdown
from gatekeeper.judgement.report.document import OUTCOME_BINS, SCORE_BINS
from gatekeeper.judgement.report.figures import CLOSE, Told, is_right, scored_of, share, some_trades, winners

SLICES = ("symbol", "strategy", "month")


def faults(document: EvaluationDocument) -> Told:
    """Figures of the breakdown that contradict others of the document, in sentences."""
    for part in (_scores, _outcomes, _details):
        yield from part(document)


def _scores(document: EvaluationDocument) -> Told:
    scored = scored_of(document)
    yield from is_right("the models with scores", sorted(scored), sorted(document.scores))
    edges = np.histogram(np.zeros(0, np.float32), bins=SCORE_BINS, range=(0.0, 1.0))[1]
    for role, each in document.scores.items():
        if role not in scored:
            continue
        card, counts = scored[role], np.array(each.counts)
        if each.edges != edges.tolist() or len(counts) != SCORE_BINS or (counts < 0).any():
            yield f"the histogram of the {role}'s scores isn't one of {SCORE_BINS} bins from 0 to 1"
            continue
        yield from is_right(f"the number of the {role}'s scores", card.ideas, int(counts.sum()))
        # The bin that the threshold lies in, and a neighbour on whose edge it lies, may hold both.
        threshold = card.threshold or 0.0
        surely, perhaps = counts[edges[:-1] > threshold + CLOSE].sum(), counts[edges[1:] >= threshold - 1e-6].sum()
        if not surely <= card.kept_trades <= perhaps:
            yield f"by its scores the {role} approved {surely} to {perhaps}, and the document says {card.kept_trades}"


def _outcomes(document: EvaluationDocument) -> Told:
    card, found = document.scorecards.challenger, document.outcomes
    if found is None:
        if card.tested and card.ideas:
            yield "the challenger was scored, and the document has no histogram of outcomes"
        return
    kept, vetoed = np.array(found.kept), np.array(found.vetoed)
    reach = found.edges[-1] if found.edges else 0.0
    right = np.linspace(-reach, reach, OUTCOME_BINS + 1).tolist()
    if reach <= 0 or found.edges != right or {len(kept), len(vetoed)} != {OUTCOME_BINS} or min(*kept, *vetoed) < 0:
        yield f"the histogram of outcomes isn't one of {OUTCOME_BINS} bins around 0"
        return
    yield from is_right("the number of approved outcomes", card.kept_trades, int(kept.sum()))
    yield from is_right("the number of vetoed outcomes", card.ideas - card.kept_trades, int(vetoed.sum()))


def _details(document: EvaluationDocument) -> Told:
    details, scored, trades = document.details, scored_of(document), document.trades
    if details is None:
        if document.rules.unknown == ():
            yield "the document has no breakdown of decisions"
        return
    yield from is_right("the models with a calibration", sorted(scored), sorted(details.calibration))
    for role, bins in details.calibration.items():
        if role in trades:
            won = winners(trades[role].kept) + winners(trades[role].vetoed)
            yield from _calibration(role, bins, scored[role].ideas, won)
    if "challenger" in trades:
        yield from is_right("the kinds of slices", sorted(SLICES), sorted(details.slices))
        for kind, rows in details.slices.items():
            for decision in ("kept", "vetoed"):
                yield from _sums(kind, decision, rows, getattr(trades["challenger"], decision))
            yield from _names(kind, rows, document)
    elif details.slices:
        yield "the challenger has slices, and wasn't scored"
    yield from _flips(document, details.flips)


def _calibration(role: str, bins: Iterable[CalibrationBin], ideas: int, won: int) -> Told:
    rows = list(bins)
    numbers = [round(row.lower * breakdown.BINS) for row in rows]
    if numbers != sorted(set(numbers)):
        yield f"the {role}'s bins of scores don't increase"
    for row, number in zip(rows, numbers, strict=True):
        if (row.lower, row.upper) != (number / breakdown.BINS, (number + 1) / breakdown.BINS):
            yield f"the {role}'s bin of scores from {row.lower} to {row.upper} is none"
        if row.ideas < 1 or not row.lower - CLOSE <= row.score <= row.upper + CLOSE:
            yield f"{row.ideas} of the {role}'s ideas score {row.score} in the bin from {row.lower} to {row.upper}"
        yield from share(f"the {role}'s calibration from {row.lower}", row.won, row.ideas)
    yield from is_right(f"the number of ideas of the {role}'s calibration", ideas, sum(row.ideas for row in rows))
    yield from is_right(
        f"the number that won of the {role}'s calibration", won, round(sum(row.won * row.ideas for row in rows))
    )


def _sums(kind: str, decision: str, rows: Iterable[Slice], whole: TradeOutcomes) -> Told:
    some: list[TradeOutcomes] = [getattr(row, decision) for row in rows]
    for each in some:
        yield from some_trades(f"{decision} trades of a {kind}", each)
    what = f"{decision} trades by {kind}"
    yield from is_right(f"the number of {what}", whole.count, sum(each.count for each in some))
    yield from is_right(f"the number that won of {what}", winners(whole), sum(winners(each) for each in some))
    yield from is_right(f"the sum of {what}", whole.total, sum(each.total for each in some), within=CLOSE)


def _names(kind: str, rows: Iterable[Slice], document: EvaluationDocument) -> Told:
    names = [row.name for row in rows]
    own = [name for name in names if name != breakdown.OTHERS]
    if len(own) != len(set(own)) or len(own) > breakdown.MOST_SLICES or own != sorted(own):
        yield f"the slices by {kind} are not in order, or one is there twice"
    if len(names) - len(own) > 1 or (len(names) > len(own) and names[-1] != breakdown.OTHERS):
        yield f"the slices by {kind} hold more than one of all others"
    if kind == "month":
        first, last = (f"{each.astimezone(UTC):%Y-%m}" for each in (document.window.start, document.window.end))
        if strange := [name for name in own if not first <= name <= last or len(name) != len(first)]:
            yield f"{', '.join(strange)} lies outside the window"


def _flips(document: EvaluationDocument, flips: Flips | None) -> Told:
    agreement, trades = document.agreement, document.trades
    if agreement is None or flips is None:
        if (agreement is None) != (flips is None):
            yield "it has ideas decided differently, and no two models; or the other way round"
        return
    cards = scored_of(document)
    if len(cards) < 2 or len(trades) < 2:
        return
    yield from is_right(
        "the number of ideas decided differently", agreement.only_challenger + agreement.only_champion, flips.count
    )
    apart = trades["challenger"].kept.total - trades["champion"].kept.total
    said = flips.only_challenger_made - flips.only_champion_made
    yield from is_right("what the challenger's approved trades made more", apart, said, within=CLOSE)
    newest = flips.newest
    yield from is_right("the number of ideas shown", min(flips.count, breakdown.MOST_FLIPS), len(newest))
    times = [datetime.fromisoformat(row.time) for row in newest]
    if any(one < other for one, other in pairwise(times)):
        yield "the ideas decided differently are not the newest first"
    yield from _shown(document, flips, cards)
    for role, only, made in (
        ("challenger", agreement.only_challenger, flips.only_challenger_made),
        ("champion", agreement.only_champion, flips.only_champion_made),
    ):
        shown = [row.outcome for row in newest if row.kept_by == role]
        if len(shown) > only or (flips.count == len(newest) and len(shown) != only):
            yield f"{len(shown)} of the ideas shown were approved by the {role} alone, and there are {only}"
        if flips.count == len(newest):
            yield from is_right(f"what only the {role}'s ideas made", float(sum(shown)), made, within=CLOSE)


def _shown(document: EvaluationDocument, flips: Flips, cards: Mapping[str, ScorecardRecord]) -> Told:
    """Each idea that is shown: in the window, in a slice, and approved by the one whose score reaches its threshold."""
    window = document.window
    first, last = window.start.replace(microsecond=0), window.end
    thresholds = {role: np.float32(card.threshold or 0.0) for role, card in cards.items()}
    symbols, whole = _slice_names(document, "symbol")
    strategies, whole_too = _slice_names(document, "strategy")
    for row in flips.newest:
        time = datetime.fromisoformat(row.time)
        kept = [role for role in thresholds if np.float32(getattr(row, role)) >= thresholds[role]]
        if kept != [row.kept_by] or not (0 <= row.challenger <= 1 and 0 <= row.champion <= 1):
            yield f"the idea of {row.time} scores {row.challenger} and {row.champion}, approved by {row.kept_by}"
        known = (row.symbol in symbols or not whole) and (row.strategy in strategies or not whole_too)
        if row.action not in ("buy", "sell") or not known or not first <= time <= last:
            yield f"the idea of {row.time} ({row.action} {row.symbol} {row.strategy}) is none of the window's"


def _slice_names(document: EvaluationDocument, kind: str) -> tuple[set[str], bool]:
    """The names of a kind of slices, and whether they are all that there are."""
    rows = document.details.slices.get(kind, []) if document.details else []
    names = {row.name for row in rows}
    return names, bool(names) and breakdown.OTHERS not in names
