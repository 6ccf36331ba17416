"""Promotions, races and kills on PostgreSQL go through PgBouncer in transaction mode, as many desks run it."""

from collections.abc import Iterator

import pytest
from registry_site import Site


@pytest.fixture(autouse=True)
def through_the_pooler(request: pytest.FixtureRequest) -> Iterator[None]:
    """For a test of one database alone, nothing changes."""
    if "dialect" in request.fixturenames and request.getfixturevalue("dialect") == "postgresql":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(Site, "pooler", request.getfixturevalue("pooler"))
            yield
    else:
        yield
