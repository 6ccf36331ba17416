"""Backtest: the window, the valuation by market day, and the scorecards, against arithmetic by hand."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as budget
from hypothesis import strategies as st

from gatekeeper.errors import DataError
from gatekeeper.judgement import Contender, Window, keeps, rules_of, run, sharpe_ratio, window
from gatekeeper.judgement.backtest.daily_returns import daily_returns
from gatekeeper.market.ideas import Dataset, Ideas, no_ideas
from gatekeeper.settings import Settings

Make = Callable[..., Any]
AS_OF = datetime(2018, 11, 5, 2, tzinfo=UTC)
CLOSE = pytest.approx


def ruled_window(known: Dataset, settings: Settings, *models: Contender | None) -> Window:
    """The window of these settings' rules."""
    return window(known, rules_of(settings, periods_per_year=known.periods_per_year, marked=known.marked), *models)


def test_window_follows_the_holdout(dataset: Make, contender: Make, settings: Settings) -> None:
    """365 days before the as-of is 2017-11-05, plus 21 days of embargo; ideas start by 2018-10-15."""
    span = ruled_window(dataset(no_ideas()), settings, contender(), None)
    assert span.start == datetime(2017, 11, 26, 2, tzinfo=UTC)
    assert span.end == datetime(2018, 10, 15, 2, tzinfo=UTC)
    assert span.days == np.busday_count("2017-11-26", "2018-11-05") == 245
    assert (span.bound_by, span.ready, span.empty) == ("the holdout", None, False)


def test_window_waits_for_what_the_champion_has_seen(dataset: Make, contender: Make, settings: Settings) -> None:
    """Case 53: a champion trained past the holdout moves the start; it stays comparable."""
    champion = contender("gatekeeper_primary1", trained_to=date(2018, 2, 1))
    span = ruled_window(dataset(no_ideas()), settings, contender(), champion)
    assert span.start == datetime(2018, 2, 22, tzinfo=UTC)
    assert span.bound_by == "the data of gatekeeper_primary1"
    assert span.ready is None
    assert run(dataset(no_ideas()), settings, contender(), champion).champion.out_of_sample


def test_lengthened_holdout_changes_nothing_for_ever(dataset: Make, contender: Make) -> None:
    """Case 53: with a holdout of two years a champion of last year's holdout is still out of sample."""
    champion = contender("gatekeeper_primary1", trained_to=date(2017, 11, 4))
    book = run(dataset(no_ideas()), Settings(holdout_days=730), contender(trained_to=date(2016, 10, 1)), champion)
    assert book.window.start == datetime(2017, 11, 25, tzinfo=UTC)
    assert book.champion.out_of_sample
    assert book.challenger.out_of_sample


def test_unknown_training_counts_from_creation(dataset: Make, contender: Make, settings: Settings) -> None:
    """Case 53: no `trained_to`: its `createdAt` stands in, and the window says when it will do."""
    created = datetime(2018, 9, 3, 12, tzinfo=UTC)
    champion = contender("gatekeeper_primary1", trained_to=None, created_at=created)
    span = ruled_window(dataset(no_ideas()), settings, contender(), champion)
    assert span.start == datetime(2018, 9, 24, 12, tzinfo=UTC)
    assert span.bound_by == "the creation of gatekeeper_primary1"
    # Weekdays from Monday 24 September: 30 by Friday 2 November; the 60th is Friday 14 December, closed at midnight.
    assert span.days == 30
    assert span.ready == date(2018, 12, 15)
    later = ruled_window(dataset(no_ideas(), as_of=datetime(2018, 12, 15, tzinfo=UTC)), settings, contender(), champion)
    assert (later.days, later.ready, later.empty) == (60, None, False)
    before = ruled_window(
        dataset(no_ideas(), as_of=datetime(2018, 12, 14, tzinfo=UTC)), settings, contender(), champion
    )
    assert (before.days, before.ready) == (59, date(2018, 12, 15))


def test_ready_counts_every_day_around_the_clock(dataset: Make, contender: Make, settings: Settings) -> None:
    champion = contender("gatekeeper_primary1", trained_to=None, created_at=datetime(2018, 9, 3, tzinfo=UTC))
    span = ruled_window(dataset(no_ideas(), around_the_clock=True), settings, contender(), champion)
    assert span.start == datetime(2018, 9, 24, tzinfo=UTC)
    assert span.days == 42
    assert span.ready == date(2018, 9, 24) + timedelta(days=60)


def test_empty_window_says_when_it_will_do(dataset: Make, contender: Make, settings: Settings) -> None:
    """A champion registered yesterday: nothing can have started since, and 60 market days are to come."""
    champion = contender("gatekeeper_primary1", trained_to=None, created_at=datetime(2018, 11, 4, tzinfo=UTC))
    book = run(dataset(no_ideas()), settings, contender(), champion)
    assert book.window.empty
    assert book.window.days == 0
    # From Sunday 25 November: the 60th weekday is Friday 15 February 2019.
    assert book.window.ready == date(2019, 2, 16)
    assert np.busday_count("2018-11-25", "2019-02-16") == 60


def test_short_holdout_will_never_do(dataset: Make, contender: Make) -> None:
    span = ruled_window(dataset(no_ideas()), Settings(holdout_days=60), contender(), None)
    assert span.days < 60
    assert span.ready is None


@given(st.integers(-40, 400), st.sampled_from([252, 365]))
@budget(max_examples=60, deadline=None)
def test_the_date_that_is_named_does(offset: int, periods: int) -> None:
    """Law: at `ready` the window is long enough, the day before it isn't."""
    made = datetime(2018, 11, 5, 2, tzinfo=UTC) - timedelta(days=offset)
    champion = Contender("p1", "b", 0.55, lambda rows: rows[:, 0], None, created_at=made)
    challenger = Contender("c2", "a", 0.55, lambda rows: rows[:, 0], datetime(2017, 1, 1, tzinfo=UTC))

    def at(as_of: datetime) -> Any:
        days = np.arange(np.datetime64("2016-01-01", "D"), np.datetime64(as_of.date(), "D"))
        days = days if periods == 365 else days[np.is_busday(days)]
        known = Dataset(no_ideas(), days, periods, as_of, as_of, True, "by hand", ())
        return ruled_window(known, Settings(), challenger, champion)

    ready = at(AS_OF).ready
    if ready is None:
        assert at(AS_OF).days >= 60
        assert not at(AS_OF).empty
        return
    then = datetime(ready.year, ready.month, ready.day, tzinfo=UTC)
    assert at(then).days >= 60
    assert not at(then).empty
    eve = at(then - timedelta(seconds=1))
    assert eve.days < 60 or eve.empty or then - timedelta(days=1) < AS_OF


def test_window_takes_ideas_by_their_start(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    """Cases 36 and 52: from start to as-of minus the longest hold, both ends counted, however early they closed."""
    rows = ideas(
        [
            ("2017-11-26T01:59:59", {"2017-11-27": 0.1}),  # a second before the window
            ("2017-11-26T02:00", {"2017-11-27": 0.01}),
            ("2018-10-15T02:00", {"2018-10-15": 0.02}),
            ("2018-10-15T02:00:01", {"2018-10-15": 0.2}),  # a quick exit, but started too late to be fair
        ]
    )
    book = run(dataset(rows), settings, contender())
    assert book.ideas.features[:, 0].tolist() == [1, 2]
    assert book.ungated.kept_trades == 2


def test_daily_returns_by_hand(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    """Case 31: every market day of the window has a row, zero without trades; each trade is 5 % of the capital."""
    rows = ideas(
        [
            ("2018-10-01", {"2018-10-01": 0.02, "2018-10-02": -0.01}),
            ("2018-10-02", {"2018-10-02": 0.03, "2018-10-04": 0.01}),
            ("2018-10-03", {"2018-10-04": -0.05}),
        ]
    )
    champion = contender("gatekeeper_primary1", keeps=[0, 2], trained_to=date(2018, 9, 10))
    book = run(dataset(rows), settings, contender(keeps=[0, 1]), champion)
    assert book.days[:5].astype(str).tolist() == ["2018-10-01", "2018-10-02", "2018-10-03", "2018-10-04", "2018-10-05"]
    assert book.days[-1] == np.datetime64("2018-11-02")
    assert book.challenger.daily[:5] == CLOSE([0.001, 0.001, 0, 0.0005, 0], abs=1e-15)
    assert book.champion.daily[:5] == CLOSE([0.001, -0.0005, 0, -0.0025, 0], abs=1e-15)
    assert book.ungated.daily[:5] == CLOSE([0.001, 0.001, 0, -0.002, 0], abs=1e-15)
    assert len(book.challenger.daily) == len(book.days) == book.window.days == 25
    assert book.challenger.total_return == CLOSE(0.0025, abs=1e-15)
    assert book.champion.max_drawdown == CLOSE(0.003, abs=1e-15)
    assert book.challenger.win_rate == 1
    assert book.champion.win_rate == 0.5
    assert book.challenger.sharpe == CLOSE(sharpe_ratio([0.001, 0.001, 0, 0.0005] + [0] * 21), abs=1e-12)


def test_first_day_of_the_window_counts(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    """Case 33: the loss of the first day is in."""
    rows = ideas([("2018-10-01T00:00", {"2018-10-01": -0.02}), ("2018-10-02", {"2018-10-02": 0.01})])
    book = run(dataset(rows), settings, contender(), contender("p", trained_to=date(2018, 9, 10)))
    assert book.ungated.daily[0] == CLOSE(-0.001, abs=1e-15)


def test_marking_and_booking_at_the_exit_differ(
    dataset: Make, contender: Make, ideas: Make, settings: Settings
) -> None:
    """Case 62: the same trades, marked along the path or booked at the exit: one rule, the path's."""
    marked = [("2018-10-01", {"2018-10-01": -0.04, "2018-10-02": 0.01, "2018-10-03": 0.06})] * 3
    booked = [("2018-10-01", {"2018-10-03": 0.03})] * 3
    champion = contender("p", trained_to=date(2018, 9, 10))
    found = [run(dataset(ideas(rows)), settings, contender(), champion).ungated for rows in (marked, booked)]
    assert [each.total_return for each in found] == CLOSE([0.0045, 0.0045], abs=1e-15)
    assert found[0].daily[:3] == CLOSE([-0.006, 0.0015, 0.009], abs=1e-15)
    assert found[1].daily[:3] == CLOSE([0, 0, 0.0045], abs=1e-15)
    assert found[0].max_drawdown == CLOSE(0.006, abs=1e-15)
    assert found[1].max_drawdown == 0
    assert found[0].sharpe < found[1].sharpe


def test_periods_follow_the_market(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    """Case 37: 252 for exchange days, 365 around the clock, where weekends are days too."""
    rows = ideas([("2018-10-01", {"2018-10-01": 0.02}), ("2018-10-05", {"2018-10-06": 0.01})])
    champion = contender("p", trained_to=date(2018, 9, 10))
    weekdays = run(dataset(rows), settings, contender(), champion)
    always = run(dataset(rows, around_the_clock=True), settings, contender(), champion)
    assert (len(weekdays.days), len(always.days)) == (25, 35)
    assert weekdays.ungated.sharpe == CLOSE(sharpe_ratio([0.001, 0, 0, 0, 0.0005] + [0] * 20, 252), abs=1e-12)
    assert always.ungated.sharpe == CLOSE(sharpe_ratio([0.001, 0, 0, 0, 0, 0.0005] + [0] * 29, 365), abs=1e-12)


def test_risk_free_rate_reaches_the_sharpe(dataset: Make, contender: Make, ideas: Make) -> None:
    """Cases 30 and 88: a yearly rate, by day, off the 5 % that were exposed in one night."""
    rows = ideas([("2018-10-01", {"2018-10-01": 0.02, "2018-10-02": 0.0})])
    champion = contender("p", trained_to=date(2018, 9, 10))
    book = run(dataset(rows), Settings(risk_free=0.05), contender(), champion)
    night = 0.05 * (1.05 ** (1 / 252) - 1)
    assert book.ungated.sharpe == CLOSE(sharpe_ratio([0.001, -night, *[0] * 23]), abs=1e-12)


def test_a_new_model_is_scored_on_the_same_ideas(
    dataset: Make, contender: Make, ideas: Make, settings: Settings
) -> None:
    """Case 40: a new model has no history of its own; both score the very same rows."""
    rows = ideas([(f"2018-0{month}-05", {f"2018-0{month}-06": -0.01 * month}) for month in range(1, 10)])
    seen: list[np.ndarray] = []

    def score(features: np.ndarray) -> np.ndarray:
        seen.append(features)
        return np.full(len(features), 0.9, dtype=np.float32)

    new, old = contender("gatekeeper_2", score=score), contender("gatekeeper_primary1", score=score)
    book = run(dataset(rows), settings, new, old)
    assert np.array_equal(seen[0], seen[1])
    assert len(seen[0]) == 9
    assert book.challenger.sharpe == book.champion.sharpe
    assert book.challenger.sharpe < 0


def test_same_bytes_are_not_backtested(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    def score(features: np.ndarray) -> np.ndarray:
        raise AssertionError("scored all the same")

    new = contender("gatekeeper_2", sha256="same", score=score)
    old = contender("gatekeeper_primary1", sha256="same", score=score)
    book = run(dataset(ideas([("2018-10-01", {"2018-10-01": 0.02})])), settings, new, old)
    assert not book.challenger.tested
    assert book.challenger.record().sharpe is None
    assert book.ungated.kept_trades == 1


def test_same_bytes_under_another_threshold_are_another_gate(
    dataset: Make, contender: Make, ideas: Make, settings: Settings
) -> None:
    rows = ideas([("2018-10-01", {"2018-10-01": 0.02})])
    new = contender("gatekeeper_2", sha256="same", threshold=0.9)
    book = run(dataset(rows), settings, new, contender("gatekeeper_primary1", sha256="same"))
    assert (book.challenger.kept_trades, book.champion.kept_trades) == (0, 1)


def test_a_model_that_has_seen_the_window_is_said_so(dataset: Make, contender: Make, settings: Settings) -> None:
    """Nobody knows what it was trained on, nor when it was made: never out of sample."""
    book = run(dataset(no_ideas()), settings, contender(trained_to=None))
    assert not book.challenger.out_of_sample


@pytest.mark.parametrize("threshold", [0.55, 0.6, 0.7, 0.1, 1 / 3])
def test_only_scores_under_the_threshold_are_vetoed(threshold: float) -> None:
    at = np.float32(threshold)
    scores = np.array([np.nextafter(at, np.float32(0)), at, np.nextafter(at, np.float32(1))], dtype=np.float32)
    assert keeps(scores, threshold).tolist() == [False, True, True]


PATHS = st.lists(
    st.tuples(
        st.dates(date(2018, 1, 1), date(2018, 10, 1)),
        st.lists(st.tuples(st.integers(0, 20), st.floats(-0.1, 0.1)), min_size=1, max_size=5, unique_by=lambda p: p[0]),
        st.booleans(),
    ),
    max_size=20,
)


@given(PATHS, st.booleans())
@budget(max_examples=60, deadline=None)
def test_no_return_is_lost_or_counted_twice(rows: list[Any], weekends: bool) -> None:
    """Law: daily returns sum to the fraction of the kept outcomes, whatever days the paths name."""
    days = np.arange("2018-01-01", "2018-10-10", dtype="datetime64[D]")
    days = days if weekends else days[np.is_busday(days)]
    paths = [{start + timedelta(days=at): part for at, part in path} for start, path, _ in rows]
    count = len(rows)
    instants = np.array([start for start, _, _ in rows], dtype="datetime64[ns]")
    known = Ideas(
        symbol=np.array(["X"] * count, dtype=np.str_),
        strategy=np.array([""] * count, dtype=np.str_),
        time=instants,
        features=np.zeros((count, 7), dtype=np.float32),
        outcome=np.array([sum(path.values()) for path in paths], dtype=np.float64),
        closed_at=instants,
        known_at=instants,
        path_start=np.cumsum([0] + [len(path) for path in paths]).astype(np.int64),
        path_day=np.array([day for path in paths for day in path], dtype="datetime64[D]"),
        path_return=np.array([part for path in paths for part in path.values()], dtype=np.float64),
    )
    kept = np.array([keep for _, _, keep in rows], dtype=bool)
    found = daily_returns(known, kept, days, 0.05)
    assert len(found) == len(days)
    assert found.sum() == CLOSE(0.05 * known.outcome[kept].sum(), abs=1e-12)
    everything = daily_returns(known, np.ones(count, dtype=bool), days, 0.05)
    assert found + daily_returns(known, ~kept, days, 0.05) == CLOSE(everything, abs=1e-12)


def test_a_day_not_closed_yet_counts_on_the_last_closed_one(ideas: Make) -> None:
    rows = ideas([("2018-10-15", {"2018-11-02": 0.01, "2018-11-05": 0.02})])
    days = np.array(["2018-11-01", "2018-11-02"], dtype="datetime64[D]")
    assert daily_returns(rows, np.array([True]), days, 0.05) == CLOSE([0, 0.0015], abs=1e-15)


def test_nothing_after_the_window_matters(dataset: Make, contender: Make, ideas: Make, settings: Settings) -> None:
    """Case 34, window side: ideas that started later change no scorecard."""
    rows = [("2018-10-01", {"2018-10-01": 0.02}), ("2018-10-03", {"2018-10-04": -0.01})]
    later = [("2018-10-20", {"2018-10-22": 9.0}), ("2018-11-01", {"2018-11-02": -9.0})]
    there, back = (run(dataset(ideas(each)), settings, contender()) for each in (rows, rows + later))
    assert there.ungated.record() == back.ungated.record()
    assert there.challenger.record() == back.challenger.record()


@pytest.mark.parametrize(
    "answer",
    [
        lambda rows: np.full(len(rows) + 1, 0.5, dtype=np.float32),
        lambda rows: np.full((len(rows), 1), 0.5, dtype=np.float32),
        lambda rows: np.full(len(rows), np.nan, dtype=np.float32),
    ],
)
def test_scores_that_do_not_fit_are_refused(dataset: Make, contender: Make, ideas: Make, answer: Any) -> None:
    with pytest.raises(DataError, match="gatekeeper_2 gave scores"):
        run(dataset(ideas([("2018-10-01", {"2018-10-01": 0.02})])), Settings(), replace(contender(), score=answer))
