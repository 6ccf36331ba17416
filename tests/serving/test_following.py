"""Gatekeeper's polling of its registry, without threads: changes are followed at the next poll, by a clock of ours."""

from pathlib import Path

import pytest
from model_files import constant_model
from registry_site import OWN
from serving_load import Clock, add, folder, judged, spoil
from sqlalchemy import create_engine, text

from gatekeeper.errors import NoModel
from gatekeeper.registry import Registry
from gatekeeper.serving import Gatekeeper

IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def test_an_unchanged_registry_reloads_nothing(registry: Registry) -> None:
    """Case 26's kin: the very same object answers until the generation moves."""
    add(registry, 0.2, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    first = gatekeeper.current()
    clock.now = 5.0
    assert gatekeeper.current() is first
    add(registry, 0.4, promoted=1)
    clock.now = 10.0
    assert gatekeeper.current() is not first


def test_a_promotion_is_followed_at_the_next_look(registry: Registry) -> None:
    add(registry, 0.2, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, poll_seconds=1.0, clock=clock)
    assert gatekeeper.score(IDEA).version == "gatekeeper_primary1"
    add(registry, 0.4, promoted=1)
    clock.now = 0.5
    assert gatekeeper.score(IDEA).version == "gatekeeper_primary1"
    clock.now = 1.0
    scores = gatekeeper.score(IDEA)
    assert (scores.version, scores.values[0]) == ("gatekeeper_primary2", pytest.approx(0.4, abs=1e-6))


def test_another_claim_without_a_promotion_is_followed(registry: Registry, tmp_path: Path) -> None:
    """An older writer swaps the rows and knows nothing of generations."""
    add(registry, 0.2, promoted=0)
    add(registry, 0.4)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    with create_engine(f"sqlite:///{tmp_path / 'registry.db'}").begin() as connection:
        for model_id, version in ((1, "gatekeeper_1"), (2, "gatekeeper_primary2")):
            words = {"version": version, "id": model_id}
            connection.execute(text('UPDATE "RLModel" SET version = :version WHERE id = :id'), words)
    clock.now = 1.0
    scores = gatekeeper.score(IDEA)
    assert (scores.version, scores.values[0]) == ("gatekeeper_primary2", pytest.approx(0.4, abs=1e-6))


def test_a_failed_load_is_tried_again_later_and_another_model_at_once(registry: Registry, tmp_path: Path) -> None:
    """Case 22: with pauses of 1, 2, 4 ... seconds for the same bytes, none for others."""
    add(registry, 0.2, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    second = add(registry, 0.4, promoted=1)
    files = folder(registry, tmp_path, second)
    spoil(*files)
    clock.now = 1.0
    assert gatekeeper.score(IDEA).degraded
    for file in files:
        file.write_bytes(constant_model(0.4))
    clock.now = 1.9
    assert gatekeeper.score(IDEA).degraded
    clock.now = 2.0
    assert gatekeeper.score(IDEA).values[0] == pytest.approx(0.4, abs=1e-6)
    spoil(*folder(registry, tmp_path, add(registry, 0.6, promoted=2)))
    clock.now = 3.0
    assert gatekeeper.score(IDEA).degraded
    add(registry, 0.8, promoted=3)
    clock.now = 4.0
    assert gatekeeper.score(IDEA).values[0] == pytest.approx(0.8, abs=1e-6)


def test_a_file_that_is_put_back_is_noticed(registry: Registry, tmp_path: Path) -> None:
    """From the blob while the file is wrong, from the file once `doctor --repair` was there; no promotion needed."""
    model_id = add(registry, 0.7, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    fallbacks = [gatekeeper.current().fallback]
    spoil(folder(registry, tmp_path, model_id)[0])
    for second in (1.0, 2.0):
        clock.now = second
        fallbacks.append(gatekeeper.current().fallback)
    assert registry.doctor(repair=True)
    clock.now = 3.0
    fallbacks.append(gatekeeper.current().fallback)
    assert fallbacks == ["primary", "blob", "blob", "primary"]
    assert (gatekeeper.score(IDEA).reason, gatekeeper.state().fault) == (None, None)


def test_the_same_bytes_under_another_row_answer_for_that_row(registry: Registry, tmp_path: Path) -> None:
    """File and blob are gone, but they are what this process has: not degraded, and with the new row's threshold."""
    add(registry, 0.7, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    assert gatekeeper.score(IDEA).threshold == 0.55
    again = registry.register(constant_model(0.7), threshold=0.65, details=OWN)
    registry.promote(again.id, actor="test", reason="test")
    for file in reversed(folder(registry, tmp_path, again.id)):
        file.unlink()
    clock.now = 1.0
    scores = gatekeeper.score(IDEA)
    assert (scores.model_id, scores.version, scores.threshold) == (2, "gatekeeper_primary2", 0.65)
    assert (gatekeeper.current().fallback, scores.degraded) == ("last_served", False)
    assert gatekeeper.state().served_generation == 2
    assert "does not exist" in str(scores.reason)


def test_a_database_that_goes_away_leaves_the_model_answering(registry: Registry, tmp_path: Path) -> None:
    """Case 57's kin: unreachable is no reason to fall back, and none to stop; who starts then, has no model."""
    add(registry, 0.7, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    place = tmp_path / "registry.db"
    place.rename(tmp_path / "away.db")
    place.mkdir()
    registry.close()  # an open connection holds on to the file, wherever it is
    clock.now = 5.0
    scores = gatekeeper.score(IDEA)
    assert (scores.values[0], scores.degraded) == (pytest.approx(0.7, abs=1e-6), False)
    assert dict(gatekeeper.state().failures) == {"registry_replaced": 1}
    other = Gatekeeper(registry, clock=clock)
    with pytest.raises(NoModel, match="was replaced under this process"):
        other.score(IDEA)
    place.rmdir()
    (tmp_path / "away.db").rename(place)
    clock.now = 6.0
    assert other.score(IDEA).version == "gatekeeper_primary1"
    assert (gatekeeper.score(IDEA).version, gatekeeper.state().lag_seconds) == ("gatekeeper_primary1", 0)


def test_a_store_that_was_away_at_a_promotion_is_asked_again(registry: Registry, tmp_path: Path) -> None:
    """Case 57's kin: unreachable for a moment, and the new primary is followed all the same."""
    add(registry, 0.2, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    add(registry, 0.4, promoted=1)
    (tmp_path / "models").rename(tmp_path / "away")
    clock.now = 1.0
    scores = gatekeeper.score(IDEA)
    assert (scores.version, scores.degraded) == ("gatekeeper_primary1", False)
    (tmp_path / "away").rename(tmp_path / "models")
    clock.now = 2.0
    assert gatekeeper.score(IDEA).version == "gatekeeper_primary2"


def test_the_last_verdict_is_told(registry: Registry) -> None:
    """By the database's clock; what came with a copied model was judged elsewhere, and shows no scheduler alive."""
    primary = add(registry, 0.2, promoted=0)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    assert gatekeeper.state().last_verdict is registry.last_verdict() is None
    judged(registry, add(registry, 0.4), primary, "keep")
    clock.now = 1.0
    gatekeeper.score(IDEA)
    (evaluation,) = registry.evaluations()
    assert gatekeeper.state().last_verdict == registry.last_verdict() == evaluation.at
    judged(registry, add(registry, 0.6), primary, kind="copied")
    assert registry.last_verdict() == evaluation.at


def test_the_reason_for_no_model_stays_between_two_attempts(
    registry: Registry, caplog: pytest.LogCaptureFixture
) -> None:
    """Case 23's kin: whoever asks while nothing is tried hears why there is none; and the log says it once a minute."""
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    for second in range(59):
        clock.now = float(second)
        with pytest.raises(NoModel, match="No primary is registered"):
            gatekeeper.score(IDEA)
        assert "No primary is registered" in str(gatekeeper.state().fault)
    assert [record.message for record in caplog.records] == ["No model may answer. No primary is registered."]
