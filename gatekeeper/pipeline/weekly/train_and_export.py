"""Training, ONNX export and registration of a weekly run's model, the same for the judged model and its refit."""

import hashlib
from datetime import datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.errors import ModelRefused
from gatekeeper.files import write_whole
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.pipeline.weekly.workspace import Handed
from gatekeeper.registry import Details, Model, Registry

if TYPE_CHECKING:
    from gatekeeper.market.ideas import Dataset


def fitted(run: Run, dataset: "Dataset", cutoff: datetime) -> Handed:
    """The recipe fitted on the data known by the cut-off; the estimator's file is bound by its sha256."""
    from gatekeeper.model import training

    trained = training.train(dataset, run.settings, cutoff)
    estimator, sha256 = training.save_estimator(trained, run.work)
    return {"estimator": str(estimator), "estimator_sha256": sha256, "trained": trained.to_meta()}


def exported(run: Run, dataset: "Dataset", made: Handed, name: str) -> Handed:
    """The estimator as ONNX bytes, proven to score as it does, in the run's folder under `name`."""
    from gatekeeper.model import export, training

    trained = training.Trained.restore(
        made["trained"], Path(made["estimator"]), made["estimator_sha256"], dataset, run.settings
    )
    content = export.export(trained)
    place = run.work / name
    write_whole(place, content)
    return {**made, "onnx": str(place), "onnx_sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def registered(run: Run, registry: Registry, made: Handed, twin: Model | None = None) -> Model:
    """The exported bytes as a row of the registry; a refit is bound to the judged model."""
    content = Path(made["onnx"]).read_bytes()
    if hashlib.sha256(content).hexdigest() != made["onnx_sha256"]:
        raise ModelRefused("sha256", f"{made['onnx']} has changed since export_onnx wrote it; clear that task")
    meta = made["trained"]
    what = meta["recipe"] if twin is None else f"refit of {twin.version}: {meta['recipe']}"
    return registry.register(
        content,
        note=f"{what}, as-of {run.as_of:%Y-%m-%d}, {meta['ideas']} ideas",
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
        judged_model=None if twin is None else twin.id,
    )
