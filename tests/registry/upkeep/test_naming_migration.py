"""Migration of older naming conventions: every row and file gets its name, and a second run does nothing."""

import pytest
from model_files import placeholder_model
from registry_site import OWN, REFUSED, Site, check_history, own_model

from gatekeeper.errors import ClaimsUnsettled, ConfigError, ModelRefused, PromotionRefused, Quarantined, UnknownModel

WORDS = {"actor": "ann", "reason": "adopt the old names"}
pytestmark = pytest.mark.xdist_group("naming")  # the grown table is made once, not by each worker


def grow(site: Site) -> None:
    """A table that grew for years on another machine, upgraded; row 9 is the active one."""
    names = {
        1: ("gatekeeper_primary8", "/home/dev/bot/models/gatekeeper_primary8.onnx"),  # named for another id
        2: ("gatekeeper_v2", "C:\\bot\\models\\gatekeeper_v2.onnx"),
        3: ("gatekeeper_temp", "/tmp/gatekeeper_temp.onnx"),
        4: ("gatekeeper_retrain_20250603", "models/gatekeeper_v2.onnx"),  # shares row 2's file
        5: ("gatekeeper_20250603", "models/gatekeeper_20250603.onnx"),  # the file is missing
        6: ("gatekeeper_7", "models/gatekeeper_7.onnx"),  # 6 and 7 have each other's names
        7: ("gatekeeper_6", "models/gatekeeper_6.onnx"),
        8: ("gatekeeper_v8", "models/gatekeeper_v8.onnx"),  # a placeholder graph
        9: ("gatekeeper_primary_prod", "/srv/models/gatekeeper_primary_prod.onnx"),
        10: ("gatekeeper_10", "models/gatekeeper_10.onnx"),  # dangling
        11: ("gatekeeper_11", "models/gatekeeper_11.onnx"),  # in order already
    }
    for name, number in [
        ("gatekeeper_primary8", 1),
        ("gatekeeper_v2", 2),
        ("gatekeeper_temp", 3),
        ("gatekeeper_7", 6),
        ("gatekeeper_6", 7),
        ("gatekeeper_primary_prod", 9),
        ("gatekeeper_11", 11),
    ]:
        site.put(f"{name}.onnx", own_model(number))
    site.put("gatekeeper_v8.onnx", placeholder_model())
    (site.models / "gatekeeper_10.onnx").symlink_to("/nowhere/model.onnx")
    site.put("notes.txt", b"not a row's")
    site.old_table(*[(number, version, path, None) for number, (version, path) in names.items()])
    assert site.upgrade().claims == (1, 9)


@pytest.fixture
def grown(template, tmp_path):
    site = template(grow).clone(tmp_path / "project")
    yield site
    site.drop()


def test_every_row_gets_its_name_and_its_file_follows(grown):
    """Case 61, and all that design.md lists of real tables."""
    before = grown.files()
    with grown.open() as registry:
        plan = registry.migrate_naming(**WORDS)
        assert (plan.primary, plan.changes, plan.dry_run) == (9, True, False)
        assert "highest id" in plan.chosen_by
        assert [model.version for model in registry.models()] == [
            "gatekeeper_11",
            "gatekeeper_10",
            "gatekeeper_primary9",
            *(f"gatekeeper_{number}" for number in (8, 7, 6, 5, 4, 3, 2, 1)),
        ]
        assert all(model.path == f"models/{model.version}.onnx" for model in registry.models())
        sources = {1: 1, 2: 2, 3: 3, 4: 2, 6: 6, 7: 7, 9: 9, 11: 11}
        for model_id, number in sources.items():
            model = registry.model(model_id)
            assert registry.model_bytes(model) == own_model(number)
            assert (grown.models / model.file_name).read_bytes() == own_model(number)
        assert [step.model_id for step in plan.steps if step.mark] == [5, 8, 10]
        assert [registry.model(number).sha256 for number in (5, 8, 10)] == [None] * 3
        assert (grown.models / "gatekeeper_8.onnx").read_bytes() == placeholder_model()
        check_history(registry)
        assert registry.promotions()[0].kind == "adopted"
    after = grown.files()
    assert set(before.values()) <= set(after.values())  # no file's bytes are lost, no link either
    assert before["notes.txt"] == after["notes.txt"]
    assert set(before) <= set(after)  # and readers of old names still find them, within the grace


def test_a_dry_run_shows_the_plan_and_changes_nothing(grown):
    before = grown.rows(), grown.files()
    with grown.open() as registry:
        shown = registry.migrate_naming(dry_run=True, **WORDS)
        assert (grown.rows(), grown.files()) == before
        done = registry.migrate_naming(**WORDS)
    assert shown.dry_run
    assert (shown.primary, shown.steps, shown.chosen_by) == (done.primary, done.steps, done.chosen_by)


def test_a_second_run_does_nothing(grown):
    with grown.open() as registry:
        registry.migrate_naming(**WORDS)
        before = grown.rows(), grown.files()
        plan = registry.migrate_naming(**WORDS)
        assert not plan.changes
        assert [step.model_id for step in plan.steps] == [5, 8, 10]  # still marked
        assert (grown.rows(), grown.files()) == before


def test_a_row_that_an_older_writer_named_again_is_migrated_again(grown):
    with grown.open() as registry:
        registry.migrate_naming(**WORDS)
        grown.sql(
            "UPDATE \"RLModel\" SET version = 'gatekeeper_temp', path = 'models/gatekeeper_temp.onnx' WHERE id = 3"
        )
        assert [step.model_id for step in registry.migrate_naming(**WORDS).steps if step.changes] == [3]
        assert registry.model_bytes(registry.model(3)) == own_model(3)
        assert registry.model(3).version == "gatekeeper_3"


def test_after_it_promoting_works_and_old_names_go_past_the_grace(grown):
    with grown.open(grace_seconds=0) as registry:
        registry.migrate_naming(**WORDS)
        registry.promote(8 - 1, actor="ann", reason="r")
        registry.promote(registry.register(own_model(50), details=OWN).id, actor="ann", reason="r")
        check_history(registry)
        names = {name for name in grown.files() if not name.startswith(".blobs")}
        held = {model.file_name for model in registry.models()} - {"gatekeeper_5.onnx"}
        assert names == held | {"notes.txt"}


def test_promoting_is_refused_before_it_and_the_index_is_there_after_it(grown):
    with grown.open() as registry:
        with pytest.raises(ClaimsUnsettled, match="migrate-naming"):
            registry.promote(2, actor="ann", reason="r")
        registry.migrate_naming(**WORDS)
    with pytest.raises(REFUSED):
        grown.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")


def test_the_newest_recorded_promotion_wins_over_the_highest_id(grown):
    """Two rows that claim to be active, and a history that knows."""
    grown.sql(
        "INSERT INTO gatekeeper_promotion (generation, to_id, kind, actor, reason, as_of, at) "
        "VALUES (1, 1, 'manual', 'a', 'r', '2025-01-01 00:00:00.000000', '2025-01-01 00:00:00.000000')"
    )
    grown.sql("UPDATE gatekeeper_lock SET generation = 1")
    with grown.open() as registry:
        plan = registry.migrate_naming(**WORDS)
        assert (plan.primary, registry.primary().version) == (1, "gatekeeper_primary1")
        assert "newest promotion" in plan.chosen_by
        assert registry.generation() == 1


def test_the_operator_may_choose(grown):
    with grown.open() as registry:
        with pytest.raises(UnknownModel):
            registry.migrate_naming(primary=99, **WORDS)
        with pytest.raises(ModelRefused, match="can't become the primary"):
            registry.migrate_naming(primary=8, **WORDS)
        assert registry.migrate_naming(primary=2, **WORDS).primary == 2
        assert registry.primary().version == "gatekeeper_primary2"
        with pytest.raises(PromotionRefused, match="promote -i 3"):
            registry.migrate_naming(primary=3, **WORDS)
        check_history(registry)


def lose(site: Site, digest: str) -> None:
    """The blob of these bytes."""
    (blob,) = site.models.rglob(digest)
    blob.unlink()


@pytest.mark.parametrize("dry_run", [True, False])
def test_the_operators_choice_must_be_usable(grown, dry_run):
    """A row that was adopted may have lost its bytes since, or been rolled back from: it was made the primary."""
    with grown.open() as registry:
        digest = {model.id: model.sha256 for model in registry.models()}
        for number in (2, 4):  # 4 has the same bytes
            grown.sql("INSERT INTO gatekeeper_quarantine (model_id, sha256, actor, reason, at) VALUES "
                      f"({number}, '{digest[number]}', 'ann', 'lossy', '2026-01-05 10:00:00.000000')")  # fmt: skip
            with pytest.raises(Quarantined, match=f"Model {number} is quarantined: ann rolled back"):
                registry.migrate_naming(primary=number, dry_run=dry_run, **WORDS)
        grown.put("gatekeeper_temp.onnx", b"no model")
        lose(grown, digest[3])
        before = grown.files(), grown.rows()
        with pytest.raises(ModelRefused, match="Model 3 can't become the primary"):
            registry.migrate_naming(primary=3, dry_run=dry_run, **WORDS)
        assert (grown.files(), grown.rows()) == before
        (grown.models / "gatekeeper_primary_prod.onnx").unlink()
        lose(grown, digest[9])
        with pytest.raises(ModelRefused, match="Model 9 can't become the primary"):  # one of the two that claim it
            registry.migrate_naming(primary=9, dry_run=dry_run, **WORDS)


def test_bytes_that_were_rolled_back_from_are_no_primary_under_another_row(grown):
    """One that no `db upgrade` has seen yet."""
    with grown.open() as registry:
        (digest,) = [model.sha256 for model in registry.models() if model.id == 3]
        grown.sql("INSERT INTO gatekeeper_quarantine (model_id, sha256, actor, reason, at) VALUES "
                  f"(3, '{digest}', 'ann', 'lossy', '2026-01-05 10:00:00.000000')")  # fmt: skip
        grown.put("once_more.onnx", next(grown.models.rglob(digest)).read_bytes())
        grown.sql("INSERT INTO \"RLModel\" (id, version, path) VALUES (90, 'gatekeeper_v90', 'models/once_more.onnx')")
        before = grown.rows()
        with pytest.raises(Quarantined, match="Model 90 is quarantined: ann rolled back"):
            registry.migrate_naming(primary=90, **WORDS)
        assert grown.rows() == before


def test_where_no_row_claims_to_be_active_none_is(empty_site):
    empty_site.put("a.onnx", own_model(1))
    empty_site.old_table((1, "gatekeeper_v1", "models/a.onnx", None))
    empty_site.upgrade()
    with empty_site.open() as registry:
        assert registry.migrate_naming(**WORDS).primary is None
        assert registry.primary() is None
        assert [model.version for model in registry.models()] == ["gatekeeper_1"]
        assert registry.migrate_naming(primary=1, **WORDS).primary == 1
        assert registry.primary().version == "gatekeeper_primary1"
        check_history(registry)


def test_duplicate_versions_are_told_apart(empty_site):
    empty_site.sql(
        'CREATE TABLE "RLModel" (id INTEGER PRIMARY KEY, version TEXT, path TEXT, description TEXT, "createdAt" TEXT)'
    )
    for number in (1, 2):
        empty_site.sql("INSERT INTO \"RLModel\" VALUES (?, 'gatekeeper_v1', 'models/v1.onnx', '', NULL)", number)
    empty_site.put("v1.onnx", own_model(1))
    empty_site.upgrade()
    with empty_site.open() as registry:
        registry.migrate_naming(**WORDS)
        assert [model.version for model in registry.models()] == ["gatekeeper_2", "gatekeeper_1"]
        assert all(registry.model_bytes(model) == own_model(1) for model in registry.models())


def test_a_fresh_registry_has_nothing_to_migrate(registry, site, add, promote):
    promote(add(1))
    add(2)
    before = site.rows(), site.files()
    plan = registry.migrate_naming(**WORDS)
    assert (plan.changes, plan.steps, plan.primary) == (False, (), 1)
    assert (site.rows(), site.files()) == before


def test_an_actor_and_a_reason(registry):
    with pytest.raises(ConfigError, match="actor"):
        registry.migrate_naming(actor="", reason="r")


def test_a_file_shared_with_the_row_whose_name_it_has(empty_site):
    """The name stays that row's, and is not retired; relative paths of another folder find it, too."""
    empty_site.put("gatekeeper_3.onnx", own_model(3))
    empty_site.old_table(
        (1, "gatekeeper_v1", "../old/models/gatekeeper_3.onnx", None),
        (2, "gatekeeper_primary_live", "..\\old\\gatekeeper_3.onnx", None),
        (3, "gatekeeper_3", "models/gatekeeper_3.onnx", None),
    )
    empty_site.upgrade()
    with empty_site.open(grace_seconds=0) as registry:
        registry.migrate_naming(**WORDS)
        registry.gc()
        for model_id, version in ((1, "gatekeeper_1"), (2, "gatekeeper_primary2"), (3, "gatekeeper_3")):
            model = registry.model(model_id)
            assert (model.version, registry.named_bytes(model)) == (version, own_model(3))
        assert registry.doctor().well


def test_a_users_file_under_a_name_that_a_row_gets_is_kept(empty_site):
    empty_site.put("v2.onnx", own_model(2))
    empty_site.put("gatekeeper_2.onnx", own_model(9))  # no row's
    empty_site.old_table((2, "gatekeeper_v2", "models/v2.onnx", None))
    empty_site.upgrade()
    with empty_site.open(grace_seconds=0) as registry:
        registry.migrate_naming(**WORDS)
        assert registry.named_bytes(registry.model(2)) == own_model(2)
        registry.gc()
        assert registry.doctor(repair=True).well
    kept = [(empty_site.models / name).read_bytes() for name in empty_site.files()]
    assert own_model(9) in kept


def test_a_link_that_said_which_file_is_active(empty_site):
    """`ln -sf gatekeeper_v1.onnx gatekeeper_primary.onnx`, with a row for each."""
    empty_site.put("gatekeeper_v1.onnx", own_model(1))
    (empty_site.models / "gatekeeper_primary.onnx").symlink_to("gatekeeper_v1.onnx")
    empty_site.old_table(
        (1, "gatekeeper_v1", "models/gatekeeper_v1.onnx", None),
        (2, "gatekeeper_primary", "models/gatekeeper_primary.onnx", None),
    )
    empty_site.upgrade()
    with empty_site.open(grace_seconds=0) as registry:
        assert registry.migrate_naming(**WORDS).primary == 2
        registry.gc()
        assert registry.doctor().well
        assert [registry.named_bytes(registry.model(number)) for number in (1, 2)] == [own_model(1)] * 2
    assert not any((empty_site.models / name).is_symlink() for name in empty_site.files())


def test_rows_that_say_nothing_get_their_names_too(empty_site):
    """What a data frame's export leaves: null versions and paths."""
    empty_site.sql('CREATE TABLE "RLModel" (id BIGINT, version TEXT, path TEXT, description TEXT, "createdAt" BIGINT)')
    for number, version, path in ((4, None, None), (5, None, "models/a.onnx"), (6, "", "")):
        empty_site.sql('INSERT INTO "RLModel" VALUES (?, ?, ?, NULL, NULL)', number, version, path)
    empty_site.put("a.onnx", own_model(5))
    empty_site.upgrade()
    with empty_site.open() as registry:
        plan = registry.migrate_naming(**WORDS)
        assert [(step.model_id, step.mark is None) for step in plan.steps] == [(4, False), (5, True), (6, False)]
        assert [model.version for model in registry.models()] == ["gatekeeper_6", "gatekeeper_5", "gatekeeper_4"]
        assert registry.named_bytes(registry.model(5)) == own_model(5)
        assert not registry.migrate_naming(**WORDS).changes
        assert registry.doctor().well


def test_the_doctor_finds_nothing_after_it(grown):
    """Rows that are no models are shown, and no fault."""
    with grown.open() as registry:
        registry.migrate_naming(**WORDS)
        found = registry.doctor()
        assert (found.findings, [one.model_id for one in found.marked]) == ((), [5, 8, 10])


def test_the_doctor_migrates_where_no_choice_is_left(grown):
    grown.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_one' WHERE id = 1")
    grown.sql("DELETE FROM gatekeeper_promotion")
    with grown.open() as registry:
        found = registry.doctor(repair=True)
        assert found.well
        assert {one.kind for one in found.repaired} >= {"misnamed", "index", "history"}
        assert (registry.primary().version, len(registry.models())) == ("gatekeeper_primary9", 11)
        assert not registry.migrate_naming(**WORDS).changes
        check_history(registry)


def test_names_that_look_like_those_between(empty_site):
    """Each row has a name of its own meanwhile, whatever the others are called."""
    names = {1: "gatekeeper_2", 2: "gatekeeper_1", 3: "~1", 4: "~~2", 5: "gatekeeper_migrating_1"}
    for number in names:
        empty_site.put(f"m{number}.onnx", own_model(number))
    empty_site.old_table(*[(number, name, f"models/m{number}.onnx", None) for number, name in names.items()])
    empty_site.upgrade()
    with empty_site.open() as registry:
        registry.migrate_naming(dry_run=False, **WORDS)
        assert [model.version for model in registry.models()] == [f"gatekeeper_{number}" for number in (5, 4, 3, 2, 1)]
        for number in names:
            assert registry.named_bytes(registry.model(number)) == own_model(number)
