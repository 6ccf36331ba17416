"""Check document: live performance, drift and breaker of the primary since its promotion, as JSON."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from msgspec import structs
from numpy.typing import NDArray

from gatekeeper.documents.check import (
    FORMAT,
    CheckDocument,
    CheckedModel,
    Drift,
    LiveGain,
    LiveScorecards,
    PromotionRecord,
    ServerAnswers,
)
from gatekeeper.documents.rules import Rules, known
from gatekeeper.errors import ModelRefused
from gatekeeper.pipeline.monitoring.data_watch import DataWatch
from gatekeeper.pipeline.monitoring.live_ideas import Seen, reference, seen
from gatekeeper.pipeline.monitoring.standby_models import shadow
from gatekeeper.pipeline.weekly.evaluate import contender, in_its_stead
from gatekeeper.pipeline.weekly.read_data import in_count
from gatekeeper.registry import Evaluation, Model, Promotion, Registry
from gatekeeper.serving.served_scores import Answers
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.documents.check import Breaker
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.judgement.live.breaker import Promise
    from gatekeeper.judgement.live.live import Live


@dataclass(frozen=True, slots=True)
class Reign:
    """A primary with its promotion, the primary before it, and the evaluation behind it."""

    primary: Model
    promotion: Promotion
    before: Model | None
    evaluation: Evaluation | None


def reign(registry: Registry, primary: Model) -> Reign | None:
    """The current reign; None if no promotion of this primary is on record, since another tool made it the primary."""
    promotion = next((one for one in registry.promotions() if one.to_id == primary.id), None)
    if promotion is None:
        return None
    before = None if promotion.from_id is None else registry.model(promotion.from_id)
    return Reign(primary, promotion, before, _evaluation(registry, primary, promotion))


def observe(registry: Registry, settings: Settings, lasting: Reign, as_of: datetime) -> CheckDocument:
    """The document of one check. Raises ModelRefused if the primary can't be loaded, and the data source's errors."""
    from gatekeeper.judgement.live import live as lives

    notes: list[str] = []
    evaluation = lasting.evaluation
    settings = _pinned(settings, evaluation, notes)
    primary = contender(settings, registry, lasting.primary)
    before = _before(registry, settings, lasting, notes)
    watch = DataWatch(registry, settings, as_of)
    found = seen(settings, lasting.promotion, as_of, watch.reading)
    notes += found.notes
    data_warnings = watch.warnings(found, notes)
    rules = _rules(settings, evaluation, found)
    live = lives.measure(found.dataset, rules, found.since, primary, before)
    gain = _gain(live, rules, lasting, notes)
    breaker = _breaker(live, rules, evaluation, notes)
    # A refit scores what it was fitted on otherwise than what is new: only its twin's scores can be compared.
    judged = in_its_stead(settings, registry, lasting.primary)
    drift = _drift(found, settings, rules, evaluation, judged, notes)
    document = CheckDocument(
        format=FORMAT,
        as_of=as_of,
        primary=_who(lasting.primary),
        before=None if lasting.before is None else _who(lasting.before),
        promotion=PromotionRecord(lasting.promotion.generation, lasting.promotion.kind),
        evaluation=None if evaluation is None else evaluation.id,
        since=found.since,
        source=found.source,
        data=found.dataset.source,
        ideas=len(live.ideas),
        days=len(live.days),
        enough=live.enough,
        floor=live.floor,
        market_days=np.datetime_as_string(live.days).tolist(),
        scorecards=LiveScorecards(
            live.primary.record(), None if live.before is None else live.before.record(), live.ungated.record()
        ),
        gain=gain,
        breaker=breaker,
        drift=drift,
        servers=None if found.answers is None else _servers(found.answers, primary),
        notes=notes,
        text="",
        shadow=shadow(registry, settings, found, rules, primary),
        data_warnings=data_warnings,
    )
    return structs.replace(document, text=_in_words(document))


def _evaluation(registry: Registry, primary: Model, promotion: Promotion) -> Evaluation | None:
    """The evaluation that promoted it; without one, the newest of its bytes."""
    if promotion.evaluation_id is not None:
        return registry.evaluation(promotion.evaluation_id)
    of_it = (one for one in registry.evaluations(primary.id) if primary.sha256 in (one.challenger_sha256, one.deploys))
    return next(of_it, None)


def _pinned(settings: Settings, evaluation: Evaluation | None, notes: list[str]) -> Settings:
    """Settings for reading data and models, with the evaluation's rules in the place of today's."""
    from gatekeeper.judgement.backtest.rules import settings_under

    if evaluation is None:
        return settings
    document = evaluation.document
    if unknown := document.rules.unknown:
        notes.append(
            f"evaluation {evaluation.id}, of an older format, doesn't hold {', '.join(unknown)}: "
            "the settings of today stand in for them"
        )
    return settings_under(document.rules, settings, document.data.source)


def _rules(settings: Settings, evaluation: Evaluation | None, found: Seen) -> Rules:
    """The evaluation's rules; those of today without one, and where an older document doesn't hold them."""
    from gatekeeper.judgement.backtest.rules import rules_of

    today = rules_of(settings, periods_per_year=found.dataset.periods_per_year, marked=found.dataset.marked)
    return today if evaluation is None else evaluation.document.rules.completed(today)


def _before(registry: Registry, settings: Settings, lasting: Reign, notes: list[str]) -> "Contender | None":
    if lasting.before is None:
        return None
    try:
        return contender(settings, registry, lasting.before)
    except ModelRefused as refusal:
        notes.append(f"{lasting.before.version} can't be loaded for the comparison: {refusal}")
        return None


def _gain(live: "Live", rules: Rules, lasting: Reign, notes: list[str]) -> LiveGain:
    """The gain; predicted only if the evaluation was against the model that is compared with now."""
    from gatekeeper.judgement.live.live import promised

    evaluation, before = lasting.evaluation, lasting.before
    if evaluation is None or before is None:
        return live.gain(LiveGain())
    if before.sha256 not in (evaluation.champion_sha256, evaluation.faced):
        notes.append(f"evaluation {evaluation.id} was against a model other than {before.version}: no predicted gain")
        return live.gain(LiveGain())
    judged = evaluation.document
    if judged.rules.edition == 1 and judged.rules.risk_free:
        notes.append(
            "the predicted gain is over the risk-free rate on all capital, the realised one on what was exposed"
        )
    return live.gain(promised(judged.verdict, rules.policy))


def _breaker(live: "Live", rules: Rules, evaluation: Evaluation | None, notes: list[str]) -> "Breaker":
    from gatekeeper.judgement.live import breaker

    if evaluation is not None and evaluation.document.rules.marked and not live.marked:
        notes.append("the backtest is marked to market, but these ideas are booked on the day of their exit")
    return breaker.examine(
        live.daily,
        _promise(evaluation),
        level=known(rules.breaker_level),
        floor_days=rules.policy.floor_days,
        periods_per_year=rules.periods_per_year,
        seed=known(rules.seed),
    )


def _promise(evaluation: Evaluation | None) -> "Promise":
    """The backtest's days, and of how many backtests it may have been the luckiest: the year's tests, and the league.

    How alike those are is what challenger and champion are.
    """
    from gatekeeper.judgement.live.breaker import Promise

    if evaluation is None:
        return Promise(np.zeros(0), 1, 0.0)
    document = evaluation.document
    daily = np.array(document.scorecards.challenger.daily)
    tests = 0 if document.looks is None else document.looks.spent
    league = 0 if document.league is None else len(document.league.contenders) - 1
    return Promise.beside(daily, document.scorecards.champion, compared=max(1, tests + league))


def _drift(
    found: Seen,
    settings: Settings,
    rules: Rules,
    evaluation: Evaluation | None,
    primary: "Contender",
    notes: list[str],
) -> Drift | None:
    """Drift since the backtest; None without a reference."""
    from gatekeeper.features import FEATURES
    from gatekeeper.judgement.live import drift

    if evaluation is None:
        notes.append(f"{primary.name} was never evaluated: no bound for its drawdown and no reference for drift")
        return None
    features, note = reference(settings, evaluation)
    if note:
        notes.append(note)
    if features is None:
        return None
    live, then = (_with_scores(rows, primary) for rows in (found.features, features))
    return drift.compare(live, then, (*FEATURES, "score"), seed=known(rules.seed))


def _with_scores(features: NDArray[np.float32], primary: "Contender") -> NDArray[np.float64]:
    """(n, 8): the features and the primary's scores."""
    return np.column_stack([features, primary.score(features)]).astype(np.float64)


def starved(document: CheckDocument) -> str | None:
    """Why no challenger can be compared with this primary by its trades: it approves enough, and enters too few."""
    card = document.scorecards.primary
    entered = card.kept_trades - card.passed_over
    if not document.enough or not entered < document.floor <= card.kept_trades:
        return None
    return (
        f"{document.primary.version} entered {entered} of the {card.kept_trades} ideas that it approved, under the "
        f"floor of {document.floor}, since its rules limit the open positions; GATEKEEPER_MOST_OPEN sets that limit "
        "for the next model"
    )


def _servers(answers: Answers, primary: "Contender") -> ServerAnswers:
    """The models that answered, and whether the primary's bytes give the same scores here as on the servers."""
    own = (answers.sha256 == primary.sha256) & np.isfinite(answers.scores)
    apart = np.abs(primary.score(answers.features[own]) - answers.scores[own])
    return ServerAnswers(
        answered=len(answers),
        by_primary=int(own.sum()),
        degraded=int(answers.degraded.sum()),
        by_none=int((answers.sha256 == "").sum()),
        largest_difference=float(apart.max()) if len(apart) else None,
    )


def _who(model: Model) -> CheckedModel:
    return CheckedModel(model.id, model.version, model.sha256)


def _in_words(document: CheckDocument) -> str:
    """The summary for operators."""
    name, since, floor = document.primary.version, f"{document.since:%Y-%m-%d}", document.floor
    settled = document.scorecards.primary.ideas
    text = f"{name}, primary since {since}, on {document.ideas} {document.source} ideas: "
    if document.enough:
        text += ", ".join(
            f"{'' if role == 'primary' else role + ' '}Sharpe {_figure(card.sharpe)}"
            for role, card in document.scorecards
        )
        text += _gained(document.gain)
    else:
        text += f"{settled} of them old enough in {document.days} days, too few for a Sharpe ({floor} needed)"
    drift = document.drift
    return "; ".join(
        [
            text,
            document.breaker.text,
            *([drift.text] if drift else []),
            *_shadow(document),
            *_starved(document),
            *([f"{in_count(document.data_warnings)} about the data"] if document.data_warnings else []),
            *document.notes,
        ]
    )


def _starved(document: CheckDocument) -> list[str]:
    text = starved(document)
    return [text] if text else []


def _shadow(document: CheckDocument) -> list[str]:
    return [document.shadow.text] if document.shadow and document.shadow.models else []


def _gained(gain: LiveGain) -> str:
    if gain.realised is None:
        return ""
    predicted = (
        ""
        if gain.predicted is None
        else (f", predicted {_figure(gain.predicted)}: {_figure(gain.measured)} measured, shrunk for its selection")
    )
    return f"; gain {_figure(gain.realised)} (standard error {_figure(gain.realised_error)}{predicted})"


def _figure(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.2f}"
