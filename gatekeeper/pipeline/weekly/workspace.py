"""Workspace of a weekly run: files between the steps, written whole and bound by their sha256."""

from pathlib import Path
from typing import TYPE_CHECKING

from gatekeeper.documents.step_output import Retrained
from gatekeeper.errors import DataError
from gatekeeper.pipeline.weekly.run import Run

if TYPE_CHECKING:
    from gatekeeper.market.ideas import Dataset


def dataset_of(run: Run, retrained: Retrained) -> "Dataset":
    """The dataset of the retrain step; rebuilt if its file is gone, and then it must have the same fingerprint."""
    from gatekeeper.market.ideas import Dataset

    place = Path(retrained.dataset)
    if place.exists():
        return Dataset.load(place, retrained.dataset_sha256)
    from gatekeeper.market import sources
    from gatekeeper.market.data.passport.reading import Reading

    reading = Reading(without_last=retrained.without_last)
    dataset = sources.load(run.settings.data, run.as_of, run.settings, reading)
    if dataset.fingerprint() != retrained.dataset_fingerprint:
        raise DataError(
            f"{place} is gone, and {run.settings.data} no longer gives the same ideas for {run.as_of:%Y-%m-%d}; "
            "clear the run from `retrain` on"
        )
    return dataset
