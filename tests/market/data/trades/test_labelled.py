"""Labelled ideas from files: which were known or refused, and on which days they count."""

import json
from datetime import timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from market_bars import utc, write

from gatekeeper.errors import AsOfError, DataError, StaleData
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import load
from gatekeeper.settings import Settings

AS_OF = utc("2018-03-05T02:00")
OUTCOMES = [0.02, -0.01, 0.005, 0.0, -0.03]


def rows(n: int = 5) -> pd.DataFrame:
    """One idea a day from Thursday 2018-02-01 14:00, open for two days, known an hour after its close."""
    time = pd.Timestamp("2018-02-01T14:00Z") + pd.to_timedelta(np.arange(n), unit="D")
    return pd.DataFrame(
        {
            "symbol": "EURUSD",
            "time": time.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "action": ["buy", "sell", "SELL", "1", "0"][:n],
            "rsi14": 55.5,
            "adx14": 20.25,
            "fastMASlowDelta": -0.01,
            "bbWidth": 0.04,
            "avgSent": 0.3,
            "avgOB": -2.0,
            "outcome": OUTCOMES[:n],
            "closed_at": (time + timedelta(days=2)).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "known_at": (time + timedelta(days=2, hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
    )


def weekdays() -> pd.DataFrame:
    """Monday to Wednesday, closed by Friday: no weekend anywhere."""
    frame = rows(3)
    for column in ("time", "closed_at", "known_at"):
        moved = pd.to_datetime(frame[column]) + timedelta(days=4)
        frame[column] = moved.dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    return frame


def of(folder: Path, frame: pd.DataFrame, name: str = "ideas.csv", **options: object) -> Dataset:
    return load(f"ideas:{write(folder, name, frame)}", AS_OF, Settings(**options))


def set_cell(frame: pd.DataFrame, row: int, column: str, value: object) -> pd.DataFrame:
    frame = frame.astype({column: object})
    frame.loc[row, column] = value
    return frame


@pytest.mark.parametrize("name", ["ideas.csv", "ideas.parquet", "ideas.feather"])
def test_ideas_come_through_as_they_are(tmp_path: Path, name: str) -> None:
    data = of(tmp_path, rows(), name)
    assert data.ideas.outcome.tolist() == OUTCOMES
    assert data.ideas.features[:, 6].tolist() == [1, 0, 0, 1, 0]
    assert data.ideas.features[0, :6] == pytest.approx([55.5, 20.25, -0.01, 0.04, 0.3, -2.0], rel=1e-7)
    assert str(data.ideas.closed_at[0]) == "2018-02-03T14:00:00.000000000"
    assert str(data.ideas.known_at[0]) == "2018-02-03T15:00:00.000000000"
    assert (data.marked, data.notes, set(data.ideas.strategy)) == (False, (), {""})
    assert data.newest == utc("2018-02-07T15:00")


def test_without_paths_the_outcome_is_booked_on_the_exit_day(tmp_path: Path) -> None:
    data = of(tmp_path, rows())
    assert data.ideas.path_day.astype(str).tolist() == [f"2018-02-0{day}" for day in (3, 4, 5, 6, 7)]
    assert data.ideas.path_return.tolist() == OUTCOMES
    assert not data.marked


def test_a_market_with_weekends_has_every_day(tmp_path: Path) -> None:
    """Case 37: the exits of Saturday and Sunday mean 365 periods."""
    data = of(tmp_path, rows())
    assert data.periods_per_year == 365
    assert data.market_days.astype(str).tolist()[:2] == ["2018-02-01", "2018-02-02"]
    assert len(data.market_days) == 28 + 4  # February, and March to the 4th, the last day closed


def test_a_market_without_weekends_has_working_days(tmp_path: Path) -> None:
    data = of(tmp_path, weekdays())
    assert data.periods_per_year == 252
    assert (str(data.market_days[0]), str(data.market_days[-1])) == ("2018-02-05", "2018-03-02")
    assert len(data.market_days) == 20


@pytest.mark.parametrize(
    ("closes", "day"),
    [
        ("2018-02-10T00:00Z", "2018-02-09"),  # the close of Friday's bar
        ("2018-02-12", "2018-02-12"),  # a bare date, a Monday
        ("2018-02-08T00:00Z", "2018-02-07"),
        ("2018-02-08T00:01Z", "2018-02-08"),
    ],
)
def test_midnight_is_the_end_of_a_day_but_never_makes_a_weekend(tmp_path: Path, closes: str, day: str) -> None:
    frame = weekdays().head(1).drop(columns="known_at").assign(closed_at=closes)
    data = of(tmp_path, frame)
    assert data.ideas.path_day.astype(str).tolist() == [day]
    assert data.periods_per_year == 252


def test_paths_mark_to_market(tmp_path: Path) -> None:
    path = [["2018-02-05", 0.015], ["2018-02-06", -0.005], ["2018-02-07", 0.01]]
    frame = weekdays().head(1).assign(path=json.dumps(path))
    data = of(tmp_path, frame)
    assert data.marked
    assert data.ideas.path_day.astype(str).tolist() == ["2018-02-05", "2018-02-06", "2018-02-07"]
    assert data.ideas.path_return.tolist() == [0.015, -0.005, 0.01]
    nested = weekdays().head(1).assign(path=[path])
    nested["path"] = [[[day, str(made)] for day, made in path]]
    assert of(tmp_path, nested, "nested.parquet").ideas.fingerprint() == data.ideas.fingerprint()


@pytest.mark.parametrize(
    ("path", "fault"),
    [
        ("[", "not a JSON list"),
        ('{"a": 1}', "not a JSON list"),
        ('[["2018-02-05", "much"]]', "not a JSON list"),
        ("[]", "sum to the outcome"),
        ('[["2018-02-05", 0.0201]]', "sum to the outcome"),
        ('[["2018-02-05", NaN]]', "sum to the outcome"),
        ('[["2018-02-08", 0.02]]', "from the idea's date to its exit's"),
        ('[["2018-02-03", 0.02]]', "from the idea's date to its exit's"),
        ('[["2018-02-06", 0.01], ["2018-02-05", 0.01]]', "from the idea's date to its exit's"),
        ('[["2018-02-05", 0.01], ["2018-02-05", 0.01]]', "from the idea's date to its exit's"),
    ],
)
def test_a_bad_path_is_refused(tmp_path: Path, path: str, fault: str) -> None:
    with pytest.raises(DataError, match=rf"{fault}.* in row 1 \(EURUSD 2018-02-05"):
        of(tmp_path, weekdays().head(1).assign(path=path))


def test_paths_are_for_all_or_none(tmp_path: Path) -> None:
    frame = weekdays().assign(path="")
    assert not of(tmp_path, frame).marked
    frame.loc[0, "path"] = '[["2018-02-05", 0.02]]'
    with pytest.raises(DataError, match="path is missing in row 2"):
        of(tmp_path, frame)
    write(tmp_path, "a.csv", frame.head(1))
    write(tmp_path, "b.csv", frame.tail(1))
    with pytest.raises(DataError, match=r"a\.csv has paths, .*b\.csv has none"):
        load(f"ideas:{tmp_path}/?.csv", AS_OF, Settings())


@pytest.mark.parametrize(
    ("column", "value", "fault"),
    [
        ("rsi14", None, "rsi14 is missing"),
        ("adx14", "high", "adx14 is missing or not a finite number"),
        ("rsi14", 101, "rsi14 lies outside 0 to 100"),
        ("avgOB", 1e30, "avgOB is missing or not a finite"),
        ("bbWidth", "inf", "bbWidth is missing or not a finite"),
        ("outcome", None, "outcome is missing"),
        ("outcome", "nan", "outcome is missing"),
        ("action", "hold", "neither buy"),
        ("action", "2", "neither buy"),
        ("symbol", "", "symbol is empty"),
        ("closed_at", "2018-02-01T14:00Z", "not in this order"),
        ("known_at", "2018-02-03T14:00Z", "not in this order"),
    ],
)
def test_a_bad_cell_names_file_and_row(tmp_path: Path, column: str, value: object, fault: str) -> None:
    with pytest.raises(DataError, match=fault) as error:
        of(tmp_path, set_cell(rows(), 1, column, value))
    assert "ideas.csv" in str(error.value)
    assert "row 2" in str(error.value)


@pytest.mark.parametrize("column", ["symbol", "time", "action", *FEATURES[:-1], "outcome", "closed_at"])
def test_a_missing_column_is_named(tmp_path: Path, column: str) -> None:
    with pytest.raises(DataError, match=f"has no column {column};"):
        of(tmp_path, rows().drop(columns=column))


def test_an_idea_held_for_too_long_names_the_setting(tmp_path: Path) -> None:
    frame = rows().drop(columns="known_at")
    frame.loc[2, "closed_at"] = "2018-02-24T15:00:00Z"
    with pytest.raises(DataError, match=r"row 3 .*GATEKEEPER_LONGEST_HOLD_DAYS \(now 21\)"):
        of(tmp_path, frame)
    assert len(of(tmp_path, frame, longest_hold_days=22).ideas) == 5


def test_an_idea_without_outcome_is_open_only_so_long(tmp_path: Path) -> None:
    """Case 52: what never closes must not vanish silently, or quick exits look better."""
    frame = rows()
    frame.loc[4, ["outcome", "closed_at", "known_at"]] = None
    data = of(tmp_path, frame, longest_hold_days=30)
    assert (len(data.ideas), data.notes) == (4, ("1 idea still open left out",))
    with pytest.raises(DataError, match=r"no outcome by 2018-03-05 02:00Z.* row 5 .*GATEKEEPER_LONGEST_HOLD_DAYS"):
        of(tmp_path, frame)


def test_an_outcome_that_was_not_known_yet_is_left_out(tmp_path: Path) -> None:
    """Case 34: whatever became known after the as-of changes nothing but the count of open ideas."""
    as_of = utc("2018-02-05T14:30")  # between the third idea's close and when it was known
    uri = f"ideas:{write(tmp_path, 'ideas.csv', rows())}"
    clean = load(uri, as_of, Settings())
    assert len(clean.ideas) == 2
    assert clean.notes == ("3 ideas still open left out",)
    poison = rows().astype({"rsi14": object})
    poison.loc[2:, ["rsi14", "outcome"]] = ["absurd", np.nan]
    poison.loc[3:, ["closed_at", "known_at"]] = "2200-01-01T00:00:00Z"
    poisoned = load(f"ideas:{write(tmp_path, 'poison.csv', poison)}", as_of, Settings())
    assert poisoned.fingerprint() == clean.fingerprint()
    assert poisoned.notes == clean.notes


def test_duplicates_are_dropped_and_conflicts_refused(tmp_path: Path) -> None:
    """Case 32, for ideas."""
    twice = pd.concat([rows(), rows().tail(1)])
    assert of(tmp_path, twice).notes == ("1 exact duplicate idea dropped",)
    assert of(tmp_path, twice).ideas.fingerprint() == of(tmp_path, rows()).ideas.fingerprint()
    with pytest.raises(DataError, match="two ideas of the same symbol, time and strategy differ"):
        of(tmp_path, pd.concat([rows(), rows().tail(1).assign(outcome=0.5)]))
    two = pd.concat([rows().assign(strategy="a"), rows().assign(strategy="b", outcome=0.5)])
    assert len(of(tmp_path, two).ideas) == 10


def test_the_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    assert of(tmp_path, rows().iloc[[3, 1, 4, 0, 2]]).fingerprint() == of(tmp_path, rows()).fingerprint()


def test_an_old_export_is_stale(tmp_path: Path) -> None:
    """Case 59: the newest thing known is of 2018-02-07 15:00."""
    uri = f"ideas:{write(tmp_path, 'ideas.csv', rows())}"
    assert len(load(uri, utc("2018-03-09T15:00"), Settings()).ideas) == 5
    with pytest.raises(
        StaleData, match=r"2018-02-07 15:00Z, 30\.1 days .*limit of 30.*GATEKEEPER_IDEAS_FRESHNESS_DAYS"
    ):
        load(uri, utc("2018-03-09T17:24"), Settings())


def test_an_as_of_before_the_ideas(tmp_path: Path) -> None:
    with pytest.raises(AsOfError, match=r"before the ideas of .* the first is of 2018-02-01T14:00"):
        load(f"ideas:{write(tmp_path, 'ideas.csv', rows())}", utc("2018-02-01"), Settings())


def test_times_of_other_kinds(tmp_path: Path) -> None:
    millis = rows()
    for column in ("time", "closed_at", "known_at"):
        millis[column] = [int(moment.timestamp() * 1000) for moment in pd.to_datetime(millis[column])]
    assert of(tmp_path, millis).fingerprint() == of(tmp_path, rows()).fingerprint()
    as_text = rows()
    as_text["time"] = as_text["time"].str[:19]
    assert of(tmp_path, as_text).notes == ("times without offset are read as UTC",)
    assert of(tmp_path, as_text).fingerprint() == of(tmp_path, rows()).fingerprint()


def test_the_hold_is_over_at_its_last_instant(tmp_path: Path) -> None:
    frame = rows(1).assign(outcome=None, closed_at=None, known_at=None)
    uri = f"ideas:{write(tmp_path, 'ideas.csv', frame)}"
    end = utc("2018-02-22T14:00")
    assert len(load(uri, end - timedelta(microseconds=1), Settings()).ideas) == 0
    with pytest.raises(DataError, match="no outcome by"):
        load(uri, end, Settings())


def test_rows_with_and_without_offset_in_one_column_are_refused(tmp_path: Path) -> None:
    """Case 85: among those that the as-of knows."""
    mixed = set_cell(rows(), 4, "time", "2018-02-05T14:00:00")
    with pytest.raises(DataError, match=r"ideas\.csv: time has times with an offset .* and without one"):
        of(tmp_path, mixed)
    data = load(f"ideas:{write(tmp_path, 'ideas.csv', mixed)}", utc("2018-02-05T02:00"), Settings())
    assert len(data.ideas) == 2
