"""Data sources by URI: the demo's bars, calendars, freshness, impossible as-ofs, and plugged-in sources."""

import subprocess
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
from arch.data import nasdaq, sp500
from market_bars import daily, random_bars, utc, write

from gatekeeper.errors import AsOfError, ConfigError, DataError, StaleData
from gatekeeper.market.data.demo import FIRST_BAR, LAST_CLOSE, demo_last_monday, demo_tables
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import check_as_of, load
from gatekeeper.settings import Settings

NOW = utc("2026-01-01")
BARS = random_bars(260, seed=1)  # to Friday 2016-12-30
LAST = utc("2016-12-31")


def of(folder: Path, as_of: datetime = LAST, name: str = "X.csv", **options: object) -> Dataset:
    return load(f"candles:{write(folder, name, BARS)}", as_of, Settings(**options))


def test_the_demo_is_the_real_bars() -> None:
    data = load("demo:", utc("2018-12-31T02:00"), Settings())
    assert set(data.ideas.symbol) == {"SP500", "NASDAQ"}
    assert (data.periods_per_year, data.marked, data.source) == (252, True, "demo:")
    assert data.newest == utc("2018-12-29")
    days = sp500.load().index.union(nasdaq.load().index)
    right = days[(days >= "2006-01-01") & (days < "2018-12-31")].to_numpy().astype("datetime64[D]")
    np.testing.assert_array_equal(data.market_days, right)
    assert data.ideas.time[0] > np.datetime64("2006-01-03") + np.timedelta64(199, "D")
    assert data.ideas.known_at.max() <= np.datetime64("2018-12-31T02:00")


def test_the_demo_facts_are_those_of_its_files() -> None:
    for table in demo_tables():
        assert table.frame["time"].iloc[0] == FIRST_BAR
        assert table.frame["time"].iloc[-1] + timedelta(days=1) == LAST_CLOSE
        original = (sp500 if table.stem == "SP500" else nasdaq).load().loc["2006":]
        np.testing.assert_array_equal(table.frame["close"], original["Close"])


def test_the_last_monday_of_the_demo_works_and_the_next_does_not() -> None:
    """A week later, a week's bars would be missing: New Year 2019 is beyond, however fresh old bars may be."""
    last = demo_last_monday()
    assert last == utc("2018-12-31T02:00")
    check_as_of("demo:", last, NOW)
    assert load("demo:", last, Settings()).newest == utc("2018-12-29")
    check_as_of("demo:", LAST_CLOSE, NOW)
    for refused in (last + timedelta(days=7), LAST_CLOSE + timedelta(seconds=1), utc("2025-06-02T02:00")):
        with pytest.raises(AsOfError, match=r"beyond the bars of demo:.*last Monday that works is 2018-12-31T02:00Z"):
            check_as_of("demo:", refused, NOW)
        with pytest.raises(AsOfError, match="2018-12-31T02:00Z"):
            load("demo:", refused, Settings(freshness_days=30))


def test_an_as_of_before_the_demo_names_a_monday_that_works() -> None:
    for refused in ("2005-12-26T02:00", "2006-01-03T23:59"):
        with pytest.raises(AsOfError, match=r"before the bars of demo:.*2018-12-31T02:00Z"):
            check_as_of("demo:", utc(refused), NOW)
    check_as_of("demo:", utc("2006-01-04"), NOW)


def test_an_as_of_in_the_future_is_refused() -> None:
    check_as_of("demo:", utc("2018-01-01"), utc("2018-01-01"))
    with pytest.raises(AsOfError, match=r"2018-01-01 02:00Z lies in the future \(now 2018-01-01 01:59Z\)"):
        check_as_of("demo:", utc("2018-01-01T02:00"), utc("2018-01-01T01:59"))


def test_an_as_of_is_an_instant_whatever_its_offset(tmp_path: Path) -> None:
    elsewhere = LAST.astimezone(timezone(timedelta(hours=9)))
    assert of(tmp_path, elsewhere).fingerprint() == of(tmp_path).fingerprint()
    with pytest.raises(AsOfError, match="no offset"):
        of(tmp_path, LAST.replace(tzinfo=None))


@pytest.mark.parametrize("uri", ["", "prices.csv", "parquet:x", "mysql:postgresql://u:secret@h/db", "/data/x.csv"])
def test_an_unknown_source_names_the_known_ones(uri: str) -> None:
    for call in (lambda: load(uri, LAST, Settings()), lambda: check_as_of(uri, LAST, NOW)):
        with pytest.raises(ConfigError, match=r"demo:, candles:URI, ideas:URI, sql:$") as error:
            call()
        assert "secret" not in str(error.value)


def test_a_missing_export_is_an_error(tmp_path: Path) -> None:
    """Case 39: nothing is made up."""
    for scheme in ("candles", "ideas"):
        with pytest.raises(DataError, match=r"no data at .*export\.csv"):
            load(f"{scheme}:{tmp_path}/export.csv", LAST, Settings())


def test_a_dead_feed_is_stale(tmp_path: Path) -> None:
    """Case 59: the feed died three weeks ago."""
    with pytest.raises(
        StaleData, match=r"2016-12-31 00:00Z, 21\.0 days before .*limit of 7.*GATEKEEPER_FRESHNESS_DAYS"
    ):
        of(tmp_path, LAST + timedelta(days=21))
    assert of(tmp_path, LAST + timedelta(days=7)).newest == LAST
    with pytest.raises(StaleData):
        of(tmp_path, LAST + timedelta(days=7, minutes=1))
    assert of(tmp_path, LAST + timedelta(days=21), freshness_days=21).newest == LAST


def test_one_symbol_that_ended_is_told(tmp_path: Path) -> None:
    note = "no bar in the last 7 days: DEAD"
    assert note not in of(tmp_path).notes
    write(tmp_path, "DEAD.csv", random_bars(230, seed=2))
    assert note in load(f"candles:{tmp_path}", LAST, Settings()).notes


def test_working_days_or_around_the_clock(tmp_path: Path) -> None:
    """Case 37: 252 for exchanges, 365 around the clock; a mixed book takes the busier."""
    every_day = np.datetime64("2016-04-15", "ns") + np.arange(260) * np.timedelta64(1, "D")
    stocks = of(tmp_path)
    assert stocks.periods_per_year == 252
    np.testing.assert_array_equal(stocks.market_days, daily(260).astype("datetime64[D]"))
    coin = load(f"candles:{write(tmp_path, 'COIN.csv', random_bars(260, 2, every_day))}", LAST, Settings())
    assert (coin.periods_per_year, len(coin.market_days)) == (365, 260)
    mixed = load(f"candles:{tmp_path}", LAST, Settings())
    assert mixed.periods_per_year == 365
    np.testing.assert_array_equal(mixed.market_days, np.union1d(stocks.market_days, coin.market_days))


def test_an_odd_saturday_session_is_no_market_around_the_clock(tmp_path: Path) -> None:
    times = daily(260)
    times[99] = np.datetime64("2016-05-21")  # a Saturday, instead of the Friday before it
    data = load(f"candles:{write(tmp_path, 'NSE.csv', random_bars(260, 2, times))}", LAST, Settings())
    assert data.periods_per_year == 252
    assert np.datetime64("2016-05-21") in data.market_days


def test_a_day_that_is_not_over_is_no_market_day_yet(tmp_path: Path) -> None:
    hours = np.datetime64("2016-01-01", "ns") + np.arange(600) * np.timedelta64(1, "h")
    data = load(f"candles:{write(tmp_path, 'H.csv', random_bars(600, 2, hours))}", utc("2016-01-25T14:00"), Settings())
    assert str(data.market_days[-1]) == "2016-01-24"
    assert data.newest == utc("2016-01-25T14:00")


def test_stamps_at_the_close_are_a_setting(tmp_path: Path) -> None:
    """Friday's bar stamped at its close is known at that stamp: a day earlier than if stamped at its open."""
    late, early = of(tmp_path, LAST, bar_stamp="open"), of(tmp_path, LAST - timedelta(days=1), bar_stamp="close")
    assert (late.newest, early.newest) == (LAST, LAST - timedelta(days=1))
    shifted = early.ideas.time + np.timedelta64(1, "D")
    assert set(shifted) <= set(late.ideas.time)
    assert late.ideas.features[np.isin(late.ideas.time, shifted)].tolist() == early.ideas.features.tolist()


def test_sentiment_and_order_book_are_carried_to_the_features(tmp_path: Path) -> None:
    frame = BARS.assign(avgSent=np.arange(260.0), avgOB=-np.arange(260.0))
    data = load(f"candles:{write(tmp_path, 'S.csv', frame)}", LAST, Settings())
    bar = (data.ideas.time - np.timedelta64(1, "D")).astype("datetime64[D]")
    index = np.searchsorted(daily(260).astype("datetime64[D]"), bar)
    assert data.ideas.features[:, 4].tolist() == index.tolist()
    assert data.ideas.features[:, 5].tolist() == (-index).tolist()


def test_a_source_of_another_package(tmp_path: Path) -> None:
    """An installed entry point of the group gatekeeper.sources answers for its scheme, in a process of its own."""
    (tmp_path / "mine-1.0.dist-info").mkdir()
    (tmp_path / "mine-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mine\nVersion: 1.0\n")
    points = "[gatekeeper.sources]\nmine = mine:load\nbroken = nowhere:load\n"
    (tmp_path / "mine-1.0.dist-info" / "entry_points.txt").write_text(points)
    (tmp_path / "mine.py").write_text(
        "from gatekeeper.market.sources import load as demo\n"
        "def load(uri, as_of, settings):\n"
        "    print(uri)\n"
        "    return demo('demo:', as_of, settings)\n"
    )
    script = (
        f"import sys; sys.path.append({str(tmp_path)!r})\n"
        "from datetime import UTC, datetime\n"
        "from gatekeeper.settings import Settings\n"
        "from gatekeeper.errors import ConfigError\n"
        "from gatekeeper.market.sources import load\n"
        "print(load('mine:host/7', datetime(2018, 1, 1, 2, tzinfo=UTC), Settings()).source)\n"
        "for uri in ('broken:', 'other:'):\n"
        "    try: load(uri, datetime(2018, 1, 1, 2, tzinfo=UTC), Settings())\n"
        "    except ConfigError as error: print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[:2] == ["mine:host/7", "demo:"]
    assert "nowhere" in lines[2]
    assert lines[3].endswith("use one of demo:, candles:URI, ideas:URI, sql:, broken:, mine:")


def test_asking_for_the_last_monday_brings_no_pandas() -> None:
    script = "import sys, gatekeeper.market.data.demo as demo; demo.demo_last_monday(); print('pandas' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@pytest.mark.parametrize(
    ("shift", "stamp"),
    [(5, "open"), (14.5, "open"), (-9, "open"), (0, "open"), (24, "close"), (21, "close"), (29, "close")],
)
def test_daily_bars_stay_exchange_days_whatever_midnight_they_are_stamped_at(
    tmp_path: Path, shift: float, stamp: str
) -> None:
    """New York's midnight is 05:00 UTC, its session 14:30, Tokyo's midnight 15:00 of the day before: 260, the
    working days of 2016 after New Year's, as with stamps at UTC's midnight (case 37)."""
    stamps = daily(260) + np.timedelta64(int(shift * 60), "m")
    uri = "candles:" + write(tmp_path, "spx.csv", random_bars(260, 1, stamps))
    as_of = utc(str(daily(260)[-1])[:19]) + timedelta(days=3)
    data = load(uri, as_of, Settings(bar_stamp=stamp))
    assert data.periods_per_year == 260
    np.testing.assert_array_equal(data.market_days, daily(260).astype("datetime64[D]"))
    assert set(data.ideas.path_day) <= set(data.market_days)


def test_a_young_listing_takes_nothing_from_the_book(tmp_path: Path) -> None:
    """Case 83: its bars give no idea yet, and the others keep their costs and their ATR."""
    alone = of(tmp_path, sizing="volatility")
    write(tmp_path, "YOUNG.csv", random_bars(260, seed=9).tail(40))
    both = load(f"candles:{tmp_path}", LAST, Settings(sizing="volatility"))
    assert alone.ideas.costs is not None
    assert both.ideas.costs is not None
    np.testing.assert_array_equal(both.ideas.costs, alone.ideas.costs)
    assert both.ideas.fingerprint() == alone.ideas.fingerprint()
    assert both.ideas.atr is not None
