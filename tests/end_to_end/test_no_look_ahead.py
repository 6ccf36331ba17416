"""No look-ahead, proved (case 34): whatever comes after the as-of, the same model and the same verdict.

And the same on another database, in another time zone, in whatever order rows and files come, with any number of
threads. All that a look learns of the market it takes from its dataset, whose bytes are bound by their sha256: where
those bytes are the same, the rest is a matter of the registry.
"""

import json
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from after_the_as_of import AS_IT_IS, Poison, poisons
from decision_samples import NOON, decision, outcome, parsed
from hypothesis import given, settings
from market_bars import random_bars
from model_files import constant_model, contract_model
from postgres_server import new_database
from promotion_steps import by_hand_as_of
from registry_site import Site
from site_fixtures import postgres
from threadpoolctl import threadpool_limits
from weekly_data import write_ideas
from weekly_house import House

from gatekeeper.features import FEATURES
from gatekeeper.market.sources import load
from gatekeeper.registry import Details, Registry
from gatekeeper.settings import Settings

__all__ = ["postgres"]

pytestmark = pytest.mark.xdist_group("no-look-ahead")  # what its tests share is made once

FIRST = datetime(2016, 1, 4, 2, tzinfo=UTC)
LATER = datetime(2018, 1, 8, 2, tzinfo=UTC)

Told = tuple[str, dict[str, Any]]


@dataclass(frozen=True)
class World:
    """Labelled ideas that go on after LATER, in a folder that each look reads; and a house with a primary of FIRST."""

    folder: Path
    frame: pd.DataFrame

    @property
    def data(self) -> str:
        return f"ideas:{self.folder / 'data'}"

    def holds(self, poison: Poison) -> None:
        """From now on the folder holds the ideas as `poison` has them."""
        spoilt = poison.spoil(self.frame, LATER, ["time", "closed_at"], [*FEATURES, "outcome"])
        poison.write(spoilt, self.folder / "data")

    def house(self, place: Path) -> House:
        """A house of its own with that primary."""
        return House(Path(shutil.copytree(self.folder / "house", place / "house")), self.data)


def begun(house: House) -> House:
    """With a primary since FIRST that keeps all ideas."""
    first = house.registry.register(constant_model(0.9), details=Details(trained_to=FIRST))
    with by_hand_as_of(FIRST):
        house.registry.promote(first.id, actor="test", reason="the first")
    return house


def told(house: House) -> Told:
    """What the look at LATER comes to: the sha256 of its model, and all that is on record of its verdict.

    But for the files that the data lay in, their number and times, and the passport's digest, which covers them.
    """
    handed = house.week(LATER, holdout_days=130)
    document = json.loads(house.registry.evaluation(handed["evaluation_id"]).document_json)
    house.registry.close()
    passport = document["data"]["passport"]
    del passport["digest"]
    for layout in passport["layouts"]:
        for of_the_files in ("files", "first", "written_from", "written_to", "unwritten"):
            layout.pop(of_the_files, None)
    return handed["sha256"], document


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    folder = tmp_path_factory.mktemp("world")
    write_ideas(folder / "ideas.csv", start="2014-01-02", end="2018-03-01", edge_from="2016-01-04", seed=7)
    frame = pd.read_csv(folder / "ideas.csv")
    held = pd.to_datetime(frame["closed_at"]) + timedelta(days=4)  # so that some are open at the as-of
    made = World(folder, frame.assign(closed_at=held.astype("str")))
    (folder / "data").mkdir()
    made.holds(AS_IT_IS)
    (folder / "house").mkdir()
    begun(House(folder / "house", made.data)).registry.close()
    return made


@pytest.fixture(scope="module")
def clean(world: World, tmp_path_factory: pytest.TempPathFactory) -> Told:
    """The look with nothing spoilt: a promotion."""
    world.holds(AS_IT_IS)
    right = told(world.house(tmp_path_factory.mktemp("clean")))
    assert right[1]["verdict"]["answer"] == "promote"
    return right


@settings(max_examples=6, deadline=None)
@given(poison=poisons)
def test_labelled_ideas_after_the_as_of_change_no_byte_of_the_dataset(
    world: World, tmp_path_factory: pytest.TempPathFactory, poison: Poison
) -> None:
    folder = tmp_path_factory.mktemp("ideas")
    world.holds(AS_IT_IS)
    right = load(world.data, LATER, Settings()).save(folder / "right.npz")
    world.holds(poison)
    assert load(world.data, LATER, Settings()).save(folder / "poisoned.npz") == right


@settings(max_examples=6, deadline=None)
@given(poison=poisons)
def test_candles_after_the_as_of_change_nothing(tmp_path_factory: pytest.TempPathFactory, poison: Poison) -> None:
    """New symbols among them. Only the note that rows had to be sorted is of their order."""
    folder = tmp_path_factory.mktemp("candles")
    bars = [random_bars(300, seed).assign(symbol=name, volume=1.0) for seed, name in enumerate("XY")]
    frame = pd.concat(bars, ignore_index=True)
    as_of = pd.Timestamp(frame["time"].iloc[280]).to_pydatetime() + timedelta(hours=2)

    def known() -> tuple[str, list[str]]:
        dataset = load(f"candles:{folder}", as_of, Settings())
        return dataset.fingerprint(), [note for note in dataset.notes if "order of time" not in note]

    AS_IT_IS.write(frame, folder)
    right = known()
    poison.write(poison.spoil(frame, as_of, ["time"], ["symbol", "volume", "open", "high", "low", "close"]), folder)
    assert known() == right


def test_the_future_changes_neither_the_model_nor_the_verdict(world: World, clean: Told, tmp_path: Path) -> None:
    """A whole week: the same sha256, and the same document, daily returns, notes and all."""
    world.holds(Poison("abc", 400, 0.3, twice=True, naive=True, files=3, seed=4))
    assert told(world.house(tmp_path)) == clean


def test_what_servers_log_after_the_as_of_changes_nothing(tmp_path: Path) -> None:
    """`sql:`: ideas that no one could read, other outcomes, and rows in another order; all but what was known."""
    as_of = NOON + timedelta(hours=6)
    count = 400  # an idea a minute, known 121 minutes and some microseconds later: 239 of them by 6 hours
    seen = []
    for poisoned in (False, True):
        site = Site(tmp_path / str(poisoned))
        site.root.mkdir()
        site.upgrade()
        order = range(count)[:: -1 if poisoned else 1]
        with site.open() as registry:
            registry.log_decisions(parsed(*(decision(number) for number in order)))
            registry.close_decisions([outcome(number) for number in order], all_or_none=True)
        if poisoned:
            dated = "SELECT dataset_id FROM gatekeeper_decision WHERE {} > ?"
            after = as_of.replace(tzinfo=None).isoformat(" ")
            late = f'UPDATE "RLDataset" SET outcome = ? WHERE id IN ({dated.format("known_at")})'
            site.sql(late, 1e6, after)
            unread = f'UPDATE "RLDataset" SET "featureVec" = ?, action = ? WHERE id IN ({dated.format("at")})'
            site.sql(unread, "absurd", "hold", after)
        seen.append(load("sql:", as_of, Settings(db=site.url)))
    assert len(seen[0].ideas) == 239
    assert seen[1].fingerprint() == seen[0].fingerprint()
    assert seen[1].notes == seen[0].notes


def later(registry: Registry) -> None:
    """The registry goes on after LATER: other models, a promotion by evaluation and one by hand, a way back, a hold."""
    late = Details(trained_to=LATER)  # as of our own exports: nobody need try them first
    others = [registry.register(contract_model([number / 10] * 7), details=late) for number in range(2)]
    by_hand = registry.register(constant_model(0.8), details=late)
    week = timedelta(weeks=1)
    for number, model in enumerate(others, start=1):
        judged = registry.record_evaluation(
            challenger=model.id,
            champion=1,
            generation=1,
            as_of=LATER + number * week,
            kind="weekly",
            verdict="promote",
            document={},
            run_key=f"week {number}",
            report=None,
        )
    registry.promote(others[0].id, actor="test", reason="later", evaluation=judged.id - 1, kind="weekly")
    with by_hand_as_of(LATER + 2 * week):
        registry.promote(by_hand.id, actor="test", reason="later still")
    with by_hand_as_of(LATER + 3 * week):
        registry.rollback(actor="test", reason="it lost money")
    registry.hold(actor="test", reason="holidays")


def unnamed(document: dict[str, Any]) -> Any:
    """All of it but what the registry calls a model, and that a look in the past is a what-if."""
    text = json.dumps(document, sort_keys=True)
    return re.sub(r'gatekeeper_(primary)?\d+|"model_id": \d+|"kind": "[a-z-]+"', "", text)


def test_what_came_into_the_registry_later_changes_nothing(world: World, clean: Told, tmp_path: Path) -> None:
    """Judged a year late, the week comes to the same bytes, and to the same numbers against the champion of then."""
    world.holds(AS_IT_IS)
    house = world.house(tmp_path)
    later(house.registry)
    sha256, document = told(house)
    assert sha256 == clean[0]
    assert document["verdict"]["kind"] == "what-if"
    assert unnamed(document) == unnamed(clean[1])


def test_postgresql_comes_to_the_same(world: World, clean: Told, tmp_path: Path, postgres: str) -> None:
    world.holds(AS_IT_IS)
    site = Site(tmp_path, new_database(postgres))
    assert told(begun(House(tmp_path, world.data, db=site.url))) == clean
    site.drop()


@pytest.fixture
def far_east(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This process in a zone where Monday has long begun."""
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("far_east")
def test_time_zone_order_and_threads_change_nothing(world: World, clean: Told, tmp_path: Path) -> None:
    """With more threads, on rows and files in another order. tests/model has the bytes of two processes."""
    assert time.timezone == -14 * 3600
    world.holds(Poison(None, 0, 0.0, twice=False, naive=False, files=3, seed=5))
    with threadpool_limits(3):
        assert told(world.house(tmp_path)) == clean
