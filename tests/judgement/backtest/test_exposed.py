"""Exposure: the part of capital in open positions each night, by hand and by a plain loop, and the rate on it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as budget
from hypothesis import strategies as st
from msgspec import structs

from gatekeeper.judgement import Scorecard, judge, policy_of, run, sharpe_ratio
from gatekeeper.judgement.backtest.daily_returns import Marks
from gatekeeper.judgement.statistics.sharpe import excess_returns
from gatekeeper.market.data.trades.closed_trades import booked_on_exit
from gatekeeper.market.ideas import Ideas
from gatekeeper.settings import Settings

Make = Callable[..., Any]
WEEK = np.arange("2018-03-05", "2018-03-10", dtype="datetime64[D]")  # Monday to Friday
ALL = np.ones(3, dtype=bool)


def path_of(start: str, end: str, made: float = 0.01) -> tuple[str, dict[str, float]]:
    """An idea of that day's start, with a mark on its first day and one on its last."""
    return start, {start: 0.0, end: made} if start != end else {start: made}


def test_the_golden_book(golden_2: dict[str, Any], ideas: Make) -> None:
    """Case 88: 0, .05, .15, .10, .10 and 0 of capital, with a Sharpe of 3.5519 at 3 %, at any size."""
    row = golden_2["risk_free"]
    days = np.array(row["days"], dtype="datetime64[D]")
    book: Ideas = ideas([path_of(*each) for each in zip(row["entry"], row["exit"], strict=True)])
    for times in (1.0, 3.0):
        exposed = Marks.of(book, days, times * np.array(row["size"])).exposed(ALL)
        assert exposed.tolist() == pytest.approx(times * np.array(row["exposed"]), abs=1e-12)
        excess = excess_returns(times * np.array(row["daily"]), exposed, row["rate"], row["periods"])
        assert sharpe_ratio(excess, row["periods"]) == pytest.approx(row["sharpe"], abs=1e-8)


def test_one_size_for_all_and_passed_over_ideas(ideas: Make) -> None:
    book: Ideas = ideas([path_of("2018-03-05", "2018-03-07"), path_of("2018-03-06", "2018-03-08")])
    marks = Marks.of(book, WEEK, 0.05)
    assert marks.exposed(np.array([True, True])).tolist() == [0, 0.05, 0.1, 0.05, 0]
    assert marks.exposed(np.array([False, True])).tolist() == [0, 0, 0.05, 0.05, 0]
    assert Marks.of(book, WEEK[:0], 0.05).exposed(np.array([True, True])).tolist() == []


def test_days_that_are_no_market_days_count_as_the_last_before(ideas: Make) -> None:
    """Entered on Saturday and left on Sunday: the Friday's; and a day not closed yet is the last closed one's."""
    book: Ideas = ideas([path_of("2018-03-10", "2018-03-11"), path_of("2018-03-08", "2018-03-10")])
    assert Marks.of(book, WEEK, 1.0).exposed(np.array([True, True])).tolist() == [0, 0, 0, 0, 1]


def test_a_position_of_before_the_first_day_is_exposed_in_the_night_before_it(ideas: Make) -> None:
    """A window can start on a weekend, and an idea on its very first instant, midnight, belongs to the day before."""
    book: Ideas = ideas([path_of("2018-03-04", "2018-03-06"), path_of("2018-03-03", "2018-03-04")])
    assert Marks.of(book, WEEK, 1.0).exposed(np.array([True, True])).tolist() == [1, 1, 0, 0, 0]


@pytest.mark.parametrize(
    ("came", "closed", "nights"),
    [
        ("2018-03-03T10", "2018-03-06T10", [1, 1, 0, 0, 0]),  # over the weekend before Monday, the window's first day
        ("2018-03-05T10", "2018-03-07T10", [0, 1, 1, 0, 0]),
        ("2018-03-06", "2018-03-07", [0, 1, 0, 0, 0]),  # midnight belongs to the day that it ends
        ("2018-03-06T10", "2018-03-06T15", [0, 0, 0, 0, 0]),
    ],
)
def test_without_paths_the_idea_and_its_close_say_it(
    ideas: Make, came: str, closed: str, nights: Sequence[int]
) -> None:
    ends = np.array([closed], dtype="datetime64[ns]")
    start, day, made = booked_on_exit(ends, np.array([0.01]))
    (book,) = (
        replace(each, time=np.array([came], dtype="datetime64[ns]"), closed_at=ends)
        for each in [replace(ideas([path_of("2018-03-05", "2018-03-05")]), path_day=day, path_return=made)]
    )
    assert start.tolist() == [0, 1]
    assert Marks.of(book, WEEK, 1.0, marked=False).exposed(ALL[:1]).tolist() == nights


def test_nothing_is_left_of_sizes_that_came_and_went(ideas: Make) -> None:
    """.1 + .2 - .1 - .2 is 2.8e-17 in floats, and no position is open."""
    book: Ideas = ideas([path_of("2018-03-05", "2018-03-06"), path_of("2018-03-05", "2018-03-07")] * 2)
    held = Marks.of(book, WEEK, np.array([0.1, 0.2, 0.1, 0.7])).exposed(np.ones(4, dtype=bool))
    assert held[-2:].tolist() == [0, 0]
    assert held[1:3].tolist() == pytest.approx([1.1, 0.9], abs=1e-15)


TRADES = st.lists(
    st.tuples(st.dates(date(2018, 1, 1), date(2018, 3, 1)), st.integers(0, 20), st.floats(0.01, 0.2), st.booleans()),
    min_size=1,
    max_size=30,
)


@given(TRADES, st.booleans())
@budget(max_examples=60, deadline=None)
def test_it_is_what_a_plain_loop_counts(ideas: Make, trades: list[Any], weekends: bool) -> None:
    days = np.arange("2018-01-01", "2018-03-31", dtype="datetime64[D]")
    days = days if weekends else days[np.is_busday(days)]
    book: Ideas = ideas([path_of(str(start), str(start + timedelta(days=held))) for start, held, _, _ in trades])
    size, kept = np.array([each[2] for each in trades]), np.array([each[3] for each in trades])
    right = np.zeros(len(days))
    for start, held, part, keeps in trades:
        entry, end = (int(np.flatnonzero(days <= np.datetime64(start + timedelta(days=at)))[-1]) for at in (0, held))
        right[entry + 1 : end + 1] += part * keeps
    assert Marks.of(book, days, size).exposed(kept).tolist() == pytest.approx(right.tolist(), abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(5, 80))
@budget(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])  # a pure function
def test_at_a_rate_of_0_nothing_changes(card: Make, seed: int, days: int) -> None:
    """Whatever was exposed: to the last bit, in returns, verdict and gain."""
    random = np.random.default_rng(seed)
    pair = [card(random.normal(0.001, 0.01, days), sha256=name, kept=random.random(40) < 0.9) for name in "ab"]
    policy = policy_of(Settings(floor_days=5), 252)
    exposed = [replace(each, exposed=random.random(days)) for each in pair]
    assert [each.excess(0.0, 252).tolist() for each in exposed] == [each.daily.tolist() for each in pair]
    assert judge(*exposed, policy) == judge(*[replace(each, exposed=np.zeros(days)) for each in pair], policy)


def book_of(seed: int, ideas: Make) -> Ideas:
    """160 ideas of 300 days, held for five days each: every second is worth something, the others are wild noise."""
    random = np.random.default_rng(seed)
    starts = np.sort(random.integers(0, 300, 160)) + np.datetime64("2017-12-01")
    rows = []
    for number, start in enumerate(starts):
        edge, wild = (0.0004, 0.01) if number % 2 == 0 else (0.0, 0.03)
        rows.append((str(start), {str(start + day): float(random.normal(edge, wild)) for day in range(5)}))
    made: Ideas = ideas(rows)
    return made


@pytest.fixture
def noisy(ideas: Make, dataset: Make, contender: Make) -> Callable[..., tuple[Scorecard, Scorecard]]:
    """Cards of a challenger that takes worthless ideas beside all that the champion takes."""

    def make(seed: int, **chosen: Any) -> tuple[Scorecard, Scorecard]:
        book = run(
            dataset(book_of(seed, ideas)), Settings(**chosen), contender(), contender("p", keeps=range(0, 160, 2))
        )
        assert book.champion is not None
        return book.challenger, book.champion

    return make


def test_noise_beside_the_champions_trades_gains_nothing_by_the_rate(noisy: Make) -> None:
    """Case 88: with the rate off all capital the larger book looks better by over 1 in Sharpe, and is promoted."""
    policy = policy_of(Settings(risk_free=0.03), 252)
    at_0 = structs.replace(policy, risk_free=0.0)
    gains, plain, off_all = [], [], []
    for seed in range(12):
        pair = noisy(seed, risk_free=0.03)
        gains.append(judge(*pair, policy).gain)
        plain.append(judge(*pair, at_0).gain)
        off_all.append(judge(*(replace(each, exposed=np.ones(len(each.daily))) for each in pair), policy).gain)
    assert np.mean(plain) < -0.5
    assert np.mean(off_all) > 1
    assert np.abs(np.subtract(gains, plain)).max() < 0.1


@pytest.mark.parametrize("options", [{}, {"sizing": "fraction", "most_open": 3}])
def test_sizes_do_not_change_sharpe_and_gain(noisy: Make, options: dict[str, Any]) -> None:
    policy = policy_of(Settings(risk_free=0.03), 252)
    small, large = (noisy(1, risk_free=0.03, fraction=part, **options) for part in (0.02, 0.06))
    assert [each.sharpe for each in small] == pytest.approx([each.sharpe for each in large], abs=1e-8)
    one, other = judge(*small, policy), judge(*large, policy)
    assert (one.gain, one.standard_error) == pytest.approx((other.gain, other.standard_error), abs=1e-8)
    assert [each.passed_over > 0 for each in small] == [bool(options)] * 2
    assert max(small[0].exposed) <= (0.06 if options else 1) + 1e-12
