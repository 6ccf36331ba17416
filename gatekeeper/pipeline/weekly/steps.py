"""Weekly steps: retrain, export_onnx, register, backtest, promote.

Plain functions, called alike by the DAG and the command line. Each may run again, here or elsewhere, with the same
result.
"""

from collections.abc import Iterator

from gatekeeper.errors import EvaluationOutdated, GenerationMoved, Held, Quarantined
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.weekly import train_and_export
from gatekeeper.pipeline.weekly.evaluate import evaluated, is_older
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.pipeline.weekly.workspace import Handed, dataset_of
from gatekeeper.registry import Evaluation, Promotion, Registry
from gatekeeper.registry.records import WHAT_IF

ATTEMPTS = 3


def retrain(run: Run, registry: Registry, handed: Handed) -> Handed:  # noqa: ARG001  # every step takes these three
    """Build the run's ideas and train on those before the holdout; both files are bound by sha256.

    If refits are deployed, the same recipe and seed is fitted once more on all data to the as-of.
    """
    from gatekeeper.market import sources

    dataset = sources.load(run.settings.data, run.as_of, run.settings)
    made = train_and_export.fitted(run, dataset, run.as_of - run.settings.holdout)
    dataset_sha256 = dataset.save(run.work / "dataset.npz")
    trained, notes = made["trained"], "".join(f"; {note}" for note in dataset.notes)
    handed = {
        "dataset": str(run.work / "dataset.npz"),
        "dataset_sha256": dataset_sha256,
        "dataset_fingerprint": dataset.fingerprint(),
        **made,
        "summary": f"{trained['recipe']} trained on {trained['ideas']} ideas ({trained['wins']} won) that started from "
        f"{trained['trained_from'][:10]} and were known by {trained['cutoff'][:10]}; "
        f"{len(dataset.ideas)} ideas known in all{notes}",
    }
    if run.settings.deploy == "judged":
        return handed
    refit = train_and_export.fitted(run, dataset, run.as_of)
    fresh = f"; its refit on the {refit['trained']['ideas']} that were known by {refit['trained']['cutoff'][:10]}"
    return {**handed, "refit": refit, "summary": handed["summary"] + fresh}


def export_onnx(run: Run, registry: Registry, handed: Handed) -> Handed:  # noqa: ARG001  # every step takes these three
    """Export the estimators as ONNX bytes, proven to score as they do."""
    dataset = dataset_of(run, handed)
    handed = train_and_export.exported(run, dataset, handed, "model.onnx")
    said = _exported(handed)
    if "refit" in handed:
        refit = train_and_export.exported(run, dataset, handed["refit"], "refit.onnx")
        handed, said = {**handed, "refit": refit}, f"{said}; its refit: {_exported(refit)}"
    return {**handed, "summary": said}


def _exported(made: Handed) -> str:
    return f"{made['size']} bytes of ONNX, sha256 {made['onnx_sha256'][:12]}, scores equal the estimator's within 1e-5"


def register(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Register the exported bytes as rows; the same run and bytes give the same row."""
    model = train_and_export.registered(run, registry, handed)
    said = f"model {model.id} is {model.version}, sha256 {str(model.sha256)[:12]}"
    handed = {**handed, "model_id": model.id, "sha256": model.sha256}
    if "refit" in handed:
        refit = train_and_export.registered(run, registry, handed["refit"], twin=model)
        said += f"; its refit is model {refit.id}, {refit.version}, sha256 {str(refit.sha256)[:12]}"
        handed["refit"] = {**handed["refit"], "model_id": refit.id, "sha256": refit.sha256}
    return {**handed, "summary": said}


def backtest(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Judge the run's model against the primary, and record the evaluation."""
    evaluation = evaluated(run, registry, registry.model(handed["model_id"]), handed)
    return {
        **handed,
        "evaluation_id": evaluation.id,
        "challenger_id": evaluation.challenger,
        "verdict": evaluation.verdict,
        "kind": evaluation.kind,
        "report": evaluation.report,
        "summary": evaluation.document["verdict"]["message"],
    }


def promote(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Promote if the verdict says so, and send the alarms."""
    said = _promoted(run, registry, handed)
    alarms.tell_verdict(run.settings, registry, run.key, said)
    return said


def _promoted(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Promote if the verdict says so; if the primary has changed since, judge again, as the same run.

    A hold, a quarantine, or a later as-of that was promoted already keeps the challenger out, as the summary says.
    """
    model = registry.model(handed["model_id"])
    for _ in range(ATTEMPTS):
        evaluation = evaluated(run, registry, model, handed)
        said = {**handed, "evaluation_id": evaluation.id, "verdict": evaluation.verdict, "kind": evaluation.kind}
        said["challenger_id"] = evaluation.challenger  # this week's model, or an older one that won the league
        reason = str(evaluation.document["verdict"]["message"])
        if why := _kept_out(evaluation, handed):
            return {**said, "promoted": False, "summary": f"{why}: {reason}"}
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
            )
        except GenerationMoved:
            continue
        except EvaluationOutdated:
            if not is_older(run, registry):
                raise  # the bytes are others now: nothing to judge again
            continue  # a later week was promoted first: this one is judged again, as a what-if
        except (Held, Quarantined) as refusal:
            return {**said, "promoted": False, "summary": f"not promoted: {refusal}"}
        return {**said, **_came_in(promotion, evaluation, registry), "promoted": True}
    raise GenerationMoved(
        f"the primary changed during each of {ATTEMPTS} judgements of model {model.id}; run the step `promote` again"
    )


def _kept_out(evaluation: Evaluation, handed: Handed) -> str | None:
    """The reason that the evaluation promotes nothing, before the registry is asked; None if there is none."""
    if evaluation.kind == WHAT_IF:
        return f"{WHAT_IF} ({evaluation.verdict})"
    if evaluation.verdict != "promote":
        return evaluation.verdict
    if not handed.get("approved", True):  # a verdict that came after the question was answered, or was never put
        return f"not promoted: {handed['approval']}"
    judged, asked = evaluation.challenger, handed.get("challenger_id", evaluation.challenger)
    if "approved" in handed and asked != judged:
        return (
            f"not promoted: the approval was of model {asked}, and model {judged} is the best now; "
            "clear `backtest` to ask again"
        )
    return None


def _came_in(promotion: Promotion, evaluation: Evaluation, registry: Registry) -> Handed:
    """The step output of a promotion."""
    live, primary = evaluation.deploys_id, registry.primary()
    still = "" if primary is not None and primary.id == live else ", and is no longer the primary"
    what = f"model {live}" if evaluation.refit is None else f"model {live}, the refit of model {evaluation.challenger},"
    reason = evaluation.document["verdict"]["message"]
    return {
        "promoted_id": live,
        "generation": promotion.generation,
        "summary": f"{what} was promoted (generation {promotion.generation}){still}: {reason}",
    }


STEPS = {
    "retrain": retrain,
    "export_onnx": export_onnx,
    "register": register,
    "backtest": backtest,
    "promote": promote,
}


def weekly(run: Run, registry: Registry) -> Iterator[tuple[str, Handed]]:
    """Run all steps in order; yields the name and output of each as soon as it is done."""
    handed: Handed = {}
    for name, step in STEPS.items():
        handed = step(run, registry, handed)
        yield name, handed
