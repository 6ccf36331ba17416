"""Past weeks run again after later promotions: the same verdict stands, and nothing is added."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from model_files import contract_model
from weekly_data import write_ideas
from weekly_house import House, step

pytestmark = pytest.mark.xdist_group("weeks")
FIRST = datetime(2016, 10, 31, 2, tzinfo=UTC)
WEEK = timedelta(days=7)

BY_HAND = {"actor": "ann", "reason": "by hand"}


def test_a_past_week_keeps_its_verdict_whatever_was_promoted_since(tmp_path: Path) -> None:
    """Case 46's kin: one that came too late, one that was kept, and one that was promoted, each run once more."""
    ideas = write_ideas(tmp_path / "i.csv", start="2012-01-02", end="2017-01-13", edge_from="2016-01-04", seed=7)
    house = House(tmp_path, ideas)
    late, handed = house.until("backtest", FIRST)
    assert house.week(FIRST + WEEK)["promoted"]
    assert step("promote", late, house.registry, handed)["kind"] == "what-if"
    assert house.week(FIRST + 2 * WEEK, margin=9)["verdict"] == "keep"
    first = house.registry.promotions()[-1].to_id
    house.registry.promote(int(handed["model_id"]), actor="ann", reason="by hand")
    house.registry.promote(first, actor="ann", reason="and back")
    before = (house.registry.models(), house.registry.evaluations(), house.registry.promotions())
    ended = [house.week(FIRST), house.week(FIRST + WEEK), house.week(FIRST + 2 * WEEK, margin=9)]
    assert [(week["kind"], week["promoted"]) for week in ended] == [
        ("what-if", False),
        ("bootstrap", True),
        ("weekly", False),
    ]
    assert (house.registry.models(), house.registry.evaluations(), house.registry.promotions()) == before
    house.registry.close()


def test_mondays_go_on_after_a_rollback_by_hand(tmp_path: Path) -> None:
    """Case 67: on historical data every later Monday was a what-if, for good."""
    ideas = write_ideas(tmp_path / "i.csv", start="2012-01-02", end="2017-01-13", edge_from="2016-01-04", seed=7)
    house = House(tmp_path, ideas)
    assert house.week(FIRST)["promoted"]
    house.registry.promote(int(house.registry.register(contract_model([0.001] * 7), trained_to=FIRST).id), **BY_HAND)
    back = house.registry.rollback(**BY_HAND)
    assert (back.as_of, back.to_id) == (FIRST, 1)
    late = house.week(FIRST, margin=9)
    assert (late["kind"], late["promoted"]) == ("what-if", False)
    assert late["effect"].startswith("Nothing was promoted: this week was promoted already.")
    early = house.week(FIRST - WEEK)
    assert (early["kind"], early["promoted"]) == ("what-if", False)
    after = house.week(FIRST + WEEK, margin=9, policy="better")  # which asks for no weeks that differ: there are four
    assert (after["kind"], after["verdict"]) == ("weekly", "keep"), "judged as every Monday is"
    house.registry.close()
