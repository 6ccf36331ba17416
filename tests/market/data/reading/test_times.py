"""Timestamps in every form that a source may use, and forms that can't be read safely."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.errors import ConfigError, DataError
from gatekeeper.market.data.reading.times import parse

WHOLE_SECONDS = st.datetimes(datetime(1975, 1, 1), datetime(2200, 1, 1)).map(  # noqa: DTZ001  # UTC is put on below
    lambda moment: moment.replace(microsecond=0, tzinfo=UTC)
)


def read(values: list[object]) -> tuple[list[str], bool]:
    instants, naive = parse(pd.Series(values), "f.csv: time")
    return [str(instant)[:23] for instant in instants], bool(naive.any())


@settings(max_examples=40, deadline=None)
@given(moments=st.lists(WHOLE_SECONDS, min_size=1, max_size=5))
def test_every_form_of_an_instant_is_the_same_instant(moments: list[datetime]) -> None:
    seconds = [int(moment.timestamp()) for moment in moments]
    forms: list[list[object]] = [
        [moment.isoformat() for moment in moments],
        [moment.isoformat().replace("+00:00", "Z") for moment in moments],
        [moment.isoformat(" ")[:19] for moment in moments],
        list(seconds),
        [second * 1000 for second in seconds],
        [str(second) for second in seconds],
        [f"{second * 1000}" for second in seconds],
        list(moments),
    ]
    right = np.array(seconds, dtype="datetime64[s]").astype("datetime64[ns]")
    for form in forms:
        instants, _ = parse(pd.Series(form), "f.csv: time")
        assert instants.tolist() == right.tolist(), form


def test_an_offset_counts_and_its_absence_is_told() -> None:
    assert read(["2018-01-01T10:00:00+05:30"]) == (["2018-01-01T04:30:00.000"], False)
    assert read(["2018-01-01 10:00"]) == (["2018-01-01T10:00:00.000"], True)
    assert read(["2018-01-01"]) == (["2018-01-01T00:00:00.000"], True)
    assert read(["2018-01-01T10:00Z", "2018-01-01T11:00"])[1] is True


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (["2018-01-02", "03.01.2018"], r"row 2 \('03.01.2018'\)"),
        (["01/02/2018"], "row 1"),
        (["2018-02-30"], "calendar"),
        (["03.01.2018", "2018-01-02"], "row 1"),
        (["01.02.2018", "02/01/2018"], "day or month first"),
        (["13.02.2018", "02.13.2018"], r"day first in row 1 .*month first in row 2"),
        (["31.02.2018"], "calendar"),
        ([1514851200, 1514851200000], "mixes epochs in s .*row 1.* and ms .*row 2"),
        ([1514851200000, 1514851200000000], "mixes epochs in ms .* and us"),
        ([1514851200.0, float("inf")], r"row 2 \('inf'\)"),
        (["2018-01-02", ""], "row 2"),
        (["2018-01-02", None], "row 2"),
        (["9999-01-01"], "1678"),
        (["yesterday"] * 5, "and 2 more"),
    ],
)
def test_what_cannot_be_read_safely_is_an_error(values: list[object], fault: str) -> None:
    """Case 38: `dd.mm.yyyy` is text, and would sort as text."""
    with pytest.raises(DataError, match=fault) as error:
        read(values)
    assert "f.csv: time" in str(error.value)


@pytest.mark.parametrize(
    ("values", "right"),
    [
        ([20180102, 20180103], "2018-01-02T00:00:00.000"),
        (["20180102", "20180103"], "2018-01-02T00:00:00.000"),
        ([201801021530], "2018-01-02T15:30:00.000"),
        ([20180102153000], "2018-01-02T15:30:00.000"),
        (["20180102 153000"], "2018-01-02T15:30:00.000"),
        (["20180102 15:30"], "2018-01-02T15:30:00.000"),
        (["2018.01.02 15:30:00"], "2018-01-02T15:30:00.000"),
        (["2018/01/02"], "2018-01-02T00:00:00.000"),
        (["02.01.2018 15:30:00.000", "13.01.2018 15:30:00.000"], "2018-01-02T15:30:00.000"),
        (["1/2/2018 9:30", "1/13/2018 9:30"], "2018-01-02T09:30:00.000"),
        ([pd.Timestamp("2018-01-02").date()], "2018-01-02T00:00:00.000"),
    ],
)
def test_dates_of_other_forms_are_read_as_utc(values: list[object], right: str) -> None:
    assert read(values) == ([right, *read(values)[0][1:]], True)


@pytest.mark.parametrize("text", ["2018-01-02 00:00:00 UTC", "2018-01-02 00:00:00+00:00", "2018-01-02T00:00Z"])
def test_utc_in_words_is_an_offset(text: str) -> None:
    assert read([text]) == (["2018-01-02T00:00:00.000"], False)


@pytest.mark.parametrize(("unit", "value"), [("s", 1514851200), ("ms", 1514851200000), ("us", 1514851200000000)])
def test_an_epochs_unit_is_told_by_its_size(unit: str, value: int) -> None:
    """And exactly: nanoseconds don't go through floats."""
    assert read([value]) == (["2018-01-02T00:00:00.000"], False)
    nanos, _ = parse(pd.Series([1514851200000000001]), "t")
    assert nanos[0] == np.datetime64("2018-01-02T00:00:00.000000001")
    assert unit in ("s", "ms", "us")


def test_a_zone_moves_what_has_no_offset() -> None:
    """Berlin is two hours ahead in summer; the broker's clock is seven hours ahead of New York, so three of UTC."""
    column = pd.Series(["2018-07-02T10:00"])
    assert str(parse(column, "t", zone="Europe/Berlin")[0][0])[:16] == "2018-07-02T08:00"
    assert str(parse(column, "t", zone="America/New_York+7")[0][0])[:16] == "2018-07-02T07:00"
    assert str(parse(column, "t", zone="Etc/GMT+5")[0][0])[:16] == "2018-07-02T15:00"
    with pytest.raises(DataError, match=r"twice or not at all in Europe/Berlin.*row 1"):
        parse(pd.Series(["2018-10-28T02:30"]), "t", zone="Europe/Berlin")
    with pytest.raises(ConfigError, match="is not a time zone"):
        parse(column, "t", zone="Berlin")


def test_a_missing_time_may_be_allowed() -> None:
    instants, _ = parse(pd.Series(["2018-01-02", None]), "f.csv: known_at", optional=True)
    assert np.isnat(instants).tolist() == [False, True]
