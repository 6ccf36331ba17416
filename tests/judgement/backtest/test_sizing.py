"""Position sizes and the limit on open positions, by hand."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import of_object
from gatekeeper.errors import DataError
from gatekeeper.judgement import judge, policy_of
from gatekeeper.judgement.backtest import backtest as backtests
from gatekeeper.judgement.backtest.daily_returns import daily_returns
from gatekeeper.judgement.backtest.sizing import Sizing
from gatekeeper.judgement.report import document, glossary, report
from gatekeeper.judgement.report.recheck import differences
from gatekeeper.market.ideas import Ideas
from gatekeeper.settings import Settings

Make = Callable[..., Any]
CLOSE = 1e-15
STORED = Path(__file__).parents[2] / "stored"

# Four ideas: 0 and 1 overlap, 2 begins on the instant that 0 ends (2018-03-07 00:00), 3 begins before 1 and 2 end.
ROWS = [
    ("2018-03-05", {"2018-03-05": 0.01, "2018-03-06": 0.01}),
    ("2018-03-06", {"2018-03-06": -0.02, "2018-03-07": 0.04, "2018-03-08": 0.0}),
    ("2018-03-07", {"2018-03-07": 0.03, "2018-03-08": -0.01}),
    ("2018-03-08", {"2018-03-08": 0.02}),
]
ALL = np.ones(4, dtype=bool)
DAYS = np.arange("2018-03-05", "2018-03-10", dtype="datetime64[D]")


@pytest.fixture(scope="module")
def four(ideas: Make) -> Ideas:
    made: Ideas = ideas(ROWS)
    # Of the entry price: a calm one, one at the target of 0.05 capital, a wild one, one so calm that the cap holds.
    atr = np.array([0.005, 0.01, 0.05, 0.001])
    return replace(made, atr=atr, costs=np.tile([0.0004, 0.0002, 0.0, 0.0001], (4, 1)))


def taken(four: Ideas, most: int | None, kept: np.ndarray = ALL) -> list[bool]:
    return Sizing.from_settings(Settings(most_open=most)).taken(four, kept).tolist()


def test_ideas_beyond_the_cap_are_passed_over_in_their_order(four: Ideas) -> None:
    assert taken(four, None) == taken(four, 3) == [True, True, True, True]
    # 1 finds 0 open; 2 begins as 0 ends; 3 finds 2 open.
    assert taken(four, 1) == [True, False, True, False]
    # 0 and 1 are open; 2 takes 0's room; 3 finds 1 and 2 open.
    assert taken(four, 2) == [True, True, True, False]
    # What a stream doesn't keep takes no room.
    assert taken(four, 1, np.array([False, True, True, True])) == [False, True, False, False]
    assert taken(four, 1, ALL[:2]) == [True, False]


def test_the_cap_never_lets_more_be_open_and_wastes_no_room(ideas: Make) -> None:
    rng = np.random.default_rng(5)
    start = np.sort(rng.integers(0, 60, 200))
    held = rng.integers(1, 15, 200)
    first = np.datetime64("2018-01-01")
    many = ideas([(str(first + s), {str(first + s + h - 1): 0.01}) for s, h in zip(start, held, strict=True)])
    for most in (1, 3, 10):
        mask = Sizing.from_settings(Settings(most_open=most)).taken(many, np.ones(200, dtype=bool))
        for row in range(200):
            before = mask[:row] & (many.closed_at[:row] > many.time[row])
            assert mask[row] == (np.count_nonzero(before) < most)


def test_a_volatility_target_makes_each_move_of_an_atr_the_same_part_of_capital(four: Ideas) -> None:
    sizing = Sizing.from_settings(Settings(sizing="volatility", volatility_target=0.0005, largest_fraction=0.2))
    assert sizing.of(four) == pytest.approx([0.1, 0.05, 0.01, 0.2], abs=CLOSE)
    assert Sizing.from_settings(Settings()).of(four) == 0.05
    with pytest.raises(DataError, match="ATR14"):
        sizing.of(replace(four, atr=None))


def test_daily_returns_take_a_size_for_each_idea(four: Ideas) -> None:
    sizes = np.array([0.1, 0.05, 0.01, 0.2])
    found = daily_returns(four, np.array([True, True, True, False]), DAYS, sizes)
    right = [0.1 * 0.01, 0.1 * 0.01 - 0.05 * 0.02, 0.05 * 0.04 + 0.01 * 0.03, -0.01 * 0.01, 0.0]
    assert found.tolist() == pytest.approx(right, abs=CLOSE)
    one = daily_returns(four, ALL, DAYS, 0.05)
    assert daily_returns(four, ALL, DAYS, np.full(4, 0.05)).tolist() == pytest.approx(one.tolist(), abs=CLOSE)


def judged(four: Ideas, dataset: Make, contender: Make, **options: Any) -> dict[str, Any]:
    settings = Settings(floor_trades=1, floor_days=5, spread_bp=2.0, borrow=0.01, **options)
    known = dataset(four)
    measured = backtests.run(
        known, settings, contender(keeps=[0, 1, 3]), contender(name="gatekeeper_primary1", keeps=[1, 2])
    )
    policy = policy_of(settings, known.periods_per_year)
    verdict = judge(measured.challenger, measured.champion, policy, measured.ungated)
    return evaluation.as_object(document.document(measured, verdict, known))


def test_the_document_takes_the_costs_apart_for_each_stream(four: Ideas, dataset: Make, contender: Make) -> None:
    found = judged(four, dataset, contender)
    assert found["costs"]["parts"] == ["commission", "spread", "slippage", "carry"]
    ours = found["costs"]["streams"]["challenger"]
    # Three trades of 5 %: 0.02, 0.02 and 0.02 net.
    right = {"commission": 6e-5, "spread": 3e-5, "slippage": 0.0, "carry": 1.5e-5, "net": 0.003, "gross": 0.003105}
    assert ours == pytest.approx(right, abs=CLOSE)
    assert found["costs"]["streams"].keys() == {"challenger", "champion", "ungated"}
    assert found["costs"]["streams"]["ungated"]["commission"] == pytest.approx(4 * 0.05 * 0.0004, abs=CLOSE)
    assert found["rules"]["rates"] == {
        "commission": 0.0002, "spread": 0.0002, "slippage": 0.0, "borrow": 0.01, "funding": 0.0,
    }  # fmt: skip


def test_with_sizes_and_a_cap_the_streams_and_their_costs_are_of_what_was_taken(
    four: Ideas, dataset: Make, contender: Make
) -> None:
    found = judged(four, dataset, contender, sizing="volatility", largest_fraction=0.2, most_open=1)
    cards = found["scorecards"]
    # The challenger takes 0 and 3 of its 0, 1, 3; the champion 1 of its 1, 2; ungated 0 and 2.
    passed = {role: (card["kept_trades"], card["passed_over"]) for role, card in cards.items()}
    assert passed == {"challenger": (3, 1), "champion": (2, 1), "ungated": (4, 2)}
    assert cards["challenger"]["total_return"] == pytest.approx(0.1 * 0.02 + 0.2 * 0.02, abs=CLOSE)
    assert cards["champion"]["total_return"] == pytest.approx(0.05 * 0.02, abs=CLOSE)
    assert found["costs"]["streams"]["challenger"]["commission"] == pytest.approx(0.3 * 0.0004, abs=CLOSE)
    assert found["rules"]["sizing"]["most_open"] == 1
    assert "challenger approved 3 (entered 2) of 4" in found["verdict"]["gates"][1]["text"]
    assert differences(of_object(found)) == []


def test_the_floor_counts_trades_that_were_entered(four: Ideas, dataset: Make, contender: Make) -> None:
    settings = Settings(floor_trades=3, floor_days=5, most_open=1)
    measured = backtests.run(dataset(four), settings, contender(), contender(name="gatekeeper_1", keeps=[0]))
    verdict = judge(measured.challenger, None, policy_of(settings, 252), kind="bootstrap")
    assert (verdict.answer, verdict.decided_by) == ("undecided", "enough")
    assert measured.challenger.kept_trades == 4


def test_costs_that_were_changed_afterwards_are_found(four: Ideas, dataset: Make, contender: Make) -> None:
    found = judged(four, dataset, contender)
    assert differences(of_object(found)) == []
    for name in ("gross", "carry", "net"):
        changed = json.loads(json.dumps(found))
        changed["costs"]["streams"]["champion"][name] += 1e-6
        assert any("champion" in fault for fault in differences(of_object(changed))), name


def test_the_report_states_costs_sizing_and_calendars(four: Ideas, dataset: Make, contender: Make) -> None:
    page = report.render(
        of_object(judged(four, dataset, contender, sizing="volatility", most_open=1, calendars="SPX=XNYS"))
    )
    for said in (
        "<h2>Transaction costs</h2>",
        "Commission 2 bp per side; spread 2 bp",
        "a move of ATR14 makes 0.05 % of the initial capital, but no larger than 10.00 % of it",
        "At most 1 position may be open at once",
        "The challenger stream passed over 1 of its 3 approved ideas",
        "By symbol: SPX=XNYS",
    ):
        assert said in page, said
    plain = glossary.of(of_object(judged(four, dataset, contender)))
    assert plain["Sizing"].startswith("Each trade is 5.00 % of the initial capital")
    assert plain["Sizing"].endswith("Any number of positions may be open at once.")
    assert plain["Calendars"].startswith("None set")


def test_costs_that_nobody_told_apart(four: Ideas, dataset: Make, contender: Make) -> None:
    whole = judged(replace(four, costs=np.full((4, 1), 0.0007)), dataset, contender)
    assert whole["costs"]["parts"] == ["cost"]
    assert whole["costs"]["streams"]["challenger"]["cost"] == pytest.approx(3 * 0.05 * 0.0007, abs=CLOSE)
    assert glossary.of(of_object(whole))["Costs"] == "The source gives the total cost of each trade, not its parts."
    untold = judged(replace(four, costs=None), dataset, contender)
    assert untold["costs"] is None
    assert differences(of_object(untold)) == []
    assert "doesn't give the costs" in glossary.of(of_object(untold))["Costs"]


def test_a_document_of_before_is_still_read() -> None:
    old = json.loads((STORED / "receipt_2.json").read_text())["evaluation"]["document"]
    del old["costs"]
    for name in ("sizing", "rates", "calendars"):
        del old["rules"][name]
    for card in old["scorecards"].values():
        del card["passed_over"]
    assert differences(of_object(old)) == []
    assert "Each trade is 5.00 % of the initial capital" in report.render(of_object(old))
