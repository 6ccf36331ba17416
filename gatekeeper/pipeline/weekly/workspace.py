"""Workspace of a weekly run: files between the steps, written whole and bound by their sha256."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from gatekeeper.errors import DataError
from gatekeeper.pipeline.weekly.run import Run

if TYPE_CHECKING:
    from gatekeeper.market.ideas import Dataset

Handed = dict[str, Any]
"""Output of a step for the next one: JSON of paths, ids, sha256 and finite numbers, so that any executor carries it."""


def dataset_of(run: Run, handed: Handed) -> "Dataset":
    """The dataset of the retrain step; rebuilt if its file is gone, and then it must have the same fingerprint."""
    from gatekeeper.market.ideas import Dataset

    place = Path(handed["dataset"])
    if place.exists():
        return Dataset.load(place, handed["dataset_sha256"])
    from gatekeeper.market import sources

    dataset = sources.load(run.settings.data, run.as_of, run.settings)
    if dataset.fingerprint() != handed["dataset_fingerprint"]:
        raise DataError(
            f"{place} is gone, and {run.settings.data} no longer gives the same ideas for {run.as_of:%Y-%m-%d}; "
            "clear the run from `retrain` on"
        )
    return dataset
