"""Ages of a rehearsal's models: by the weeks that it has trained, each idea by a model that knew nothing of it."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd
import pytest
from msgspec import structs
from weekly_data import write_ideas
from weekly_house import NOW

from gatekeeper import config
from gatekeeper.documents import rehearsal as documents
from gatekeeper.errors import ConfigError, TrainingRefused
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import instant
from gatekeeper.rehearsal import mondays, plan, rehearse
from gatekeeper.rehearsal.model_ages import _stage, _trained, _week_of, measured, trainings
from gatekeeper.rehearsal.plan import Plan
from gatekeeper.rehearsal.report import render

pytestmark = pytest.mark.xdist_group("ages")  # what its tests share is made once

FIRST, LAST = datetime(2016, 10, 3, 2, tzinfo=UTC), datetime(2018, 1, 8, 2, tzinfo=UTC)
WEEKS, HOLDOUT = 67, timedelta(days=91)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("ages")


@pytest.fixture(scope="module")
def chosen(place: Path) -> Plan:
    data = write_ideas(place / "ideas.csv", start="2014-01-06", end="2018-01-12", edge_from="2014-01-01", seed=3)
    own = {"recipe": "logistic", "work": str(place / "work"), "holdout_days": 91, "accept": ("knows:rsi14",)}
    settings = config.load({"data": data, **own})
    return plan(mondays(FIRST, LAST), settings, now=NOW, policies=["better"])


@pytest.fixture(scope="module")
def rehearsed(chosen: Plan) -> documents.RehearsalDocument:
    return rehearse(chosen, jobs=1, progress=lambda _: None)


def test_no_week_is_trained_anew(chosen: Plan, rehearsed: documents.RehearsalDocument) -> None:
    folder = chosen.folder(91)
    before = {each.name: each.stat().st_mtime_ns for each in folder.iterdir()}
    ready: list[None] = []
    found = measured(trainings(replace(chosen, starts=1), [], []), jobs=1, progress=lambda: ready.append(None))
    assert {each.name: each.stat().st_mtime_ns for each in folder.iterdir()} == before
    assert len(ready) == found.models == WEEKS
    (training,) = found.trainings
    (curve,) = training.curves
    assert (found.oldest_weeks, training.train_years, training.refusal) == (13, None, None)
    # Twelve weeks older than the first model's training, to a week after the last one's, on a Monday.
    begins = FIRST - HOLDOUT + timedelta(weeks=12)
    came = pd.read_csv(chosen.settings.data.reveal().removeprefix("ideas:"), parse_dates=["time"])["time"]
    inside = (came >= begins) & (came < LAST - HOLDOUT + timedelta(weeks=1))
    assert (curve.begins, curve.ideas) == (f"{begins:%Y-%m-%d}", inside.sum())
    assert [(each.since_weeks, each.until_weeks) for each in curve.bins] == [(0, 13)]
    assert curve.newest > 2  # the edge is plain
    assert not curve.slope.separable  # and stays


def test_each_decision_is_that_of_a_model_trained_so_long_before(chosen: Plan) -> None:
    """By onnxruntime on the file of each week; none has seen an outcome from after its idea came."""
    stage = _stage(chosen)
    number = _week_of(chosen, stage.ideas)
    found = _trained(chosen, stage, number, 1, lambda: None)
    assert sorted(found.decide) == list(range(WEEKS))
    for week in (0, 30, WEEKS - 1):
        as_of = FIRST + timedelta(weeks=week)
        later = np.flatnonzero((number >= week) & (number < week + 104))
        assert (stage.ideas.time[later] >= instant(as_of - HOLDOUT)).all()
        session = onnxruntime.InferenceSession(chosen.folder(91) / f"{as_of:%Y-%m-%d}.onnx")
        rows = {session.get_inputs()[0].name: stage.ideas.features[later].reshape(-1, len(FEATURES))}
        (score,) = session.run(["score"], rows)
        assert (found.decide[week][later] == (score >= 0.55)).all()
        assert 0 < found.decide[week].sum() < len(later)
        assert not found.decide[week][number < week].any()
        facts = session.get_modelmeta().custom_metadata_map
        assert datetime.fromisoformat(facts["trained_to"]) <= as_of - HOLDOUT


def test_outcomes_after_a_models_training_change_none_of_its_decisions(chosen: Plan, tmp_path: Path) -> None:
    """No look-ahead: with all outcomes from March 2017 on turned round, models trained before decide as they did."""
    frame = pd.read_csv(chosen.settings.data.reveal().removeprefix("ideas:"), parse_dates=["time"])
    late = frame["time"] >= pd.Timestamp("2017-03-01", tz="UTC")
    frame.loc[late, "outcome"] *= -1
    frame.to_csv(tmp_path / "ideas.csv", index=False)
    changes = {"data": f"ideas:{tmp_path / 'ideas.csv'}", "work": str(tmp_path / "work")}
    as_ofs = chosen.as_ofs[20:36]  # trained up to 2016-11-21 and on to 2017-03-06
    there = plan(as_ofs, config.override(chosen.settings, changes), now=NOW, policies=["better"])
    here = replace(chosen, as_ofs=as_ofs)
    decided = []
    for each in (here, there):
        stage = _stage(each)
        decided.append(_trained(each, stage, _week_of(each, stage.ideas), 1, lambda: None).decide)
    for week in range(14):  # of the last, what was known a longest hold before is the same as well
        assert np.array_equal(decided[0][week], decided[1][week])


def test_trainings_stand_side_by_side_in_document_and_page(
    chosen: Plan, rehearsed: documents.RehearsalDocument
) -> None:
    """A window of two years has models for all weeks; one of a month for none, and says why."""
    plans = trainings(chosen, [2.0, 0.1], [])
    assert [each.settings.train_years for each in plans] == [None, 2.0, 0.1]
    assert len({each.folder(91) for each in plans}) == 3
    found = measured(plans, jobs=1)
    own, shorter, hopeless = found.trainings
    assert own.curves[0].over_first is None
    assert shorter.curves[0].over_first.value == pytest.approx(shorter.curves[0].newest - own.curves[0].newest)
    assert shorter.curves[0].over_first.error < shorter.curves[0].newest_error
    assert [each.begins for each in own.curves] == [each.begins for each in shorter.curves]
    assert len(own.curves) == 1  # a later start leaves less than a year
    assert hopeless.curves == []
    assert "Raise GATEKEEPER_TRAIN_YEARS=0.1" in hopeless.refusal
    document = documents.read(json.dumps(documents.as_object(structs.replace(rehearsed, ageing=found))))
    assert document.ageing == found
    page = render(document)
    for words in (
        "Trained on ideas of the last 2 years",
        "0 to 13 weeks old",
        "change with each year of age",
        hopeless.refusal,
    ):
        assert words in page
    assert "What ageing costs" not in render(rehearsed)


def test_windows_and_half_lives_are_crossed(chosen: Plan) -> None:
    plans = trainings(chosen, [5.0, 2.0, 5.0], [365.0])
    assert [(each.settings.train_years, each.settings.half_life_days) for each in plans] == [
        (None, None), (None, 365), (5, None), (5, 365), (2, None), (2, 365)
    ]  # fmt: skip
    with pytest.raises(ConfigError, match="GATEKEEPER_HALF_LIFE_DAYS=0"):
        trainings(chosen, [], [0.0])


def test_what_can_not_be_measured_is_refused(chosen: Plan) -> None:
    few = replace(chosen, as_ofs=chosen.as_ofs[:10])
    with pytest.raises(TrainingRefused, match="10 weeks have a model; an ageing curve needs at least 64"):
        measured([few], jobs=1)
    with pytest.raises(TrainingRefused, match=r"no week of the rehearsal has a model to age; .*GATEKEEPER_TRAIN_YEARS"):
        measured(trainings(few, [0.1], [])[1:], jobs=1)
