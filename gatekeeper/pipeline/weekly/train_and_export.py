"""Training, ONNX export and registration of a weekly run's model, the same for the judged model and its refit."""

import hashlib
from dataclasses import dataclass
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.documents.step_output import Exported, ExportedModel, FittedModel
from gatekeeper.errors import DataError, ModelRefused
from gatekeeper.files import write_whole
from gatekeeper.pipeline.weekly.run import Run
from gatekeeper.registry import Details, Model, Registry

if TYPE_CHECKING:
    from datetime import datetime

    from gatekeeper.documents.evaluation import Training
    from gatekeeper.market.ideas import Dataset


@dataclass(frozen=True, slots=True)
class OnnxFile:
    """An exported model in the run's folder."""

    path: str
    sha256: str
    size: int

    @property
    def summary(self) -> str:
        """The step's summary of it."""
        return f"{self.size} bytes of ONNX, sha256 {self.sha256[:12]}, scores equal the estimator's within 1e-5"


def fitted(run: Run, dataset: "Dataset", cutoff: "datetime") -> FittedModel:
    """The recipe fitted on the data known by the cut-off; the estimator's file is bound by its sha256."""
    from gatekeeper.model import training

    trained = training.train(dataset, run.settings, cutoff)
    estimator, sha256 = training.save_estimator(trained, run.work)
    return FittedModel(estimator=str(estimator), estimator_sha256=sha256, trained=trained.record())


def exported(run: Run, dataset: "Dataset", fitted: FittedModel, name: str) -> OnnxFile:
    """The estimator as ONNX bytes, proven to score as it does, in the run's folder under `name`."""
    from gatekeeper.model import export, training

    trained = training.Trained.restore(
        fitted.trained, Path(fitted.estimator), fitted.estimator_sha256, dataset, run.settings
    )
    content = export.export(trained)
    place = run.work / name
    write_whole(place, content)
    return OnnxFile(str(place), hashlib.sha256(content).hexdigest(), len(content))


def _chosen(trained: "Training") -> str:
    """The training window and the half-life, if they were set."""
    window = "" if trained.train_years is None else f" of {trained.train_years:g} years"
    return window + ("" if trained.half_life_days is None else f", half-life {trained.half_life_days:g} days")


def registered(
    run: Run, registry: Registry, exported: Exported | ExportedModel, judged_model: Model | None = None
) -> Model:
    """The exported bytes as a row of the registry; a refit is bound to the judged model."""
    try:
        content = Path(exported.onnx).read_bytes()
    except OSError as fault:
        raise DataError(
            f"{exported.onnx}, which export_onnx wrote, can't be read ({fault.strerror}): all workers must share "
            "GATEKEEPER_WORK; clear the run from `export_onnx` on"
        ) from None
    if hashlib.sha256(content).hexdigest() != exported.onnx_sha256:
        raise ModelRefused("sha256", f"{exported.onnx} has changed since export_onnx wrote it; clear that task")
    trained = exported.trained
    what = trained.recipe if judged_model is None else f"refit of {judged_model.version}: {trained.recipe}"
    return registry.register(
        content,
        note=f"{what}, as-of {run.as_of:%Y-%m-%d}, {trained.ideas} ideas{_chosen(trained)}",
        run_key=run.key,
        threshold=run.settings.threshold,
        details=Details(
            trained_from=trained.trained_from,
            trained_to=trained.trained_to,
            cutoff=trained.cutoff,
            estimator=trained.recipe,
            fingerprint=trained.fingerprint,
            code_version=package_version("gatekeeper"),
        ),
        judged_model=None if judged_model is None else judged_model.id,
    )
