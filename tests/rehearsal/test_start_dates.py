"""Start dates of a rehearsal: each is what a rehearsal that begins there finds, and no week is made again for it."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from chromium import chromium, unreadable
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs
from weekly_data import write_ideas
from weekly_house import NOW

from gatekeeper import config
from gatekeeper.documents import rehearsal as documents
from gatekeeper.documents.rehearsal import RehearsalDocument
from gatekeeper.documents.start_dates import StartDate, StartDates, StartedStream, StreamSpread
from gatekeeper.documents.stream_pairs import DifferenceRecord, PairResult
from gatekeeper.errors import ConfigError
from gatekeeper.rehearsal import mondays, plan, rehearse
from gatekeeper.rehearsal.model_ages import measured, trainings
from gatekeeper.rehearsal.plan import Plan
from gatekeeper.rehearsal.report import render
from gatekeeper.rehearsal.start_dates import start_weeks
from gatekeeper.rehearsal.start_tables import start_tables

pytestmark = pytest.mark.xdist_group("starts")  # what its tests share is made once

FIRST, LAST = datetime(2016, 10, 3, 2, tzinfo=UTC), datetime(2018, 1, 8, 2, tzinfo=UTC)
LATER = (6, 13)  # 67 weeks in tenths, as far as they leave a year


@pytest.fixture(scope="module")
def chosen(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    place = tmp_path_factory.mktemp("starts")
    data = write_ideas(place / "ideas.csv", start="2014-01-06", end="2018-01-12", edge_from="2014-01-01", seed=3)
    changes = {"recipe": "logistic", "work": str(place / "work"), "holdout_days": 91, "too_good": 1000.0}
    changes["accept"] = ("knows:rsi14",)  # an edge that no market gives
    settings = config.load({"data": data, **changes})
    return plan(mondays(FIRST, LAST), settings, now=NOW, starts=10)


@pytest.fixture(scope="module")
def rehearsed(chosen: Plan) -> RehearsalDocument:
    return rehearse(chosen, jobs=2, progress=lambda _: None)


@pytest.mark.parametrize(
    ("first", "last", "starts", "found"),
    [
        (0, 207, 4, [0, 52, 104, 156]),  # four years in quarters
        (0, 206, 4, [0, 51, 103, 155]),
        (0, 156, 4, [0, 39, 78]),  # the fourth of three years would leave 40 weeks
        (10, 61, 4, [10]),
        (10, 60, 1, []),  # 51 weeks are no year
    ],
)
def test_start_dates_are_evenly_spaced_and_leave_a_year(first: int, last: int, starts: int, found: list[int]) -> None:
    assert start_weeks(first, last, starts) == found


@given(first=st.integers(0, 300), weeks=st.integers(1, 600), starts=st.integers(1, 20))
def test_law_of_start_dates(first: int, weeks: int, starts: int) -> None:
    found = start_weeks(first, first + weeks - 1, starts)
    assert found == sorted(set(found))
    assert len(found) <= starts
    assert bool(found) == (weeks >= 52)
    assert all(first <= each <= first + weeks - 52 for each in found)
    if found:
        assert found[0] == first


def test_each_date_is_a_rehearsal_that_begins_there_and_no_week_is_made_again(
    chosen: Plan, rehearsed: RehearsalDocument
) -> None:
    found = rehearsed.holdouts["91"].starts
    folder = chosen.folder(91)
    before = {each.name: each.stat().st_mtime_ns for each in folder.iterdir()}
    for date, week in zip(found.dates, (0, *LATER), strict=True):
        alone = rehearse(replace(chosen, as_ofs=chosen.as_ofs[week:], starts=1), jobs=1, progress=lambda _: None)
        there = alone.holdouts["91"]
        assert there.starts is None
        assert date.begins == f"{there.begins:%Y-%m-%d}" == f"{chosen.as_ofs[week]:%Y-%m-%d}"
        assert date.weeks == there.weeks == 67 - week
        assert [(each.name, each.sharpe, each.sharpe_error) for each in date.streams] == [
            (each.name, each.sharpe, each.sharpe_error) for each in (*there.policies.values(), *there.references)
        ]
        assert date.pairs == there.pairs
    assert {each.name: each.stat().st_mtime_ns for each in folder.iterdir()} == before
    assert len(list(folder.glob("*.json"))) == 67


def test_more_dates_change_nothing_of_the_first(chosen: Plan, rehearsed: RehearsalDocument) -> None:
    alone = rehearse(replace(chosen, starts=1), jobs=1, progress=lambda _: None)
    whole, part = rehearsed.holdouts["91"], alone.holdouts["91"]
    assert (whole.policies, whole.references, whole.pairs) == (part.policies, part.references, part.pairs)
    assert whole.starts.dates[0].pairs == whole.pairs


def test_the_spread_is_that_of_the_dates(rehearsed: RehearsalDocument) -> None:
    found = rehearsed.holdouts["91"].starts
    sharpes = {
        each.name: [one.sharpe for date in found.dates for one in date.streams if one.name == each.name]
        for each in found.spread
    }
    assert all(len(values) == 3 for values in sharpes.values())
    assert {each.name: (each.lowest, each.highest) for each in found.spread} == {
        name: (min(values), max(values)) for name, values in sharpes.items()
    }
    policies = [sharpes[name] for name in ("better", "safe", "proven")]
    assert found.by_date == max(max(each) - min(each) for each in policies)
    assert found.by_policy == max(max(each) - min(each) for each in zip(*policies, strict=True))


def test_document_and_page_hold_them(rehearsed: RehearsalDocument) -> None:
    document = documents.read(json.dumps(documents.as_object(rehearsed)))
    assert document.holdouts["91"].starts == rehearsed.holdouts["91"].starts
    page = render(document)
    assert "From 3 start dates" in page
    assert page == render(rehearsed)
    assert all(f">{date.begins}<" in page for date in document.holdouts["91"].starts.dates)


def test_its_page_fits_and_reads_aloud(chosen: Plan, rehearsed: RehearsalDocument, tmp_path: Path) -> None:
    """With the start dates, and what ageing costs: wide and narrow, light and dark."""
    aged = structs.replace(rehearsed, ageing=measured(trainings(replace(chosen, starts=1), [], []), jobs=1))
    place = tmp_path / "rehearsal.html"
    place.write_text(render(aged), "utf-8")
    with chromium() as browser:
        assert unreadable(browser, place) == {}


def date(begins: str, sharpes: tuple[float | None, ...], pairs: list[PairResult]) -> StartDate:
    streams = [StartedStream(name, sharpe, 0.5, 0.1, 0.05) for name, sharpe in zip("ab", sharpes, strict=True)]
    return StartDate(begins, 60, streams, pairs)


def pair(value: float, error: float, one: str = "a") -> PairResult:
    record = DifferenceRecord(value, error, value - 2 * error, value + 2 * error)
    return PairResult(one, "b", record, None, record.separable)


def test_tables_by_hand() -> None:
    dates = [
        date("2016-01-04", (0.5, 0.25), [pair(0.25, 0.2), pair(9.0, 1.0, "c")]),
        date("2016-07-04", (-0.5, None), [pair(-0.5, 0.1), pair(9.0, 1.0, "c")]),
        date("2017-01-02", (0.125, 0.125), [pair(0.0, 0.0), pair(9.0, 1.0, "c")]),
    ]
    spread = [StreamSpread("a", -0.5, 0.5), StreamSpread("b", 0.125, 0.25)]
    found = start_tables(StartDates(dates, spread, 1.0, 0.25), {"a": None})
    assert found.streams == [
        ("a", ["0.50 ± 0.50", "-0.50 ± 0.50", "0.12 ± 0.50", "-0.50 to 0.50"]),
        ("b", ["0.25 ± 0.50", "-", "0.12 ± 0.50", "0.12 to 0.25"]),
    ]
    assert found.pairs == [("a - b", ["-0.50 ± 0.10", "+0.25 ± 0.20", "1 not separable, 1 lower Sharpe, 1 identical"])]
    assert found.conclusion == (
        "The start date alone moves the Sharpe of one policy by up to 1.00; "
        "two policies differ by up to 0.25 from the same date."
    )


def test_one_date_has_no_tables(chosen: Plan) -> None:
    assert start_tables(None, {}) is None
    with pytest.raises(ConfigError, match="21 start dates; choose from 1 to 20"):
        plan(mondays(FIRST, LAST), chosen.settings, now=NOW, starts=21)
