"""Machine for all tests of `make up`, the journey through its pages included, and one judged house."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from airflow_server import LOCAL_SETTINGS
from up_machine import Place, machine
from weekly_data import write_ideas
from weekly_house import House

MONDAY = datetime(2018, 1, 1, 2, tzinfo=UTC)


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Airflow and the scoring server on the demo's bars, up and well; its operator has tasks start warm."""
    folder = tmp_path_factory.mktemp("up")
    own = folder / "airflow" / "config"
    own.mkdir(parents=True)
    (own / "airflow_local_settings.py").write_text(LOCAL_SETTINGS)
    with machine(folder) as started:
        yield started.up()


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """A bootstrap and two weeks, in a short window so that what is written of them is short; then one by hand."""
    folder = tmp_path_factory.mktemp("house")
    data = write_ideas(folder / "ideas.csv", start="2015-01-02", end="2018-01-12", edge_from="2016-01-01", seed=3)
    made = House(folder, data)
    for week in range(3):
        made.week(MONDAY + (week - 2) * timedelta(weeks=1), holdout_days=130)
    made.registry.promote(2, actor="ann", reason="by hand")
    return made
