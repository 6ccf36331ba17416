"""One machine for all that is tested of `make up`, the journey through its pages among it."""

from collections.abc import Iterator

import pytest
from up_machine import Place, machine


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Airflow and the scoring server on the demo's bars, up and well."""
    with machine(tmp_path_factory.mktemp("up"), GATEKEEPER_RECIPE="hist_gradient_boosting") as started:
        yield started.up()
