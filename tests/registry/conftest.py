"""Fixtures of the registry's tests: each test has a site of its own, on SQLite and again on PostgreSQL.

A test of one of them alone says `@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)`.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from postgres_server import new_database, running
from registry_site import MONDAY, OWN, Site, own_model

from gatekeeper.registry import Evaluation, Model, Registry


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test run."""
    with running() as url:
        yield url


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def new_site(dialect: str, request: pytest.FixtureRequest) -> Callable[[Path], Site]:
    """Makes a site whose database has no tables yet."""
    if dialect == "sqlite":
        return Site
    server = request.getfixturevalue("postgres")
    return lambda root: Site(root, new_database(server))


@pytest.fixture(scope="session")
def templates() -> dict[tuple[str, str], Site]:
    """Sites to be copied: each is made once in a test run, in whatever order the tests of the two databases come."""
    return {}


@pytest.fixture
def template(
    dialect: str,
    new_site: Callable[[Path], Site],
    templates: dict[tuple[str, str], Site],
    tmp_path_factory: pytest.TempPathFactory,
) -> Callable[[Callable[[Site], object]], Site]:
    """The site that `make` made of an empty one."""

    def made(make: Callable[[Site], object]) -> Site:
        key = (make.__qualname__, dialect)
        if key not in templates:
            site = new_site(tmp_path_factory.mktemp("template"))
            make(site)
            templates[key] = site
        return templates[key]

    return made


@pytest.fixture
def upgraded(template: Callable[[Callable[[Site], object]], Site]) -> Site:
    """A site after `db upgrade`, to be copied."""
    return template(Site.upgrade)


@pytest.fixture
def empty_site(new_site: Callable[[Path], Site], tmp_path: Path) -> Iterator[Site]:
    site = new_site(tmp_path)
    yield site
    site.drop()


@pytest.fixture
def site(upgraded: Site, tmp_path: Path) -> Iterator[Site]:
    copy = upgraded.clone(tmp_path)
    yield copy
    copy.drop()


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
