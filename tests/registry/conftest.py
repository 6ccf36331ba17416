"""Fixtures of the registry's tests: each test has a site of its own."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from registry_site import MONDAY, OWN, Site, own_model

from gatekeeper.registry import Evaluation, Model, Registry


@pytest.fixture
def empty_site(tmp_path: Path) -> Site:
    return Site(tmp_path)


@pytest.fixture
def site(empty_site: Site) -> Site:
    empty_site.upgrade()
    return empty_site


@pytest.fixture
def registry(site: Site) -> Iterator[Registry]:
    with site.open() as opened:
        yield opened


@pytest.fixture
def add(registry: Registry) -> Callable[[int], Model]:
    """Registers model `number` as our own export."""
    return lambda number: registry.register(own_model(number), note=f"model {number}", details=OWN)


@pytest.fixture
def promote(registry: Registry) -> Callable[[Model], object]:
    return lambda model: registry.promote(model.id, actor="ann", reason="try it")


@pytest.fixture
def judged(registry: Registry) -> Callable[..., Evaluation]:
    """A verdict `promote` on a challenger, as of some weeks after MONDAY."""

    def judge(challenger: Model, weeks: int = 0, verdict: str = "promote", **others: object) -> Evaluation:
        champion = registry.primary()
        return registry.record_evaluation(
            **{
                "challenger": challenger.id,
                "champion": champion.id if champion else None,
                "generation": registry.generation(),
                "as_of": MONDAY + timedelta(weeks=weeks),
                "kind": "weekly",
                "verdict": verdict,
                "document": {"gain": 0.25, "p": None},
                "run_key": f"week {weeks}",
                "report": None,
                **others,
            }
        )

    return judge


@pytest.fixture
def promote_judged(registry: Registry) -> Callable[[Evaluation], object]:
    return lambda evaluation: registry.promote(
        evaluation.challenger, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly"
    )
