"""Data passport through the weekly run: evaluation, report, receipt, the next run's comparison, and the monitor."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from alarm_receiver import Receiver
from weekly_house import NOW, House

from gatekeeper import config
from gatekeeper.documents.passport import Passport, digest_of
from gatekeeper.errors import DataError
from gatekeeper.market import sources
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.registry import Evaluation
from gatekeeper.registry.views import proof

FIRST = datetime(2018, 6, 4, 2, tzinfo=UTC)
SECOND = FIRST + timedelta(weeks=1)


def bars(until: datetime, symbols: tuple[str, ...] = ("AAA", "BBB")) -> pd.DataFrame:
    """Daily bars of business days, of a walk that is the same for any end."""
    days = pd.bdate_range("2013-01-01", "2019-12-31")
    parts = []
    for number, symbol in enumerate(symbols):
        rng = np.random.default_rng(number)
        close = 100 * np.exp(np.cumsum(rng.normal(0.0002, 0.012, len(days))))
        opened = close * np.exp(rng.normal(0, 0.002, len(days)))
        reach = np.abs(rng.normal(0, 0.006, (2, len(days))))
        high, low = np.maximum(opened, close) * (1 + reach[0]), np.minimum(opened, close) * (1 - reach[1])
        columns = {
            "open": opened,
            "high": high,
            "low": low,
            "close": close,
            "volume": rng.integers(900, 1100, len(days)),
        }
        parts.append(pd.DataFrame({"symbol": symbol, "time": days, **columns}))
    frame = pd.concat(parts).round(dict.fromkeys(("open", "high", "low", "close"), 4))
    return frame[frame["time"] < pd.Timestamp(until.date())].reset_index(drop=True)


def write(house: House, frame: pd.DataFrame) -> None:
    frame.to_csv(house.folder / "bars.csv", index=False)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """The week of FIRST is over; both symbols had a bar on Friday."""
    one = House(tmp_path, f"candles:{tmp_path / 'bars.csv'}")
    write(one, bars(FIRST))
    one.week(FIRST)
    yield one
    one.registry.close()


def newest(house: House) -> Evaluation:
    return house.registry.evaluations(limit=1)[0]


def passport(house: House) -> Passport:
    found = newest(house).document.data.passport
    assert found is not None
    return found


def half_done(house: House, symbol: str = "AAA") -> None:
    """The bars of SECOND, in which the symbol's last bar of FIRST has another close: it was half done then."""
    frame = bars(SECOND)
    place = frame[(frame["symbol"] == symbol) & (frame["time"] < pd.Timestamp(FIRST.date()))].index[-1]
    frame.loc[place, "close"] = (frame.loc[place, "high"] + frame.loc[place, "low"]) / 2
    write(house, frame)


def test_the_evaluation_holds_it_and_the_receipt_proves_it(house: House) -> None:
    """1,414 business days from 2013-01-01 to 2018-06-01, of which numpy knows the count."""
    held = passport(house)
    days = int(np.busday_count("2013-01-01", "2018-06-02"))
    assert [(each.symbol, each.bars, each.bar_seconds) for each in held.symbols] == [
        ("AAA", days, 86400),
        ("BBB", days, 86400),
    ]
    assert held.symbols[0].last == datetime(2018, 6, 2, tzinfo=UTC)
    assert [bar.closes_at.day for bar in held.symbols[0].newest_bars] == [29, 30, 31, 1, 2]
    assert held.symbols[0].without_volume == 0
    assert held.digest == digest_of(held)
    found = proof.prove(house.registry.receipt(1))
    assert found.faults == []


def test_a_bar_that_was_half_done_is_found_and_the_last_one_left_out_from_then_on(house: House) -> None:
    """Case 127. The other symbol keeps its bar, and the same run again reads the same data."""
    half_done(house)
    before = newest(house).document.data.fingerprint
    with Receiver() as receiver:
        told = config.override(house.settings, {"alarms": receiver.url})
        house.settings = told
        house.week(SECOND)
        assert receiver.kinds[0] == "data"
        assert "AAA: 1 of 5 bars that were used before changed since" in receiver.got[0]["message"]
        sent = len(receiver.got)
        fingerprint = newest(house).document.data.fingerprint
        house.week(SECOND)
        assert len(receiver.got) == sent
    assert before != fingerprint == newest(house).document.data.fingerprint
    held = passport(house)
    (warning,) = held.warnings
    assert (warning.kind, warning.symbol, warning.numbers["changed"]) == ("revised", "AAA", 1)
    assert held.without_last == ("AAA",)
    assert {each.symbol: each.last.day for each in held.symbols} == {"AAA": 8, "BBB": 9}
    assert "1 of them without their last bar" in Path(newest(house).report or "").read_text()
    assert "changed since, the newest closed 2018-06-02" in Path(newest(house).report or "").read_text()
    write(house, bars(SECOND + timedelta(weeks=1)))
    house.week(SECOND + timedelta(weeks=1))
    assert passport(house).without_last == ("AAA",)


def test_prices_adjusted_anew_leave_no_bar_out(house: House) -> None:
    """After a dividend every bar before it is another one, by one factor."""
    frame = bars(SECOND)
    aaa = frame["symbol"] == "AAA"
    frame.loc[aaa, ["open", "high", "low", "close"]] *= 0.99
    write(house, frame)
    house.week(SECOND)
    assert [(each.kind, each.symbol) for each in passport(house).warnings] == [("readjusted", "AAA")]
    assert passport(house).without_last == ()


def test_a_damaged_evaluation_of_another_week_stops_no_run(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """The data aren't compared then, and the log says with which evaluation."""
    damaged = newest(house).id
    with house.registry._context.database.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE gatekeeper_evaluation SET document = '{\"data\": 7}'")
    write(house, bars(SECOND))
    house.week(SECOND)
    assert passport(house).warnings == []
    assert f"The data aren't compared with those of evaluation {damaged}: " in caplog.text


def test_bars_as_they_were_are_no_warning(house: House) -> None:
    write(house, bars(SECOND))
    house.week(SECOND)
    assert passport(house).findings == []


def test_the_monitor_tells_of_what_moved_since_the_weekly_run(house: House) -> None:
    """AAA has ended, and BBB's volume is in lots of 100 now; nine days later, once."""
    as_of = FIRST + timedelta(days=9)
    frame = bars(as_of)
    frame = frame[(frame["symbol"] != "AAA") | (frame["time"] < pd.Timestamp(FIRST.date()))]
    frame["volume"] /= 100
    write(house, frame)
    with Receiver() as receiver:
        settings = config.override(house.settings, {"alarms": receiver.url})
        checks = [monitor(as_of + timedelta(days=day), house.registry, settings, now=NOW).check for day in range(2)]
        kinds = receiver.kinds
    assert checks[0] is not None
    found = checks[0].document.data_warnings
    assert found is not None
    assert ("stopped", "AAA") in [(each.kind, each.symbol) for each in found]
    assert ("volume", "BBB") in [(each.kind, each.symbol) for each in found]
    assert kinds == ["data"]
    assert "about the data" in checks[0].document.text


def test_a_source_without_a_change_is_no_alarm_of_the_monitor(house: House) -> None:
    write(house, bars(FIRST + timedelta(days=2)))
    check = monitor(FIRST + timedelta(days=2), house.registry, house.settings, now=NOW).check
    assert check is not None
    assert check.document.data_warnings == ()


def test_what_a_check_refuses_ends_the_first_task(house: House, caplog: pytest.LogCaptureFixture) -> None:
    """Case 78: a 4:1 split that no price was adjusted for. The log has the passport with the key, nothing is judged."""
    frame = bars(SECOND)
    late = (frame["symbol"] == "AAA") & (frame["time"] >= "2017-06-01")
    frame.loc[late, ["open", "high", "low", "close"]] /= 4
    write(house, frame)
    judged = len(house.registry.evaluations())
    with caplog.at_level(logging.INFO, "gatekeeper"), pytest.raises(DataError, match="split:AAA:2017-06-01"):
        house.week(SECOND)
    lines = [record.getMessage() for record in caplog.records]
    assert any(line.startswith("data passport ") and "1 refused" in line for line in lines)
    assert any(line.startswith("refused: AAA opens on 2017-06-01") for line in lines)
    assert len(house.registry.evaluations()) == judged
    house.settings = config.override(house.settings, {"accept": ("split:AAA:2017-06-01",)})
    house.week(SECOND)
    (accepted,) = [each for each in passport(house).findings if each.key]
    assert (accepted.severity, accepted.accepted) == ("note", True)


def test_a_passport_is_no_part_of_the_fingerprint(house: House) -> None:
    """What was read is the same dataset, whether somebody asks for its passport or not."""
    bare = sources.load(house.settings.data, FIRST, house.settings)
    assert bare.passport is None
    assert bare.fingerprint() == newest(house).document.data.fingerprint
