"""Fixtures of the tests on object storage: a prefix for each test's project, and SQLite."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from bucket_site import BUCKET, BucketSite
from registry_site import OWN, own_model
from s3_server import S3, running

from gatekeeper.registry import Model, Registry


@pytest.fixture(scope="session")
def s3() -> Iterator[S3]:
    with running() as server:
        server.client.create_bucket(Bucket=BUCKET)
        yield server


@pytest.fixture(scope="session")
def template(s3: S3, tmp_path_factory: pytest.TempPathFactory) -> BucketSite:
    """A project after `db upgrade`, to be copied."""
    site = BucketSite(tmp_path_factory.mktemp("template"), s3=s3)
    site.upgrade()
    return site


@pytest.fixture(scope="session")
def template_of_three(template: BucketSite, tmp_path_factory: pytest.TempPathFactory) -> BucketSite:
    """The same with models 1 to 3: 1 was the primary, 3 is."""
    root = tmp_path_factory.mktemp("template")
    site = template.copy(root / f"{root.name}_of_three")
    with site.open() as registry:
        for number in (1, 2, 3):
            registry.register(own_model(number), details=OWN)
        for number in (1, 3):
            registry.promote(number, actor="ann", reason="r")
    return site


@pytest.fixture
def empty_site(s3: S3, tmp_path: Path) -> Iterator[BucketSite]:
    (tmp_path / tmp_path.name).mkdir()
    yield BucketSite(tmp_path / tmp_path.name, s3=s3)
    s3.wire.mend()


@pytest.fixture
def site(request: pytest.FixtureRequest, s3: S3, tmp_path: Path) -> Iterator[BucketSite]:
    """With three models where the test asks for `three`."""
    template = request.getfixturevalue("template_of_three" if "three" in request.fixturenames else "template")
    yield template.copy(tmp_path / tmp_path.name)
    s3.wire.mend()


@pytest.fixture
def three(registry: Registry) -> list[Model]:
    """Models 1 to 3, of which 1 was the primary, and 3 is."""
    return registry.models()[::-1]
