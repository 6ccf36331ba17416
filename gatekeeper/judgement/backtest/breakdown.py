"""Breakdown of decisions: calibration by score, slices by symbol, strategy and month, and flipped decisions."""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import Breakdown, CalibrationBin, Flip, Flips, Slice, TradeOutcomes
from gatekeeper.judgement.backtest.scorecard import Scorecard

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.backtest import Backtest

BINS = 10
MOST_SLICES = 24
MOST_FLIPS = 40
OTHERS = "(all others)"

SumUp = Callable[[NDArray[np.float64]], TradeOutcomes]


def of(backtest: "Backtest", sum_up: SumUp) -> Breakdown:
    """Calibration of each model, approved and vetoed trades by slice, and the flips; `sum_up` sums up some outcomes."""
    cards = {"challenger": backtest.challenger, "champion": backtest.champion}
    scored = {role: card for role, card in cards.items() if card is not None and card.scores is not None}
    ours = scored.get("challenger")
    return Breakdown(
        calibration={role: _calibration(card, backtest) for role, card in scored.items()},
        slices={} if ours is None else _slices(ours, backtest, sum_up),
        flips=_flips(scored["challenger"], scored["champion"], backtest) if len(scored) == 2 else None,
    )


def _calibration(card: Scorecard, backtest: "Backtest") -> list[CalibrationBin]:
    """Calibration in equal bins of the score: the mean score and the share that won. Empty bins are left out."""
    scores = np.asarray(card.scores, dtype=np.float64)
    won = backtest.ideas.outcome > 0
    place = np.minimum((scores * BINS).astype(np.int64), BINS - 1)
    rows = []
    for number in np.unique(place):
        these = place == number
        rows.append(
            CalibrationBin(
                lower=float(number) / BINS,
                upper=float(number + 1) / BINS,
                ideas=int(np.count_nonzero(these)),
                score=float(scores[these].mean()),
                won=float(won[these].mean()),
            )
        )
    return rows


def _slices(card: Scorecard, backtest: "Backtest", sum_up: SumUp) -> dict[str, list[Slice]]:
    ideas = backtest.ideas
    months = np.datetime_as_string(ideas.time, unit="M")
    keys = {"symbol": ideas.symbol.astype(str), "strategy": ideas.strategy.astype(str), "month": months}
    return {name: _sliced(column, card.kept, ideas.outcome, sum_up, name) for name, column in keys.items()}


def _sliced(
    column: NDArray[np.str_], kept: NDArray[np.bool_], outcome: NDArray[np.float64], sum_up: SumUp, name: str
) -> list[Slice]:
    """The largest slices by name, or the newest months; the rest as one slice."""
    values, counts = np.unique(column, return_counts=True)
    order = np.arange(len(values))[::-1] if name == "month" else np.argsort(-counts, kind="stable")
    chosen = set(values[order[:MOST_SLICES]].tolist())
    rows = [(str(value), column == value) for value in values if value in chosen]
    if len(chosen) < len(values):
        rows.append((OTHERS, ~np.isin(column, list(chosen))))
    return [Slice(label, sum_up(outcome[these & kept]), sum_up(outcome[these & ~kept])) for label, these in rows]


def _flips(challenger: Scorecard, champion: Scorecard, backtest: "Backtest") -> Flips:
    """The newest ideas that the two decide differently, newest first, and the sums of all such ideas for each."""
    ideas = backtest.ideas
    differ = np.flatnonzero(challenger.kept != champion.kept)
    newest = differ[np.argsort(ideas.time[differ], kind="stable")][::-1][:MOST_FLIPS]
    only_ours = challenger.kept[differ]
    outcome = ideas.outcome[differ]
    ours, theirs = (np.asarray(card.scores, dtype=np.float64) for card in (challenger, champion))
    return Flips(
        count=len(differ),
        only_challenger_made=float(outcome[only_ours].sum()),
        only_champion_made=float(outcome[~only_ours].sum()),
        newest=[
            Flip(
                time=f"{np.datetime_as_string(ideas.time[row], unit='s')}Z",
                symbol=str(ideas.symbol[row]),
                strategy=str(ideas.strategy[row]),
                action="buy" if ideas.features[row, -1] == 1 else "sell",
                challenger=float(ours[row]),
                champion=float(theirs[row]),
                kept_by="challenger" if challenger.kept[row] else "champion",
                outcome=float(ideas.outcome[row]),
            )
            for row in newest
        ],
    )
