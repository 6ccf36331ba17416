"""Console pages: the registry's own numbers, plain error sentences, nothing loaded from outside."""

import html
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest
from console_house import EVIL, PATIENCE, Insider, console, served
from weekly_house import NOW, House

from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.registry import Evaluation

pytestmark = pytest.mark.xdist_group("console")

PAGES = [
    "/default/models",
    "/default/models/1",
    "/default/models/4",
    "/default/evaluations",
    "/default/evaluations/2",
    "/default/monitor",
    "/default/history",
    "/default/holds",
    "/default/doctor",
]
PEOPLE = {"Accept": "text/html"}


def text(client: httpx.Client, path: str, status: int = 200) -> str:
    """What a person reads on the page, in one line."""
    answer = client.get(path, headers=PEOPLE)
    assert answer.status_code == status, answer.text
    return words(answer.text)


def words(markup: str) -> str:
    """What a person reads of it, in one line."""
    body = re.sub(r"<(script|style).*?</\1>|<svg.*?</svg>", " ", markup, flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


@contextmanager
def opened(folder: Path) -> Iterator[httpx.Client]:
    with served(console(folder, Insider(may=False))) as url, httpx.Client(base_url=url, timeout=PATIENCE) as client:
        yield client


def evaluation(folder: Path, number: int) -> Evaluation:
    with House(folder, "demo:").registry as registry:
        return registry.evaluation(number)


@pytest.mark.parametrize("path", PAGES)
def test_no_page_asks_for_anything_from_outside(looked_at: httpx.Client, path: str) -> None:
    answer = looked_at.get(path, headers=PEOPLE)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
    assert "frame-ancestors 'self'" in policy
    assert answer.headers["cache-control"] == "no-store"
    loaded = re.findall(r'(?:src|href|action)="([^"]*)"', answer.text)
    assert loaded
    assert all(address.startswith(("/", "#")) and not address.startswith("//") for address in loaded)
    assert EVIL not in answer.text


def test_every_file_that_a_page_loads_is_there(looked_at: httpx.Client) -> None:
    page = looked_at.get("/default/evaluations/2").text
    for address in re.findall(r'"(/static/[^"]*)"', page):
        answer = looked_at.get(address)
        assert answer.status_code == 200
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert "Leon Sorokin" in looked_at.get("/static/uplot.LICENSE.txt").text


def test_the_models_are_listed_with_what_holds_of_each(looked_at: httpx.Client, furnished: Path) -> None:
    said = text(looked_at, "/default/models")
    assert "Held. Weekly runs judge and record but promote nothing. bob" in said
    newest = {number: evaluation(furnished, number).document for number in (1, 2, 3)}
    for version, state, number, gain in (
        ("gatekeeper_primary1", "primary", 1, None),
        ("gatekeeper_2", "quarantined", 2, newest[2].verdict.gain),
        ("gatekeeper_3", "standby", 3, newest[3].verdict.gain),
    ):
        sharpe = newest[number].scorecards.challenger.sharpe
        shown = "\N{EN DASH}" if gain is None else f"{gain:+.3f}"
        assert re.search(rf"{version} {state} \d{{4}}-\d\d-\d\d {sharpe:.3f} {re.escape(shown)} ", said), said
    assert "gatekeeper_4 standby" in said
    assert "not judged" in said


def test_a_model_is_shown_with_all_that_became_of_it(looked_at: httpx.Client) -> None:
    said = text(looked_at, "/default/models/2")
    assert "Quarantined. ann rolled back from these bytes on" in said
    assert "live drawdown looks wrong" in said
    assert "146 ideas decided differently" in said
    assert f"from a colleague {EVIL}" in text(looked_at, "/default/models/4")
    assert "This model was never judged as a challenger." in text(looked_at, "/default/models/4")


@pytest.mark.parametrize("number", [1, 2, 3])
def test_the_curves_end_where_the_backtest_did(looked_at: httpx.Client, furnished: Path, number: int) -> None:
    """By the scorecards, which the backtest measured for itself."""
    cards = evaluation(furnished, number).document.scorecards
    there = list(cards)
    page = looked_at.get(f"/default/evaluations/{number}").text
    for chart, figure, worst in (("equity", "total_return", None), ("drawdown", "max_drawdown", min)):
        table = re.search(rf'id="data-{chart}".*?<tbody>(.*?)</tbody>', page, re.DOTALL)
        assert table is not None
        rows = [re.findall(r'<td class="n">([^<]*)</td>', row) for row in table[1].split("</tr>")[:-1]]
        for column, (_, card) in enumerate(there):
            values = [float(row[column]) for row in rows]
            shown, measured = (worst(values), -getattr(card, figure)) if worst else (values[-1], getattr(card, figure))
            assert shown == pytest.approx(100 * measured, abs=0.0051)


def test_a_verdict_is_shown_with_each_gate_and_its_numbers(looked_at: httpx.Client, furnished: Path) -> None:
    said = text(looked_at, "/default/evaluations/3")
    document = evaluation(furnished, 3).document
    assert document.verdict.message in said
    for gate in document.verdict.gates:
        result = {True: "passed", False: "failed", None: "not evaluated"}[gate.passed]
        assert f"{gate.name} {result} {gate.text}" in said
    kept = document.scorecards.challenger
    assert f" {kept.kept_trades} {kept.ideas - kept.kept_trades} " in said


def test_a_verdict_is_shown_on_one_line_and_with_what_traders_look_for(
    looked_at: httpx.Client, furnished: Path
) -> None:
    page = looked_at.get("/default/evaluations/3").text
    document = evaluation(furnished, 3).document
    (drawing,) = re.findall(r'<svg class="chart" role="img" aria-labelledby="about-decision".*?</svg>', page, re.DOTALL)
    assert "style=" not in drawing  # which the page's policy forbids
    assert 'id="about-decision"' in page
    said = text(looked_at, "/default/evaluations/3")
    assert f"In annual Sharpe: gain {document.verdict.gain:.2f}".replace("-", "\N{MINUS SIGN}") in said
    made = dict.fromkeys(("challenger", "champion", "ungated"), 0.0)
    years = re.findall(r'<table class="months">.*?</table>', page, re.DOTALL)[0].replace("\N{MINUS SIGN}", "-")
    for stream, year in re.findall(r'<th scope="row">([a-z ]+)</th>.*?<strong>([-\d.]+)</strong>', years):
        made[stream] = made.get(stream, 0.0) + float(year)
    for role, card in document.scorecards:
        assert made[role] == pytest.approx(100 * card.total_return, abs=0.011)
    assert "No buy and hold: the source has no bars" in said
    trades = [re.search(rf"{side} trades .*?\((\d+)\)", said) for side in ("Long", "Short")]
    assert sum(int(each[1]) for each in trades if each) == document.scorecards.challenger.kept_trades


def test_the_history_tells_every_change(looked_at: httpx.Client) -> None:
    said = text(looked_at, "/default/history")
    assert re.search(r" 3 \S+ \S+ UTC rollback model 2 model 1 \S+ ann live drawdown looks wrong", said), said
    assert re.search(r" 1 \S+ \S+ UTC bootstrap none model 1 2016-01-04 test ", said), said


def test_without_a_check_the_monitor_says_how_to_make_one(looked_at: httpx.Client) -> None:
    assert "No check is on record: the DAG gatekeeper_monitor makes one" in text(looked_at, "/default/monitor")


def test_the_monitor_shows_its_checks_and_the_standby_models(furnished_copy: Path) -> None:
    """Model 2 is quarantined and 4 lost its file, so 3 alone stands by."""
    house = House(furnished_copy, f"ideas:{furnished_copy / 'ideas.csv'}")
    with house.registry as registry:
        for day in (16, 17):
            seen = monitor(datetime(2018, 1, day, 2, tzinfo=UTC), registry, house.settings, now=NOW)
            assert seen.check is not None
    with opened(furnished_copy) as client:
        said = text(client, "/default/monitor")
    assert said.index("2018-01-17") < said.index("2018-01-16")
    assert seen.summary in said
    standby = said.partition("Standby models on the live ideas since each exists")[2]
    assert re.search(r"no verdict uses it\. .* gatekeeper_3 2018-01-15 0 0 ", standby), standby
    assert "gatekeeper_primary" not in standby.partition("2018-01-16")[0]


def test_the_newest_check_has_tables_of_its_breaker_and_its_drift(watched: Path) -> None:
    """Each figure of the stored check, with the bound beside it and what it means; an older check is a sentence."""
    with House(watched, "demo:").registry as registry:
        newest, older = (check.document for check in registry.checks.newest(limit=2))
    assert newest.breaker.bound is not None and newest.drift is not None
    assert newest.drift.drifted == ("rsi14", "score")  # RSI is what the model goes by
    with opened(watched) as client:
        said = text(client, "/default/monitor")
        (drifted,) = re.findall(
            r'<h3>Drift.*?</h3>.*?<table class="stack">(.*?)</table>', client.get("/default/monitor").text, re.DOTALL
        )
    breaker = newest.breaker
    row = f" {breaker.drawdown:.2%} {breaker.bound:.2%} {breaker.p:.2%} {breaker.days} {breaker.backtest_days} "
    assert row.replace("%", " %") in said
    assert "Circuit breaker within its bound" in said
    assert "99 % of them stay within the bound on every day" in said
    rows = [words(each) for each in re.findall(r"<tr>(.*?)</tr>", drifted, re.DOTALL)][1:]
    assert len(rows) == 8
    for row, one in zip(rows, newest.drift.shifts, strict=True):
        if one.distance is None:
            assert row == f"{one.name} \N{EN DASH} none \N{EN DASH} constant, can't drift"
            continue
        verdict = "drifted" if one.name in ("rsi14", "score") else "within its bound"
        assert row == f"{one.name} {one.distance:.3f} {one.bound:.3f} {one.independent:.0f} {verdict}"
    for role, card in newest.scorecards:
        assert f"{role} " in said and f" {card.ideas} {card.kept_trades} {card.sharpe:.3f} " in said
    assert said.count("Circuit breaker") == 1
    assert older.text in said


def test_a_check_without_a_bound_says_why_it_can_not_trip(watched: Path) -> None:
    """The older check, alone on its page."""
    with House(watched, "demo:").registry as registry:
        newest, older = registry.checks.newest(limit=2)
    assert older.document.breaker.bound is None
    with opened(watched) as client:
        said = text(client, f"/default/monitor?before={newest.id}")
    assert f"The breaker can't trip: {older.document.breaker.text}." in said
    assert "Drift since the backtest not measured" in said
    assert "Too few ideas to measure drift" in said
    assert "too few for a Sharpe ratio (30 are needed)" in said


def test_holds_and_quarantines_stand_on_one_page(looked_at: httpx.Client) -> None:
    said = text(looked_at, "/default/holds")
    assert re.search(r"UTC bob holiday week no end in force", said), said
    assert re.search(r"model 2 \S+ \S+ UTC ann live drawdown looks wrong [0-9a-f]{12}", said), said


def test_doctor_says_what_is_off_and_mends_nothing(looked_at: httpx.Client, furnished: Path) -> None:
    said = text(looked_at, "/default/doctor")
    assert "1 finding." in said
    assert "gatekeeper_4.onnx does not exist" in said
    assert not (furnished / "models" / "gatekeeper_4.onnx").exists()


def test_addresses_of_nothing_say_so(looked_at: httpx.Client) -> None:
    assert "There is no desk 'fx'; there are default, empty." in text(looked_at, "/fx/models", 404)
    assert "There is no model 99. gatekeeper list shows the ids." in text(looked_at, "/default/models/99", 404)
    assert "There is no evaluation 99" in text(looked_at, "/default/evaluations/99", 404)
    assert "There is no such page." in text(looked_at, "/default/nothing", 404)
    assert "Model: Input should be a valid integer" in text(looked_at, "/default/models/four", 422)
    assert text(looked_at, f"/default/models/{2**63}", 422)
    assert text(looked_at, "/default/models?before=-1", 422)
    assert looked_at.get("/docs").status_code == looked_at.get("/openapi.json").status_code == 404


def test_a_registry_that_is_not_there_names_the_way_out(looked_at: httpx.Client) -> None:
    assert "Run gatekeeper db upgrade" in text(looked_at, "/empty/models", 503)
    problem = looked_at.get("/empty/models")
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.json()["status"] == 503


def test_the_desk_is_chosen_in_the_page(looked_at: httpx.Client) -> None:
    assert looked_at.get("/", follow_redirects=False).headers["location"] == "/default/models"
    assert "Desk default default Not made yet empty" in text(looked_at, "/default/models")


def test_the_report_is_the_file_of_the_run_and_never_another(furnished_copy: Path) -> None:
    """What a row names elsewhere is not read; without the file it is drawn again, with what came of it."""
    row = evaluation(furnished_copy, 2)
    written = furnished_copy / "reports" / Path(str(row.report)).name
    house = House(furnished_copy, "demo:")
    with opened(furnished_copy) as client, house.registry:
        first = client.get("/default/evaluations/2/report.html")
        assert first.content == written.read_bytes()
        assert first.headers["content-security-policy"].startswith("default-src 'none'; style-src 'unsafe-inline';")
        written.unlink()
        (furnished_copy / "secret.html").write_text("not to be read")
        with house.registry._context.database.append() as connection:
            connection.exec_driver_sql(
                f"UPDATE gatekeeper_evaluation SET report = '{furnished_copy}/secret.html' WHERE id = 2"
            )
        before = "Verdict: promote. Whether it was promoted: gatekeeper explain 2"
        effect = house.registry.pages.effect_of(house.registry.evaluation(2))
        assert effect.startswith("Promoted gatekeeper_primary2 (generation 2)")
        assert client.get("/default/evaluations/2/report.html").text == first.text.replace(before, effect)


@pytest.mark.parametrize(
    ("part", "name", "value", "wrong"),
    [
        ("scorecards", "champion", None, "of champion, but no such scorecard"),
        ("window", "start", "0001-01-01T00:00:00+14:00", "lies outside 1900 to 2300"),
        ("rules.policy", "alpha", -1, "alpha -1.0 is not over 0"),
    ],
)
def test_an_inconsistent_document_is_refused_by_its_evaluation(
    furnished_copy: Path, part: str, name: str, value: object, wrong: str
) -> None:
    with House(furnished_copy, "demo:").registry as registry:
        row = registry.evaluation(2)
        document = json.loads(row.document_json)
        owner = document
        for each in part.split("."):
            owner = owner[each]
        owner[name] = value
        made = registry.record_evaluation(
            challenger=3,
            champion=1,
            generation=registry.generation(),
            as_of=row.as_of,
            kind=row.kind,
            verdict=row.verdict,
            document=document,
            run_key="changed by hand",
            report=None,
        )
    with opened(furnished_copy) as client:
        page = text(client, f"/default/evaluations/{made.id}")
        assert "The rest of this evaluation can't be shown: " in page
        assert "it was changed or cut off" in page
        assert "another format" not in page
        refused = text(client, f"/default/evaluations/{made.id}/report.html", 409)
        assert f"Document of evaluation {made.id} isn't one of format " in refused
        assert wrong in refused


def test_an_evaluation_of_another_format_is_still_a_page(furnished_copy: Path) -> None:
    with House(furnished_copy, "demo:").registry as registry:
        made = registry.record_evaluation(
            challenger=3,
            champion=1,
            generation=registry.generation(),
            as_of=registry.evaluation(3).as_of,
            kind="weekly",
            verdict="keep",
            document={"format": 99, "verdict": "other", "scorecards": [1]},
            run_key="from the future",
            report=None,
        )
    with opened(furnished_copy) as client:
        page = text(client, f"/default/evaluations/{made.id}")
        assert "of format 99, this version reads 1, 2 and 3; read it with the version that wrote it" in page
        assert "Nothing was promoted: the verdict is keep" in page
        assert "reads 1, 2 and 3" in text(client, f"/default/evaluations/{made.id}/report.html", 409)
        assert "gatekeeper_3" in text(client, "/default/models")


def test_a_models_card_is_there_to_be_kept(looked_at: httpx.Client) -> None:
    """The card that `gatekeeper card` writes; somebody's words in it are no marks of ours."""
    assert 'href="/default/models/2/card.md"' in looked_at.get("/default/models/2", headers=PEOPLE).text
    answer = looked_at.get("/default/models/2/card.md")
    assert answer.headers["content-type"] == "text/markdown; charset=utf-8"
    assert answer.headers["content-disposition"] == 'attachment; filename="model_2_card.md"'
    assert "live drawdown looks wrong | in force" in answer.text
    assert EVIL not in looked_at.get("/default/models/4/card.md").text
    assert looked_at.get("/default/models/99/card.md").status_code == 404


def test_a_verdict_says_how_many_looks_were_spent(looked_at: httpx.Client) -> None:
    assert "1 test spent in the 365 days to this as-of" in text(looked_at, "/default/evaluations/2")
    assert "2 tests spent in the 365 days to this as-of, 1 of them" in text(looked_at, "/default/evaluations/3")


def test_a_verdict_shows_who_was_asked_and_who_answered(furnished_copy: Path) -> None:
    """Names are text."""
    with House(furnished_copy, "demo:").registry as registry:
        judged = registry.evaluation(2)
        about = {"run_key": judged.run_key, "model_id": judged.deploys_id, "evaluation_id": 2, "asked_by": None}
        registry.approvals.ask(**about, question="gatekeeper_weekly/one")
        registry.approvals.answer("gatekeeper_weekly/one", answer="approved", by=EVIL)
    with opened(furnished_copy) as client:
        page = text(client, "/default/evaluations/2")
        assert "Approvals" in page
        assert "gatekeeper_weekly/one approved" in page
        assert EVIL in page
        assert EVIL not in client.get("/default/evaluations/2", headers=PEOPLE).text
        assert "Approvals" not in text(client, "/default/evaluations/1")


def test_an_error_page_has_its_reason(looked_at: httpx.Client) -> None:
    """Case 119: in words for people, as `reason` for programs."""
    assert "Reason unknown_model : gatekeeper explain-reason unknown_model says more." in text(
        looked_at, "/default/models/999", 404
    )
    assert looked_at.get("/default/models/999").json()["reason"] == "unknown_model"
    assert looked_at.get("/default/nothing").json()["reason"] == "unknown_path"
    assert looked_at.get("/default/models/x").json()["reason"] == "schema"
