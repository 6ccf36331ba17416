"""Evaluation of a weekly run: the champion that the challenger faces, and the one evaluation that counts."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.documents.step_output import Registered
from gatekeeper.errors import ModelRefused, NoModel
from gatekeeper.files import write_whole
from gatekeeper.logs import logger
from gatekeeper.pipeline.weekly import league_entrants
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.pipeline.weekly.workspace import dataset_of
from gatekeeper.registry import Evaluation, Model, Registry
from gatekeeper.registry.records import WHAT_IF
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.judgement.report.document import Beside
    from gatekeeper.judgement.rule.verdict import Policy
    from gatekeeper.market.ideas import Dataset

log = logger("gatekeeper")


def evaluated(run: Run, registry: Registry, model: Model, registered: Registered) -> Evaluation:
    """The run's evaluation that counts: the one that promoted, else that of the same contest, else a new one.

    So clearing a task gives no second test, and a verdict against an opponent other than today's promotes nothing.
    """
    registry.refuse_future(run.as_of)
    promoted = {p.evaluation_id for p in registry.promotions() if p.run_key == run.key}
    mine = league_entrants.recorded(registry, run.key, model)
    for evaluation in mine:
        if evaluation.id in promoted:
            return evaluation
    generation = registry.generation()
    champion, kind = _opponent(run, registry)
    opponent = champion.model_id if champion else None
    for evaluation in mine:
        if evaluation.champion == opponent and _stands(evaluation, generation, kind):
            return evaluation
    return _judge(run, registry, model, registered, generation, champion, kind)


def _stands(evaluation: Evaluation, generation: int, kind: str) -> bool:
    """Whether the evaluation equals one that would be made today against the same opponent.

    A past week promotes nothing, so its earlier verdict still holds, unless it was to promote, which came too late.
    """
    if kind == WHAT_IF:
        return evaluation.kind == WHAT_IF or evaluation.verdict != "promote"
    return (evaluation.generation, evaluation.kind) == (generation, kind)


def _judge(
    run: Run,
    registry: Registry,
    model: Model,
    registered: Registered,
    generation: int,
    champion: "Contender | None",
    kind: str,
) -> Evaluation:
    from gatekeeper.judgement.backtest import backtest as backtests

    dataset = dataset_of(run, registered)
    challenger = _with_refit(run.settings, registry, model, registered)
    measured = backtests.run(dataset, run.settings, challenger, champion)
    opened = partial(contender, run.settings, registry)
    cases = league_entrants.cases(run, registry, model, measured, kind, opened)
    kept = [_recorded(run, registry, registered, dataset, generation, kind, case) for case in cases]
    return kept[-1]


def _recorded(
    run: Run,
    registry: Registry,
    registered: Registered,
    dataset: "Dataset",
    generation: int,
    kind: str,
    case: league_entrants.Case,
) -> Evaluation:
    from gatekeeper.judgement import judge
    from gatekeeper.judgement.report import document as record
    from gatekeeper.judgement.report import report

    model, measured, champion = case.model, case.measured, case.measured.champion
    policy = measured.rules.policy
    verdict = judge(
        measured.challenger,
        champion,
        policy,
        measured.ungated,
        kind=kind,
        refit=measured.refit,
        many=case.many(policy),
    )
    beside = _beside(run, registry, registered, policy, case)
    document = record.document(measured, verdict, dataset, beside, case.many)
    # One name for each judgement: a later one of the same week leaves this report as it was.
    name = f"{run.as_of:%Y-%m-%d}_model_{model.id}_{kind}_generation_{generation}.html"
    place = Path(run.settings.reports) / name
    write_whole(place, report.render(document, check=registry.checks.last_seen(run.as_of)).encode())
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


def _beside(
    run: Run, registry: Registry, registered: Registered, policy: "Policy", case: league_entrants.Case
) -> "Beside":
    """Further entries of the document: the tests spent, the challenger's training if this run trained it,
    and the league."""
    from gatekeeper.judgement.report.document import Beside
    from gatekeeper.judgement.rule import tests_spent

    compared = case.measured.champion is not None
    spent = registry.pages.spent_tests(run.as_of, run.key if compared else None, days=tests_spent.DAYS)
    looks = tests_spent.stated(policy, spent=spent.spent, as_ofs=spent.as_ofs, promoted=spent.promoted)
    ours = registered.trained.fingerprint == case.model.fingerprint
    return Beside(looks, registered.trained if ours else None, case.league)


def contender(settings: Settings, registry: Registry, model: Model) -> "Contender":
    """The model as a contender, verified. Raises ModelRefused."""
    from gatekeeper.judgement.backtest.contender import Contender
    from gatekeeper.serving import checked  # brings the model runtime

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


def _with_refit(settings: Settings, registry: Registry, model: Model, registered: Registered) -> "Contender":
    """The challenger of this run, with the refit that would be deployed instead, if there is one."""
    ours = contender(settings, registry, model)
    live = model.id if registered.refit is None else registered.refit.model_id
    return ours if live == model.id else replace(ours, refit=contender(settings, registry, registry.model(live)))


def in_its_stead(settings: Settings, registry: Registry, live: Model) -> "Contender":
    """The deployed model or, if that is a refit, its judged model, since the refit was fitted on the window.

    If the judged model is lost: the refit itself, in the window that is left after its data. Raises ModelRefused.
    """
    own = contender(settings, registry, live)
    twin = registry.judged_model(live.id)
    if twin is None:
        return own
    try:
        registry.restore_name(twin)
        judged = contender(settings, registry, twin)
    except ModelRefused as refusal:
        log.error(
            "the judged model of %s can't be loaded, so the window starts after the refit's data: %s",
            live.version,
            refusal,
        )
        return own
    return replace(judged, refit=own)


def is_older(run: Run, registry: Registry) -> bool:
    """Whether this is a past week: its as-of or a later one was promoted, or an act by hand came after it."""
    return registry.not_eligible(run.as_of) is not None


def _opponent(run: Run, registry: Registry) -> tuple["Contender | None", str]:
    """The champion that the challenger faces, and the kind of evaluation.

    The champion is the primary, or for a past week the primary of that time; None if there never was one.
    """
    if is_older(run, registry):
        before = registry.primary_before(run.as_of)
        return (in_its_stead(run.settings, registry, before) if before else None), WHAT_IF
    primary = registry.primary()
    if primary is None and not registry.promotions():
        return None, "bootstrap"
    if primary is not None:
        try:
            registry.restore_name(primary)
            return in_its_stead(run.settings, registry, primary), "weekly"
        except ModelRefused as refusal:
            log.error("the primary %s can't be loaded: %s", primary.version, refusal)
    return _fallback(run, registry, primary), "recovery"


def _fallback(run: Run, registry: Registry, primary: Model | None) -> "Contender":
    """The model that servers fall back to. Without one there is no champion, and a person decides (NoModel)."""
    from gatekeeper.serving import fallbacks

    for model in fallbacks(registry, primary):
        try:
            return in_its_stead(run.settings, registry, model)
        except ModelRefused as refusal:
            log.error("the fallback %s can't be loaded: %s", model.version, refusal)
    raise NoModel(
        "neither the primary nor any fallback can be loaded, so there is nothing to judge against; "
        "`gatekeeper list` shows the models, `gatekeeper promote -i ID` promotes one by hand"
    )
