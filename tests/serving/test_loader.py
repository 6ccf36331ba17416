"""Loader: the model that answers when files are missing, changed, or not models. Real registry, real ONNX files."""

from pathlib import Path

import numpy as np
import pytest
from model_files import constant_model, contract_model
from registry_site import Site
from serving_load import Clock, add, folder, judged, spoil
from sqlalchemy import create_engine, text

from gatekeeper import registry as registries
from gatekeeper.errors import DataError, NoModel, Unavailable
from gatekeeper.registry import Model, Registry
from gatekeeper.serving import Gatekeeper, fallbacks, load

IDEA = [[41.0, 22.0, 0.02, 0.05, 0.0, 0.0, 1.0]]


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """One database is enough: what differs from one to the other, the registry's tests show."""
    made = Site(tmp_path)
    made.upgrade()
    return made


def test_the_primary_answers_with_its_own_numbers(registry: Registry) -> None:
    """1 / (1 + exp(-(0.5 * 1 + 0.01 * 41 - 1))) by hand: the logistic of -0.09 is 0.47751518."""
    model = registry.register(contract_model([0.01, 0, 0, 0, 0, 0, 0.5], -1.0), threshold=0.6)
    registry.promote(model.id, actor="test", reason="test")
    scores = Gatekeeper(registry).score(IDEA)
    assert scores.values.shape == (1,)
    assert scores.values[0] == pytest.approx(0.4775151779, abs=1e-6)
    assert (scores.version, scores.sha256, scores.threshold) == ("gatekeeper_primary1", model.sha256, 0.6)
    assert (scores.degraded, scores.reason) == (False, None)


def test_no_idea_gives_no_score(registry: Registry) -> None:
    add(registry, 0.5, promoted=0)
    assert Gatekeeper(registry).score(np.zeros((0, 7))).values.shape == (0,)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e30])
def test_what_is_no_feature_is_refused(registry: Registry, value: float) -> None:
    """Case 27: named, and never a score."""
    add(registry, 0.5, promoted=0)
    with pytest.raises(DataError, match="bbWidth"):
        Gatekeeper(registry).score([[41.0, 22.0, 0.02, value, 0.0, 0.0, 1.0]])


def test_six_features_are_refused(registry: Registry) -> None:
    """Case 27."""
    add(registry, 0.5, promoted=0)
    with pytest.raises(DataError, match="7"):
        Gatekeeper(registry).score([[1.0] * 6])


def test_a_changed_file_is_refused_and_the_blob_answers(registry: Registry, tmp_path: Path) -> None:
    """Case 58: the wrong sha256 is refused; the blob is the same model, so nothing is degraded."""
    model_id = add(registry, 0.7, promoted=0)
    named, _ = folder(registry, tmp_path, model_id)
    spoil(named)
    scores = Gatekeeper(registry).score(IDEA)
    assert scores.values[0] == pytest.approx(0.7, abs=1e-6)
    assert not scores.degraded
    assert load(registry).fallback == "blob"


def test_a_missing_file_is_answered_from_the_blob(registry: Registry, tmp_path: Path) -> None:
    model_id = add(registry, 0.7, promoted=0)
    folder(registry, tmp_path, model_id)[0].unlink()
    scores = Gatekeeper(registry).score(IDEA)
    assert (scores.values[0], scores.degraded) == (pytest.approx(0.7, abs=1e-6), False)


def test_what_this_process_served_last_comes_before_older_primaries(registry: Registry, tmp_path: Path) -> None:
    first, second = add(registry, 0.2, promoted=0), add(registry, 0.4, promoted=1)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    assert gatekeeper.score(IDEA).values[0] == pytest.approx(0.4, abs=1e-6)
    third = add(registry, 0.6, promoted=2)
    spoil(*folder(registry, tmp_path, third), *folder(registry, tmp_path, second))
    clock.now = 1.5
    scores = gatekeeper.score(IDEA)
    assert scores.values[0] == pytest.approx(0.4, abs=1e-6)
    assert scores.degraded
    assert "gatekeeper_primary3" in str(scores.reason)
    assert load(registry).model.id == first


def test_earlier_primaries_follow_newest_first(registry: Registry, tmp_path: Path) -> None:
    ids = [add(registry, score, promoted=day) for day, score in enumerate([0.2, 0.4, 0.6])]
    spoil(*folder(registry, tmp_path, ids[2]))
    found = load(registry)
    assert (found.model.id, found.fallback, found.degraded) == (ids[1], "earlier_primary", True)
    spoil(*folder(registry, tmp_path, ids[1]))
    assert load(registry).model.id == ids[0]


def test_then_the_newest_model_that_passed_an_evaluation(registry: Registry, tmp_path: Path) -> None:
    primary = add(registry, 0.2, promoted=0)
    for score, verdict in ((0.4, "promote"), (0.5, "promote"), (0.6, "keep")):
        judged(registry, add(registry, score), primary, verdict)
    add(registry, 0.9)
    spoil(*folder(registry, tmp_path, primary))
    found = load(registry)
    assert (found.model.id, found.fallback, found.degraded) == (3, "newest_passed", True)


def test_newest_is_by_model_not_by_evaluation_and_of_the_same_features(registry: Registry, tmp_path: Path) -> None:
    """An old model that is judged again comes no nearer, and one of other features never answers."""
    primary = add(registry, 0.2, promoted=0)
    ids = [add(registry, score) for score in (0.4, 0.5, 0.6)]
    for challenger in reversed(ids):
        judged(registry, challenger, primary)
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    with engine.begin() as connection:
        table = "gatekeeper_artifact"
        connection.execute(text(f"UPDATE {table} SET feature_schema = 'other' WHERE model_id = :id"), {"id": ids[2]})
    spoil(*folder(registry, tmp_path, primary))
    assert [model.id for model in fallbacks(registry, registry.primary())] == [ids[1], ids[0]]
    assert load(registry).model.id == ids[1]


def test_a_name_that_can_not_be_opened_is_answered_from_the_blob(registry: Registry, tmp_path: Path) -> None:
    """An I/O fault of one file, staged by a folder whose listing is fine and whose file isn't."""
    model_id = add(registry, 0.7, promoted=0)

    class Stuck(Registry):
        """The registry with its named files out of reach."""

        def named_bytes(self, model: Model) -> bytes:
            raise Unavailable(f"{model.file_name} can't be read: stale file handle")

    url = f"sqlite:///{tmp_path / 'registry.db'}"
    with Stuck.open(url, models=tmp_path / "models") as stuck:
        found = load(stuck)
    assert (found.model.id, found.fallback, found.degraded) == (model_id, "blob", False)


def test_rows_that_both_claim_leave_the_loaded_model_answering(registry: Registry, tmp_path: Path) -> None:
    """Another tool drops the index and makes a second primary: nobody knows better than what is loaded."""
    add(registry, 0.2, promoted=0)
    add(registry, 0.4)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    gatekeeper.score(IDEA)
    with create_engine(f"sqlite:///{tmp_path / 'registry.db'}").begin() as connection:
        index = "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%gatekeeper_primary%'"
        connection.execute(text(f"DROP INDEX {connection.execute(text(index)).scalar_one()}"))
        connection.execute(text("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2"))
    clock.now = 2.0
    assert gatekeeper.score(IDEA).version == "gatekeeper_primary1"
    with pytest.raises(NoModel, match="are named as the primary"):
        Gatekeeper(registry).score(IDEA)


def test_an_answer_is_immutable_and_says_who_gave_it(registry: Registry) -> None:
    add(registry, 0.5, promoted=0)
    scores = Gatekeeper(registry).score(IDEA)
    for name in ("values", "version", "sha256", "threshold", "degraded", "reason", "model_id", "anything"):
        with pytest.raises(AttributeError):
            setattr(scores, name, None)
    assert (scores.model_id, "gatekeeper_primary1" in repr(scores)) == (1, True)


def test_a_quarantined_model_never_answers(registry: Registry, tmp_path: Path) -> None:
    """Case 56: not even where nothing else is left."""
    first, second = add(registry, 0.2, promoted=0), add(registry, 0.4, promoted=1)
    clock = Clock()
    gatekeeper = Gatekeeper(registry, clock=clock)
    assert gatekeeper.score(IDEA).values[0] == pytest.approx(0.4, abs=1e-6)
    registry.rollback(actor="test", reason="it lost money")
    spoil(*folder(registry, tmp_path, first))
    assert registry.quarantined(str(registry.model(second).sha256)) is not None
    clock.now = 1.5
    with pytest.raises(NoModel, match="gatekeeper_primary1"):
        gatekeeper.score(IDEA)


def test_none_at_all_is_no_model(registry: Registry) -> None:
    add(registry, 0.5)
    with pytest.raises(NoModel, match="No primary"):
        Gatekeeper(registry).score(IDEA)


def test_a_row_without_an_artifact_is_never_served(registry: Registry, tmp_path: Path) -> None:
    """An older writer's row: `unregistered`, until `db upgrade` or `register` takes its bytes in."""
    (tmp_path / "models" / "gatekeeper_primary7.onnx").write_bytes(constant_model(0.7))
    engine = create_engine(f"sqlite:///{tmp_path / 'registry.db'}")
    with engine.begin() as connection:
        connection.execute(
            text('INSERT INTO "RLModel" (id, version, path) VALUES (7, :v, :p)'),
            {"v": "gatekeeper_primary7", "p": "models/gatekeeper_primary7.onnx"},
        )
    with pytest.raises(NoModel, match="gatekeeper_primary7"):
        Gatekeeper(registry).score(IDEA)


def test_the_whole_project_moves_and_still_loads(tmp_path: Path) -> None:
    """Case 3: paths are relative to the models folder."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    registries.upgrade(f"sqlite:///{old / 'registry.db'}", models=old / "models")
    with Registry.open(f"sqlite:///{old / 'registry.db'}", models=old / "models") as registry:
        add(registry, 0.7, promoted=0)
    old.rename(new)
    with Registry.open(f"sqlite:///{new / 'registry.db'}", models=new / "models") as registry:
        found = load(registry)
        assert (found.fallback, found.degraded) == ("primary", False)
