"""Timestamps in every form that a source may use, and forms that can't be read safely."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gatekeeper.errors import DataError
from gatekeeper.market.data.times import parse

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
        (["20180102", "20180103"], "without dashes"),
        ([1514851200, 1514851200000], "mixes"),
        ([1514851200000000], "neither"),
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


def test_a_missing_time_may_be_allowed() -> None:
    instants, _ = parse(pd.Series(["2018-01-02", None]), "f.csv: known_at", optional=True)
    assert np.isnat(instants).tolist() == [False, True]
