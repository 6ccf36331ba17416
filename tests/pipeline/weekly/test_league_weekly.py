"""Weekly runs with the league: an older challenger may win the week, and the run stays one run."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from model_files import constant_model, contract_model
from promotion_steps import by_hand_as_of
from weekly_data import write_ideas
from weekly_house import House, approve, step

from gatekeeper import config
from gatekeeper.documents import step_output
from gatekeeper.documents.step_output import Registered
from gatekeeper.judgement.backtest import backtest
from gatekeeper.judgement.report.recheck import judged_again
from gatekeeper.pipeline.weekly import league_entrants
from gatekeeper.pipeline.weekly.evaluate import contender
from gatekeeper.pipeline.weekly.run import DAG_ID
from gatekeeper.pipeline.weekly.workspace import dataset_of
from gatekeeper.registry import Details
from gatekeeper.registry.views import proof

pytestmark = pytest.mark.xdist_group("league")

AS_OF = datetime(2018, 1, 8, 2, tzinfo=UTC)
EARLIER = AS_OF - timedelta(weeks=20)
KNOWS = (0.2, 0, 0, 0, 0, 0, 0)  # score over 0.55 where RSI is over 51, which is what pays since 2017
TRAINED = Details(trained_to=datetime(2016, 12, 1, tzinfo=UTC))


def reject(house: House, content: bytes, as_of: datetime, *, verdict: str = "keep", details: Details = TRAINED) -> int:
    """A challenger of a weekly run that was turned down then."""
    key = f"{DAG_ID}/{as_of:%Y-%m-%dT%H:%M:%SZ}/0123456789abcdef"
    model = house.registry.register(content, run_key=key, details=details)
    house.registry.record_evaluation(
        challenger=model.id,
        champion=1,
        generation=1,
        as_of=as_of,
        kind="weekly",
        verdict=verdict,
        document={"verdict": {"message": verdict}},
        run_key=key,
        report=None,
    )
    return model.id


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> str:
    place = tmp_path_factory.mktemp("data") / "ideas.csv"
    return write_ideas(place, start="2015-06-01", end="2018-01-12", edge_from="2017-01-02", seed=5)


@pytest.fixture
def empty(tmp_path: Path, data: str) -> Iterator[House]:
    """Model 1, which takes every idea, is the primary."""
    (tmp_path / "house").mkdir()
    house = House(tmp_path / "house", data)
    house.settings = config.override(house.settings, {"league": True, "league_size": 3, "policy": "proven"})
    house.registry.register(constant_model(0.6), details=TRAINED)
    with by_hand_as_of(datetime(2017, 1, 2, tzinfo=UTC)):
        house.registry.promote(1, actor="test", reason="takes all")
    yield house
    house.registry.close()


@pytest.fixture(scope="module")
def won(tmp_path_factory: pytest.TempPathFactory, data: str) -> tuple[Path, dict[str, Any]]:
    """A house after a Monday that model 2 won: it knows the edge, and was turned down 20 weeks before model 5."""
    folder = tmp_path_factory.mktemp("won") / "house"
    folder.mkdir()
    house = House(folder, data)
    house.settings = config.override(house.settings, {"league": True, "policy": "proven"})
    house.registry.register(constant_model(0.6), details=TRAINED)
    with by_hand_as_of(datetime(2017, 1, 2, tzinfo=UTC)):
        house.registry.promote(1, actor="test", reason="takes all")
    reject(house, contract_model(KNOWS, -10.0), EARLIER)
    reject(house, contract_model((-0.01, 0, 0, 0, 0, 0, 0), 0.7), EARLIER + timedelta(weeks=1))
    reject(house, constant_model(0.61), EARLIER + timedelta(weeks=2))
    handed = house.week(AS_OF)
    house.registry.close()
    return folder, handed


@pytest.fixture
def house(won: tuple[Path, dict[str, Any]], data: str, tmp_path: Path) -> Iterator[House]:
    shutil.copytree(won[0], tmp_path / "copy")
    one = House(tmp_path / "copy", data)
    one.settings = config.override(one.settings, {"league": True, "policy": "proven"})
    yield one
    one.registry.close()


def test_an_older_challenger_wins_the_week_and_goes_in(house: House, won: tuple[Path, dict[str, Any]]) -> None:
    _, handed = won
    assert (handed["verdict"], handed["promoted"], handed["kind"]) == ("promote", True, "weekly")
    assert (handed["model_id"], handed["challenger_id"]) == (5, 2)
    assert handed["summary"].startswith("Promoted gatekeeper_primary2 (generation 2)")
    promotion = house.registry.promotions()[0]
    assert (promotion.to_id, promotion.evaluation_id, promotion.run_key) == (
        2,
        handed["evaluation_id"],
        house.run(AS_OF).key,
    )
    assert (promotion.as_of, promotion.kind) == (AS_OF, "weekly")
    json.dumps(handed, allow_nan=False)  # what XCom carries


def test_it_says_who_was_compared_and_this_weeks_own_is_told_who_gained_more(house: House) -> None:
    winner, own = house.registry.evaluations(2)[0].document, house.registry.evaluations(5)[0].document
    assert "as one of 4 models compared" in winner.verdict.message
    assert "gatekeeper_5, gatekeeper_4, gatekeeper_3" in winner.verdict.message
    names = [row.name for row in winner.league.contenders]
    assert names == ["gatekeeper_5", "gatekeeper_4", "gatekeeper_3", "gatekeeper_2"]
    assert own.league.winner == winner.league.winner == 3
    assert own.verdict.answer != "promote"
    assert own.window == winner.window, "the league moves no window"
    assert [each.kind for each in house.registry.evaluations(5)] == ["weekly"]


def test_clearing_it_buys_nothing(house: House, won: tuple[Path, dict[str, Any]]) -> None:
    before = (house.registry.models(), house.registry.promotions(), house.registry.evaluations())
    again = house.week(AS_OF)
    assert (house.registry.models(), house.registry.promotions(), house.registry.evaluations()) == before
    same = ("model_id", "challenger_id", "evaluation_id", "verdict", "kind", "promoted", "generation", "summary")
    assert {name: again[name] for name in same} == {name: won[1][name] for name in same}


def test_each_verdict_follows_from_its_document_alone(house: House) -> None:
    for model in (2, 5):
        document = house.registry.evaluations(model)[0].document
        assert judged_again(document)[0] == document.verdict
        assert proof.faults(house.registry.receipt(model)) == []


def test_the_report_shows_all_that_were_compared(house: House) -> None:
    place = Path(house.registry.evaluations(2)[0].report or "")
    page = place.read_text("utf-8")
    assert "League: " in page and "gatekeeper_3" in page
    assert place.stat().st_size < 500_000


def test_a_past_week_is_a_what_if_among_those_of_before(house: House) -> None:
    """Model 2 is the primary since AS_OF: a week before it competes as the rejected one it was then."""
    handed = house.week(AS_OF - timedelta(weeks=1))
    document = house.registry.evaluation(handed["evaluation_id"]).document
    assert (handed["kind"], handed["promoted"], handed["challenger_id"]) == ("what-if", False, 2)
    assert [row.model_id for row in document.league.contenders] == [6, 4, 3, 2]
    assert house.week(AS_OF - timedelta(weeks=1))["evaluation_id"] == handed["evaluation_id"]
    assert house.registry.generation() == 2


def test_with_nobody_to_compete_it_is_no_league(empty: House) -> None:
    run, handed = empty.until("register", AS_OF)
    dataset, model = (
        dataset_of(run, step_output.read(handed, Registered, "register", run.key)),
        empty.registry.model(handed["model_id"]),
    )
    opened = partial(contender, run.settings, empty.registry)
    measured = backtest.run(dataset, run.settings, opened(model), opened(empty.registry.model(1)))
    policy = measured.rules.policy
    reject(empty, contract_model(KNOWS, -10.0), AS_OF)  # of no earlier week
    (case,) = league_entrants.cases(run, empty.registry, model, measured, "weekly", opened)
    assert (case.model, case.measured, case.league, case.many(policy)) == (model, measured, None, None)


def test_a_look_that_is_cut_off_asked_about_or_held(empty: House) -> None:
    """The machine dies between its two evaluations, an approval was of another, a hold stands: no other end of it.

    Nor does the one that was kept out come back by itself the week after, when the newest that can be judged compete.
    """
    reject(empty, contract_model((0.3, 0, 0, 0, 0, 0, 0), -16.0), EARLIER - timedelta(weeks=9))  # no room for it
    for number in (1, 2):
        reject(empty, contract_model((0.01 * number, 0, 0, 0, 0, 0, 0.1)), EARLIER + timedelta(weeks=number))
    better = reject(empty, contract_model(KNOWS, -10.0), EARLIER + timedelta(weeks=5))
    run, handed = empty.until("backtest", AS_OF - timedelta(weeks=1))
    own, winner = empty.registry.pages.evaluations_of(run.key)[::-1]
    assert (own.challenger, winner.challenger) == (handed["model_id"], better)
    with closing(sqlite3.connect(empty.folder / "registry.db")) as connection, connection:
        connection.execute("DELETE FROM gatekeeper_evaluation WHERE id = ?", (winner.id,))
    handed = step("backtest", run, empty.registry, handed)
    assert handed["challenger_id"] == better
    assert [each.challenger for each in empty.registry.pages.evaluations_of(run.key)] == [better, own.challenger]

    asks = replace(run, settings=run.settings.model_copy(update={"approval": True}))
    approve(empty.registry, run.key, own)
    said = step("promote", asks, empty.registry, handed)
    assert said["effect"].startswith(
        f"Nothing was promoted: the question of this run was about model {own.challenger} by evaluation {own.id} at "
        f"generation 1, not about model {better} by evaluation 7. Clear `backtest` to ask again."
    )
    empty.registry.hold(actor="ann", reason="wait")
    held = step("promote", run, empty.registry, handed)["summary"]
    assert held.startswith("Nothing was promoted: ")
    empty.registry.release(actor="ann")

    seen = Details(trained_to=AS_OF - timedelta(days=100))
    reject(empty, contract_model(KNOWS, -9.0), EARLIER + timedelta(weeks=6), details=seen)
    gone = reject(empty, contract_model(KNOWS, -8.0), EARLIER + timedelta(weeks=7))
    for place in empty.files_of(gone):
        place.unlink()
    reject(empty, constant_model(0.6), EARLIER + timedelta(weeks=8))  # the primary's bytes
    later = empty.week(AS_OF)
    said = empty.registry.evaluation(later["evaluation_id"]).document.league
    assert [row.model_id for row in said.contenders] == [later["model_id"], own.challenger, 4, 3]
    assert said.left_out == {
        "gatekeeper_7": "it was trained on part of this window",
        "gatekeeper_8": "it can't be loaded (missing)",
    }
