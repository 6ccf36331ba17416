"""Fixtures of a site on SQLite and again on PostgreSQL: a conftest imports those that its tests need."""

import os
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from pgbouncer import pooling
from postgres_server import new_database, running
from registry_site import Site
from sqlalchemy.engine import make_url

from gatekeeper.errors import ModelRefused
from gatekeeper.model import verify
from gatekeeper.model.canary import Canary
from gatekeeper.registry import Registry

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

in_a_child = verify.verify_untrusted


@pytest.fixture(scope="module", autouse=True)
def tried_once() -> Iterator[None]:
    """Where a conftest imports this: a child process, dearer than most tests, tries a foreign file only once."""

    def tried(content: bytes, *, cap: int) -> Canary:
        said = _said(content, cap)
        if isinstance(said, ModelRefused):
            raise ModelRefused(said.reason, str(said))
        return said

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(verify, "verify_untrusted", tried)
        yield


@cache
def _said(content: bytes, cap: int) -> Canary | ModelRefused:
    try:
        return in_a_child(content, cap=cap)
    except ModelRefused as refused:
        return refused


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a PostgreSQL server of this test run."""
    with running() as url:
        yield url


@pytest.fixture(scope="session")
def pooler(postgres: str) -> Iterator[str]:
    """The socket folder of a PgBouncer in front of that server. `make matrix` sends every registry through it."""
    with pooling(postgres) as url:
        yield str(make_url(url).query["host"])


@pytest.fixture(scope="session", params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def dialect(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="session")
def new_site(dialect: str, request: pytest.FixtureRequest) -> Callable[[Path], Site]:
    """Makes a site whose database has no tables yet."""
    if dialect == "sqlite":
        return Site
    server = request.getfixturevalue("postgres")
    if os.environ.get("GATEKEEPER_TESTS_POOLER"):
        Site.pooler = request.getfixturevalue("pooler")
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
