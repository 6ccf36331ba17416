"""Volume checks: bars without trades, missing volumes, copies of the bar before, and feeds that stand still."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from market_bars import daily
from real_series import checked, indices, single_prices, stocks

from gatekeeper.market.data.bars.candles import Candles
from gatekeeper.market.data.bars.untraded import stale, untraded, usable_volume
from gatekeeper.market.data.checks.volume import repeated, stale_bars, volume
from gatekeeper.market.findings import Finding, Severity

ROWS = (40, 41)


def world(seed: int = 0, n: int = 100) -> Candles:
    rng = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, n)))
    zeros, days = np.zeros(n), daily(n)
    traded = rng.integers(1, 10_000, n).astype(np.float64)
    day = np.timedelta64(1, "D")
    return Candles("X", days, days + day, close, close * 1.01, close * 0.99, close, zeros, zeros, volume=traded)


def alike(bars: Candles, rows: slice, **also: float) -> Candles:
    """The bars with the rows as copies of the first of them."""
    columns = {}
    for name in ("open", "high", "low", "close", "volume"):
        column = getattr(bars, name)
        if column is not None:
            columns[name] = column.copy()
            columns[name][rows] = also.get(name, column[rows.start])
    return replace(bars, **columns)


def flat(bars: Candles, *rows: int, traded: float = 0.0) -> Candles:
    """The bars with one price and this volume on some rows."""
    at = list(rows)
    high, low, opened, volume_ = bars.high.copy(), bars.low.copy(), bars.open.copy(), bars.volume.copy()
    high[at] = low[at] = opened[at] = bars.close[at]
    volume_[at] = traded
    return replace(bars, open=opened, high=high, low=low, volume=volume_)


def test_real_series_are_traded_and_repeat_nothing() -> None:
    """20 years of two indices, 13 of five stocks: no untraded bar, two volumes missing. The VIX and oil have none."""
    series = (*indices(), *stocks(), *single_prices())
    assert [bars.symbol for bars in series if untraded(bars) is not None] == []
    assert [*repeated(checked(*series)), *stale_bars(checked(*series))] == []
    (missing,) = volume(checked(*series))
    assert (missing.symbol, missing.severity) == ("NASDAQ", Severity.NOTE)
    assert "2 bars with volume 0 and a range, so a missing volume (2015-05-12, 2018-01-09)" in missing.message


def test_volume_0_at_one_price_is_not_traded() -> None:
    """Case 79. One price alone is a quiet bar, and volume 0 alone a missing one."""
    bars = flat(world(), *ROWS)
    assert np.flatnonzero(untraded(bars)).tolist() == [*ROWS]
    (note,) = volume(checked(bars))
    assert note.severity is Severity.NOTE
    assert "2 bars with volume 0 and one price, so not traded" in note.message
    assert untraded(flat(world(), *ROWS, traded=5.0)) is None
    zero = world().volume.copy()
    zero[[*ROWS]] = 0
    assert untraded(replace(world(), volume=zero)) is None


@pytest.mark.parametrize(("zeros", "counts"), [(50, True), (51, False)])
def test_a_volume_that_is_mostly_0_is_none(zeros: int, counts: bool) -> None:
    """Of 100 bars, the last ones without trades: up to half of them are believed; the same holds up to each bar."""
    bars = flat(world(), *range(100 - zeros, 100))
    assert (usable_volume(bars) is not None) == counts
    assert np.flatnonzero(untraded(bars)).tolist() == list(range(100 - zeros, 98 if zeros == 51 else 100))


def test_a_volume_that_is_the_same_on_all_bars_is_none() -> None:
    bars = replace(world(), volume=np.full(100, 7.0))
    assert usable_volume(bars) is None
    (note,) = volume(checked(bars))
    assert (
        note.message
        == "X: the volume is the same on all bars, which is taken for none. Checks that need a volume are left out."
    )
    assert not list(volume(checked(replace(bars, volume=None))))


@pytest.mark.parametrize(("length", "found"), [(9, []), (10, [49]), (12, [49, 50, 51])])
@pytest.mark.parametrize("with_volume", [True, False])
def test_the_tenth_bar_alike_is_stale(length: int, found: list[int], with_volume: bool) -> None:
    """Ten bars from row 40 on: the last of them is the tenth."""
    bars = world() if with_volume else replace(world(), volume=None)
    bars = alike(bars, slice(40, 40 + length))
    mask = stale(bars)
    assert ([] if mask is None else np.flatnonzero(mask).tolist()) == found
    findings = list(stale_bars(checked(bars)))
    assert [each.severity for each in findings] == [Severity.WARNING] * bool(found)


def test_prices_that_stand_still_while_the_volume_moves_are_traded() -> None:
    bars = alike(world(), slice(40, 60))
    assert stale(replace(bars, volume=world().volume)) is None


@pytest.mark.parametrize(("copies", "severity"), [(1, Severity.WARNING), (2, Severity.REFUSED)])
def test_a_bar_that_repeats_the_one_before(copies: int, severity: Severity) -> None:
    """Prices and volume: once may be chance, twice in a row isn't."""
    bars = alike(world(), slice(40, 41 + copies))
    (finding,) = repeated(checked(bars))
    assert (finding.severity, finding.key, finding.at) == (severity, "repeated:X", str(bars.days[41]))
    assert not list(repeated(checked(replace(bars, volume=None))))
    assert not list(repeated(checked(flat(bars, 40, 41, 42, traded=5.0))))  # no range
    apart = alike(alike(world(), slice(40, 42)), slice(60, 62))
    assert [each.severity for each in repeated(checked(apart))] == [Severity.WARNING]


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 1)), min_size=30, max_size=60), st.integers(12, 30))
def test_what_is_untraded_is_told_from_the_bars_up_to_it(rows: list[tuple[int, int]], end: int) -> None:
    """At an earlier as-of, the mask is the beginning of today's."""
    traded, range_ = np.array(rows, dtype=np.float64).T

    def known(n: int) -> np.ndarray:
        zeros, days = np.zeros(n), daily(n)
        prices = (zeros + 9, 9 + range_[:n], 9 - range_[:n], zeros + 9)
        mask = untraded(Candles("X", days, days, *prices, zeros, zeros, volume=traded[:n]))
        return np.zeros(n, dtype=np.bool_) if mask is None else mask

    assert known(end).tolist() == known(len(rows))[:end].tolist()


def test_findings_are_made_by_symbol() -> None:
    """A book of many symbols has one finding each, whatever the number of bars."""
    findings: list[Finding] = list(
        volume(checked(*(replace(flat(world(seed), *ROWS), symbol=f"S{seed}") for seed in range(3))))
    )
    assert [each.symbol for each in findings] == ["S0", "S1", "S2"]
