"""Promotion by hand: one act, audited, and never two primaries, or none."""

import shutil
from datetime import UTC, datetime, timedelta

import pytest
from promotion_steps import by_hand_as_of
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import (
    ClaimsUnsettled,
    ConfigError,
    GenerationMoved,
    ModelRefused,
    UnknownModel,
)


def test_a_promotion_renames_both_rows_and_is_audited(registry, site, add):
    """Case 9: by hand is allowed, and marked so, with actor and reason."""
    first, second = add(1), add(2)
    registry.promote(first.id, actor="ann", reason="start")
    with by_hand_as_of(MONDAY):
        promotion = registry.promote(second.id, actor="bob", reason="it is better")
    assert (promotion.generation, promotion.from_id, promotion.to_id) == (2, 1, 2)
    assert (promotion.kind, promotion.actor, promotion.reason) == ("manual", "bob", "it is better")
    assert (promotion.as_of, promotion.evaluation_id) == (MONDAY, None)
    assert registry.promotions()[0] == promotion
    assert [(model.version, model.path) for model in registry.models()] == [
        ("gatekeeper_primary2", "models/gatekeeper_primary2.onnx"),
        ("gatekeeper_1", "models/gatekeeper_1.onnx"),
    ]
    assert registry.primary().id == 2
    assert (site.models / "gatekeeper_primary2.onnx").read_bytes() == own_model(2)
    assert (site.models / "gatekeeper_1.onnx").read_bytes() == own_model(1)
    check_history(registry)


def test_promoting_the_primary_changes_nothing(registry, site, add, promote):
    """Case 12, the idle call."""
    model = add(1)
    first = promote(model)
    before = site.rows(), site.files()
    assert promote(model) == first
    assert (site.rows(), site.files()) == before


def test_a_run_key_promotes_once(registry, site, add):
    """Case 46: a cleared task promotes again, after another model went in."""
    first, second = add(1), add(2)
    made = registry.promote(first.id, actor="ann", reason="r", run_key="weekly 1")
    registry.promote(second.id, actor="ann", reason="r")
    before = site.rows(), site.files()
    assert registry.promote(first.id, actor="ann", reason="r", run_key="weekly 1") == made
    assert (site.rows(), site.files()) == before
    assert registry.primary().id == second.id


def test_a_reader_with_yesterdays_path_opens_the_right_bytes(registry, site, add, promote):
    """Case 13, the reader's side: nothing is removed during a promotion."""
    models = [add(number) for number in (1, 2, 3)]
    for model in models:
        promote(model)
    for number in (1, 2, 3):
        for name in (f"gatekeeper_{number}.onnx", f"gatekeeper_primary{number}.onnx"):
            assert (site.models / name).read_bytes() == own_model(number)


def test_retired_names_go_past_the_grace_at_the_next_promotion(site):
    with site.open(grace_seconds=0) as registry:
        models = [registry.register(own_model(number), details=OWN) for number in (1, 2)]
        for model in models:
            registry.promote(model.id, actor="ann", reason="r")
        kept = {name for name in site.files() if not name.startswith(".blobs")}
        assert kept == {"gatekeeper_1.onnx", "gatekeeper_primary2.onnx"}
        assert site.sql("SELECT * FROM gatekeeper_retired") == []
        registry.promote(1, actor="ann", reason="and back: these names are held again")
        kept = {name for name in site.files() if not name.startswith(".blobs")}
        assert kept == {"gatekeeper_primary1.onnx", "gatekeeper_2.onnx"}
        assert registry.model_bytes(registry.primary()) == own_model(1)


def test_a_retired_name_that_a_row_holds_or_somebody_wrote_over_stays(site):
    with site.open() as registry:
        for number in (1, 2, 3, 4):
            registry.register(own_model(number), details=OWN)
        for model_id in (1, 2, 3):
            registry.promote(model_id, actor="ann", reason="r")
    site.sql("UPDATE \"RLModel\" SET path = 'elsewhere/gatekeeper_primary1.onnx' WHERE id = 1")  # an older writer
    (site.models / "gatekeeper_primary2.onnx").unlink()
    site.put("gatekeeper_primary2.onnx", b"a file of the user's")
    with site.open(grace_seconds=0) as registry:
        registry.promote(4, actor="ann", reason="r")
    kept = {name for name in site.files() if not name.startswith(".blobs")}
    assert kept == {
        "gatekeeper_primary1.onnx",  # held by a row
        "gatekeeper_1.onnx",  # never retired: the row left it without telling
        "gatekeeper_2.onnx",
        "gatekeeper_primary2.onnx",  # its bytes are in no blob
        "gatekeeper_3.onnx",
        "gatekeeper_primary4.onnx",
    }


def test_a_project_folder_that_moved_still_works(registry, site, add, promote, tmp_path_factory):
    """Case 3: absolute paths break when the project moves."""
    promote(add(1))
    registry.close()
    moved = site.at(tmp_path_factory.mktemp("elsewhere") / "project")
    shutil.move(site.root, moved.root)
    with moved.open() as opened:
        assert opened.model_bytes(opened.primary()) == own_model(1)
        second = opened.register(own_model(2), details=OWN)
        opened.promote(second.id, actor="ann", reason="r")
        assert opened.primary().id == 2


@pytest.mark.parametrize("model_id", [7, -1, 2**70])
def test_an_unknown_model(registry, model_id):
    with pytest.raises(UnknownModel, match="gatekeeper list"):
        registry.promote(model_id, actor="ann", reason="r")


def test_a_moved_generation_is_refused(registry, site, add, promote):
    first, second = add(1), add(2)
    promote(first)
    before = site.rows(), site.files()
    with pytest.raises(GenerationMoved, match="generation 1, not 0"):
        registry.promote(second.id, actor="ann", reason="r", expected_generation=0)
    assert (site.rows(), site.files()) == before
    assert registry.promote(second.id, actor="ann", reason="r", expected_generation=1).generation == 2


def test_a_changed_file_is_refused_even_by_hand(registry, site, add):
    """Case 9: whoever put other bytes there means to promote those, and they were never verified."""
    model = add(1)
    (site.models / model.file_name).unlink()
    site.put(model.file_name, own_model(2))
    before = site.rows(), site.files()
    with pytest.raises(ModelRefused, match="gatekeeper register") as refused:
        registry.promote(model.id, actor="ann", reason="r")
    assert refused.value.reason == "sha256"
    assert (site.rows(), site.files()) == before


def test_a_model_that_fails_verification_is_refused_even_by_hand(site, add):
    """Case 9: here its canaries no longer give the scores that were stored."""
    model = add(1)
    canary = model.canary_json.replace('"scores": [0.5', '"scores": [0.9')
    site.sql("UPDATE gatekeeper_artifact SET canary = ?", canary)
    before = site.rows(), site.files()
    with site.open() as registry, pytest.raises(ModelRefused) as refused:
        registry.promote(model.id, actor="ann", reason="r")
    assert refused.value.reason == "canary"
    assert (site.rows(), site.files()) == before


def test_a_lost_name_comes_back_and_lost_bytes_are_refused(registry, site, add):
    """Case 5: the blob answers for the name."""
    kept, lost = add(1), add(2)
    for model in (kept, lost):
        (site.models / model.file_name).unlink()
    registry.promote(kept.id, actor="ann", reason="r")
    assert (site.models / "gatekeeper_primary1.onnx").read_bytes() == own_model(1)
    (site.models / ".blobs" / lost.sha256).unlink()
    with pytest.raises(ModelRefused, match="does not exist"):
        registry.promote(lost.id, actor="ann", reason="r")
    assert registry.primary().id == kept.id


def test_a_link_to_the_blob_becomes_a_copy(registry, site, add, promote):
    """Case 58: what is written over such a name would be written into the blob too."""
    model = add(1)
    blob, name = site.models / ".blobs" / model.sha256, site.models / "gatekeeper_primary1.onnx"
    name.hardlink_to(blob)
    promote(model)
    assert name.stat().st_ino != blob.stat().st_ino
    assert name.read_bytes() == own_model(1)


def test_a_lost_blob_is_made_again(registry, site, add, promote):
    model = add(1)
    (site.models / ".blobs" / model.sha256).unlink()
    promote(model)
    assert (site.models / ".blobs" / model.sha256).read_bytes() == own_model(1)


def test_a_primary_that_lost_its_bytes_can_be_replaced(registry, site, add, promote):
    first, second = add(1), add(2)
    promote(first)
    for name in site.files():
        if first.sha256 in site.files()[name]:
            (site.models / name).unlink()
    promote(second)
    assert registry.primary().id == second.id
    check_history(registry)


def test_a_row_of_another_writer_is_no_model_until_it_is_adopted(registry, site, add):
    site.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (1, 'gatekeeper_1', 'models/gatekeeper_1.onnx')")
    with pytest.raises(ModelRefused, match="db upgrade") as refused:
        registry.promote(1, actor="ann", reason="r")
    assert refused.value.reason == "unregistered"


def test_a_name_of_another_row_is_never_taken(registry, site, add, promote):
    """Case 61: row 1 is called `gatekeeper_primary2` when model 2 is to be promoted."""
    promote(add(1))
    add(2)
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 1")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match=r"gatekeeper_primary2 .*taken by model 1.*migrate-naming"):
        registry.promote(2, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_what_an_sql_writer_made_the_primary_is_in_the_chain(registry, site, add, promote):
    """Servers of the older system switch by UPDATE: the audit has no gap."""
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")
    registry.promote(3, actor="ann", reason="r")
    assert [(row.kind, row.from_id, row.to_id) for row in registry.promotions()] == [
        ("manual", 2, 3),
        ("adopted", 1, 2),
        ("manual", None, 1),
    ]
    check_history(registry)


def test_what_an_sql_writer_does_just_before_the_lock_is_in_the_chain_too(site, registry, add, promote):
    for number in (1, 2, 3):
        add(number)
    promote(registry.model(1))

    def swap(step: str) -> None:
        if step == "verified":
            site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
            site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")

    with site.open(step=swap) as opened:
        opened.promote(3, actor="ann", reason="r")
    assert [(row.kind, row.to_id) for row in registry.promotions()] == [("manual", 3), ("adopted", 2), ("manual", 1)]
    check_history(registry)


def test_a_primary_that_an_sql_writer_demoted_leaves_no_gap(registry, site, add, promote):
    promote(add(1))
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
    assert registry.primary() is None
    promote(add(2))
    check_history(registry)


def test_promoting_what_an_sql_writer_promoted_records_it(registry, site, add):
    add(1)
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary1' WHERE id = 1")
    assert registry.promote(1, actor="ann", reason="r").kind == "adopted"
    check_history(registry)


@pytest.mark.parametrize(
    "words",
    [
        {"actor": " "},
        {"reason": ""},
        {"actor": "a\0b"},
        {"kind": "weekly"},
        {"kind": "rollback"},
        {"run_key": " "},
    ],
)
def test_orders_that_make_no_sense(registry, site, add, words):
    add(1)
    before = site.rows()
    with pytest.raises(ConfigError):
        registry.promote(1, **{"actor": "ann", "reason": "r", **words})
    assert site.rows() == before


def test_the_history_answers_for_the_past(registry, add):
    first, second = add(1), add(2)
    with by_hand_as_of(MONDAY):
        registry.promote(first.id, actor="ann", reason="r")
    with by_hand_as_of(MONDAY + timedelta(weeks=2)):
        registry.promote(second.id, actor="ann", reason="r")
    assert registry.primary_before(MONDAY) is None
    assert registry.primary_before(MONDAY + timedelta(seconds=1)).id == first.id
    assert registry.primary_before(MONDAY + timedelta(weeks=2)).id == first.id
    assert registry.primary_before(datetime(2019, 1, 1, tzinfo=UTC)).id == second.id
