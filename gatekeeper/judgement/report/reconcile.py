"""Reconciliation of an evaluation document: every figure that follows from its others, and those that don't fit.

What only the data could show (single outcomes, names, fingerprints) is not looked at; tests/end_to_end name each.
"""

from collections.abc import Mapping
from datetime import UTC, date, timedelta
from itertools import pairwise

import numpy as np
from msgspec import UNSET

from gatekeeper.documents.evaluation import HOLDOUT, EvaluationDocument, ScorecardRecord, StreamFigures
from gatekeeper.documents.rules import Rules
from gatekeeper.judgement.backtest.backtest import ready_on
from gatekeeper.judgement.report import (
    reconcile_breakdown,
    reconcile_evidence,
    reconcile_exposed,
    reconcile_passport,
    reconcile_traded,
)
from gatekeeper.judgement.report.figures import (
    CLOSE,
    PATHS_CLOSE,
    Told,
    is_right,
    models_of,
    scored_of,
    share,
    some_trades,
    winners,
)
from gatekeeper.judgement.rule import tests_spent
from gatekeeper.market.replay.costs import PARTS, WHOLE

REPLAYED = ("demo:", "candles:")
"""Sources whose costs come from the rates of the rules."""


def faults(document: EvaluationDocument) -> list[str]:
    """Figures that contradict others of the document, in sentences; empty if all fit."""
    parts = (_rules, _window, _models, _ungated, _trades, _agreement, _costs, _training, _looks)
    rooms = (reconcile_exposed, reconcile_breakdown, reconcile_traded, reconcile_evidence, reconcile_passport)
    return [fault for part in (*parts, *(room.faults for room in rooms)) for fault in part(document)]


def _rules(document: EvaluationDocument) -> Told:
    """Rules that no setting can give: each within its setting's limits."""
    rules, sizing, rates, replay = (
        document.rules,
        document.rules.sizing,
        document.rules.rates,
        document.rules.replay,
    )
    within = {
        "threshold": rules.threshold is None or 0 < rules.threshold < 1,
        "sizing": 0 < sizing.fraction <= 1
        and (0 < sizing.target <= 0.1 or (sizing.kind, sizing.target) == ("fraction", 0.0))  # 0: an older document
        and 0 < sizing.largest <= 1,
        "most positions at once": sizing.most_open is None or sizing.most_open >= 1,
        "longest hold of the log": rules.reading is None
        or rules.reading.max_hold is None
        or rules.reading.max_hold >= 1,
        "replay": replay is None or (replay.time_stop_bars >= 1 and replay.barrier_atr > 0),
        "cost rates": rates is None
        or (
            0 <= rates.commission < 0.1
            and 0 <= rates.spread < 0.1
            and 0 <= rates.slippage <= 1
            and all(-1 < rate <= 10 for rate in (rates.borrow, rates.funding))
        ),
    }
    if strange := [name for name, right in within.items() if not right]:
        yield f"no setting gives its rules' {', '.join(strange)}"


def _window(document: EvaluationDocument) -> Told:
    window, rules = document.window, document.rules
    days = [date.fromisoformat(day) for day in document.days]
    yield from is_right("the number of the window's days", len(days), window.days)
    if any(one >= other for one, other in pairwise(days)):
        yield "the market days don't increase"
    if days and not (window.start.date() <= days[0] and days[-1] < window.as_of.astimezone(UTC).date()):
        yield f"the market days {days[0]} to {days[-1]} don't lie between the window's start and its as-of"
    for role, card in document.scorecards:
        yield from is_right(
            f"the number of the {role}'s daily returns", len(days) if card.tested else 0, len(card.daily)
        )
    yield from is_right("the window's end", window.as_of - timedelta(days=rules.longest_hold_days), window.end)
    if document.data.newest > window.as_of:
        yield f"the newest data are of {document.data.newest.isoformat()}, after the as-of"
    yield from _start(document)
    if rules.holdout_days is None or rules.embargo_days is None:
        return
    ready = None
    if window.end <= window.start or window.days < rules.policy.floor_days:
        ready = ready_on(np.array(document.days, dtype="datetime64[D]"), rules, window.start, window.days)
    yield from is_right("the date from which the window will do", ready, window.ready)


def _start(document: EvaluationDocument) -> Told:
    """The start: the latest of the holdout's and of the data's ends, plus the embargo."""
    window, rules = document.window, document.rules
    if rules.holdout_days is None or rules.embargo_days is None:
        if window.start >= window.as_of:
            yield f"the window starts on {window.start.isoformat()}, not before its as-of"
        return
    starts = {HOLDOUT: window.as_of - timedelta(days=rules.holdout_days)}
    measured: list[StreamFigures] = [card for _, card in models_of(document)]
    if document.league is not None:  # the window is that of the week's own challenger, whoever won
        measured.append(document.league.contenders[0])
    for card in measured:
        if card.trained_to is not None:
            starts[f"the data of {card.name}"] = card.trained_to
    embargo = timedelta(days=rules.embargo_days)
    latest = max(starts.values()) + embargo
    unknown = [f"the creation of {card.name}" for card in measured if card.trained_to is None]
    if window.bound_by in unknown:
        if window.start < latest:
            yield f"the window starts on {window.start.isoformat()}, and {latest.isoformat()} is the earliest it can"
        return
    yield from is_right("the window's start", latest, window.start)
    if window.bound_by not in starts or starts[window.bound_by] + embargo != window.start:
        yield f"the window's start doesn't follow from {window.bound_by}"


def _models(document: EvaluationDocument) -> Told:
    window, rules = document.window, document.rules
    for role, card in models_of(document):
        yield from _counts(role, card, rules)
        if card.threshold is None or card.sha256 is None:
            yield f"the {role} has no threshold, or no bytes"
        if card.trained_to is not None and rules.embargo_days is not None:
            seen = card.trained_to + timedelta(days=rules.embargo_days) <= window.start
            yield from is_right(f"whether the {role} has seen nothing of the window", seen, card.out_of_sample)
    cards = dict(models_of(document))
    ours, theirs = cards["challenger"], cards.get("champion")
    same = theirs is not None and (ours.sha256, ours.threshold) == (theirs.sha256, theirs.threshold)
    for role, card in cards.items():
        yield from is_right(f"whether the {role} was tested", not same, card.tested)
    refit = document.refit
    if refit is not None:
        if rules.refit_disagreement is not None:
            yield from is_right("the limit of the refit's disagreement", rules.refit_disagreement, refit.limit)
        if refit.trained_to is not None and refit.trained_to > window.as_of:
            yield f"the refit's data end on {refit.trained_to.isoformat()}, after the as-of"


def _counts(role: str, card: ScorecardRecord, rules: Rules) -> Told:
    if not 0 <= card.passed_over <= card.kept_trades <= card.ideas:
        yield f"the {role} approved {card.kept_trades} of {card.ideas} ideas and passed over {card.passed_over}"
    if rules.sizing.most_open is None:
        yield from is_right(f"the number that the {role} passed over without a limit", 0, card.passed_over)
    taken = card.kept_trades - card.passed_over
    yield from share(f"the {role}'s win rate", card.win_rate, taken)
    if not card.tested:
        figures = (card.ideas, card.kept_trades, card.win_rate, card.sharpe, card.total_return, card.max_drawdown)
        if figures != (0, 0, None, None, 0.0, 0.0):
            yield f"the {role} has figures, and wasn't tested"


def _ungated(document: EvaluationDocument) -> Told:
    card = document.scorecards.ungated
    yield from _counts("ungated", card, document.rules)
    yield from is_right("the number that ungated takes", card.ideas, card.kept_trades)
    plain = (card.name, card.model_id, card.sha256, card.threshold, card.trained_to, card.tested, card.out_of_sample)
    yield from is_right("the ungated stream", ("ungated", None, None, None, None, True, True), plain)
    for role, other in scored_of(document).items():
        yield from is_right(f"the number of the {role}'s ideas", card.ideas, other.ideas)


def _trades(document: EvaluationDocument) -> Told:
    scored = scored_of(document)
    yield from is_right("the models with trades", sorted(scored), sorted(document.trades))
    sums: list[tuple[int, float]] = []
    for role, each in document.trades.items():
        if role not in scored:
            continue
        card = scored[role]
        yield from is_right(f"the number of the {role}'s approved trades", card.kept_trades, each.kept.count)
        yield from is_right(
            f"the number of the {role}'s vetoed ideas", card.ideas - card.kept_trades, each.vetoed.count
        )
        for decision, some in each:
            yield from some_trades(f"the {role}'s {decision} trades", some)
        yield from _returns(role, card, each.kept.total, document.rules)
        if not card.passed_over:
            yield from is_right(f"the {role}'s win rate", each.kept.win_rate, card.win_rate, within=CLOSE)
        sums.append((winners(each.kept) + winners(each.vetoed), each.kept.total + each.vetoed.total))
    for won, total in sums:
        yield from is_right("the number of ideas that won", sums[0][0], won)
        yield from is_right("the sum of all outcomes", sums[0][1], total, within=CLOSE)
    if sums:
        card = document.scorecards.ungated
        yield from _returns("ungated", card, sums[0][1], document.rules)
        if card.ideas and not card.passed_over:
            yield from is_right("ungated's win rate", sums[0][0] / card.ideas, card.win_rate, within=CLOSE)


def _returns(role: str, card: ScorecardRecord, outcomes: float, rules: Rules) -> Told:
    """With a fixed fraction and no limit on positions, the return is that fraction of the sum of outcomes."""
    if rules.sizing.kind == "fraction" and not card.passed_over and card.tested:
        right, slack = rules.sizing.fraction * outcomes, rules.sizing.fraction * PATHS_CLOSE * max(1, card.kept_trades)
        if abs(right - card.total_return) > slack:
            yield f"the {role}'s trades make {right} of capital, and its return is {card.total_return}"


def _agreement(document: EvaluationDocument) -> Told:
    scored, agreement = scored_of(document), document.agreement
    if agreement is None:
        if len(scored) == 2:
            yield "two models were scored, and the document doesn't say how they agree"
        return
    if len(scored) < 2:
        yield "it says how two models agree, and two were not scored"
        return
    ours, theirs = scored["challenger"], scored["champion"]
    yield from is_right(
        "the number that the challenger approved", agreement.both_kept + agreement.only_challenger, ours.kept_trades
    )
    yield from is_right(
        "the number that the champion approved", agreement.both_kept + agreement.only_champion, theirs.kept_trades
    )
    every = agreement.both_kept + agreement.only_challenger + agreement.only_champion + agreement.both_vetoed
    yield from is_right("the number of ideas that both decided", every, ours.ideas)


def _costs(document: EvaluationDocument) -> Told:
    costs, rules = document.costs, document.rules
    if costs is UNSET and not rules.unknown:
        yield "it doesn't say whether the costs are known"
    if costs is None or costs is UNSET:
        return
    tested = {role: card for role, card in document.scorecards if card.tested}
    yield from is_right("the streams with costs", sorted(tested), sorted(costs.streams))
    if tuple(costs.parts) not in (PARTS, WHOLE):
        yield f"the parts of the costs are {', '.join(costs.parts)}"
        return
    for role, row in costs.streams.items():
        if extra := row.keys() - {"gross", "net", *costs.parts}:
            yield f"the {role}'s costs have {', '.join(sorted(extra))}, which is no part of them"
        if role in tested and tuple(costs.parts) == PARTS and document.data.source.startswith(REPLAYED):
            yield from _of_rates(role, row, tested[role], rules)


def _of_rates(role: str, row: Mapping[str, float], card: ScorecardRecord, rules: Rules) -> Told:
    """Costs of replayed trades, each a fixed fraction of capital, follow from the rates."""
    rates = rules.rates
    if rates is None or rules.sizing.kind != "fraction":
        return
    right = {"commission": 2 * rates.commission, "spread": rates.spread}
    if not rates.slippage:
        right["slippage"] = 0.0
    if not (rates.borrow or rates.funding):
        right["carry"] = 0.0
    taken = rules.sizing.fraction * (card.kept_trades - card.passed_over)
    for name, rate in right.items():
        yield from is_right(f"the {role}'s {name}", taken * rate, row.get(name), within=CLOSE)


def _training(document: EvaluationDocument) -> Told:
    training, card, rules = document.training, document.scorecards.challenger, document.rules
    if training is None:
        return
    yield from is_right("the end of the challenger's data", card.trained_to, training.trained_to)
    if not 0 < training.wins < training.ideas or not training.trained_from <= training.trained_to <= training.cutoff:
        span = f"from {training.trained_from} to {training.trained_to}, cut off at {training.cutoff}"
        yield f"{training.wins} of {training.ideas} training ideas won, {span}"
    if training.train_years is not None:
        first = training.cutoff - training.train_years * timedelta(days=365.25)
        if training.trained_from < first:
            yield f"the first training idea is of {training.trained_from}, before the training window from {first}"
    if rules.seed is not None:
        yield from is_right("the seed of the training", rules.seed, training.seed)
    if rules.holdout_days is not None:
        cutoff = document.window.as_of - timedelta(days=rules.holdout_days)
        yield from is_right("the cut-off of the training", cutoff, training.cutoff)


def _looks(document: EvaluationDocument) -> Told:
    yield from is_right("z", document.policy.right_z, document.policy.z, within=CLOSE)
    looks = document.looks
    if looks is None:
        return
    again = tests_spent.stated(document.policy, spent=looks.spent, as_ofs=looks.as_ofs, promoted=looks.promoted)
    yield from is_right("the tests spent", again, looks)
    fewest = 0 if document.scorecards.champion is None else 1
    if not fewest <= looks.as_ofs <= looks.spent or not 0 <= looks.promoted <= looks.spent:
        yield f"{looks.spent} tests on {looks.as_ofs} as-ofs, {looks.promoted} promoted, can't be"
