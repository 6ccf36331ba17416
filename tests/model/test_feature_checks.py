"""Feature checks (case 27): values that are not usable numbers are named and never scored."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from model_files import contract_model

from gatekeeper.errors import DataError
from gatekeeper.features import FEATURES
from gatekeeper.model.verify import check_features, verify

COEFFICIENTS = (0.02, -0.03, 4.0, 1.0, 0.5, -0.5, 0.25)
ROW = [50.0, 20.0, 0.01, 0.05, 0.0, 0.0, 1.0]


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 1e30, -1e30, None, "50", [1.0]])
def test_bad_features_are_named(place: int, value: object) -> None:
    """Case 27: NaN, infinity, 1e30 and what is no number are refused by row and name."""
    row: list[object] = list(ROW)
    row[place] = value
    with pytest.raises(DataError, match=f"Row 1: {FEATURES[place]} is "):
        check_features([ROW, row])


@pytest.mark.parametrize(
    ("features", "message"),
    [
        ([ROW[:6]], r"shape \(1, 6\)"),
        ([ROW, ROW[:6]], "Row 1 has 6 features"),
        ([[*ROW, 1.0]], r"shape \(1, 8\)"),
        (ROW, r"shape \(7,\)"),
        (3.0, r"shape \(\)"),
        ([[ROW]], r"shape \(1, 1, 7\)"),
        (np.empty((0, 6)), r"shape \(0, 6\)"),
        ("nonsense", "not numbers"),
        ([ROW, "nonsense"], "Row 1 is 'nonsense'"),
        ([ROW, None], "Row 1 is None"),
        (np.array([ROW], dtype=complex), "not numbers"),
        ([[10**400, *ROW[1:]]], "Row 0: rsi14 is 1000"),
    ],
)
def test_other_shapes_are_refused(features: object, message: str) -> None:
    """Case 27: six features are never scored; the message names all seven."""
    with pytest.raises(DataError, match=message):
        check_features(features)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("features", "count"),
    [
        ([], 0),
        (np.empty((0, 7)), 0),
        ([ROW], 1),
        (np.array([ROW] * 3), 3),
        ([[50, 20, 0, 0, 0, 0, True]], 1),
        ([[1e9] * 7], 1),
    ],
)
def test_good_features_become_float32(features: object, count: int) -> None:
    rows = check_features(features)  # type: ignore[arg-type]
    assert rows.shape == (count, 7)
    assert rows.dtype == np.float32


def test_one_row_is_checked_and_scored_as_among_many() -> None:
    """The short way of one row and the long way of many: the same answers, whatever holds the numbers."""
    scorer = verify(contract_model(COEFFICIENTS, -0.5), cap=1 << 20)
    wide = np.zeros((3, 14), dtype=np.float32)
    wide[1, ::2] = ROW
    margin = math.fsum(c * float(np.float32(x)) for c, x in zip(COEFFICIENTS, ROW, strict=True)) - 0.5
    expected = [1 / (1 + math.exp(-margin))]
    held: list[object] = [
        [ROW],
        [tuple(ROW)],
        (ROW,),
        [[*ROW[:6], True]],
        [[int(ROW[0]), int(ROW[1]), *ROW[2:6], 1]],
        [list(np.asarray(ROW, dtype=np.float32))],
        wide[1:2, ::2],
        *(np.asarray([ROW], dtype=kind) for kind in ("f4", "f8", ">f4", ">f8")),
    ]
    for features in held:
        assert scorer.score_checked(check_features(features)).tolist() == pytest.approx(expected, abs=2e-6)  # type: ignore[arg-type]
        assert scorer.score(check_features([*features, ROW]))[0] == pytest.approx(expected[0], abs=2e-6)  # type: ignore[misc]


@settings(max_examples=200, deadline=None)
@given(row=st.lists(st.floats(width=32) | st.integers() | st.booleans(), min_size=7, max_size=7))
def test_one_row_passes_exactly_where_it_passes_among_many(row: list[float]) -> None:
    """As a list, as an array, and twice in a batch."""

    def passes(features: object) -> bool:
        try:
            return check_features(features).shape[1] == 7  # type: ignore[arg-type]
        except DataError:
            return False

    wanted = all(abs(value) <= 1e9 for value in row)
    assert passes([row]) == passes([row, row]) == wanted
    if all(abs(value) < 1e38 for value in row):
        single = np.asarray([row], dtype=np.float32)
        assert passes(single) == bool((np.abs(single.astype(np.float64)) <= 1e9).all())
