"""Weekly steps: retrain, export_onnx, register, backtest, promote.

Plain functions, called alike by the DAG and the command line. Each may run again, here or elsewhere, with the same
result.
"""

from collections.abc import Iterator
from functools import partial

from gatekeeper.documents.step_output import (
    Backtested,
    Exported,
    ExportedModel,
    Promoted,
    Registered,
    RegisteredModel,
    Retrained,
    onward,
    read,
)
from gatekeeper.errors import ConfigError, EvaluationOutdated, GenerationMoved, Held, Quarantined, Unapproved
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.weekly import read_data, train_and_export
from gatekeeper.pipeline.weekly.evaluate import evaluated, is_older
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.pipeline.weekly.workspace import dataset_of
from gatekeeper.registry import Evaluation, Promotion, Registry
from gatekeeper.registry.records import WHAT_IF

ATTEMPTS = 3


def retrain(run: Run, registry: Registry) -> Retrained:
    """Build the run's ideas and train on those before the holdout; both files are bound by sha256.

    The data's passport is logged, and compared with that of the run before. If refits are deployed, the same recipe and
    seed is fitted once more on all data to the as-of.
    """
    dataset = read_data.dataset(run, registry)
    fitted = train_and_export.fitted(run, dataset, run.as_of - run.settings.holdout)
    dataset_sha256 = dataset.save(run.work / "dataset.npz")
    trained, notes = fitted.trained, "".join(f"; {note}" for note in dataset.notes)
    summary = (
        f"{trained.recipe} trained on {trained.ideas} ideas ({trained.wins} won) that started from "
        f"{trained.trained_from:%Y-%m-%d} and were known by {trained.cutoff:%Y-%m-%d}; "
        f"{len(dataset.ideas)} ideas known in all{notes}"
    )
    warnings = () if dataset.passport is None else dataset.passport.warnings
    if warnings:
        summary += f"; {read_data.in_count(warnings)} about the data, the first: {warnings[0]}"
    refit = None
    if run.settings.deploy != "judged":
        refit = train_and_export.fitted(run, dataset, run.as_of)
        summary += f"; its refit on the {refit.trained.ideas} that were known by {refit.trained.cutoff:%Y-%m-%d}"
    return onward(
        Retrained,
        fitted,
        run_key=run.key,
        summary=summary,
        dataset=str(run.work / "dataset.npz"),
        dataset_sha256=dataset_sha256,
        dataset_fingerprint=dataset.fingerprint(),
        without_last=() if dataset.passport is None else dataset.passport.without_last,
        refit=refit,
    )


def export_onnx(run: Run, retrained: Retrained) -> Exported:
    """Export the estimators as ONNX bytes, proven to score as they do."""
    dataset, refit = dataset_of(run, retrained), None
    file = train_and_export.exported(run, dataset, retrained, "model.onnx")
    summary = file.summary
    if retrained.refit is not None:
        fresh = train_and_export.exported(run, dataset, retrained.refit, "refit.onnx")
        refit = onward(ExportedModel, retrained.refit, onnx=fresh.path, onnx_sha256=fresh.sha256, size=fresh.size)
        summary = f"{summary}; its refit: {fresh.summary}"
    return onward(
        Exported,
        retrained,
        onnx=file.path,
        onnx_sha256=file.sha256,
        size=file.size,
        refit=refit,
        summary=summary,
    )


def register(run: Run, registry: Registry, exported: Exported) -> Registered:
    """Register the exported bytes as rows; the same run and bytes give the same row."""
    model, refit = train_and_export.registered(run, registry, exported), None
    summary = f"model {model.id} is {model.version}, sha256 {str(model.sha256)[:12]}"
    if exported.refit is not None:
        fresh = train_and_export.registered(run, registry, exported.refit, judged_model=model)
        summary += f"; its refit is model {fresh.id}, {fresh.version}, sha256 {str(fresh.sha256)[:12]}"
        refit = onward(RegisteredModel, exported.refit, model_id=fresh.id, sha256=fresh.sha256)
    return onward(Registered, exported, model_id=model.id, sha256=model.sha256, refit=refit, summary=summary)


def backtest(run: Run, registry: Registry, registered: Registered) -> Backtested:
    """Judge the run's model against the primary, and record the evaluation."""
    evaluation = evaluated(run, registry, registry.model(registered.model_id), registered)
    return onward(
        Backtested,
        registered,
        evaluation_id=evaluation.id,
        challenger_id=evaluation.challenger,
        verdict=evaluation.verdict,
        kind=evaluation.kind,
        report=evaluation.report,
        summary=evaluation.document.verdict.message,
    )


def promote(run: Run, registry: Registry, backtested: Backtested) -> Promoted:
    """Promote if the verdict says so, and a person has if the desk asks one; send the alarms."""
    promoted = _promoted(run, registry, backtested)
    alarms.tell_verdict(run.settings, registry, run.key, promoted)
    return promoted


def _promoted(run: Run, registry: Registry, backtested: Backtested) -> Promoted:
    """Promote if the verdict says so; if the primary has changed since, judge again, as the same run.

    A hold, a quarantine, a missing approval, or a later as-of that was promoted already keeps the challenger out, as
    the summary says.
    """
    model = registry.model(backtested.model_id)
    for _ in range(ATTEMPTS):
        evaluation = evaluated(run, registry, model, backtested)
        outcome = partial(
            onward,
            Promoted,
            backtested,
            evaluation_id=evaluation.id,
            challenger_id=evaluation.challenger,  # this week's model, or an older one that won the league
            verdict=evaluation.verdict,
            kind=evaluation.kind,
            **_approval(run, registry, evaluation),
        )
        reason = evaluation.document.verdict.message
        if why := _kept_out(evaluation, registry):
            effect = registry.effect(None, why)
            return outcome(promoted=False, effect=effect, summary=f"{effect} {reason}")
        try:
            promotion = registry.promote(
                evaluation.deploys_id,
                actor=run.actor,
                reason=reason,
                expected_generation=evaluation.generation,
                evaluation=evaluation.id,
                as_of=run.as_of,
                run_key=run.key,
                kind=evaluation.kind,
                needs_approval=run.settings.approval,
            )
        except GenerationMoved:
            continue
        except EvaluationOutdated:
            if not is_older(run, registry):
                raise  # the bytes are others now: nothing to judge again
            continue  # a later week was promoted first: this one is judged again, as a what-if
        except (Held, Quarantined, Unapproved) as refusal:
            effect = registry.effect(None, str(refusal))
            return outcome(promoted=False, effect=effect, summary=f"{effect} {reason}")
        made: Promotion | None = promotion
        if promotion.run_key != run.key:  # another act made this model the primary; this run may have, before
            made = next((one for one in registry.promotions() if one.run_key == run.key), None)
        if made is None:
            effect = registry.effect(None, f"model {promotion.to_id} was the primary already")
            return outcome(promoted=False, effect=effect, summary=f"{effect} {reason}")
        effect = registry.effect(made)
        if evaluation.refit is not None:
            effect += f" It is the refit of model {evaluation.challenger}."
        return outcome(
            promoted=True,
            promoted_id=evaluation.deploys_id,
            generation=made.generation,
            effect=effect,
            summary=f"{effect} {reason}",
        )
    raise GenerationMoved(
        f"the primary changed during each of {ATTEMPTS} judgements of model {model.id}; run the step `promote` again"
    )


def _approval(run: Run, registry: Registry, evaluation: Evaluation) -> dict[str, object]:
    """What the registry holds about the approval of an evaluation; empty if the desk asks nobody."""
    from gatekeeper.registry.promotion import approvals

    if not run.settings.approval:
        return {}
    found = registry.approvals.of(run_key=run.key, evaluation_id=evaluation.id)
    if found is None:
        return {"approved": False, "approval": "Nobody was asked"}
    return {"approved": found.answer == approvals.APPROVED, "approval": approvals.in_words(found)}


def _kept_out(evaluation: Evaluation, registry: Registry) -> str | None:
    """The reason that the evaluation promotes nothing, before the registry is asked; None if there is none."""
    if evaluation.kind == WHAT_IF:
        return registry.not_eligible(evaluation.as_of) or "a later week was promoted already"
    if evaluation.verdict != "promote":
        return f"the verdict is {evaluation.verdict}"
    return None


STEPS = ("retrain", "export_onnx", "register", "backtest", "promote")


def take(name: str, run: Run, registry: Registry, handed_over: object = None) -> Retrained:
    """One step by its name, with what the step before it returned, as the executor carried it.

    Raises DataError, and AsOfError for an as-of beyond the database's clock, ClockBehind if a promoted one is.
    """
    registry.refuse_future(run.as_of)
    match name:
        case "retrain":
            return retrain(run, registry)
        case "export_onnx":
            return export_onnx(run, read(handed_over, Retrained, "retrain", run.key))
        case "register":
            return register(run, registry, read(handed_over, Exported, "export_onnx", run.key))
        case "backtest":
            return backtest(run, registry, read(handed_over, Registered, "register", run.key))
        case "promote":
            return promote(run, registry, read(handed_over, Backtested, "backtest", run.key))
    raise ConfigError(f"there is no step {name!r}; the steps are {', '.join(STEPS)}")


def weekly(run: Run, registry: Registry) -> Iterator[tuple[str, Retrained]]:
    """All steps in order, each with its output as soon as it is done; the last one is Promoted."""
    registry.refuse_future(run.as_of)
    yield "retrain", (retrained := retrain(run, registry))
    yield "export_onnx", (exported := export_onnx(run, retrained))
    yield "register", (registered := register(run, registry, exported))
    yield "backtest", (backtested := backtest(run, registry, registered))
    yield "promote", promote(run, registry, backtested)
