"""Evaluation document: the JSON record of a comparison, from which anyone can recheck the verdict without the data."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents import evaluation as documents
from gatekeeper.documents.evaluation import (
    FORMAT,
    Agreement,
    DataRecord,
    EvaluationDocument,
    Gate,
    LeagueRecord,
    OutcomeHistogram,
    PolicyAnswer,
    Scorecards,
    ScoreHistogram,
    SpentTests,
    TradeOutcomes,
    TradesByDecision,
    Training,
    Verdict,
)
from gatekeeper.errors import DataError
from gatekeeper.judgement.backtest import breakdown, costs_paid, traded
from gatekeeper.judgement.backtest.backtest import Backtest
from gatekeeper.judgement.backtest.scorecard import Scorecard
from gatekeeper.judgement.rule.promotion import judge
from gatekeeper.judgement.rule.verdict import POLICIES, Policy
from gatekeeper.market.ideas import Dataset

SCORE_BINS = 40
OUTCOME_BINS = 30

Many = Callable[[Policy], Gate | None]
Scored = dict[str, tuple[Scorecard, NDArray[np.float32]]]


@dataclass(frozen=True, slots=True)
class Beside:
    """Further entries of the run besides the comparison; None if unknown."""

    looks: SpentTests | None = None
    training: Training | None = None
    """Training of the challenger."""
    league: LeagueRecord | None = None


def document(
    backtest: Backtest,
    verdict: Verdict,
    dataset: Dataset,
    beside: Beside | None = None,
    many: Many = lambda _: None,
) -> EvaluationDocument:
    """The evaluation: window, days, scorecards with daily returns, gates, verdict, and the other policies'.

    Every number is finite or None; the report is made from this alone. Raises DataError where a number is neither.
    many: the gate `league` under a policy.
    """
    cards = {"challenger": backtest.challenger, "champion": backtest.champion, "ungated": backtest.ungated}
    scored = {role: (card, card.scores) for role, card in cards.items() if card and card.scores is not None}
    champion, beside = backtest.champion, beside or Beside()
    made = EvaluationDocument(
        format=FORMAT,
        window=backtest.window,
        days=np.datetime_as_string(backtest.days).tolist(),
        scorecards=Scorecards(
            backtest.challenger.record(), None if champion is None else champion.record(), backtest.ungated.record()
        ),
        verdict=verdict,
        policies=_policies(backtest, verdict, backtest.rules.policy, many),
        trades={role: _trades(card, backtest) for role, (card, _) in scored.items()},
        agreement=_agreement(scored),
        scores={role: _scores(scores) for role, (_, scores) in scored.items()},
        outcomes=_outcomes(backtest),
        details=breakdown.of(backtest, _sum_up),
        costs=costs_paid.of(backtest),
        sides=traded.of(backtest),
        buy_and_hold=backtest.held,
        twins=backtest.twins,
        rules=backtest.rules,
        data=DataRecord(
            dataset.source, dataset.newest, list(dataset.notes), dataset.fingerprint(), passport=dataset.passport
        ),
        looks=beside.looks,
        training=beside.training,
        league=beside.league,
    )
    try:
        documents.written(made)
    except DataError as error:
        raise DataError(f"the evaluation holds a number that is not finite ({error}); fix the data") from None
    return made


def _policies(backtest: Backtest, verdict: Verdict, policy: Policy, many: Many) -> dict[str, PolicyAnswer]:
    """The verdict of each of the three policies on the same scorecards."""
    judged = {
        name: judge(
            backtest.challenger,
            backtest.champion,
            policy.with_name(name),
            backtest.ungated,
            kind=verdict.kind,
            refit=backtest.refit,
            many=many(policy.with_name(name)),
        )
        for name in POLICIES
    }
    return {name: PolicyAnswer(each.answer, each.decided_by, each.message) for name, each in judged.items()}


def _trades(card: Scorecard, backtest: Backtest) -> TradesByDecision:
    """Outcomes of the approved trades, and those that the vetoed ones would have had."""
    outcome = backtest.ideas.outcome
    return TradesByDecision(_sum_up(outcome[card.kept]), _sum_up(outcome[~card.kept]))


def _sum_up(outcome: NDArray[np.float64]) -> TradeOutcomes:
    if len(outcome) == 0:
        return TradeOutcomes(0, None, None, 0.0)
    mean, total = float(np.mean(outcome)), float(np.sum(outcome))
    return TradeOutcomes(len(outcome), float(np.mean(outcome > 0)), mean, total)


def _agreement(scored: Scored) -> Agreement | None:
    """Numbers of ideas on which the two agree and differ; None unless both were scored."""
    if not {"challenger", "champion"} <= scored.keys():
        return None
    ours, theirs = scored["challenger"][0].kept, scored["champion"][0].kept
    return Agreement(
        both_kept=int(np.count_nonzero(ours & theirs)),
        only_challenger=int(np.count_nonzero(ours & ~theirs)),
        only_champion=int(np.count_nonzero(~ours & theirs)),
        both_vetoed=int(np.count_nonzero(~ours & ~theirs)),
    )


def _scores(scores: NDArray[np.float32]) -> ScoreHistogram:
    counts, edges = np.histogram(scores, bins=SCORE_BINS, range=(0.0, 1.0))
    return ScoreHistogram(edges.tolist(), counts.tolist())


def _outcomes(backtest: Backtest) -> OutcomeHistogram | None:
    """Histogram of outcomes, approved and vetoed by the challenger, in the same bins; the outer ones take the tails."""
    outcome, kept = backtest.ideas.outcome, backtest.challenger.kept
    if len(outcome) == 0 or backtest.challenger.scores is None:
        return None
    reach = float(np.quantile(np.abs(outcome), 0.99)) or 1.0
    edges = np.linspace(-reach, reach, OUTCOME_BINS + 1)
    clipped = np.clip(outcome, -reach, reach)
    counts = (np.histogram(clipped[chosen], edges)[0].tolist() for chosen in (kept, ~kept))
    return OutcomeHistogram(edges.tolist(), *counts)
