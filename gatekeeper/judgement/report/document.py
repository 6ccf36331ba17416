"""Evaluation document: the JSON record of a comparison, from which anyone can recheck the verdict without the data."""

import json
from collections.abc import Callable, Mapping
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import breakdown, costs_paid
from gatekeeper.judgement.backtest.backtest import Backtest
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.judgement.rule.verdict import POLICIES, Gate, Policy, Verdict
from gatekeeper.market.ideas import Dataset

FORMAT = 1
SCORE_BINS = 40
OUTCOME_BINS = 30

Document = dict[str, Any]
Many = Callable[[Policy], Gate | None]


def document(
    backtest: Backtest,
    verdict: Verdict,
    policy: Policy,
    dataset: Dataset,
    beside: Mapping[str, object] | None = None,
    many: Many = lambda _: None,
) -> Document:
    """The evaluation as JSON: window, days, scorecards with daily returns, gates, verdict, and the other policies'.

    Every number is finite or null; the report is made from this alone. Raises DataError where a number is neither.
    beside: what the run knows besides, by name: `looks` (looks.stated), and `training`, how the challenger was made.
    many: the gate `league` under a policy.
    """
    cards = {"challenger": backtest.challenger, "champion": backtest.champion, "ungated": backtest.ungated}
    written = {
        "format": FORMAT,
        "window": backtest.window.to_dict(),
        "days": np.datetime_as_string(backtest.days).tolist(),
        "scorecards": {role: None if card is None else card.to_dict() for role, card in cards.items()},
        "verdict": verdict.to_dict(),
        "policy": policy.to_dict(),
        "policies": _policies(backtest, verdict, policy, many),
        "trades": {role: _trades(card, backtest) for role, card in cards.items() if _is_scored(card)},
        "agreement": _agreement(backtest),
        "scores": {role: _scores(card) for role, card in cards.items() if _is_scored(card)},
        "outcomes": _outcomes(backtest),
        "details": breakdown.of(backtest, _went),
        "costs": costs_paid.of(backtest),
        **backtest.twins.to_dict(),
        "rules": {
            "periods_per_year": backtest.periods_per_year,
            "marked": backtest.marked,
            "fraction": backtest.sizing.fraction,
            "risk_free": backtest.risk_free,
            "sizing": backtest.sizing.to_dict(),
            "rates": backtest.rates.to_dict(),
            "calendars": backtest.calendars,
        },
        "data": {
            "source": dataset.source,
            "newest": dataset.newest.isoformat(),
            "notes": list(dataset.notes),
            "fingerprint": dataset.fingerprint(),
        },
        **(beside or {}),
    }
    try:
        return cast("Document", json.loads(json.dumps(written, allow_nan=False)))
    except ValueError as error:
        raise DataError(f"the evaluation holds a number that is not finite ({error}); fix the data") from None


def verdict_of(document: Mapping[str, Any]) -> Verdict:
    """The verdict that a document holds. Raises DataError for a document of another format."""
    if document.get("format") != FORMAT:
        raise DataError(f"evaluation document of format {document.get('format')!r}, this version reads {FORMAT}")
    return Verdict.from_dict(document["verdict"])


def _policies(backtest: Backtest, verdict: Verdict, policy: Policy, many: Many) -> Document:
    """The verdict of each of the three policies on the same scorecards."""
    said = {
        name: judge(
            backtest.challenger,
            backtest.champion,
            policy.with_name(name),
            backtest.ungated,
            kind=verdict.kind,
            refit=backtest.twins.challenger,
            many=many(policy.with_name(name)),
        )
        for name in POLICIES
    }
    return {
        name: {"answer": each.answer, "decided_by": each.decided_by, "message": each.message}
        for name, each in said.items()
    }


def _is_scored(card: Scorecard | None) -> bool:
    return card is not None and card.scores is not None


def _trades(card: Scorecard | None, backtest: Backtest) -> Document:
    """Outcomes of the approved trades, and those that the vetoed ones would have had."""
    kept = cast("Scorecard", card).kept
    outcome = backtest.ideas.outcome
    return {"kept": _went(outcome[kept]), "vetoed": _went(outcome[~kept])}


def _went(outcome: NDArray[np.float64]) -> Document:
    if len(outcome) == 0:
        return {"count": 0, "win_rate": None, "mean": None, "total": 0.0}
    return {
        "count": len(outcome),
        "win_rate": float(np.mean(outcome > 0)),
        "mean": float(np.mean(outcome)),
        "total": float(np.sum(outcome)),
    }


def _agreement(backtest: Backtest) -> Document | None:
    """Numbers of ideas on which the two agree and differ; None unless both were scored."""
    ours, theirs = backtest.challenger, backtest.champion
    if theirs is None or not (_is_scored(ours) and _is_scored(theirs)):
        return None
    return {
        "both_kept": int(np.count_nonzero(ours.kept & theirs.kept)),
        "only_challenger": int(np.count_nonzero(ours.kept & ~theirs.kept)),
        "only_champion": int(np.count_nonzero(~ours.kept & theirs.kept)),
        "both_vetoed": int(np.count_nonzero(~ours.kept & ~theirs.kept)),
    }


def _scores(card: Scorecard | None) -> Document:
    scores = cast("Scorecard", card).scores
    counts, edges = np.histogram(cast("NDArray[np.float32]", scores), bins=SCORE_BINS, range=(0.0, 1.0))
    return {"edges": edges.tolist(), "counts": counts.tolist()}


def _outcomes(backtest: Backtest) -> Document | None:
    """Histogram of outcomes, approved and vetoed by the challenger, in the same bins; the outer ones take the tails."""
    outcome, kept = backtest.ideas.outcome, backtest.challenger.kept
    if len(outcome) == 0 or not _is_scored(backtest.challenger):
        return None
    reach = float(np.quantile(np.abs(outcome), 0.99)) or 1.0
    edges = np.linspace(-reach, reach, OUTCOME_BINS + 1)
    clipped = np.clip(outcome, -reach, reach)
    return {
        "edges": edges.tolist(),
        "kept": np.histogram(clipped[kept], edges)[0].tolist(),
        "vetoed": np.histogram(clipped[~kept], edges)[0].tolist(),
    }
