"""House of the end-to-end tests' Mondays: registry, data, work and reports."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from gatekeeper import config, pipeline
from gatekeeper import registry as registries
from gatekeeper.documents import step_output
from gatekeeper.pipeline import STEPS, Run
from gatekeeper.registry import Evaluation, Registry

NOW = datetime(2020, 1, 1, tzinfo=UTC)


def step(name: str, run: Run, registry: Registry, handed: dict[str, Any]) -> dict[str, Any]:
    """One weekly step, as an executor carries what goes in and what comes out: as JSON."""
    return step_output.written(pipeline.take(name, run, registry, handed))


def approve(registry: Registry, run_key: str, evaluation: Evaluation, answer: str = "approved") -> None:
    """Ann's answer about an evaluation, in the registry."""
    about = {"model_id": evaluation.deploys_id, "evaluation_id": evaluation.id}
    registry.approvals.ask(run_key=run_key, **about, question=f"weekly/{evaluation.id}", asked_by=None)
    registry.approvals.answer(f"weekly/{evaluation.id}", answer=answer, by="ann")


class House:
    """A registry and a folder, and weekly runs in them; `logistic` is the recipe that fits fastest."""

    def __init__(self, folder: Path, data: str, db: str | None = None, recipe: str = "logistic") -> None:
        self.folder = folder
        self.settings = config.load(
            {
                "db": db or f"sqlite:///{folder / 'registry.db'}",
                "models": str(folder / "models"),
                "work": str(folder / "work"),
                "reports": str(folder / "reports"),
                "data": data,
                "recipe": recipe,
                # An edge that a test needs at once has a Sharpe ratio and a correlation that no market gives.
                **({"too_good": 1000.0, "accept": ("knows:rsi14",)} if data.startswith("ideas:") else {}),
            }
        )
        if not (folder / "registry.db").exists():
            registries.upgrade(self.settings.db, models=self.settings.models)
        self.registry = Registry.configured(self.settings)

    def run(self, as_of: datetime, **parameters: object) -> Run:
        return pipeline.start(as_of, now=NOW, settings=self.settings, parameters=parameters, actor="test")

    def week(self, as_of: datetime, **parameters: object) -> dict[str, Any]:
        return step_output.written(list(pipeline.weekly(self.run(as_of, **parameters), self.registry))[-1][1])

    def until(self, last: str, as_of: datetime, **parameters: object) -> tuple[Run, dict[str, Any]]:
        """All steps up to and with `last`."""
        run = self.run(as_of, **parameters)
        handed: dict[str, Any] = {}
        for name in STEPS[: STEPS.index(last) + 1]:
            handed = step(name, run, self.registry, handed)
        return run, handed

    def files_of(self, model_id: int) -> tuple[Path, Path]:
        model = self.registry.model(model_id)
        return self.folder / "models" / model.file_name, self.folder / "models" / ".blobs" / str(model.sha256)
