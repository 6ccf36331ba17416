"""Twin check: copies are refused and near copies warned of, at the same times or one bar apart; honest pairs pass."""

import warnings
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from market_bars import daily
from real_series import checked, indices, single_prices, stocks

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.checks.twins import twins
from gatekeeper.market.findings import Finding, Severity

N = 800
RNG = np.random.default_rng(0)
MARKET = RNG.normal(0, 0.01, N)


def bars(symbol: str, returns: np.ndarray, times: np.ndarray | None = None) -> Candles:
    close = 100 * np.exp(np.cumsum(returns))
    zeros, stamps = np.zeros(len(close)), daily(len(close)) if times is None else times
    return Candles(symbol, stamps, stamps + np.diff(stamps).min(), close, close, close, close, zeros, zeros)


def found(*book: Candles) -> list[Finding]:
    return list(twins(checked(*book)))


def severities(*book: Candles) -> dict[str, Severity]:
    return {each.key: each.severity for each in found(*book)}


def pick(candles: Candles, rows: slice | np.ndarray, symbol: str | None = None) -> Candles:
    names = ("opens_at", "closes_at", "open", "high", "low", "close", "sentiment", "order_book")
    return replace(candles, symbol=symbol or candles.symbol, **{name: getattr(candles, name)[rows] for name in names})


def noisy(share: float, size: float) -> np.ndarray:
    """Market returns, of which a share gets noise of this size, in units of the median return."""
    noise = np.random.default_rng(1).choice([-1.0, 1.0], N) * size * np.median(np.abs(MARKET))
    return MARKET + np.where(np.arange(N) < share * N, noise, 0)


def test_real_series_are_no_twins(figures: Callable[[str], None]) -> None:
    """Of all pairs of stocks and indices none is alike; the VIX and oil are each there twice."""
    series = (*stocks(), *indices(), *single_prices())
    keys = severities(*series)
    twice = {f"twin:{name} flat:{name} ranged" for name in ("vix", "DCOILWTICO", "Brent", "WTI")}
    pairs = len(series) * (len(series) - 1) // 2
    figures(
        f"twins among {pairs} real pairs: {len(keys.keys() - twice)} false alarms, {len(twice - keys.keys())} misses",
    )
    assert keys == dict.fromkeys(twice, Severity.REFUSED)


@pytest.mark.parametrize("factor", [1.0, 3.7, 1e-3])
def test_a_copy_is_refused_whatever_its_scale(factor: float) -> None:
    """`AAPL` and `aapl`, `BTC` and `BTC (1)` (case 81); a half of it too, a later listing, and one with holes."""
    one = bars("A", MARKET)
    copy = replace(one, symbol="B", close=one.close * factor)
    rows = np.sort(np.random.default_rng(2).choice(N, N - 30, replace=False))
    for other in (copy, pick(copy, slice(500, None)), pick(copy, slice(0, 60)), pick(copy, rows)):
        assert severities(one, other) == {"twin:A:B": Severity.REFUSED}


@pytest.mark.parametrize(
    ("share", "size", "severity"),
    [
        (1.0, 0.019, Severity.REFUSED),
        (1.0, 0.021, Severity.WARNING),
        (0.04, 0.5, Severity.REFUSED),
        (0.06, 0.5, Severity.WARNING),
        (1.0, 0.095, Severity.WARNING),
        (1.0, 0.15, None),
        (0.45, 0.2, Severity.WARNING),
        (0.55, 0.2, None),
    ],
)
def test_limits(share: float, size: float, severity: Severity | None) -> None:
    """Within 2 % of the median return on over 95 % of the bars: refused. Within 10 % on over half: warned of."""
    assert list(severities(bars("A", MARKET), bars("B", noisy(share, size))).values()) == [severity] * bool(severity)


@pytest.mark.parametrize("shift", [1, -1])
def test_one_bar_apart(shift: int) -> None:
    """The same series stamped a bar later or earlier; two bars apart is another thing."""
    one = bars("A", MARKET)
    (finding,) = found(one, bars("B", np.roll(MARKET, shift)))
    assert (finding.severity, finding.numbers["shift"]) == (Severity.REFUSED, 1)
    assert f"{'B' if shift == 1 else 'A'} is one bar later." in finding.message
    assert not found(one, bars("B", np.roll(MARKET, 2 * shift)))


def test_bars_on_which_neither_moved_count_for_nothing() -> None:
    """Two symbols that rarely trade and then differ are not alike for standing still together."""
    still = np.where(np.arange(N) % 5, 0.0, MARKET)
    other = np.where(np.arange(N) % 5, 0.0, np.random.default_rng(3).normal(0, 0.01, N))
    assert not found(bars("A", still), bars("B", other))
    assert severities(bars("A", still), bars("B", still)) == {"twin:A:B": Severity.REFUSED}
    assert not found(bars("A", np.zeros(N)), bars("B", np.zeros(N)))


def test_one_large_move_together_makes_no_twins() -> None:
    crash = np.where(np.arange(N) == 400, -0.7, 0.0)
    pair = [bars(name, np.random.default_rng(seed).normal(0, 0.01, N) + crash) for seed, name in enumerate("AB")]
    assert not found(*pair)


def test_twins_are_found_among_many(figures: Callable[[str], None]) -> None:
    """20 planted copies among 120 symbols of one market, listed at different times: all found, and no others."""
    rng = np.random.default_rng(4)
    book = []
    for number in range(100):
        start = int(rng.integers(0, N - 100))
        own = bars(f"S{number:03}", MARKET + rng.normal(0, 0.004, N))
        book.append(pick(own, slice(start, None)))
        if number < 20:
            book.append(pick(book[-1], slice(0, 40 + 20 * number), f"T{number:03}"))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        keys = severities(*book)
    planted = {f"twin:S{number:03}:T{number:03}" for number in range(20)}
    figures(f"20 planted twins: {len(planted - keys.keys())} missed, {len(keys.keys() - planted)} false alarms")
    assert keys == dict.fromkeys(planted, Severity.REFUSED)


def test_bars_of_other_lengths_are_not_compared() -> None:
    hours = np.datetime64("2020-01-01", "ns") + np.arange(N) * np.timedelta64(1, "h")
    assert not found(bars("A", MARKET), bars("B", MARKET, hours))
    assert severities(bars("A", MARKET, hours), bars("B", MARKET, hours)) == {"twin:A:B": Severity.REFUSED}
    assert not found(bars("A", MARKET))
    assert not found()


def test_times_of_day_that_differ_are_one_market_day() -> None:
    """One vendor stamps midnight, another 21:00 of the evening before: the same days, if the bars say so."""
    one = bars("A", MARKET)
    later = daily(N) + np.timedelta64(5, "h")
    assert severities(one, bars("B", MARKET, later)) == {"twin:A:B": Severity.REFUSED}


@pytest.mark.parametrize("shift", [0, 1])
def test_of_a_long_time_parts_choose_the_candidates(shift: int) -> None:
    """100,000 minutes, of which the copy has a tenth, is compared in full: every one of its returns is the same."""
    minutes = np.datetime64("2020-01-01", "ns") + np.arange(100_000) * np.timedelta64(60, "s")
    returns = np.random.default_rng(5).normal(0, 0.001, 100_000)
    one, other = bars("A", returns, minutes), bars("B", np.roll(returns, shift), minutes)
    (finding,) = found(one, pick(other, slice(50_000, 60_000)), bars("C", returns[::-1], minutes))
    assert (finding.key, finding.severity) == ("twin:A:B", Severity.REFUSED)
    assert (finding.numbers["bars"], finding.numbers["same"]) == (9_999, 1.0)
