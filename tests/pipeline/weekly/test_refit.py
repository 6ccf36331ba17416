"""Weekly runs that deploy the refit of the judged model."""

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from model_files import contract_model
from msgspec import structs
from registry_site import OWN
from weekly_data import write_ideas
from weekly_house import NOW, House, step

from gatekeeper import config, rehearsal
from gatekeeper.documents.evaluation import LiveModel, Twins
from gatekeeper.documents.receipt import serialized
from gatekeeper.features import FEATURES
from gatekeeper.judgement.report.recheck import differences, judged_again
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.registry import Evaluation, Model
from gatekeeper.registry.views import proof
from gatekeeper.rehearsal import report as rehearsal_report
from gatekeeper.serving import Gatekeeper, load

pytestmark = pytest.mark.xdist_group("refit")  # what its tests share is made once

FIRST, SECOND = datetime(2017, 5, 1, 2, tzinfo=UTC), datetime(2018, 1, 1, 2, tzinfo=UTC)
THIRD = datetime(2018, 1, 8, 2, tzinfo=UTC)
HOLDOUT, HOLD = timedelta(days=130), timedelta(days=21)


def put(house: House, **changes: object) -> House:
    """With other settings from here on; refits, and a policy that any gain satisfies, unless said otherwise."""
    house.settings = config.override(
        house.settings,
        {"deploy": "refit", "holdout_days": HOLDOUT.days, "policy": "better", "refit_disagreement": 0.3} | changes,
    )
    return house


@pytest.fixture(scope="module")
def lived(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Two Mondays: model 2 went in as the refit of model 1, then model 4 as that of model 3."""
    folder = tmp_path_factory.mktemp("lived")
    data = write_ideas(folder / "ideas.csv", start="2016-03-01", end="2018-06-29", edge_from="2016-01-01", seed=5)
    (folder / "2").mkdir()
    for number, monday in enumerate((FIRST, SECOND)):
        house = put(House(folder / "2", data))
        assert house.week(monday)["promoted"]
        house.registry.close()
        if number == 0:
            shutil.copytree(folder / "2", folder / "1")
    return folder, data


@pytest.fixture
def settle(lived: tuple[Path, str], tmp_path: Path) -> Iterator[Callable[[int], House]]:
    """A copy of its own for a test, after so many Mondays."""
    houses: list[House] = []

    def settled(mondays: int) -> House:
        shutil.copytree(lived[0] / str(mondays), tmp_path / "house")
        houses.append(put(House(tmp_path / "house", lived[1])))
        return houses[-1]

    yield settled
    for house in houses:
        house.registry.close()


@pytest.fixture
def begun(settle: Callable[[int], House]) -> House:
    """After the first Monday."""
    return settle(1)


@pytest.fixture
def house(settle: Callable[[int], House]) -> House:
    """After both."""
    return settle(2)


@pytest.fixture(scope="module")
def frame(lived: tuple[Path, str]) -> pd.DataFrame:
    """The ideas, straight from the file."""
    return pd.read_csv(lived[1].partition(":")[2], parse_dates=["time", "closed_at"])


def newest(house: House) -> Evaluation:
    return house.registry.evaluations()[0]


def kept(house: House, model: Model, ideas: pd.DataFrame) -> np.ndarray:
    """By the runtime itself."""
    action = (ideas["action"] == "buy").astype(float)
    rows = np.column_stack([*(ideas[name] for name in FEATURES[:-1]), action]).astype(np.float32)
    session = onnxruntime.InferenceSession(house.registry.model_bytes(model))
    return session.run(["score"], {"input": rows})[0] >= np.float32(0.55)


def test_each_learns_from_what_its_cut_off_knows(house: House, frame: pd.DataFrame) -> None:
    """By pandas: started a longest hold before the cut-off, and closed by it; never later."""
    for model_id, as_of, cutoff in (
        (1, FIRST, FIRST - HOLDOUT), (2, FIRST, FIRST), (3, SECOND, SECOND - HOLDOUT), (4, SECOND, SECOND),
    ):  # fmt: skip
        model = house.registry.model(model_id)
        known = frame[(frame.time <= cutoff - HOLD) & (frame.closed_at <= cutoff)]
        assert (model.trained_from, model.trained_to) == (known.time.min(), known.closed_at.max())
        assert (model.cutoff, f"{len(known)} ideas" in model.description) == (cutoff, True)
        assert model.trained_to <= as_of
    judged_models = [house.registry.judged_model(number) for number in (1, 2, 3, 4)]
    assert [model and model.id for model in judged_models] == [None, 1, None, 3]


def test_what_comes_after_the_as_of_changes_no_byte_of_either(
    house: House, frame: pd.DataFrame, tmp_path: Path
) -> None:
    """Case 34: what the first two Mondays could not know is poisoned, what was open then is cut off."""
    known = frame[frame.closed_at <= SECOND]
    poison = frame[frame.closed_at > SECOND].assign(outcome=0.9, rsi14=1.0)
    later = poison.assign(time=poison.time + timedelta(days=9), closed_at=poison.closed_at + timedelta(days=9))
    pd.concat([known, later]).sample(frac=1.0, random_state=3).to_csv(tmp_path / "ideas.csv", index=False)
    other = put(house, data=f"ideas:{tmp_path / 'ideas.csv'}", work=str(tmp_path / "work"))
    _, handed = other.until("export_onnx", SECOND)
    made = handed["onnx_sha256"], handed["refit"]["onnx_sha256"]
    assert made == (house.registry.model(3).sha256, house.registry.model(4).sha256)


def test_twins_face_twins_and_the_refit_goes_live(house: House) -> None:
    """Both out of sample: the window is the holdout's, though the live model has seen far into it."""
    first, second = house.registry.evaluations()[::-1]
    assert (first.challenger, first.champion, first.deploys_id, first.kind) == (1, None, 2, "bootstrap")
    assert (second.challenger, second.champion, second.deploys_id, second.kind) == (3, 1, 4, "weekly")
    window = second.document.window
    assert window.bound_by == "the holdout"
    assert window.start == SECOND - HOLDOUT + timedelta(days=21)
    assert [promotion.to_id for promotion in house.registry.promotions()] == [4, 2]
    live = house.registry.primary()
    assert live is not None
    assert live.id == 4 and load(house.registry).scorer.sha256 == live.sha256 == second.deploys
    # Who is live is who was faced, whatever was judged in its stead.
    assert (second.champion_sha256, second.faced) == (house.registry.model(1).sha256, house.registry.model(2).sha256)


def test_the_share_is_that_of_the_runtime(house: House, frame: pd.DataFrame) -> None:
    for evaluation in house.registry.evaluations():
        window = evaluation.document.window
        ideas = frame[(frame.time >= window.start) & (frame.time <= window.end)]
        refit = house.registry.model(evaluation.deploys_id)
        twin = house.registry.model(evaluation.challenger)
        fresh, judged = kept(house, refit, ideas), kept(house, twin, ideas)
        said = evaluation.document.refit
        assert said is not None
        assert said.sha256 == refit.sha256
        assert (said.both_kept, said.only_refit, said.only_twin, said.both_vetoed) == (
            (fresh & judged).sum(), (fresh & ~judged).sum(), (~fresh & judged).sum(), (~fresh & ~judged).sum(),
        )  # fmt: skip
        gate = evaluation.document.verdict.gate("alike")
        assert (gate.name, gate.numbers["share"]) == ("alike", float(np.mean(fresh != judged)))
        assert 0 < gate.numbers["share"] <= 0.3


def test_both_sha256_stand_in_the_record(house: House) -> None:
    evaluation, promotion = newest(house), house.registry.promotions()[0]
    twin, refit = house.registry.model(3).sha256, house.registry.model(4).sha256
    assert (evaluation.challenger_sha256, promotion.sha256, promotion.evaluation_id) == (twin, refit, evaluation.id)
    page = Path(str(evaluation.report)).read_text()
    assert str(twin) in page and str(refit) in page
    assert "Deployed refit or judged model" in page and "byte for byte" not in page
    receipt = json.loads(house.registry.receipt(4))
    assert (receipt["model"]["sha256"], receipt["twin"]["sha256"]) == (refit, twin)
    for model_id in (1, 2, 3, 4):
        assert proof.faults(house.registry.receipt(model_id)) == []


def test_a_refit_that_decides_otherwise_stays_out(begun: House, lived: tuple[Path, str]) -> None:
    """One idea less is allowed than it decides otherwise; where as many are, it went in (`lived`)."""
    then = put(House(lived[0] / "2", lived[1]))
    numbers = newest(then).document.verdict.gate("alike").numbers
    then.registry.close()
    limit = (numbers["differing"] - 1) / numbers["ideas"]
    ended = put(begun, refit_disagreement=limit).week(SECOND)
    assert not ended["promoted"]
    verdict, document = newest(begun).document.verdict, newest(begun).document
    assert (verdict.answer, verdict.decided_by, verdict.alert) == ("keep", "alike", False)
    assert [gate.name for gate in verdict.gates if not gate.passed] == ["alike"]
    assert f"decides {numbers['differing']} of {numbers['ideas']} ideas differently" in verdict.message
    assert "GATEKEEPER_REFIT_DISAGREEMENT" in verdict.message
    assert judged_again(document)[0] == verdict
    assert {said.answer for said in document.policies.values()} <= {"keep", "undecided"}


def test_the_same_week_twice_is_one_look(house: House) -> None:
    """Cases 7 and 46."""
    before = house.registry.models(), house.registry.promotions(), house.registry.evaluations()
    again = house.week(SECOND)
    assert (house.registry.models(), house.registry.promotions(), house.registry.evaluations()) == before
    assert (again["model_id"], again["promoted_id"], again["promoted"]) == (3, 4, True)


def test_what_the_look_compared_goes_live_and_no_later_refit(begun: House) -> None:
    """The data of the last weeks were mended after the judgement: that evaluation compared another refit."""
    run, handed = begun.until("backtest", SECOND)
    assert handed["verdict"] == "promote"
    other = begun.registry.register(contract_model([0.01] * 7), details=OWN, judged_model=handed["model_id"])
    ended = step("promote", run, begun.registry, {**handed, "refit": {**handed["refit"], "model_id": other.id}})
    assert (ended["promoted_id"], ended["promoted"]) == (handed["refit"]["model_id"], True)


def test_a_lost_twin_leaves_the_refit_to_be_faced_in_what_is_left(house: House) -> None:
    """Nothing is judged on what one of the two has seen: the window starts later, and says when it will do."""
    for file in house.files_of(3):
        file.unlink()
    ended = house.week(THIRD)
    assert (ended["verdict"], ended["promoted"]) == ("undecided", False)
    evaluation = newest(house)
    assert (evaluation.champion, evaluation.champion_sha256) == (4, house.registry.model(4).sha256)
    window = evaluation.document.window
    assert window.bound_by == "the data of gatekeeper_primary4"
    assert window.start > house.registry.model(4).trained_to + timedelta(days=20)
    assert window.ready is not None


def test_a_past_week_faces_the_twin_of_its_time(house: House) -> None:
    """Case 44's kin, and judged bytes instead of refits from one week to the next."""
    past = put(house, deploy="judged").week(SECOND - timedelta(weeks=2))
    evaluation = house.registry.evaluations(past["model_id"])[0]
    assert (past["kind"], past["promoted"], evaluation.champion) == ("what-if", False, 1)
    assert evaluation.document.twins == Twins(None, newest_refit(house, 2))
    assert evaluation.refit is None and "alike" not in [gate.name for gate in evaluation.document.verdict.gates]
    assert differences(evaluation.document) == []
    assert "refit" not in past


def newest_refit(house: House, model_id: int) -> LiveModel:
    """As a document names a live refit; `name` is what it was called then."""
    model = house.registry.model(model_id)
    return LiveModel(model.version, model.sha256, model.threshold, model.trained_to, model.id)


def test_when_the_live_refit_is_lost_its_twin_comes_after_those_that_were_live(house: House) -> None:
    """The order of trust: an earlier primary first, then what was judged; never one that was rolled back from."""
    files = house.files_of(4)
    for file in files:
        file.unlink()
    assert (Gatekeeper(house.registry).score([[50, 20, 0, 0.05, 0, 0, 1]]).version) == "gatekeeper_2"
    for file in house.files_of(2):
        file.unlink()
    assert load(house.registry).model.id == 3


def test_the_daily_look_at_a_refit_goes_by_its_twins_backtest(house: House) -> None:
    seen = monitor(SECOND + timedelta(weeks=20), house.registry, house.settings, now=NOW).check
    assert seen is not None
    evaluation, document = newest(house), seen.document
    assert (document.primary.model_id, document.before.model_id) == (4, 2)
    assert (document.evaluation, document.breaker.backtest_days) == (
        evaluation.id, len(evaluation.document.days),
    )  # fmt: skip
    assert document.gain.measured == evaluation.document.verdict.gain
    assert document.drift.drifted == ()


def test_a_rehearsal_says_what_these_weeks_said(house: House, tmp_path: Path) -> None:
    """And with whom live: of the same weeks made once, what was judged and what was fitted on all that was known."""
    settings = config.override(house.settings, {"work": str(tmp_path / "work")})
    judged = rehearsal.plan([FIRST, SECOND], settings, now=NOW, policies=["better"], deploys=["judged"])
    alone = rehearsal.rehearse(judged, jobs=1, progress=lambda _: None).holdouts["130"]
    both = rehearsal.plan([FIRST, SECOND], settings, now=NOW, policies=["better"], deploys=["refit", "judged"])
    document = rehearsal.rehearse(both, jobs=1, progress=lambda _: None)
    part = document.holdouts["130"]
    old, fresh = part.policies["better"], part.policies["better, refit"]
    assert structs.replace(alone.policies["better"], waiting_cost=old.waiting_cost) == old
    for look, evaluation in zip(fresh.looks, house.registry.evaluations()[::-1], strict=True):
        verdict = evaluation.document.verdict
        assert (look.as_of, look.promoted) == (evaluation.as_of, True)
        assert (look.answer, look.decided_by) == (verdict.answer, verdict.decided_by)
        assert (look.gain, look.bound) == (verdict.gain, verdict.bound)
    ages = {
        name: np.mean([(as_of - house.registry.model(number).trained_to) / timedelta(days=1) for as_of, number in live])
        for name, live in {"better": ((FIRST, 1), (SECOND, 3)), "better, refit": ((FIRST, 2), (SECOND, 4))}.items()
    }
    assert {name: each.age_days for name, each in part.policies.items()} == pytest.approx(ages, abs=1e-9)
    assert fresh.refit_gain == pytest.approx(fresh.sharpe - old.sharpe, abs=1e-12)
    assert (fresh.kept_trades, fresh.refit_gain_error) == (2, None), "draws of days without a trade have no Sharpe"
    assert (old.refit_gain, fresh.weeks_not_alike, fresh.weeks_without) == (None, 0, 0)
    assert [each.name for each in part.references][-1] == "always the newest, refit"
    page = rehearsal_report.render(document)
    assert page.count("Deployed refit or judged model") == 1 and "better, refit" in page


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda read: said(read).update(only_refit=said(read)["only_refit"] + 1), "the refit decided"),
        (lambda read: said(read).update(both_kept=said(read)["both_kept"] + 1), "the judged model approved"),
        (lambda read: said(read).update(limit=0.001), "the gates say"),
        (lambda read: said(read).update(sha256="0" * 64), "compared its judged model with other bytes"),
        (lambda read: read["twin"].update(sha256="0" * 64), "judged other bytes than its judged model's"),
        (lambda read: read.pop("twin"), "judged other bytes than its model's"),
        (lambda read: read["history"][-1].update(sha256="0" * 64), "deployed other bytes"),
    ],
)
def test_a_receipt_that_tells_of_other_twins_is_found(
    house: House, change: Callable[[dict], object], told: str
) -> None:
    """Written anew with a digest that fits, so that only what it says gives it away."""
    read = json.loads(house.registry.receipt(4))
    change(read)
    read["digest"] = proof.digest(read)
    assert any(told in fault for fault in proof.faults(serialized(read)))


def said(read: dict) -> dict:
    return read["evaluation"]["document"]["twins"]["challenger"]
