"""Splits from a file: how it is read, and how prices and volume are put into old shares."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
from market_bars import DAY, daily, random_bars, utc
from real_series import adjusted_closes, checked, stocks
from real_series import bars as read_bars

from gatekeeper.errors import ConfigError
from gatekeeper.market.data.bars.adjusting import applied
from gatekeeper.market.data.bars.candles import Book, Candles
from gatekeeper.market.data.bars.corporate_actions import Split, digest, read
from gatekeeper.market.data.checks.splits import splits

AAPL = (Split("AAPL", "2000-06-21", 2), Split("AAPL", "2005-02-28", 2))
MSFT = Split("MSFT", "2003-02-18", 2)


def file(folder: Path, text: str) -> str:
    (folder / "splits.csv").write_text(text)
    return str(folder / "splits.csv")


def adjusted(bars: Candles, *listed: Split) -> tuple[Candles, tuple[str, ...]]:
    book, _ = applied(Book((bars,), ()), listed)
    return book.candles[0], book.notes


def world(n: int = 100) -> Candles:
    volume = np.random.default_rng(0).integers(900, 1100, n).astype(float)
    return replace(read_bars(random_bars(n, seed=1)), volume=volume)


def test_a_file_of_splits(tmp_path: Path) -> None:
    """With or without a header, in any order, empty lines, ratios as numbers or as new:old, days or instants."""
    text = "Symbol, Date, Ratio\n\nMSFT,2003-02-18,2:1\nAAPL,2005-02-28,2\nAAPL,2000-06-21,2.0\n"
    assert read(file(tmp_path, text)) == (*AAPL, MSFT)
    found = read(file(tmp_path, "BRK B,2020-01-02,1:3\nC,2011-05-09,0.1\nX,2020-01-02T10:00+02:00,3/2\n"))
    assert [each.ratio for each in found] == pytest.approx([1 / 3, 0.1, 1.5])
    assert [str(each) for each in found] == ["BRK B,2020-01-02,1:3", "C,2011-05-09,0.1", "X,2020-01-02T08:00Z,3:2"]
    assert read("") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AAPL,2005-02-28\n", r"line 1: 'AAPL,2005-02-28' is not symbol,date,ratio"),
        ("AAPL,2005-02-28,2\nAAPL,28.02.2005,2\n", r"line 2: '28\.02\.2005' is not a date"),
        ("AAPL,2005-02-28,0\n", "ratio '0' is no split"),
        ("AAPL,2005-02-28,1\n", "ratio '1' is no split"),
        ("AAPL,2005-02-28,-2\n", "ratio '-2' is no split"),
        ("AAPL,2005-02-28,2:0\n", "ratio '2:0' is no split"),
        ("AAPL,2005-02-28,1e9\n", "ratio '1e9' is no split"),
        (",2005-02-28,2\n", "'' with ratio '2' is no split"),
        ("AAPL,2005-02-28,2\nAAPL,2005-02-28,3\n", "line 2: AAPL has two ratios on 2005-02-28. Keep one"),
    ],
)
def test_what_is_no_list_of_splits_is_refused(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        read(file(tmp_path, text))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="can't be read"):
        read(str(tmp_path / "nothing.csv"))


def test_the_digest_is_of_what_the_as_of_knows() -> None:
    """Neither the file's order nor a split after the as-of counts: such a split makes no earlier run another one."""
    early, late = utc("2001-01-01"), utc("2006-01-01")
    assert digest(AAPL, early) == digest(AAPL[:1], late) != digest(AAPL, late)
    assert digest(AAPL, utc("1999-01-01")) is digest((), late) is None


def test_bars_from_a_split_on_are_put_into_old_shares() -> None:
    """Those before stay as they are. Up to its first dividend, in August 2012, AAPL then moves as its vendor's own
    adjusted closes do, to their rounding."""
    aapl = next(bars for bars in stocks() if bars.symbol == "AAPL")
    now, notes = adjusted(aapl, *AAPL)
    at = [int(np.searchsorted(aapl.days, np.datetime64(day))) for day in ("2000-06-21", "2005-02-28")]
    for name in ("open", "high", "low", "close"):
        was, is_ = getattr(aapl, name), getattr(now, name)
        assert is_[: at[0]].tobytes() == was[: at[0]].tobytes()
        np.testing.assert_array_equal(is_[at[0] : at[1]], 2 * was[at[0] : at[1]])
        np.testing.assert_array_equal(is_[at[1] :], 4 * was[at[1] :])
    undivided = aapl.days < np.datetime64("2012-08-01")
    quotient = now.close[undivided] / adjusted_closes("AAPL")[undivided]
    np.testing.assert_allclose(quotient, quotient[0], rtol=2e-3)
    assert notes[0] == "splits of GATEKEEPER_SPLITS applied: AAPL,2000-06-21,2; AAPL,2005-02-28,2"
    keys = [(each.key, each.severity.value) for each in splits(checked(now, splits=AAPL))]
    assert keys == [("split:AAPL:2000-09-29", "warning")]


def test_a_volume_in_new_shares_is_scaled_and_another_is_left() -> None:
    """Twice the shares at the split: in old shares, half of them. A volume that its vendor adjusted doesn't move."""
    bars, row = world(), 50
    doubled = replace(bars, volume=bars.volume * np.where(np.arange(len(bars)) < row, 1, 2))
    listed = Split("X", str(bars.days[row]), 2)
    now, notes = adjusted(doubled, listed)
    np.testing.assert_array_equal(now.volume, bars.volume)
    assert not any("volume" in note for note in notes)
    now, notes = adjusted(bars, listed)
    np.testing.assert_array_equal(now.volume, bars.volume)
    assert notes[-1] == "volume left as it is, since it doesn't move with the splits: X"
    halved = replace(bars, volume=bars.volume * np.where(np.arange(len(bars)) < row, 1, 0.5))
    assert adjusted(halved, listed)[0].volume is halved.volume
    merged = Split("X", str(bars.days[row]), 1, 2)
    np.testing.assert_array_equal(adjusted(halved, merged)[0].volume, bars.volume)
    assert adjusted(replace(bars, volume=None), listed)[0].volume is None


def test_the_volumes_of_a_real_vendor_are_left() -> None:
    """Yahoo's volume was adjusted while its prices were not: 1.4 and 1.0 times at AAPL's splits, 1.3 at Microsoft's."""
    for symbol, listed in (("AAPL", AAPL), ("MSFT", (MSFT,))):
        bars = next(each for each in stocks() if each.symbol == symbol)
        now, notes = adjusted(bars, *listed)
        assert now.volume is bars.volume
        assert notes[-1] == f"volume left as it is, since it doesn't move with the splits: {symbol}"


def test_a_split_that_no_bar_has_reached_changes_nothing() -> None:
    """Nor one before the first bar. A symbol without bars is named."""
    bars = world()
    later, before = bars.days[-1] + np.timedelta64(1, "D"), bars.days[0]
    now, notes = adjusted(bars, Split("X", str(later), 2), Split("X", str(before), 2), Split("Y", str(before), 2))
    assert now is bars
    assert notes == ("no bars of Y, which GATEKEEPER_SPLITS names",)


def test_a_split_on_a_day_without_a_bar_counts_from_the_next() -> None:
    bars = world()
    friday = next(row for row in range(10, 20) if bars.days[row + 1] - bars.days[row] > DAY)
    saturday = Split("X", str(bars.days[friday] + DAY), 2)
    now, _ = adjusted(bars, saturday)
    assert np.flatnonzero(now.close != bars.close)[0] == friday + 1


def test_an_instant_splits_the_bars_of_a_day() -> None:
    hours = np.datetime64("2020-01-01", "ns") + np.arange(48) * np.timedelta64(1, "h")
    bars = read_bars(random_bars(48, seed=2, times=hours))
    now, _ = adjusted(bars, Split("X", "2020-01-01T09:00Z", 10))
    assert np.flatnonzero(now.close != bars.close)[0] == 9
    assert Split("X", "2020-01-01T09:00Z", 10).instant - utc("2020-01-01") == timedelta(hours=9)
    assert np.flatnonzero(adjusted(bars, Split("X", "2020-01-02", 10))[0].close != bars.close)[0] == 24


def test_a_split_of_adjusted_prices_makes_the_inverse_jump() -> None:
    """It is refused, and the way out is to remove its line."""
    bars = replace(read_bars(random_bars(100, seed=3, times=daily(100))), volume=None)
    listed = Split("X", str(bars.days[50]), 2)
    now, _ = adjusted(bars, listed)
    (finding,) = splits(checked(now, splits=(listed,)))
    assert (finding.severity.value, round(finding.numbers["factor"], 1)) == ("refused", 2.0)
    assert finding.message.endswith(f"Remove `{listed}`.")
