"""What traders look for in an evaluation: the table of streams, months and years, and the chart of the decision."""

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from evaluation_documents import CARD, WHOLE, as_format_2, cards, document
from msgspec import structs

from gatekeeper.documents import evaluation
from gatekeeper.documents.evaluation import EvaluationDocument
from gatekeeper.judgement import document as documented
from gatekeeper.judgement import judge, policy_of, run
from gatekeeper.judgement.report import by_month, decision_chart, recheck, stream_table
from gatekeeper.judgement.report.streams import streams_of
from gatekeeper.settings import Settings

Make = Callable[..., Any]

DAYS = ["2017-12-28", "2017-12-29", "2018-01-02", "2018-01-03", "2018-02-01"]
DAILY = [0.02, -0.01, 0.0, -0.02, 0.03]
SIDES = {
    "long": {"count": 3, "won": 2, "gained": 0.06, "lost": 0.01, "size": 0.15},
    "short": {"count": 2, "won": 0, "gained": 0.0, "lost": 0.03, "size": 0.1},
}
LOOKS = {"days": 365, "spent": 10, "as_ofs": 10, "promoted": 1, "alpha": 0.02, "allowed": 0.2}


def made(**parts: Any) -> EvaluationDocument:
    """Five days of a challenger whose figures are worked out by hand."""
    figures = {"daily": DAILY, "exposed": [0.0, 0.05, 0.15, 0.1, 0.1], "kept_trades": 5, "win_rate": 0.4}
    window = WHOLE["window"] | {"days": 5}
    whole = {"window": window, "days": DAYS, "scorecards": cards(**figures), "sides": {"challenger": SIDES}}
    return document(**whole | {"looks": LOOKS, "buy_and_hold": None} | parts)


def figures(of: EvaluationDocument, stream: str = "challenger") -> dict[str, str]:
    table = stream_table.of(of)
    return {row.name: row.cells[table.streams.index(stream)] for row in table.figures}


def test_each_figure_by_hand() -> None:
    found = figures(made())
    found.pop("Standard error")
    assert found == {
        "Sharpe": "3.06",  # .004 / .0207364 x sqrt(252)
        "Sortino": "6.35",  # .004 / sqrt(.0005 / 5) x sqrt(252)
        "Calmar": "33.60",  # .004 x 252 / .03
        "Expected shortfall, 5 %": "\N{MINUS SIGN}2.00 %",
        "Profit factor": "1.50",  # .06 / .04
        "Mean win": "300.0 bp",
        "Mean loss": "\N{MINUS SIGN}133.3 bp",  # .04 / 3
        "Turnover a year": "2520 %",  # 2 x .25 x 252 / 5
        "Gross exposure, mean": "8.00 %",
        "Gross exposure, most": "15.00 %",
        "Long trades": "5.00 % (3)",
        "Short trades": "\N{MINUS SIGN}3.00 % (2)",
        # Best of 10 without skill: 1.5746 / sqrt(4) a day; moments of the five days.
        "Deflated Sharpe": "11.4 %",
        "Minimum track record": "72",
    }


def test_what_is_undefined_says_why() -> None:
    rising = {"daily": [0.0, 0.01, 0.0, 0.02, 0.0], "exposed": [0.0] * 5, "kept_trades": 2, "win_rate": 1.0}
    none = {"count": 0, "won": 0, "gained": 0.0, "lost": 0.0, "size": 0.0}
    won = {"count": 2, "won": 2, "gained": 0.03, "lost": 0.0, "size": 0.1}
    found = figures(made(scorecards=cards(**rising), sides={"challenger": {"long": won, "short": none}}))
    assert found["Sortino"] == "undefined: no losing day"
    assert found["Calmar"] == "undefined: no drawdown"
    assert found["Profit factor"] == found["Mean loss"] == "undefined: no losses"
    assert found["Short trades"] == "undefined: no trades"
    still = {"daily": [0.0] * 5, "exposed": [0.0] * 5, "kept_trades": 0, "win_rate": None}
    found = figures(made(scorecards=cards(**still), sides={"challenger": {"long": none, "short": none}}))
    assert found["Sharpe"] == found["Deflated Sharpe"] == "undefined: constant returns"
    assert found["Standard error"] == "undefined: no Sharpe, or under 5 days"
    assert found["Profit factor"] == found["Turnover a year"] == "undefined: no trades"
    falling = {"daily": [-0.01, 0.0, -0.02, 0.0, 0.0], "exposed": [0.0] * 5, "kept_trades": 2, "win_rate": 0.0}
    lost = {"count": 2, "won": 0, "gained": 0.0, "lost": 0.03, "size": 0.1}
    found = figures(made(scorecards=cards(**falling), sides={"challenger": {"long": none, "short": lost}}))
    assert found["Mean win"] == "undefined: no wins"
    assert found["Minimum track record"] == "undefined: Sharpe not over 0"


def test_an_older_document_lacks_what_it_does_not_hold_and_shows_the_rest() -> None:
    streams = cards(daily=DAILY, kept_trades=5, win_rate=0.4)
    older = evaluation.of_object(as_format_2(WHOLE | {"days": DAYS, "scorecards": streams}))
    found = figures(older)
    assert found["Sortino"] == "6.35"
    lacking = ["Profit factor", "Mean win", "Mean loss", "Turnover a year", "Gross exposure, mean"]
    lacking += ["Gross exposure, most", "Long trades", "Short trades", "Deflated Sharpe"]
    assert {found[name] for name in lacking} == {"undefined: not on record"}


def test_ungated_is_not_selected_and_one_test_deflates_nothing() -> None:
    of_one = made(looks=LOOKS | {"spent": 0, "as_ofs": 0})
    assert figures(of_one)["Deflated Sharpe"] == "65.2 %"  # the probabilistic Sharpe ratio over 0
    ungated = {"daily": DAILY, "exposed": [0.0] * 5, "kept_trades": 40, "name": "ungated"}
    both = made(scorecards=cards(daily=DAILY, exposed=[0.0] * 5) | {"ungated": CARD | ungated})
    assert figures(both, "ungated")["Deflated Sharpe"] == "not selected"


def test_buy_and_hold_stands_beside_the_others_or_says_why_not() -> None:
    held = {"daily": [0.01, -0.02, 0.0, 0.01, 0.02], "symbols": 3, "left_out": 1}
    table = stream_table.of(made(buy_and_hold=held))
    assert table.streams[-1] == "buy and hold"
    found = figures(made(buy_and_hold=held), "buy and hold")
    assert found["Calmar"] == "50.40"  # .004 x 252 / .02
    assert found["Gross exposure, mean"] == "100.00 %"
    assert found["Profit factor"] == found["Long trades"] == "not traded"
    assert "symbols (3; left out, without a price then: 1)" in table.notes[-1]
    assert stream_table.of(made()).notes[-1].startswith("No buy and hold: the source has no bars")


def test_the_gain_by_differing_idea() -> None:
    verdict = WHOLE["verdict"] | {"gain": 0.6, "standard_error": 0.3, "bound": 0.1, "differing": 4}
    champion = CARD | {"name": "gatekeeper_1", "total_return": 0.01, "daily": DAILY, "exposed": [0.0] * 5}
    streams = cards(daily=DAILY, exposed=[0.0] * 5, total_return=0.03) | {"champion": champion}
    note = stream_table.of(made(scorecards=streams, verdict=verdict)).notes[0]
    assert note == "Gain per idea decided differently (4): 0.1500 annual Sharpe, and 50.0 bp of capital."
    for lacks, why in ({"gain": None}, "there is no gain"), ({"differing": 0}, "no idea was decided differently"):
        note = stream_table.of(made(scorecards=streams, verdict=verdict | lacks)).notes[0]
        assert note == f"Gain per idea decided differently: undefined, since {why}."


def test_months_and_years_sum_up_to_the_return() -> None:
    years = by_month.of(DAYS, streams_of(made())[:1])
    assert [year.name for year in years] == ["2017", "2018"]
    (before,), (after,) = (year.rows for year in years)
    assert before.months == ("",) * 11 + ("1.00",) and before.whole == "1.00"
    assert after.months == ("\N{MINUS SIGN}2.00", "3.00") + ("",) * 10 and after.whole == "1.00"
    assert by_month.of([], []) == ()


def test_the_decision_on_one_line() -> None:
    verdict = WHOLE["verdict"] | {"gain": 0.31, "standard_error": 0.4, "bound": -0.52}
    chart = decision_chart.of(made(verdict=verdict))
    assert chart is not None
    assert chart.about == (
        "In annual Sharpe: gain 0.31, interval \N{MINUS SIGN}0.52 to 1.14, margin 0.00, "
        "minus the tolerance \N{MINUS SIGN}0.50."
    )
    assert [mark.key for mark in chart.legend] == ["gain", "interval", "margin", "tolerance"]
    assert "style" not in chart.drawing and 'aria-labelledby="about-decision"' in chart.drawing
    ends = re.findall(r'x1="([\d.]+)" y1="35.0" x2="([\d.]+)"', chart.drawing)
    low, gain, high = float(ends[0][0]), float(re.findall(r'cx="([\d.]+)"', chart.drawing)[0]), float(ends[1][0])
    assert low < gain < high and gain - low == pytest.approx(high - gain, abs=0.11)
    assert decision_chart.of(made()) is None  # no gain
    rules = WHOLE["rules"] | {"policy": WHOLE["rules"]["policy"] | {"name": "better"}}
    chart = decision_chart.of(made(verdict=verdict, rules=rules))
    assert chart is not None and "no bound under better" in chart.about and len(chart.legend) == 3


@pytest.mark.parametrize(
    ("low", "high", "right"),
    [
        (-0.6, 1.2, [-0.5, 0.0, 0.5, 1.0]),
        (-0.1, 0.1, [-0.1, -0.05, 0.0, 0.05, 0.1]),
        (-7.0, 30.0, [0.0, 10.0, 20.0, 30.0]),
        (0.0, 0.0011, [0.0, 0.0002, 0.0004, 0.0006, 0.0008, 0.001]),
    ],
)
def test_ticks_are_round_and_few(low: float, high: float, right: list[float]) -> None:
    assert decision_chart.ticks(low, high) == pytest.approx(right)


@pytest.fixture
def judged(dataset: Make, ideas: Make, contender: Make) -> EvaluationDocument:
    """Two models on 200 days, one idea a day; every third one a buy."""
    random = np.random.default_rng(5)
    days = np.arange("2017-12-01", "2018-10-01", dtype="datetime64[D]")
    rows = [(str(day), {str(day): float(random.normal(0, 0.02))}) for day in days[np.is_busday(days)]]
    some = ideas(rows)
    some.features[::3, -1] = 1
    known = dataset(some)
    closes = np.column_stack((np.linspace(100, 120, 300), np.full(300, np.nan), np.linspace(50, 40, 300)))
    chosen = Settings()
    book = run(
        replace(known, closes=closes), chosen,
        contender("gatekeeper_2", keeps=range(0, 300, 2), sha256="aa" * 32),
        contender("gatekeeper_1", keeps=range(0, 300, 3), sha256="bb" * 32),
    )  # fmt: skip
    verdict = judge(book.challenger, book.champion, policy_of(chosen, 252), book.ungated)
    return documented(book, verdict, known)


def test_what_is_stored_follows_from_the_ideas_and_is_reconciled(judged: EvaluationDocument) -> None:
    assert recheck.differences(judged) == []
    sides = judged.sides or {}
    assert set(sides) == {"challenger", "champion", "ungated"}
    assert sides["champion"].short.count == 0  # it keeps each third idea: the buys
    assert sides["ungated"].both.count == judged.scorecards.ungated.kept_trades
    changes = {
        "count": "the number of the challenger's long and short trades",
        "won": "the number of them that won for the challenger",
        "gained": "the challenger's long and short trades made",
        "lost": "the challenger's long and short trades made",
        "size": "the size of the challenger's long trades",
    }
    for name, said in changes.items():
        ours, by = sides["challenger"], {"count": 1, "won": -1}.get(name, 0.001)
        long = structs.replace(ours.long, **{name: getattr(ours.long, name) + by})
        changed = structs.replace(judged, sides=sides | {"challenger": structs.replace(ours, long=long)})
        assert any(fault.startswith(said) for fault in recheck.differences(changed)), name
    for changed, said in (
        (structs.replace(judged, sides=None), "it doesn't hold what long and short trades made"),
        (structs.replace(judged, sides={"ungated": sides["ungated"]}), "the streams with trades by side"),
        (structs.replace(judged, buy_and_hold=structs.replace(judged.buy_and_hold, daily=[0.1])), "the number of buy"),
        (structs.replace(judged, buy_and_hold=structs.replace(judged.buy_and_hold, symbols=0)), "buy and hold can't"),
    ):
        assert any(fault.startswith(said) for fault in recheck.differences(changed)), said


def test_buy_and_hold_buys_before_the_window_and_leaves_out_what_has_no_price(judged: EvaluationDocument) -> None:
    held = judged.buy_and_hold
    assert (held.symbols, held.left_out) == (2, 1)
    base = 300 - len(judged.days) - 1
    one, other = np.linspace(100, 120, 300), np.linspace(50, 40, 300)
    assert sum(held.daily) == pytest.approx((one[-1] / one[base] + other[-1] / other[base]) / 2 - 1)
    assert held.daily[0] == pytest.approx((one[base + 1] / one[base] + other[base + 1] / other[base]) / 2 - 1)
