"""Fixtures of the registry's tests: a site for each test, on SQLite and again on PostgreSQL.

A test of one of them alone says `@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)`.
"""

from collections.abc import Callable
from datetime import timedelta

import pytest
from registry_site import MONDAY, OWN, own_model
from site_fixtures import (
    dialect,
    empty_site,
    new_site,
    pooler,
    postgres,
    registry,
    site,
    template,
    templates,
    tried_once,
    upgraded,
)

from gatekeeper.registry import Evaluation, Model, Registry
from gatekeeper.registry.db.database import now

__all__ = [
    "dialect",
    "empty_site",
    "new_site",
    "pooler",
    "postgres",
    "registry",
    "site",
    "template",
    "templates",
    "tried_once",
    "upgraded",
]


@pytest.fixture
def add(registry: Registry) -> Callable[[int], Model]:
    """Registers model `number` as our own export."""
    return lambda number: registry.register(own_model(number), note=f"model {number}", details=OWN)


@pytest.fixture
def promote(registry: Registry) -> Callable[[Model], object]:
    return lambda model: registry.promote(model.id, actor="ann", reason="try it")


@pytest.fixture
def judged(registry: Registry) -> Callable[..., Evaluation]:
    """A verdict `promote` on a challenger, as of some weeks after MONDAY; `today`: of now, by the database's clock."""

    def judge(
        challenger: Model, weeks: int = 0, verdict: str = "promote", *, today: bool = False, **others: object
    ) -> Evaluation:
        as_of = MONDAY + timedelta(weeks=weeks)
        if today:
            with registry._context.database.read() as connection:
                as_of = now(connection)
        champion = registry.primary()
        return registry.record_evaluation(
            **{
                "challenger": challenger.id,
                "champion": champion.id if champion else None,
                "generation": registry.generation(),
                "as_of": as_of,
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
