"""The weekly steps: retrain, export_onnx, register, backtest, promote.

Plain functions that the DAG and the command line call alike. Each may run again, here or elsewhere, and comes to the
same end.
"""

import hashlib
from collections.abc import Iterator
from datetime import datetime
from importlib.metadata import version as package_version
from pathlib import Path

from gatekeeper.errors import EvaluationOutdated, GenerationMoved, Held, ModelRefused, Quarantined
from gatekeeper.files import write_whole
from gatekeeper.pipeline import alarms
from gatekeeper.pipeline.judging import WHAT_IF, evaluated, is_older
from gatekeeper.pipeline.run import Run
from gatekeeper.pipeline.workspace import Handed, dataset_of
from gatekeeper.registry import Details, Registry

ATTEMPTS = 3


def retrain(run: Run, registry: Registry, handed: Handed) -> Handed:  # noqa: ARG001  # every step takes these three
    """Builds the run's ideas and trains on those that the time split allows; hands on both, bound by sha256."""
    from gatekeeper.market import sources
    from gatekeeper.model import training

    dataset = sources.load(run.settings.data, run.as_of, run.settings)
    trained = training.train(dataset, run.settings)
    dataset_sha256 = dataset.save(run.work / "dataset.npz")
    estimator, estimator_sha256 = training.save_estimator(trained, run.work)
    notes = "".join(f"; {note}" for note in dataset.notes)
    return {
        "dataset": str(run.work / "dataset.npz"),
        "dataset_sha256": dataset_sha256,
        "dataset_fingerprint": dataset.fingerprint(),
        "estimator": str(estimator),
        "estimator_sha256": estimator_sha256,
        "trained": trained.to_meta(),
        "summary": f"{trained.recipe} trained on {trained.ideas} ideas ({trained.wins} won) that started from "
        f"{trained.trained_from:%Y-%m-%d} and were known by {trained.cutoff:%Y-%m-%d}; "
        f"{len(dataset.ideas)} ideas known in all{notes}",
    }


def export_onnx(run: Run, registry: Registry, handed: Handed) -> Handed:  # noqa: ARG001  # every step takes these three
    """The estimator as ONNX bytes that are proven to answer as it does."""
    from gatekeeper.model import export, training

    trained = training.Trained.restore(
        handed["trained"], Path(handed["estimator"]), handed["estimator_sha256"], dataset_of(run, handed), run.settings
    )
    content = export.export(trained)
    place = run.work / "model.onnx"
    write_whole(place, content)
    sha256 = hashlib.sha256(content).hexdigest()
    return {
        **handed,
        "onnx": str(place),
        "onnx_sha256": sha256,
        "summary": f"{len(content)} bytes of ONNX, sha256 {sha256[:12]}, scores equal the estimator's within 1e-5",
    }


def register(run: Run, registry: Registry, handed: Handed) -> Handed:
    """The exported bytes as a row of the registry; the same run and bytes give the same row."""
    content = Path(handed["onnx"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != handed["onnx_sha256"]:
        raise ModelRefused("sha256", f"{handed['onnx']} is no longer what export_onnx wrote; clear that task")
    meta = handed["trained"]
    model = registry.register(
        content,
        note=f"{meta['recipe']}, as-of {run.as_of:%Y-%m-%d}, {meta['ideas']} ideas",
        run_key=run.key,
        threshold=run.settings.threshold,
        details=Details(
            trained_from=datetime.fromisoformat(meta["trained_from"]),
            trained_to=datetime.fromisoformat(meta["trained_to"]),
            cutoff=datetime.fromisoformat(meta["cutoff"]),
            estimator=meta["recipe"],
            fingerprint=meta["fingerprint"],
            code_version=package_version("gatekeeper"),
        ),
    )
    return {
        **handed,
        "model_id": model.id,
        "sha256": model.sha256,
        "summary": f"model {model.id} is {model.version}, sha256 {str(model.sha256)[:12]}",
    }


def backtest(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Judges the model of this run against the primary that it may follow, and records the evaluation."""
    evaluation = evaluated(run, registry, registry.model(handed["model_id"]), handed)
    return {
        **handed,
        "evaluation_id": evaluation.id,
        "verdict": evaluation.verdict,
        "kind": evaluation.kind,
        "report": evaluation.report,
        "summary": evaluation.document["verdict"]["message"],
    }


def promote(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Promotes where the verdict says so, as `_promoted` has it, and tells those who asked to hear."""
    said = _promoted(run, registry, handed)
    alarms.tell_verdict(run.settings, registry, run.key, said)
    return said


def _promoted(run: Run, registry: Registry, handed: Handed) -> Handed:
    """Promotes where the verdict says so; where the registry moved since, judges again, as the same look.

    A hold, a quarantine, or a later as-of that was promoted keep the challenger out, and the summary says so.
    """
    model = registry.model(handed["model_id"])
    for _ in range(ATTEMPTS):
        evaluation = evaluated(run, registry, model, handed)
        said = {**handed, "evaluation_id": evaluation.id, "verdict": evaluation.verdict, "kind": evaluation.kind}
        reason = str(evaluation.document["verdict"]["message"])
        if evaluation.kind == WHAT_IF or evaluation.verdict != "promote":
            what = f"{WHAT_IF} ({evaluation.verdict})" if evaluation.kind == WHAT_IF else evaluation.verdict
            return {**said, "promoted": False, "summary": f"{what}: {reason}"}
        if not handed.get("approved", True):  # a verdict that came after the question was answered, or was never put
            return {**said, "promoted": False, "summary": f"not promoted: {handed['approval']}: {reason}"}
        try:
            promotion = registry.promote(
                model.id,
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
            continue  # a later week went first: this one is judged again, as a what-if
        except (Held, Quarantined) as refusal:
            return {**said, "promoted": False, "summary": f"not promoted: {refusal}"}
        primary = registry.primary()
        still = "" if primary is not None and primary.id == model.id else ", and is no longer the primary"
        return {
            **said,
            "promoted": True,
            "generation": promotion.generation,
            "summary": f"model {model.id} was promoted (generation {promotion.generation}){still}: {reason}",
        }
    raise GenerationMoved(
        f"the primary changed during each of {ATTEMPTS} judgements of model {model.id}; run the promote step again"
    )


STEPS = {
    "retrain": retrain,
    "export_onnx": export_onnx,
    "register": register,
    "backtest": backtest,
    "promote": promote,
}


def weekly(run: Run, registry: Registry) -> Iterator[tuple[str, Handed]]:
    """All steps in order, each with what it hands on as soon as it is done."""
    handed: Handed = {}
    for name, step in STEPS.items():
        handed = step(run, registry, handed)
        yield name, handed
