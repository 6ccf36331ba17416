"""Evaluation document: complete, finite, and read back as it was."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import TradeOutcomes
from gatekeeper.errors import DataError
from gatekeeper.judgement import document, judge, policy_of, run
from gatekeeper.judgement.backtest import breakdown as details_of
from gatekeeper.judgement.report import reconcile_texts
from gatekeeper.judgement.report.recheck import differences
from gatekeeper.judgement.report.report import render
from gatekeeper.settings import Settings

Make = Callable[..., Any]

GAIN = "the gain of {} in annual Sharpe is over the margin of 0.1 (2018-03-05)"


@pytest.fixture
def written(dataset: Make, contender: Make, ideas: Make) -> Callable[..., dict[str, Any]]:
    """The document of a small comparison; keyword arguments change the champion."""

    def make(champion: bool = True, **other: Any) -> dict[str, Any]:
        outcomes = [0.01, -0.02, 0.03, -0.01, 0.02, 0.01]
        rows = [(f"2018-0{i + 3}-05", {f"2018-0{i + 3}-06": each}) for i, each in enumerate(outcomes)]
        known = dataset(ideas(rows))
        settings = Settings(floor_trades=2)
        old = contender("gatekeeper_primary1", keeps=[0, 1, 2], **other) if champion else None
        book = run(known, settings, contender(keeps=[0, 2, 4]), old)
        policy = policy_of(settings, 252)
        verdict = judge(book.challenger, book.champion, policy, book.ungated)
        found = document(book, verdict, known)
        again = evaluation.read(evaluation.written(found))
        assert (again.verdict, evaluation.written(again)) == (verdict, evaluation.written(found))
        return evaluation.as_object(found)

    return make


def test_counts_by_hand(written: Make) -> None:
    found = written()
    assert found["agreement"] == {"both_kept": 2, "only_challenger": 1, "only_champion": 1, "both_vetoed": 2}
    kept, vetoed = found["trades"]["challenger"]["kept"], found["trades"]["challenger"]["vetoed"]
    assert kept == {"count": 3, "win_rate": 1.0, "mean": pytest.approx(0.02), "total": pytest.approx(0.06)}
    assert vetoed == {
        "count": 3, "win_rate": pytest.approx(1 / 3), "mean": pytest.approx(-0.02 / 3), "total": pytest.approx(-0.02),
    }  # fmt: skip
    assert sum(found["scores"]["challenger"]["counts"]) == 6
    assert sum(found["outcomes"]["kept"]) == sum(found["outcomes"]["vetoed"]) == 3
    days = len(found["days"])
    assert days == found["window"]["days"] == 245
    assert {len(card["daily"]) for card in found["scorecards"].values()} == {days}
    assert found["scorecards"]["challenger"]["sha256"] == "gatekeeper_2"
    assert found["scorecards"]["champion"]["threshold"] == 0.55


def test_a_document_with_the_words_of_an_older_version_leads_to_the_same_verdict(written: Make) -> None:
    """Case 92: its texts stay as they were written, and are shown so; numbers and answers alone are compared."""
    old = "undecided, gatekeeper_primary1 stays: these days can only show a gain over 0.80: 0.5 takes 73 more weeks"
    found = written()
    found["verdict"]["message"] = old
    for gate in found["verdict"]["gates"]:
        gate["text"] = f"{gate['name']}, in older words"
    document_of_before = evaluation.of_object(found)
    assert differences(document_of_before) == []
    page = render(document_of_before)
    assert old in page and "bound, in older words" in page


def test_a_number_in_a_text_that_is_not_the_figure_is_a_difference(written: Make) -> None:
    """Only the gates' own numbers were compared, and a reader reads the sentence."""
    found = written()
    verdict = found["verdict"]
    places = [(gate, "text") for gate in verdict["gates"]] + [(verdict, "message")]
    figures = 0
    for place, key in places:
        right = place[key]
        for number in re.finditer(r"(?<![\w.-])\d+\.\d+|(?<![\w.-])\d{2,}(?![\w-])", right):
            digits = number[0]
            figures += 1
            other = ("8" if digits[0] != "8" else "7") + digits[1:]
            place[key] = right[: number.start()] + other + right[number.end() :]
            (fault,) = differences(evaluation.of_object(found))
            assert repr(right) in fault and repr(place[key]) in fault
        place[key] = right
    assert figures >= 8
    assert differences(evaluation.of_object(found)) == []


def test_the_last_digit_of_a_text_may_be_rounded_otherwise(written: Make) -> None:
    """As by another build of numpy, whose sums end in other digits."""
    found = written()
    (gate,) = [one for one in found["verdict"]["gates"] if one["name"] == "defined"]
    number = re.search(r"challenger (\d+\.\d+)", gate["text"])
    assert number is not None
    for units, faults in ((1, 0), (-1, 0), (2, 1)):
        places = len(number[1].partition(".")[2])
        other = f"{float(number[1]) + units * 10.0**-places:.{places}f}"
        changed = json.loads(json.dumps(found))
        for one in changed["verdict"]["gates"]:
            one["text"] = one["text"].replace(f"challenger {number[1]}", f"challenger {other}")
        assert len(differences(evaluation.of_object(changed))) == faults, units


def test_each_policy_speaks(written: Make) -> None:
    found = written()
    assert list(found["policies"]) == ["better", "safe", "proven"]
    assert found["policies"]["safe"]["answer"] == found["verdict"]["answer"]
    assert found["policies"]["safe"]["decided_by"] == found["verdict"]["decided_by"]


@pytest.mark.parametrize(
    "other", [{}, {"champion": False}, {"sha256": "gatekeeper_2"}, {"keeps": []}, {"trained_to": None}]
)
def test_every_number_is_finite_or_null(written: Make, other: dict[str, Any]) -> None:
    """An undefined Sharpe is null: NaN kills a task that hands it on."""
    other = {"champion": True, **other}
    if "keeps" in other:
        other["threshold"] = 0.99
        del other["keeps"]
    found = written(**other)
    assert json.loads(json.dumps(found, allow_nan=False)) == found


def test_numbers_that_are_not_finite_are_refused(dataset: Make, contender: Make, ideas: Make) -> None:
    known = dataset(ideas([("2018-03-05", {"2018-03-06": 0.01})]))
    book = run(known, Settings(), contender())
    policy = policy_of(Settings(), 252)
    verdict = judge(book.challenger, None, policy)
    spoilt = replace(book, challenger=replace(book.challenger, total_return=float(np.nan)))
    with pytest.raises(DataError, match="not finite"):
        document(spoilt, verdict, known)


def test_other_formats_are_refused(written: Make) -> None:
    with pytest.raises(DataError, match="format 4, this version reads 1, 2 and 3"):
        evaluation.read(json.dumps({**written(), "format": 4}))


def test_flips_slices_and_calibration_by_hand(written: Make) -> None:
    """Ideas 0 to 5 made 1, -2, 3, -1, 2, 1 %; the challenger keeps 0, 2, 4, the champion 0, 1, 2."""
    details = written()["details"]
    flips = details["flips"]
    assert (flips["count"], flips["only_challenger_made"], flips["only_champion_made"]) == (2, 0.02, -0.02)
    assert [(row["time"][:10], row["kept_by"], row["outcome"]) for row in flips["newest"]] == [
        ("2018-07-05", "challenger", 0.02),
        ("2018-04-05", "champion", -0.02),
    ]
    months = {row["name"]: (row["kept"]["total"], row["vetoed"]["total"]) for row in details["slices"]["month"]}
    assert months == {
        "2018-03": (0.01, 0.0),
        "2018-04": (0.0, -0.02),
        "2018-05": (0.03, 0.0),
        "2018-06": (0.0, -0.01),
        "2018-07": (0.02, 0.0),
        "2018-08": (0.0, 0.01),
    }
    (symbol,) = details["slices"]["symbol"]
    assert (symbol["kept"]["count"], symbol["vetoed"]["count"]) == (3, 3)
    bins = details["calibration"]["challenger"]
    assert sum(each["ideas"] for each in bins) == 6
    assert sum(each["ideas"] * each["won"] for each in bins) == pytest.approx(4)
    assert all(each["from"] <= each["score"] <= each["to"] for each in bins)


def test_a_first_model_flips_nothing(written: Make) -> None:
    details = written(champion=False)["details"]
    assert details["flips"] is None
    assert list(details["calibration"]) == ["challenger"]


def test_the_same_bytes_have_no_details(written: Make) -> None:
    details = written(sha256="gatekeeper_2")["details"]
    assert details == {"calibration": {}, "slices": {}, "flips": None}


def test_of_many_symbols_the_largest_are_shown_and_the_rest_together() -> None:
    names = np.array([f"S{number:02}" for number in range(30) for _ in range(number + 1)])
    rows = details_of._sliced(
        names,
        np.ones(len(names), bool),
        np.ones(len(names)),
        lambda out: TradeOutcomes(len(out), None, None, 0.0),
        "symbol",
    )
    assert len(rows) == details_of.MOST_SLICES + 1
    assert rows[-1].name == details_of.OTHERS
    assert rows[-1].kept.count == sum(range(1, 7))
    assert sum(row.kept.count for row in rows) == len(names)


@pytest.mark.parametrize(
    ("right", "stored"),
    [
        ("0.5", "0.6"), ("0.5", "0.501"), ("1.1", "1.2"), ("-0.1", "0.0"), ("0.5", "-0.5"), ("0.5", "\u22120.5"),
        ("0.5", "0,5"), ("0.5", ".5"), ("0.5", "\u00bd"), ("0.5", "undefined"), ("undefined", "0.5"),
        ("0.5", "nan"), ("1e-05", "1e-06"), ("1e-05", "0.5"), ("12", "13"), ("12", "12.02"), ("12.5", "12.6"),
        ("1.234e-05", "1.236e-05"), ("0.100001", "0.100003"),
    ],
)  # fmt: skip
def test_a_figure_in_any_form_is_held_against_the_right_one(right: str, stored: str) -> None:
    """Zeros at a figure's end are not written: 0.5 is 0.5000, and 0.6 is no rounding of it."""
    assert reconcile_texts._contradicts(GAIN.format(stored), GAIN.format(right))


@pytest.mark.parametrize(
    ("right", "stored"),
    [
        ("0", "-0"), ("0", "1.388e-17"), ("0.001", "0.0009999"), ("1", "0.9999"), ("12", "12.01"), ("10", "9.999"),
        ("1e-05", "9.999e-06"), ("1.234e-05", "1.235e-05"), ("1.235e+04", "1.234e+04"), ("1e+04", "9999"),
        ("-0.001", "-0.0009999"), ("undefined", "undefined"), ("-0.5", "\u22120.5"), ("1500", "1,500"),
    ],
)  # fmt: skip
def test_a_figure_rounded_by_another_machine_is_the_same(right: str, stored: str) -> None:
    for one, other in ((right, stored), (stored, right)):
        assert not reconcile_texts._contradicts(GAIN.format(one), GAIN.format(other))
