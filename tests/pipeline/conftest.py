"""House whose second Monday put a model that learned an edge behind one that knew nothing; copied for each test."""

import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from alarm_receiver import Receiver
from model_files import constant_model
from promotion_steps import by_hand_as_of
from weekly_data import write_ideas
from weekly_house import House

from gatekeeper import config
from gatekeeper.settings import Settings

BEGAN = datetime(2017, 12, 4, 2, tzinfo=UTC)
MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)  # the primary's promotion


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Ideas with an edge in every year."""
    place = tmp_path_factory.mktemp("data") / "ideas.csv"
    return write_ideas(place, start="2013-01-01", end="2018-12-28", edge_from="2000-01-01", seed=11)


@pytest.fixture(scope="session")
def settled(data: str, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    @cache
    def made() -> Path:
        folder = tmp_path_factory.mktemp("settled") / "house"
        folder.mkdir()
        house = House(folder, data)
        first = house.registry.register(constant_model(0.6), trained_to=datetime(2012, 1, 1, tzinfo=UTC))
        with by_hand_as_of(BEGAN):
            house.registry.promote(first.id, actor="test", reason="knows nothing")
        assert house.week(MONDAY)["promoted"]
        house.registry.close()
        return folder

    return made


@pytest.fixture
def house(settled: Callable[[], Path], data: str, tmp_path: Path) -> Iterator[House]:
    """Model 2 is the primary since MONDAY, model 1 was it before."""
    shutil.copytree(settled(), tmp_path / "house")
    one = House(tmp_path / "house", data)
    yield one
    one.registry.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with Receiver() as one:
        yield one


def with_settings(house: House, **changes: object) -> Settings:
    return config.override(house.settings, changes)
