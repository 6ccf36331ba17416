"""Whom does a challenger face, and which evaluation of this look stands?"""

import logging
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.config import Settings
from gatekeeper.errors import ModelRefused, NoModel
from gatekeeper.files import write_whole
from gatekeeper.pipeline.run import Run
from gatekeeper.pipeline.workspace import Handed, dataset_of
from gatekeeper.registry import Evaluation, Model, Registry
from gatekeeper.serving import checked, fallbacks

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest import Contender

log = logging.getLogger("gatekeeper")

WHAT_IF = "what-if"


def evaluated(run: Run, registry: Registry, model: Model, handed: Handed) -> Evaluation:
    """The evaluation of this look that stands: the one that promoted, or that of the same contest, or a new one.

    So clearing a task buys no second look, and a verdict against another opponent than today's promotes nothing.
    """
    promoted = {p.evaluation_id for p in registry.promotions() if p.run_key == run.key}
    mine = [
        evaluation
        for evaluation in registry.evaluations(model.id)
        if evaluation.run_key == run.key and evaluation.challenger_sha256 == model.sha256
    ]
    for evaluation in mine:
        if evaluation.id in promoted:
            return evaluation
    generation = registry.generation()
    champion, kind = _opponent(run, registry)
    opponent = champion.model_id if champion else None
    for evaluation in mine:
        if evaluation.champion == opponent and _stands(evaluation, generation, kind):
            return evaluation
    return _judge(run, registry, model, handed, generation, champion, kind)


def _stands(evaluation: Evaluation, generation: int, kind: str) -> bool:
    """Does it say what a judgement of today against the same opponent would?

    A past week promotes nothing, whatever was promoted since: what was said of it then still holds, but for a verdict
    to promote, which came too late.
    """
    if kind == WHAT_IF:
        return evaluation.kind == WHAT_IF or evaluation.verdict != "promote"
    return (evaluation.generation, evaluation.kind) == (generation, kind)


def _judge(
    run: Run,
    registry: Registry,
    model: Model,
    handed: Handed,
    generation: int,
    champion: "Contender | None",
    kind: str,
) -> Evaluation:
    from gatekeeper.judgement import Policy, judge, record, report
    from gatekeeper.judgement import backtest as backtests

    dataset = dataset_of(run, handed)
    measured = backtests.run(dataset, run.settings, contender(run.settings, registry, model), champion)
    policy = Policy.from_settings(run.settings, measured.periods_per_year)
    verdict = judge(measured.challenger, measured.champion, policy, measured.ungated, kind=kind)
    document = record.document(measured, verdict, policy, dataset)
    # One name for each judgement: a later one of the same week leaves this report as it was.
    name = f"{run.as_of:%Y-%m-%d}_model_{model.id}_{kind}_generation_{generation}.html"
    place = Path(run.settings.reports) / name
    write_whole(place, report.render(document).encode())
    return registry.record_evaluation(
        challenger=model.id,
        champion=champion.model_id if champion else None,
        generation=generation,
        as_of=run.as_of,
        kind=kind,
        verdict=verdict.answer,
        document=document,
        run_key=run.key,
        report=str(place),
    )


def contender(settings: Settings, registry: Registry, model: Model) -> "Contender":
    """The model, verified. Raises ModelRefused."""
    from gatekeeper.judgement.backtest import Contender

    scorer = checked(registry, model, registry.model_bytes(model))
    return Contender(
        name=model.version,
        sha256=scorer.sha256,
        threshold=settings.threshold if model.threshold is None else model.threshold,
        score=scorer.score,
        trained_to=model.trained_to,
        created_at=model.created_at,
        model_id=model.id,
    )


def is_older(run: Run, registry: Registry) -> bool:
    """Is this a past week: was its as-of, or a later one, promoted already?"""
    highest = registry.highest_as_of()
    return highest is not None and run.as_of <= highest


def _opponent(run: Run, registry: Registry) -> tuple["Contender | None", str]:
    """Whom the challenger has to beat, and what kind of look that makes it.

    The primary; for a past week, the one that the history gives; where there never was one, nobody.
    """
    if is_older(run, registry):
        before = registry.primary_before(run.as_of)
        return (contender(run.settings, registry, before) if before else None), WHAT_IF
    primary = registry.primary()
    if primary is None and not registry.promotions():
        return None, "bootstrap"
    if primary is not None:
        try:
            registry.restore_name(primary)
            return contender(run.settings, registry, primary), "weekly"
        except ModelRefused as refusal:
            log.error("the primary %s can't be loaded: %s", primary.version, refusal)
    return _fallback(run, registry, primary), "recovery"


def _fallback(run: Run, registry: Registry, primary: Model | None) -> "Contender":
    """The model that servers fall back to. Without one there is nothing to be judged against, and a person decides."""
    for model in fallbacks(registry, primary):
        try:
            return contender(run.settings, registry, model)
        except ModelRefused as refusal:
            log.error("the fallback %s can't be loaded: %s", model.version, refusal)
    raise NoModel(
        "neither the primary nor any model behind it can be loaded, so there is nothing to judge against; "
        "`gatekeeper list` shows the models, `gatekeeper promote -i ID` puts one in by hand"
    )
