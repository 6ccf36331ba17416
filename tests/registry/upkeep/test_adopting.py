"""Adoption of tables that another tool made: taken over as they are, with faults marked."""

from datetime import UTC, datetime

import pytest
from model_files import constant_model, placeholder_model
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import ClaimsUnsettled, ModelRefused

NOON_MS = 1_748_952_000_123
NOON = datetime(2025, 6, 3, 12, 0, 0, 123000, tzinfo=UTC)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("declared", "stored", "kind"),
    [
        ("INTEGER", NOON_MS, "integer"),
        ("DATETIME DEFAULT CURRENT_TIMESTAMP", NOON_MS, "integer"),  # Prisma's
        ("TEXT", "2025-06-03T12:00:00.123Z", "text"),
        ("DATETIME", "2025-06-03 12:00:00.123000", "text"),
        ("DATETIME", None, "text"),
        ("BIGINT", None, "integer"),
    ],
)
def test_a_grown_table_is_read_and_written_in_its_own_kind(empty_site, declared, stored, kind):
    empty_site.put("gatekeeper_primary4.onnx", own_model(4))
    empty_site.old_table((4, "gatekeeper_primary4", "models/gatekeeper_primary4.onnx", stored), created=declared)
    report = empty_site.upgrade()
    assert (report.adopted, report.marked, report.claims, report.primary) == ((4,), (), (4,), 4)
    with empty_site.open() as registry:
        assert registry.primary().created_at == (NOON if stored else None)
        model = registry.register(own_model(5), details=OWN)
        assert (model.id, model.created_at.tzinfo) == (5, UTC)
        assert abs(model.created_at - registry.register(own_model(6), details=OWN).created_at).total_seconds() < 60
    assert empty_site.sql('SELECT typeof("createdAt") FROM "RLModel" WHERE id = 5') == [(kind,)]
    columns = [row[1] for row in empty_site.sql("PRAGMA table_info('RLModel')")]
    assert columns == ["id", "version", "path", "description", "createdAt"]


def test_the_primary_that_was_found_is_in_the_audit(empty_site):
    """From null, as of its `createdAt`, and counted in the generation."""
    empty_site.put("gatekeeper_primary1.onnx", own_model(1))
    empty_site.old_table((1, "gatekeeper_primary1", "models/gatekeeper_primary1.onnx", NOON_MS))
    empty_site.upgrade()
    with empty_site.open() as registry:
        (adopted,) = registry.promotions()
        assert (adopted.generation, adopted.kind, adopted.from_id, adopted.to_id) == (1, "adopted", None, 1)
        assert adopted.as_of == NOON
        assert registry.model_bytes(registry.primary()) == own_model(1)
        second = registry.register(own_model(2), details=OWN)
        registry.promote(second.id, actor="ann", reason="r")
        check_history(registry)
        assert registry.rollback(actor="ann", reason="r").to_id == 1


def test_without_a_time_the_as_of_is_now(empty_site):
    empty_site.put("gatekeeper_primary1.onnx", own_model(1))
    empty_site.old_table((1, "gatekeeper_primary1", "models/gatekeeper_primary1.onnx", None))
    empty_site.upgrade()
    with empty_site.open() as registry:
        (adopted,) = registry.promotions()
        assert adopted.as_of == adopted.at > MONDAY


def test_files_are_found_by_the_last_part_of_their_path(empty_site):
    """Case 3: paths of other machines."""
    paths = ["/srv/bot/models/a.onnx", "C:\\bot\\models\\b.onnx", "../models/c.onnx", "d.onnx"]
    for number, path in enumerate(paths, 1):
        empty_site.put(path[-6:], own_model(number))
    empty_site.old_table(*[(number, f"gatekeeper_v{number}", path, None) for number, path in enumerate(paths, 1)])
    report = empty_site.upgrade()
    assert (report.adopted, report.claims, report.primary) == ((1, 2, 3, 4), (), None)
    with empty_site.open() as registry:
        assert [registry.model_bytes(registry.model(number)) for number in (1, 2, 3, 4)] == [
            own_model(number) for number in (1, 2, 3, 4)
        ]


def test_rows_without_a_usable_model_are_marked_and_never_served(empty_site):
    """Cases 5 and 25: missing, dangling, outside, a directory, a placeholder graph, no path at all."""
    empty_site.put("placeholder.onnx", placeholder_model())
    (empty_site.models / "dangling.onnx").symlink_to("/no/such/file")
    outside = empty_site.root / "outside.onnx"
    outside.write_bytes(own_model(9))
    (empty_site.models / "outside.onnx").symlink_to(outside)
    (empty_site.models / "folder.onnx").mkdir()
    empty_site.put("primary.onnx", b"")
    names = ["missing", "dangling", "outside", "folder", "placeholder"]
    empty_site.old_table(
        *[(number, f"gatekeeper_{number}", f"models/{name}.onnx", None) for number, name in enumerate(names, 1)],
        (6, "gatekeeper_6", "", None),
        (7, "gatekeeper_primary7", "models/primary.onnx", None),
    )
    report = empty_site.upgrade()
    assert report.adopted == ()
    assert [(mark.model_id, mark.reason) for mark in report.marked] == [
        (1, "missing"),
        (2, "dangling"),
        (3, "outside"),
        (4, "directory"),
        (5, "input"),
        (6, "missing"),
        (7, "empty"),
    ]
    with empty_site.open() as registry:
        assert "placeholder.onnx" in registry.model(5).fault
        for model in registry.models():
            with pytest.raises(ModelRefused) as refused:
                registry.model_bytes(model)
            assert refused.value.reason == "unregistered"
        good = registry.register(own_model(1), details=OWN)
        registry.promote(good.id, actor="ann", reason="the primary that was found is no model")
        check_history(registry)


def test_a_file_that_came_back_is_adopted_by_the_next_upgrade(empty_site):
    empty_site.old_table((1, "gatekeeper_primary1", "models/gatekeeper_primary1.onnx", None))
    assert [mark.reason for mark in empty_site.upgrade().marked] == ["missing"]
    before = empty_site.rows()
    empty_site.upgrade()
    assert empty_site.rows() == before
    empty_site.put("gatekeeper_primary1.onnx", own_model(1))
    assert empty_site.upgrade().adopted == (1,)
    with empty_site.open() as registry:
        assert registry.primary().fault is None
        assert registry.generation() == 1


def test_the_same_bytes_of_several_rows_are_one_blob(empty_site):
    empty_site.put("shared.onnx", constant_model(0.7))
    empty_site.old_table(*[(number, f"gatekeeper_v{number}", "models/shared.onnx", None) for number in (1, 2, 3)])
    assert empty_site.upgrade().adopted == (1, 2, 3)
    assert len([name for name in empty_site.files() if name.startswith(".blobs/")]) == 1


def test_two_claims_are_left_for_migrate_naming(empty_site):
    """Until it is settled nothing is promoted, and nobody guesses who is primary."""
    for number in (1, 2):
        empty_site.put(f"gatekeeper_primary{number}.onnx", own_model(number))
    empty_site.old_table(
        *[(number, f"gatekeeper_primary{number}", f"models/gatekeeper_primary{number}.onnx", None) for number in (1, 2)]
    )
    report = empty_site.upgrade()
    assert (report.claims, report.settled, report.primary) == ((1, 2), False, None)
    with empty_site.open() as registry:
        for refused in (registry.primary, lambda: registry.promote(1, actor="ann", reason="r")):
            with pytest.raises(ClaimsUnsettled, match=r"gatekeeper_primary1 .*gatekeeper_primary2 .*migrate-naming"):
                refused()
        assert registry.generation() == 0
        assert registry.register(own_model(3), details=OWN).id == 3


def test_claims_that_another_tool_settled_still_need_the_index(empty_site):
    empty_site.old_table(*[(number, f"gatekeeper_primary{number}", "", None) for number in (1, 2)])
    empty_site.upgrade()
    empty_site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
    with empty_site.open() as registry:
        model = registry.register(own_model(3), details=OWN)
        with pytest.raises(ClaimsUnsettled, match="migrate-naming"):
            registry.promote(model.id, actor="ann", reason="r")
        empty_site.upgrade()
        assert registry.promote(model.id, actor="ann", reason="r").to_id == 3


def test_a_table_without_keys_gets_them(empty_site):
    """What a data frame's export makes."""
    empty_site.sql('CREATE TABLE "RLModel" (id BIGINT, version TEXT, path TEXT, description TEXT, "createdAt" BIGINT)')
    empty_site.sql("INSERT INTO \"RLModel\" VALUES (3, 'gatekeeper_v3', 'models/a.onnx', NULL, NULL)")
    empty_site.put("a.onnx", own_model(3))
    assert empty_site.upgrade().adopted == (3,)
    with empty_site.open() as registry:
        assert registry.register(own_model(4), details=OWN).id == 4
        assert registry.model(3).description == ""
        assert registry.promote(3, actor="ann", reason="r").to_id == 3
