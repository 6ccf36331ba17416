"""Shadow of standby models: its figures against pandas, who is in it, and that it knows nothing of the future."""

import shutil
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from after_the_as_of import AS_IT_IS, Poison, poisons
from hypothesis import given
from hypothesis import settings as budget
from model_files import constant_model, contract_model
from promotion_steps import by_hand_as_of
from sqlalchemy import create_engine, text
from weekly_house import NOW, House

from gatekeeper import config
from gatekeeper.documents import check
from gatekeeper.documents.check import Shadow
from gatekeeper.features import FEATURES
from gatekeeper.pipeline.monitoring import standby_models
from gatekeeper.pipeline.monitoring.monitor import monitor
from gatekeeper.registry.promotion.checks import Check

pytestmark = pytest.mark.xdist_group("monitor")  # the house of conftest is made once
MONDAY = datetime(2018, 6, 4, 2, tzinfo=UTC)  # the primary's promotion, of conftest
AS_OF = datetime(2018, 12, 3, 4, 30, tzinfo=UTC)
FIRST = datetime(2012, 1, 1, tzinfo=UTC)  # its training data end here


def look(house: House, as_of: datetime = AS_OF, **changes: object) -> Check:
    seen = monitor(as_of, house.registry, config.override(house.settings, changes), now=NOW).check
    assert seen is not None
    return seen


def live_frame(data: str) -> pd.DataFrame:
    """The ideas since the promotion that had started a longest hold before the as-of, straight from the file."""
    frame = pd.read_csv(data.partition(":")[2], parse_dates=["time", "closed_at"])
    return frame[(frame["time"] >= MONDAY) & (frame["time"] <= AS_OF - timedelta(days=21))].reset_index(drop=True)


def shadow(house: House, as_of: datetime = AS_OF, **changes: object) -> Shadow:
    seen = look(house, as_of, **changes)
    assert seen.document.shadow is not None
    return seen.document.shadow


def created(house: House, at: datetime) -> None:
    """As if every model had been registered then."""
    with create_engine(house.settings.db.reveal()).begin() as connection:
        connection.execute(text('UPDATE "RLModel" SET "createdAt" = :at'), {"at": f"{at:%Y-%m-%d %H:%M:%S}"})


def test_the_figures_are_those_of_pandas(house: House, data: str) -> None:
    """Model 1 lets everything through: on the days since both exist it makes what ungated makes."""
    created(house, MONDAY + timedelta(days=14))
    (seen,) = shadow(house).models
    assert (seen.model.model_id, seen.since) == (1, MONDAY + timedelta(days=14))
    frame = live_frame(data)
    frame = frame[frame["time"] >= seen.since].reset_index(drop=True)
    assert (seen.ideas, seen.approved, seen.gain_ideas) == (len(frame), len(frame), len(frame))
    assert seen.total_return == pytest.approx(0.05 * frame["outcome"].sum(), abs=1e-12)
    days = pd.date_range(seen.since.date(), (AS_OF - timedelta(days=1)).date())
    booked = (0.05 * frame["outcome"]).groupby(frame["closed_at"].dt.date).sum()
    daily = booked.set_axis(pd.to_datetime(booked.index)).reindex(days, fill_value=0.0)
    assert seen.days == len(daily)
    assert seen.total_return_error == pytest.approx(daily.std(ddof=1) * len(daily) ** 0.5)
    assert seen.sharpe == pytest.approx(daily.mean() / daily.std(ddof=1) * 365**0.5, abs=1e-9)
    sharpe, skew, kurtosis = daily.mean() / daily.std(ddof=1), daily.skew(), daily.kurt() + 3
    variance = (1 - skew * sharpe + (kurtosis - 1) / 4 * sharpe**2) / (len(daily) - 1) * 365
    assert seen.sharpe_error == pytest.approx(variance**0.5, rel=0.01)  # pandas' moments are the unbiased ones


def test_one_older_than_the_primary_is_compared_since_both_exist(house: House) -> None:
    """Its own figures go further back; its gain is the negative of what the primary has over it."""
    created(house, MONDAY - timedelta(days=60))
    seen = look(house)
    assert seen.document.shadow is not None
    (first,) = seen.document.shadow.models
    gain = seen.document.gain
    assert first.ideas > first.gain_ideas == seen.document.scorecards.primary.ideas
    assert first.gain == pytest.approx(-gain.realised)
    assert first.gain_error == pytest.approx(gain.realised_error)


def test_who_stands_by(house: House) -> None:
    """Not the primary's bytes, not the quarantined, not what can't be loaded, none that came after the as-of."""
    created(house, MONDAY)
    assert [one.model.model_id for one in shadow(house).models] == [1]
    later = house.registry.register(contract_model([0.1] * 7), trained_to=FIRST)
    assert later.created_at > AS_OF
    assert [one.model.model_id for one in shadow(house, AS_OF + timedelta(minutes=1)).models] == [1]
    created(house, MONDAY)
    assert [one.model.model_id for one in shadow(house, AS_OF + timedelta(minutes=2)).models] == [3, 1]
    for place in house.files_of(1):
        place.unlink()
    gone = shadow(house, AS_OF + timedelta(minutes=3))
    assert [one.model.model_id for one in gone.models] == [3]
    assert list(gone.left_out) == ["gatekeeper_1"]
    assert "left out: gatekeeper_1" in gone.text
    with by_hand_as_of(AS_OF - timedelta(days=1)):
        house.registry.promote(3, actor="test", reason="by hand")
        house.registry.rollback(actor="test", reason="quarantines it")
    assert shadow(house, AS_OF + timedelta(minutes=4)).models == ()


def test_a_model_of_a_past_week_exists_since_its_as_of(house: House) -> None:
    """On replayed ideas: their time is that of the as-ofs. On logged ones it is the registration."""
    primary = house.registry.model(2)
    assert standby_models.exists_since(primary, replayed=True) == MONDAY
    assert standby_models.exists_since(primary, replayed=False) == primary.created_at


def test_without_a_time_of_registration_nothing_is_new_to_it(house: House) -> None:
    with create_engine(house.settings.db.reveal()).begin() as connection:
        connection.execute(text('UPDATE "RLModel" SET "createdAt" = NULL'))
    assert shadow(house).left_out == {"gatekeeper_1": "the time of its registration is unknown"}


def test_the_oldest_are_not_scored_and_it_says_so(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(3):
        house.registry.register(contract_model([number / 10] * 7), trained_to=FIRST)
    created(house, MONDAY)
    monkeypatch.setattr(standby_models, "MOST", 2)
    seen = shadow(house)
    assert ([one.model.model_id for one in seen.models], seen.most, seen.older) == ([5, 4], 2, 2)
    assert "2 older ones not scored (at most 2 are)" in seen.text


def test_no_verdict_reads_it(house: House) -> None:
    """With and without a standby model, all the rest of the check is the same, and nothing is promoted."""
    before = look(house)
    house.registry.register(constant_model(0.7), trained_to=FIRST)
    created(house, MONDAY)
    after = look(house, AS_OF + timedelta(seconds=1))
    ones, others = (check.as_object(one.document) for one in (before, after))
    apart = {name for name in ones if ones[name] != others[name]}
    assert apart == {"as_of", "shadow", "text"}
    assert house.registry.generation() == 2


@budget(max_examples=5, deadline=None)
@given(poison=poisons)
def test_the_future_changes_nothing(
    settled: Callable[[], Path], data: str, tmp_path_factory: pytest.TempPathFactory, poison: Poison
) -> None:
    """Whatever comes after the as-of, the whole check is the same: gain, breaker, drift and shadow."""
    folder = tmp_path_factory.mktemp("poisoned")
    frame = pd.read_csv(data.partition(":")[2])
    found = []
    for one in (AS_IT_IS, poison):
        place = folder / ("clean" if one is AS_IT_IS else "spoilt")
        (place / "data").mkdir(parents=True)
        house = standing(settled, place, f"ideas:{place / 'data'}")
        spoilt = one.spoil(frame, AS_OF, ["time", "closed_at"], [*FEATURES, "outcome"])
        one.write(spoilt, place / "data")
        seen = look(house)
        assert seen.document.shadow is not None
        assert len(seen.document.shadow.models) == 1
        found.append({**check.as_object(seen.document), "data": "", "notes": "", "text": ""})
        house.registry.close()
    assert found[0] == found[1]


def standing(settled: Callable[[], Path], place: Path, data: str) -> House:
    """The house with its standby model as old as the promotion."""
    shutil.copytree(settled(), place / "house")
    house = House(place / "house", data)
    created(house, MONDAY)
    return house
