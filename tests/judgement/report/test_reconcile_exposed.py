"""What a document says was exposed is held against its trades and sizes, and each Sharpe is recomputed from it."""

from collections.abc import Callable
from typing import Any

import pytest

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.errors import DataError
from gatekeeper.judgement import document, judge, policy_of, run
from gatekeeper.judgement.report import reconcile_exposed
from gatekeeper.judgement.report.recheck import differences
from gatekeeper.settings import Settings

Make = Callable[..., Any]
ROWS = [
    (f"2018-0{month}-05", {f"2018-0{month}-05": -0.01, f"2018-0{month}-06": 0.004 * month, f"2018-0{month}-08": 0.01})
    for month in range(2, 10)
]


@pytest.fixture
def written(ideas: Make, dataset: Make, contender: Make) -> Callable[..., dict[str, Any]]:
    """The JSON of a comparison of 7 ideas with 6 of 8; keyword arguments are settings."""

    def make(**chosen: Any) -> dict[str, Any]:
        settings = Settings(floor_trades=2, floor_days=5, **chosen)
        known = dataset(ideas(ROWS))
        book = run(known, settings, contender(keeps=range(7)), contender("p", keeps=range(2, 8)))
        verdict = judge(book.challenger, book.champion, policy_of(settings, 252), book.ungated)
        return evaluation.as_object(document(book, verdict, known))

    return make


def read(written: dict[str, Any], role: str, change: Callable[[list[float]], object]) -> EvaluationDocument:
    change(written["scorecards"][role]["exposed"])
    return evaluation.of_object(written)


@pytest.mark.parametrize("options", [{}, {"most_open": 1}, {"fraction": 0.1}])
def test_what_was_measured_has_no_fault(written: Make, options: dict[str, Any]) -> None:
    found = evaluation.of_object(written(risk_free=0.03, **options))
    assert differences(found) == []
    exposed = found.scorecards.challenger.exposed
    assert exposed
    # The nights before the 6th, 7th and 8th, but that a mark on a weekend is the Friday's: from February on.
    assert sum(each > 0 for each in exposed) == 3 + 3 + 1 + 2 + 3 + 1 + 3


@pytest.mark.parametrize(
    ("role", "change", "said"),
    [
        ("challenger", lambda held: held.pop(), "was exposed on 244 days, and has returns of 245"),
        ("challenger", lambda held: held.__setitem__(3, -0.05), "and -0.05 on one"),
        ("challenger", lambda held: held.__setitem__(3, 0.07), "had exposed is no multiple of 0.05"),
        ("champion", lambda held: held.__setitem__(3, 0.05 * 7), "the champion entered"),
        ("champion", lambda held: held.__setitem__(slice(None), [0.0] * 245), "made something on"),
        ("champion", lambda held: held.__setitem__(3, 0.05), "the champion had more of capital exposed than ungated"),
    ],
)
def test_what_contradicts_trades_and_sizes_is_told(written: Make, role: str, change: Any, said: str) -> None:
    found = read(written(), role, change)
    told = list(reconcile_exposed.faults(found))
    assert any(said in each for each in told), told


@pytest.mark.parametrize(
    ("start", "told"),
    [
        ("2017-11-26T02:00:00+00:00", False),  # a Sunday, on which an idea may have been entered
        ("2017-11-27T00:00:00+00:00", True),  # Monday, the first market day
        ("2017-11-27T02:00:00+00:00", True),
    ],
)
def test_nothing_is_exposed_before_the_window(written: Make, start: str, told: bool) -> None:
    made = written()
    made["window"]["start"] = start
    for role in ("challenger", "ungated"):
        made["scorecards"][role]["exposed"][0] = 0.05
    found = list(reconcile_exposed.faults(evaluation.of_object(made)))
    assert any("had 0.05 of capital exposed before the first day" in each for each in found) == told


def test_a_limit_on_positions_limits_what_is_exposed(written: Make) -> None:
    found = read(written(most_open=1), "ungated", lambda held: held.__setitem__(3, 0.1))
    assert any("in at most 1 trades of 0.05" in each for each in reconcile_exposed.faults(found))


def test_each_night_counts_in_the_sharpe(written: Make) -> None:
    """One night more or less is found at a rate of 3 %, by the Sharpe ratio alone."""
    whole = written(risk_free=0.03)
    night = next(number for number, each in enumerate(whole["scorecards"]["challenger"]["exposed"]) if each)
    found = read(whole, "challenger", lambda held: held.__setitem__(night + 2, 0.0))
    assert any("the challenger's sharpe is" in each for each in differences(found))


def test_a_document_of_today_has_it(written: Make) -> None:
    whole = written()
    del whole["scorecards"]["champion"]["exposed"]
    with pytest.raises(DataError, match="the figures of p lack `exposed`, by edition 2"):
        evaluation.of_object(whole)
