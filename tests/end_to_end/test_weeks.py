"""Weekly runs without Airflow: from data to a promoted or refused model, and every way in which one may go wrong."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from model_files import constant_model, contract_model
from promotion_steps import promote_by_hand
from weekly_data import write_ideas
from weekly_house import House, step

from gatekeeper.documents import step_output
from gatekeeper.documents.step_output import Registered
from gatekeeper.errors import DataError, EvaluationOutdated, StaleData, TrainingRefused, Unavailable
from gatekeeper.serving import Gatekeeper, load

pytestmark = pytest.mark.xdist_group("weeks")
FIRST = datetime(2016, 1, 4, 2, tzinfo=UTC)
LATER = datetime(2018, 1, 8, 2, tzinfo=UTC)


def ideas(folder: Path, edge_from: str | None) -> str:
    return write_ideas(folder / "ideas.csv", start="2012-01-02", end="2018-01-12", edge_from=edge_from, seed=7)


@pytest.fixture
def edge(tmp_path: Path) -> Iterator[House]:
    """An edge that appears in 2016, after the first model's training."""
    house = House(tmp_path, ideas(tmp_path, "2016-01-04"))
    yield house
    house.registry.close()


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str | None, bool], tuple[Path, str]]:
    """A house after its first Monday, and where wanted after the later one too: run once, never run again."""

    @cache
    def made(edge_from: str | None, later: bool) -> tuple[Path, str]:
        folder = tmp_path_factory.mktemp("lived") / "house"
        if later:
            before, data = made(edge_from, False)
            shutil.copytree(before, folder)
        else:
            folder.mkdir()
            data = ideas(folder.parent, edge_from)
        house = House(folder, data)
        assert house.week(LATER, policy="proven")["promoted"] if later else house.week(FIRST)["promoted"]
        house.registry.close()
        return folder, data

    return made


@pytest.fixture
def settle(lived: Callable[[str | None, bool], tuple[Path, str]], tmp_path: Path) -> Iterator[Callable[..., House]]:
    """A copy of its own for a test: database, models, work and reports."""
    houses: list[House] = []

    def settled(edge_from: str | None, *, later: bool = False) -> House:
        folder, data = lived(edge_from, later)
        shutil.copytree(folder, tmp_path / "house")
        houses.append(House(tmp_path / "house", data))
        return houses[-1]

    yield settled
    for house in houses:
        house.registry.close()


@pytest.fixture
def begun(settle: Callable[..., House]) -> House:
    """The edge's house after its first Monday, FIRST: model 1 is the primary."""
    return settle("2016-01-04")


@pytest.fixture
def renewed(settle: Callable[..., House]) -> House:
    """And after LATER, by `proven`: model 2 is the primary."""
    return settle("2016-01-04", later=True)


@pytest.fixture
def noise(settle: Callable[..., House]) -> House:
    """A house without an edge, after its first Monday."""
    return settle(None)


def test_a_planted_edge_is_promoted_even_by_proven(edge: House) -> None:
    first = edge.week(FIRST)
    assert (first["kind"], first["promoted"]) == ("bootstrap", True)
    later = edge.week(LATER, policy="proven")
    assert (later["verdict"], later["promoted"]) == ("promote", True)
    verdict = edge.registry.evaluations(later["model_id"])[0].document.verdict
    assert verdict.bound > 0
    scores = Gatekeeper(edge.registry).score([[75, 20, 0, 0.05, 0, 0, 1], [25, 20, 0, 0.05, 0, 0, 1]])
    assert scores.values[0] > 0.55 > scores.values[1]
    assert scores.version == f"gatekeeper_primary{later['model_id']}"


def test_without_an_edge_proven_promotes_none(noise: House) -> None:
    for week in range(0, 40, 4):
        assert not noise.week(LATER - timedelta(weeks=week), policy="proven")["promoted"]
    assert [promotion.kind for promotion in noise.registry.promotions()] == ["bootstrap"]


def test_one_sha256_from_export_to_server(edge: House) -> None:
    """The deployed bytes are the bytes that were backtested (case 10's kin)."""
    handed = edge.week(FIRST)
    evaluation = edge.registry.evaluations(handed["model_id"])[0]
    answers = load(edge.registry)
    assert handed["onnx_sha256"] == handed["sha256"] == evaluation.challenger_sha256 == answers.scorer.sha256


def test_the_same_week_twice_is_one_look(edge: House) -> None:
    """Cases 7 and 46: the same model, the same evaluation, no second promotion, the same numbers."""
    first = edge.week(FIRST)
    before = (edge.registry.models(), edge.registry.promotions(), edge.registry.evaluations())
    again = edge.week(FIRST)
    assert (edge.registry.models(), edge.registry.promotions(), edge.registry.evaluations()) == before
    assert (again["model_id"], again["evaluation_id"]) == (first["model_id"], first["evaluation_id"])


def test_a_kept_week_that_is_cleared_buys_no_second_look(noise: House) -> None:
    kept = noise.week(LATER, policy="proven")
    assert not kept["promoted"]
    assert noise.week(LATER, policy="proven")["evaluation_id"] == kept["evaluation_id"]
    assert len(noise.registry.evaluations()) == 2


def end_of(folder: Path, poison: str | None = None) -> tuple[str, Any, Any]:
    """What two weeks come to in a house whose data go on after them: as they are, or poisoned from there on."""
    data = write_ideas(folder / "ideas.csv", start="2012-01-02", end="2018-06-01", edge_from="2016-01-04", seed=7)
    frame = pd.read_csv(folder / "ideas.csv")
    future = (pd.to_datetime(frame["time"]) > LATER).to_numpy()
    known_later = (pd.to_datetime(frame["closed_at"]) > LATER).to_numpy()
    if poison == "missing":
        frame = frame[~future]
    elif poison == "absurd":
        frame.loc[future, ["rsi14", "adx14", "bbWidth"]] = np.nan
        frame.loc[known_later, "outcome"] = 1e6
    elif poison == "flipped":
        frame.loc[known_later, "outcome"] *= -1
    if poison:
        frame.to_csv(folder / "ideas.csv", index=False)
    house = House(folder, data)
    for as_of in (FIRST, LATER):
        handed = house.week(as_of)
    document = house.registry.evaluations(handed["model_id"])[0].document
    house.registry.close()
    return handed["sha256"], document.verdict, document.scorecards


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Any, Any]:
    return end_of(tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize("poison", ["missing", "absurd", "flipped"])
def test_nothing_after_the_as_of_matters(clean: tuple[str, Any, Any], tmp_path: Path, poison: str) -> None:
    """Case 34: cut off, poisoned or flipped after the as-of, the week comes to the same bytes and the same verdict."""
    assert end_of(tmp_path, poison) == clean


def test_an_older_week_is_a_what_if_and_never_promotes(renewed: House) -> None:
    """Case 44's kin: judged against the primary of its time, recorded, kept out."""
    past = renewed.week(LATER - timedelta(weeks=8), policy="better")
    assert (past["kind"], past["promoted"]) == ("what-if", False)
    evaluation = renewed.registry.evaluations(past["model_id"])[0]
    assert (evaluation.champion, evaluation.verdict) == (1, "promote")
    primary = renewed.registry.primary()
    assert primary is not None
    assert primary.id == 2


def test_the_same_as_of_with_other_parameters_is_another_look_and_a_what_if(renewed: House) -> None:
    """What was promoted once for a Monday isn't replaced by trying again with other settings."""
    other = renewed.week(LATER, policy="better", seed=3, holdout_days=300)
    assert (other["kind"], other["promoted"]) == ("what-if", False)
    assert renewed.registry.generation() == 2


def test_a_verdict_of_recovery_ends_with_the_recovery(begun: House) -> None:
    """The primary is back between judgement and promotion: the challenger has to beat it, not the fallback."""
    good = begun.week(LATER - timedelta(weeks=1), policy="proven")
    files = begun.files_of(good["model_id"])
    bytes_of = {file: file.read_bytes() for file in files}
    for file in files:
        file.unlink()
    run, handed = begun.until("backtest", LATER)
    assert (handed["kind"], handed["verdict"]) == ("recovery", "promote")
    for file, content in bytes_of.items():
        file.write_bytes(content)
    ended = step("promote", run, begun.registry, handed)
    assert ended["kind"] == "weekly"
    assert begun.registry.evaluations(handed["model_id"])[0].champion == good["model_id"]
    reports = {evaluation.report for evaluation in begun.registry.evaluations(handed["model_id"])}
    assert len(reports) == 2
    assert all(Path(str(report)).exists() for report in reports)


def test_two_runs_of_one_week_leave_each_other_alone(edge: House) -> None:
    """A backfill ignores max_active_runs: the second retrain comes while the first run still needs its estimator."""
    run, first = edge.until("retrain", FIRST)
    second = step("retrain", run, edge.registry, {})
    exported = [step("export_onnx", run, edge.registry, handed) for handed in (first, second)]
    assert exported[0]["onnx_sha256"] == exported[1]["onnx_sha256"]


def test_a_hold_lets_weeks_judge_and_promotes_nothing(begun: House) -> None:
    begun.registry.hold(actor="test", reason="audit week")
    held = begun.week(LATER, policy="proven")
    assert (held["verdict"], held["promoted"], "audit week" in held["summary"]) == ("promote", False, True)
    begun.registry.release(actor="test")
    assert begun.week(LATER, policy="proven")["promoted"]


def test_what_was_rolled_back_stays_out(renewed: House) -> None:
    """Case 56: clearing the old task brings nothing back."""
    renewed.registry.rollback(actor="test", reason="it lost money")
    renewed.week(LATER, policy="proven")
    primary = renewed.registry.primary()
    assert primary is not None
    assert primary.id == 1
    assert not renewed.week(LATER, policy="proven", margin=0.001)["promoted"]


def test_a_week_that_comes_again_claims_no_act_of_another(renewed: House) -> None:
    """The model of the first week is the primary again, by a rollback: this run made the promotion before that."""
    renewed.registry.rollback(actor="ann", reason="it lost money")
    again = renewed.week(FIRST)
    assert (again["promoted"], again["generation"], renewed.registry.generation()) == (True, 1, 3)
    assert again["effect"] == "Promoted gatekeeper_primary1 (generation 1), there was no primary."


def test_a_week_whose_model_another_act_promoted_says_so(edge: House) -> None:
    run, handed = edge.until("backtest", FIRST)
    edge.registry.promote(int(handed["model_id"]), actor="ann", reason="by hand")
    ended = step("promote", run, edge.registry, handed)
    assert (ended["promoted"], edge.registry.generation()) == (False, 1)
    assert ended["effect"].startswith("Nothing was promoted: ")


def test_bytes_changed_after_the_evaluation_are_not_promoted(begun: House) -> None:
    """Case 10."""
    run, handed = begun.until("backtest", LATER, policy="proven")
    named, _ = begun.files_of(handed["model_id"])
    named.chmod(0o644)
    named.write_bytes(constant_model(0.9))
    with pytest.raises(EvaluationOutdated, match="no longer holds the bytes"):
        step("promote", run, begun.registry, handed)
    assert begun.registry.generation() == 1


def test_a_primary_that_moved_is_judged_again_as_the_same_look(begun: House) -> None:
    run, handed = begun.until("backtest", LATER, policy="proven")
    other = begun.registry.register(contract_model([0.001, 0, 0, 0, 0, 0, 0], 0.3), trained_to=FIRST)
    promote_by_hand(begun.registry, other.id, FIRST + timedelta(days=1))
    ended = step("promote", run, begun.registry, handed)
    evaluations = begun.registry.evaluations(handed["model_id"])
    assert [(e.champion, e.run_key == run.key) for e in evaluations] == [(other.id, True), (1, True)]
    assert ended["promoted"] == (evaluations[0].verdict == "promote")


def test_a_later_week_that_goes_first_makes_this_one_a_what_if(begun: House) -> None:
    """Case 44, between judgement and promotion."""
    run, handed = begun.until("backtest", LATER - timedelta(weeks=1), policy="proven")
    assert handed["verdict"] == "promote"
    assert begun.week(LATER, policy="proven")["promoted"]
    ended = step("promote", run, begun.registry, handed)
    assert (ended["kind"], ended["promoted"]) == ("what-if", False)
    assert begun.registry.generation() == 2


def test_the_primary_itself_is_no_challenger(noise: House) -> None:
    """Case 50: the same bytes decide alike, by their sha256 alone; p is null."""
    content = Path(noise.files_of(1)[1]).read_bytes()
    run, handed = noise.until("export_onnx", LATER)
    Path(handed["onnx"]).write_bytes(content)
    handed = {**handed, "onnx_sha256": str(noise.registry.model(1).sha256)}
    for name in ("register", "backtest", "promote"):
        handed = step(name, run, noise.registry, handed)
    verdict = noise.registry.evaluations(handed["model_id"])[0].document.verdict
    assert (verdict.answer, [gate.name for gate in verdict.gates], verdict.p) == (
        "keep",
        ["distinct"],
        None,
    )
    assert "same decisions" in verdict.message


def test_a_lost_name_is_put_back_from_its_blob(noise: House) -> None:
    named, blob = noise.files_of(1)
    named.unlink()
    assert noise.week(LATER)["kind"] == "weekly"
    primary = noise.registry.primary()
    assert primary is not None
    assert noise.files_of(1)[0].read_bytes() == blob.read_bytes()


def test_a_primary_that_is_gone_is_replaced_by_recovery(begun: House) -> None:
    """Judged against the model that servers fall back to."""
    worse = begun.registry.register(contract_model([0, 0, 0, 0, 0, 0, 0.01], 0.4), trained_to=FIRST)
    promote_by_hand(begun.registry, worse.id, FIRST + timedelta(days=1))
    for file in begun.files_of(worse.id):
        file.unlink()
    ended = begun.week(LATER, policy="proven")
    assert (ended["kind"], ended["promoted"]) == ("recovery", True)
    assert begun.registry.evaluations(ended["model_id"])[0].champion == 1
    assert load(begun.registry).fallback == "primary"


def test_a_store_that_is_away_promotes_nothing(begun: House) -> None:
    """Case 57: a failure that retries, never an unjudged model."""
    run, handed = begun.until("register", LATER, policy="proven")
    models, away = begun.folder / "models", begun.folder / "away"
    models.rename(away)
    with pytest.raises(Unavailable) as fault:
        step("backtest", run, begun.registry, handed)
    assert fault.value.retryable
    away.rename(models)
    assert begun.registry.generation() == 1
    for name in ("backtest", "promote"):
        handed = step(name, run, begun.registry, handed)
    assert handed["promoted"]


def test_work_that_was_lost_is_made_again_only_where_it_comes_out_the_same(edge: House) -> None:
    run, handed = edge.until("register", FIRST)
    Path(handed["dataset"]).unlink()
    assert step("backtest", run, edge.registry, handed)["verdict"] == "promote"
    data = Path(edge.settings.data.reveal().removeprefix("ideas:"))
    frame = pd.read_csv(data)
    frame.loc[0, "outcome"] *= 2
    frame.to_csv(data, index=False)
    run, handed = replace(run), {**handed}
    edge.registry.hold(actor="test", reason="so that nothing is promoted")
    with pytest.raises(DataError, match="clear the run from `retrain` on"):
        from gatekeeper.pipeline.weekly.workspace import dataset_of

        dataset_of(run, step_output.read(handed, Registered, "register", run.key))


def test_a_model_that_was_lost_before_it_was_registered_is_named(edge: House) -> None:
    """As if the next step ran on a machine without the shared folder."""
    run, handed = edge.until("export_onnx", FIRST)
    place = Path(handed["onnx"])
    place.unlink()
    with pytest.raises(DataError) as refused:
        step("register", run, edge.registry, handed)
    assert str(refused.value) == (
        f"{place}, which export_onnx wrote, can't be read (No such file or directory): all workers must share "
        "GATEKEEPER_WORK; clear the run from `export_onnx` on"
    )
    assert edge.registry.models() == []


def test_a_dead_feed_is_an_error_that_says_how_old(edge: House) -> None:
    """Case 59."""
    with pytest.raises(StaleData, match=r"\d+ days"):
        edge.week(datetime(2018, 3, 5, 2, tzinfo=UTC))
    assert edge.registry.models() == []


def test_one_class_is_refused_before_training(edge: House) -> None:
    """Case 19, with the counts."""
    data = Path(edge.settings.data.reveal().removeprefix("ideas:"))
    frame = pd.read_csv(data)
    frame["outcome"] = frame["outcome"].abs() + 0.001
    frame.to_csv(data, index=False)
    with pytest.raises(TrainingRefused, match="0 lost"):
        edge.week(FIRST)
    assert edge.registry.models() == []


def test_a_missing_file_of_ideas_is_an_error(edge: House) -> None:
    """Case 39: nothing is made up."""
    Path(edge.settings.data.reveal().removeprefix("ideas:")).unlink()
    with pytest.raises(DataError, match=r"ideas\.csv"):
        edge.week(FIRST)
    assert edge.registry.models() == []


def test_a_folder_that_can_not_be_written_leaves_all_as_it_was(begun: House) -> None:
    reports = begun.folder / "reports"
    for file in reports.iterdir():
        file.unlink()
    reports.rmdir()
    reports.write_text("a file where the folder should be")
    with pytest.raises(Unavailable, match="reports"):
        begun.week(LATER)
    assert len(begun.registry.evaluations()) == 1
    assert begun.registry.generation() == 1
