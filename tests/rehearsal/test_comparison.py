"""Errors of a rehearsal's streams, and which of them can be told apart."""

import numpy as np
import pytest

from gatekeeper.documents.rehearsal import StreamResult
from gatekeeper.documents.stream_pairs import DifferenceRecord
from gatekeeper.judgement.statistics.sharpe import max_drawdown, sharpe_ratio
from gatekeeper.rehearsal.comparison import ComparedStream, StreamComparison

DAYS, YEAR = 500, 252


def stream(name: str, daily: np.ndarray, mode: str | None = None, policy: str | None = None) -> ComparedStream:
    result = StreamResult(
        name=name,
        ideas=0,
        kept_trades=0,
        passed_over=0,
        sharpe=sharpe_ratio(daily, YEAR),
        total_return=float(daily.sum()),
        max_drawdown=max_drawdown(daily),
        age_days=None,
        daily=daily.tolist(),
    )
    return ComparedStream(result, daily, mode, policy)


def noise(seed: int, mean: float = 0.0, days: int = DAYS) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, 0.01, days)


def of(pairs: list, one: str, other: str):
    return next(each for each in pairs if (each.one, each.other) == (one, other))


def test_a_clear_difference_is_separable_and_a_doubtful_one_is_not() -> None:
    """A common part that is large, as of streams that trade the same ideas, does not hide a small own one."""
    market = noise(1)
    streams = [
        stream("a", market + 0.002 + 0.1 * noise(2)),
        stream("b", market + 0.1 * noise(3)),
        stream("c", market + 0.1 * noise(4)),
    ]
    found = StreamComparison.of(streams, {}, YEAR)
    assert [(each.one, each.other, each.verdict) for each in found.pairs] == [
        ("a", "b", "higher in both"),
        ("a", "c", "higher in both"),
        ("b", "c", "not separable"),
    ]
    clear = of(found.pairs, "a", "b").total_return
    difference = streams[0].excess - streams[1].excess
    assert clear.value == pytest.approx(difference.sum(), abs=1e-12)
    # Independent days: the error of their sum, which the bootstrap knows to 2 % and its blocks to a few.
    assert clear.error == pytest.approx(difference.std(ddof=1) * np.sqrt(DAYS), rel=0.15)
    for name in "ab":
        assert found.errors[name]["return_error"] > 5 * clear.error
    # The same the other way around.
    swapped = found.sharpe_difference("b", "a")
    there = found.sharpe_difference("a", "b")
    assert swapped == DifferenceRecord(-there.value, there.error, -there.high, -there.low)
    assert swapped.separable


def test_the_intervals_reach_as_far_as_the_document_says() -> None:
    found = StreamComparison.of([stream(name, noise(seed)) for seed, name in enumerate("abcdef")], {}, YEAR)
    assert len(found.pairs) == 15
    assert 2.4 < found.resampling.critical < 3.6  # more than 1.96: fifteen pairs at once
    for pair in found.pairs:
        for each in (pair.sharpe, pair.total_return):
            assert each.high - each.value == pytest.approx(found.resampling.critical * each.error, rel=1e-12)
            assert each.value - each.low == pytest.approx(each.high - each.value, rel=1e-9)


@pytest.mark.parametrize("daily", [noise(1, 0.01), np.zeros(DAYS)], ids=["trades", "none"])
def test_the_same_stream_twice_is_identical(daily: np.ndarray) -> None:
    """Tied exactly, which is more than not to be told apart; without a trade there is no Sharpe ratio, but a return."""
    (pair,) = StreamComparison.of([stream("safe", daily), stream("never retrained", daily)], {}, YEAR).pairs
    assert (pair.total_return.value, pair.total_return.error, pair.verdict) == (0.0, 0.0, "identical")
    assert (pair.sharpe is None) == (not daily.any())
    assert not pair.separable


def test_streams_that_differ_on_one_day_are_not_identical() -> None:
    daily = noise(1, 0.01)
    other = daily.copy()
    other[[0, 1]] += (1e-9, -1e-9)  # the same sum
    (pair,) = StreamComparison.of([stream("safe", daily), stream("proven", other)], {}, YEAR).pairs
    assert pair.total_return.value == pytest.approx(0, abs=1e-15)
    assert pair.verdict == "not separable"


def test_a_stream_without_trades_is_compared_by_its_return() -> None:
    found = StreamComparison.of([stream("none", np.zeros(DAYS)), stream("good", noise(1, 0.01))], {}, YEAR)
    (pair,) = found.pairs
    assert pair.sharpe is None
    assert pair.verdict == "lower return"
    assert found.errors["none"] == {"sharpe_error": None, "return_error": 0.0, "drawdown_error": 0.0}


def test_each_way_to_deploy_is_compared_within_itself() -> None:
    daily = [noise(seed) for seed in range(6)]
    streams = [
        stream("safe", daily[0], "judged", "safe"),
        stream("better", daily[1], "judged", "better"),
        stream("safe, refit", daily[2], "refit", "safe"),
        stream("always the newest", daily[3], "judged"),
        stream("ungated", daily[4]),
        stream("always the newest, refit", daily[5], "refit"),
    ]
    named = {(each.one, each.other) for each in StreamComparison.of(streams, {}, YEAR).pairs}
    assert ("safe", "safe, refit") in named
    assert ("safe, refit", "ungated") in named
    assert ("safe, refit", "always the newest, refit") in named
    assert not named & {
        ("better", "safe, refit"),
        ("safe, refit", "always the newest"),
        ("safe", "always the newest, refit"),
        ("always the newest", "always the newest, refit"),
    }


def test_promotions_have_an_error_of_the_same_days() -> None:
    added = np.where(np.arange(DAYS) % 10 == 0, noise(7), 0.0)
    found = StreamComparison.of([stream("safe", noise(1))], {"safe": added}, YEAR)
    assert found.net_errors["safe"] == pytest.approx(added.std(ddof=1) * np.sqrt(DAYS), rel=0.2)


def test_too_few_days_have_no_errors() -> None:
    few = noise(1, days=4)
    found = StreamComparison.of([stream("a", few), stream("b", few)], {"a": few}, YEAR)
    assert (found.pairs, found.resampling, found.net_errors) == ([], None, {"a": None})
    assert found.errors == {"a": {}, "b": {}}
