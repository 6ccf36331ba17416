"""Rehearsal: the verdicts of the weekly runs, valued as a plain sum does."""

import json
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pandas as pd
import pytest
from weekly_data import write_ideas
from weekly_house import NOW, House

from gatekeeper import rehearsal
from gatekeeper.config import override
from gatekeeper.documents import rehearsal as documents
from gatekeeper.errors import AsOfError, ConfigError, DataError, TrainingRefused
from gatekeeper.rehearsal import mondays, plan, rehearse
from gatekeeper.rehearsal.plan import Plan
from gatekeeper.rehearsal.report import render
from gatekeeper.settings import Settings

pytestmark = pytest.mark.xdist_group("rehearsal")  # what its tests share is made once

FIRST, LAST = datetime(2017, 11, 20, 2, tzinfo=UTC), datetime(2018, 1, 8, 2, tzinfo=UTC)
WEEKS = 8


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("market") / "ideas.csv"
    write_ideas(place, start="2012-01-02", end="2018-01-12", edge_from="2016-01-01", seed=3)
    return place


@pytest.fixture(scope="module")
def house(data: Path, tmp_path_factory: pytest.TempPathFactory) -> House:
    return House(tmp_path_factory.mktemp("house"), f"ideas:{data}")


@pytest.fixture(scope="module")
def settings(house: House) -> Settings:
    return house.settings


def planned(settings: Settings, **words: object) -> Plan:
    return plan(mondays(FIRST, LAST), settings, now=NOW, **words)


def document(chosen: Plan, jobs: int = 1) -> dict[str, object]:
    return documents.as_object(rehearse(chosen, jobs=jobs, progress=lambda _: None))


@pytest.fixture(scope="module")
def rehearsed(settings: Settings) -> dict[str, object]:
    return document(planned(settings), jobs=2)


def of(rehearsed: dict, policy: str) -> dict:
    return rehearsed["holdouts"]["365"]["policies"][policy]


def test_its_verdicts_are_those_of_the_weekly_runs(rehearsed: dict, house: House) -> None:
    """The same as-ofs, one after another, through registry, files and loader."""
    for week in range(WEEKS):
        house.week(FIRST + timedelta(weeks=week))
    ran = {e.as_of: e for e in house.registry.evaluations()}
    promoted = {p.as_of for p in house.registry.promotions()}
    looks = of(rehearsed, "safe")["looks"]
    assert [datetime.fromisoformat(look["as_of"]) for look in looks] == sorted(ran)
    for look in looks:
        evaluation = ran[datetime.fromisoformat(look["as_of"])]
        verdict = evaluation.document.verdict
        assert (look["answer"], look["decided_by"]) == (verdict.answer, verdict.decided_by)
        assert look["gain"] == pytest.approx(verdict.gain, abs=1e-12)
        assert look["bound"] == pytest.approx(verdict.bound, abs=1e-12)
        assert look["promoted"] == (evaluation.as_of in promoted)
        made = planned(house.settings).folder(365) / f"{evaluation.as_of:%Y-%m-%d}.onnx"
        assert sha256(made.read_bytes()).hexdigest() == evaluation.challenger_sha256
    assert len(promoted) > 1


def test_the_references_are_plain_sums(rehearsed: dict, data: Path) -> None:
    part = rehearsed["holdouts"]["365"]
    newest, never, ungated = part["references"]
    ideas = pd.read_csv(data, parse_dates=["time"])
    begins = datetime.fromisoformat(part["begins"])
    came = ideas[(ideas.time >= begins) & (ideas.time <= LAST - timedelta(days=21))]
    assert (ungated["ideas"], ungated["kept_trades"]) == (len(came), len(came))
    assert ungated["total_return"] == pytest.approx(0.05 * came.outcome.sum(), abs=1e-12)
    assert sum(ungated["daily"]) == pytest.approx(ungated["total_return"], abs=1e-12)
    for each in (newest, never):
        assert each["ideas"] == len(came)
        assert 0 < each["kept_trades"] < len(came)
    # A Monday's model has seen nothing of the last year, and the first one gets a week older each week.
    assert newest["age_days"] == pytest.approx(newest["age_days"] // 1, abs=7)
    assert newest["age_days"] >= 365
    assert never["age_days"] == pytest.approx(newest["age_days"] + 7 * (WEEKS - 1) / 2, abs=4)


def test_a_policy_that_promotes_nobody_is_never_retrained(rehearsed: dict, settings: Settings) -> None:
    """With a margin that no gain reaches; the Mondays are made already."""
    stubborn = document(planned(override(settings, {"margin": 50.0})))
    never = rehearsed["holdouts"]["365"]["references"][1]
    for policy in ("better", "safe", "proven"):
        assert of(stubborn, policy)["promotions"] == of(stubborn, policy)["tally"]["lost"] == 0
        assert of(stubborn, policy)["daily"] == never["daily"]


def test_promotions_are_counted_as_won_tied_and_lost(rehearsed: dict) -> None:
    for policy in ("better", "safe"):
        said, tally = of(rehearsed, policy), of(rehearsed, policy)["tally"]
        gains = [round(reign["made"] - reign["before"], 12) for reign in said["reigns"]]
        assert said["promotions"] == len(gains) > 0
        counted = [sum(gain > 0 for gain in gains), sum(gain == 0 for gain in gains), sum(gain < 0 for gain in gains)]
        assert [tally["won"], tally["tied"], tally["lost"]] == counted
        assert tally["gained"] == pytest.approx(sum(gain for gain in gains if gain > 0), abs=1e-11)
        assert tally["given_up"] == pytest.approx(-sum(gain for gain in gains if gain < 0), abs=1e-11)
        assert tally["net"] == pytest.approx(sum(gains), abs=1e-11)
        assert (tally["net_error"] == 0) == (tally["tied"] == len(gains))


def test_what_each_differs_from_another_is_on_the_same_days(rehearsed: dict) -> None:
    part = rehearsed["holdouts"]["365"]
    streams = {each["name"]: each for each in [*part["policies"].values(), *part["references"]]}
    assert len(part["pairs"]) == 15
    for pair in part["pairs"]:
        one, other = streams[pair["one"]], streams[pair["other"]]
        assert pair["sharpe"]["value"] == pytest.approx(one["sharpe"] - other["sharpe"], abs=1e-12)
        assert pair["total_return"]["value"] == pytest.approx(sum(one["daily"]) - sum(other["daily"]), abs=1e-12)
    for each in streams.values():
        assert min(each["sharpe_error"], each["return_error"], each["drawdown_error"]) > 0
    waited = next(each for each in part["pairs"] if (each["one"], each["other"]) == ("safe", "always the newest"))
    assert of(rehearsed, "safe")["waiting_cost"] == pytest.approx(-waited["sharpe"]["value"], abs=1e-12)
    assert of(rehearsed, "safe")["waiting_cost_error"] == waited["sharpe"]["error"]


def test_who_was_stopped_goes_on_and_says_the_same(settings: Settings, rehearsed: dict, tmp_path: Path) -> None:
    chosen = planned(override(settings, {"work": str(tmp_path)}), policies=["safe"])

    class Stopped(Exception):
        pass

    made = []

    def stop(what: str) -> None:
        made.append(what)
        if len(made) == 5:
            raise Stopped

    with pytest.raises(Stopped):
        rehearse(chosen, jobs=1, progress=stop)
    kept = {path.name: path.stat().st_mtime_ns for path in chosen.folder(365).iterdir()}
    assert len([name for name in kept if name.endswith(".json")]) == 5
    again = document(chosen)
    assert kept.items() <= {path.name: path.stat().st_mtime_ns for path in chosen.folder(365).iterdir()}.items()
    assert of(again, "safe") == of(rehearsed, "safe")


def test_a_file_that_changed_is_refused(settings: Settings, tmp_path: Path) -> None:
    chosen = plan(
        mondays(LAST, LAST), override(settings, {"work": str(tmp_path)}), now=NOW, policies=["safe"], holdouts=[300]
    )
    document(chosen)
    model = chosen.folder(300) / "2018-01-08.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    with pytest.raises(DataError, match=r"2018-01-08\.onnx has changed since the rehearsal wrote it"):
        document(chosen)


def test_other_data_and_other_settings_are_kept_apart(settings: Settings, data: Path, tmp_path: Path) -> None:
    chosen = planned(settings)
    assert planned(override(settings, {"policy": "better", "tolerance": 0.1})).folder(365) == chosen.folder(365)
    assert chosen.folder(200) != chosen.folder(365)
    assert planned(override(settings, {"seed": 1})).folder(365) != chosen.folder(365)
    other = tmp_path / "ideas.csv"
    other.write_text(data.read_text().replace("S1", "S9"))
    assert planned(override(settings, {"data": f"ideas:{other}"})).folder(365) != chosen.folder(365)


def test_mondays_without_a_challenger_are_counted_and_hurt_nobody(settings: Settings) -> None:
    """The first year has too few ideas to train on."""
    early = plan(mondays(datetime(2013, 6, 3, 2, tzinfo=UTC), datetime(2013, 6, 24, 2, tzinfo=UTC)), settings, now=NOW)
    made = document(early)
    said = of(made, "safe")
    refused = [look for look in said["looks"] if look["answer"] == "refused"]
    assert 0 < len(refused) < len(said["looks"]) == 4
    assert said["weeks_under_the_floors"] >= len(refused)
    assert "training needs at least 200" in refused[0]["message"]
    assert made["holdouts"]["365"]["weeks"] == 4 - len(refused)


def test_a_policy_without_a_model_makes_nothing_and_its_weeks_count(settings: Settings) -> None:
    """No refit decides every idea as the judged model does, so none may be deployed; the references go on."""
    strict = override(settings, {"refit_disagreement": 0.0})
    days = mondays(LAST - timedelta(weeks=4), LAST)
    part = document(plan(days, strict, now=NOW, policies=["safe"], deploys=["refit"]))["holdouts"]["365"]
    said = part["policies"]["safe, refit"]
    assert (said["weeks_without"], part["weeks"], said["promotions"]) == (5, 5, 0)
    assert said["weeks_not_alike"] == 5
    assert (said["sharpe"], said["total_return"], said["return_error"], said["age_days"]) == (None, 0.0, 0.0, None)
    assert set(said["daily"]) == {0.0}
    newest = part["references"][0]
    assert newest["kept_trades"] > 0
    pair = next(each for each in part["pairs"] if (each["one"], each["other"]) == ("safe, refit", "ungated"))
    assert pair["sharpe"] is None
    assert pair["total_return"]["value"] == pytest.approx(-part["references"][2]["total_return"], abs=1e-15)


def test_a_rehearsal_without_any_model_is_refused_before_the_work(settings: Settings, tmp_path: Path) -> None:
    settings = override(settings, {"work": str(tmp_path)})
    with pytest.raises(TrainingRefused, match=r"more than 0 ideas to train on; training needs at least 200"):
        plan([datetime(2012, 9, 3, 2, tzinfo=UTC)], settings, now=NOW)
    assert list(tmp_path.iterdir()) == []


def test_a_holdout_that_fails_leaves_the_other_one(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its model is damaged on disk after it was made."""
    settings = override(settings, {"work": str(tmp_path)})
    chosen = plan(mondays(LAST, LAST), settings, now=NOW, policies=["safe"], holdouts=[300, 330])
    document(chosen)
    model = chosen.folder(300) / "2018-01-08.onnx"
    model.write_bytes(model.read_bytes()[:-1] + b"x")
    kept: list[documents.RehearsalDocument] = []
    made = rehearse(chosen, jobs=1, progress=lambda _: None, kept=kept.append)
    assert list(made.holdouts) == ["330"]
    assert "2018-01-08.onnx has changed since the rehearsal wrote it" in made.failures["300"]
    assert made.failures["300"].endswith("[data_error]")
    written = documents.as_object(made)
    assert documents.as_object(documents.read(json.dumps(written))) == written
    assert "Holdout of 300 days failed" in render(made)
    assert [list(each.holdouts) for each in kept] == [["330"]]


def test_the_report_shows_every_stream_and_stands_alone(rehearsed: dict) -> None:
    told = documents.read(json.dumps(rehearsed))
    page = render(told)
    for name in ("better", "safe", "proven", "always the newest", "never retrained", "ungated"):
        assert page.count(name) >= 2
    assert "http://" not in page and "https://" not in page and "<script" not in page
    assert page == render(told)
    assert len(page.encode()) < 500_000


@pytest.mark.parametrize(
    ("call", "fault", "said"),
    [
        (lambda _: mondays(LAST, FIRST), AsOfError, "ends on 2017-11-20, before it begins on 2018-01-08"),
        (lambda _: mondays(datetime(1800, 1, 1, tzinfo=UTC), LAST), AsOfError, "more than the limit of 5200"),
        (lambda s: planned(s, policies=["best"]), ConfigError, "policy 'best' is unknown"),
        (lambda s: planned(s, holdouts=[0]), ConfigError, "HOLDOUT_DAYS=0"),
        (lambda s: plan([datetime(2031, 1, 6, tzinfo=UTC)], s, now=NOW), AsOfError, "lies in the future"),
    ],
)
def test_what_can_not_be_rehearsed_is_refused(settings: Settings, call, fault: type, said: str) -> None:
    with pytest.raises(fault, match=said):
        call(settings)


def test_all_of_it_is_exported() -> None:
    assert set(rehearsal.__all__) == {"Plan", "mondays", "plan", "rehearse"}
