"""Doctor: compares database and store in both directions, repairs what needs no choice, then finds nothing more."""

import hashlib
import os
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_files import placeholder_model
from registry_processes import in_order
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import SchemaOutOfDate, Unavailable
from gatekeeper.registry import check_up

TWO_CLAIMS = "UPDATE \"RLModel\" SET version = 'gatekeeper_primary1' WHERE id = 1"


def sha(number: int) -> str:
    return hashlib.sha256(own_model(number)).hexdigest()


def blob(number: int) -> str:
    return f".blobs/{sha(number)}"


@pytest.fixture
def three(template):
    """3 is the primary, after 1; 2 never was. Within the grace the names of before are there still."""
    return template(in_order)


@pytest.fixture
def ward(three, tmp_path):
    site = three.clone(tmp_path / "ward")
    yield site
    site.drop()


def overwrite(path: Path, content: bytes) -> None:
    """In place, as `cp` does it: the same file, whatever else is linked to it."""
    path.chmod(0o644)
    path.write_bytes(content)


def look(site: Site, *, repair: bool = False) -> tuple[list, list]:
    """(kind, model, name, repairable) of what is off, and (kind, model, name) of what was mended."""
    found = check_up(site.url, models=site.models, repair=repair)
    assert found.well == (not found.findings)
    assert all(one.remedy for one in found.repaired)
    return (
        [(one.kind, one.model_id, one.name, one.repairable) for one in found.findings],
        [(one.kind, one.model_id, one.name) for one in found.repaired],
    )


def check_mended(site: Site, *findings: tuple) -> None:
    """Exactly these are found, a look changes nothing, a repair mends them, and a second one finds nothing."""
    before = site.rows(), site.files()
    assert look(site) == ([(*one, True) for one in findings], [])
    assert (site.rows(), site.files()) == before
    assert look(site, repair=True) == ([], list(findings))
    after = site.rows(), site.files()
    assert look(site, repair=True) == ([], [])
    assert (site.rows(), site.files()) == after
    with site.open() as registry:
        check_history(registry)
        for model in registry.models():
            assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(model.id)


def test_a_registry_in_use_is_well(ward):
    with ward.open() as registry:
        registry.hold(actor="ann", reason="r")
        registry.rollback(actor="ann", reason="r")
        registry.register(own_model(4), note="n", run_key="k", details=OWN)
        assert registry.doctor().well
    assert look(ward) == ([], [])


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (lambda path: path.unlink(), "missing"),
        (lambda path: overwrite(path, own_model(9)), "changed"),
        (lambda path: overwrite(path, own_model(3)[:-1]), "changed"),
        (lambda path: overwrite(path, b""), "unreadable"),
        (lambda path: overwrite(path, b"<html>not found</html>"), "unreadable"),
        (lambda path: (path.unlink(), path.symlink_to("/nowhere/model.onnx")), "dangling"),
        (lambda path: (path.unlink(), path.symlink_to(__file__)), "unreadable"),
    ],
)
@pytest.mark.parametrize("name", ["gatekeeper_primary3.onnx", blob(3)])
def test_a_name_and_its_blob_mend_each_other(ward, name, damage, kind):
    """Cases 5 and 58."""
    damage(ward.models / name)
    check_mended(ward, (kind, 3, name))


def test_a_hard_link_that_shared_the_blobs_fate(ward):
    """Case 58: both are changed; a name of before, within the grace, still holds the bytes. Without it nothing does."""
    primary = ward.models / "gatekeeper_primary3.onnx"
    primary.unlink()
    os.link(ward.models / blob(3), primary)
    overwrite(primary, own_model(9))
    hurt = ward.clone(ward.root.parent / "hurt")
    check_mended(ward, ("changed", 3, "gatekeeper_primary3.onnx"), ("changed", 3, blob(3)))
    (hurt.models / "gatekeeper_3.onnx").unlink()
    before = hurt.files()
    found = check_up(hurt.url, models=hurt.models, repair=True)
    assert [(one.kind, one.name, one.repairable) for one in found.findings] == [
        ("changed", "gatekeeper_primary3.onnx", False),
        ("changed", blob(3), False),
    ]
    assert all("backup" in one.text and sha(3) in one.text for one in found.findings)
    assert hurt.files() == before
    hurt.drop()


def test_what_somebody_put_over_a_name_is_kept_for_good(ward):
    overwrite(ward.models / "gatekeeper_2.onnx", own_model(9))
    check_mended(ward, ("changed", 2, "gatekeeper_2.onnx"))
    with ward.open(grace_seconds=0) as registry:
        registry.gc()
    assert look(ward) == ([], [])
    assert sha(9) in ward.files().values()


def test_a_folder_in_the_way_is_for_a_person(ward):
    (ward.models / "gatekeeper_2.onnx").unlink()
    (ward.models / "gatekeeper_2.onnx").mkdir()
    (ward.models / "gatekeeper_primary3.onnx").unlink()
    found, mended = look(ward, repair=True)
    assert found == [("unreadable", 2, "gatekeeper_2.onnx", False)]
    assert mended == [("missing", 3, "gatekeeper_primary3.onnx")]


def test_what_a_killed_writer_left_behind(ward):
    """Case 13: half-written files, a blob and a name that no row knows."""
    for name in (".tmp-abc", ".blobs/.tmp-def"):
        ward.put(name, b"half")
    ward.put(blob(9), own_model(9))
    ward.put("gatekeeper_primary2.onnx", own_model(2))
    check_mended(
        ward,
        ("orphaned", None, blob(9)),
        ("orphaned", None, "gatekeeper_primary2.onnx"),
        ("temporary", None, ".tmp-abc"),
        ("temporary", None, ".blobs/.tmp-def"),
    )
    assert {blob(9), "gatekeeper_primary2.onnx"} <= set(ward.files())  # only noted
    with ward.open(grace_seconds=0) as registry:
        registry.promote(2, actor="ann", reason="r")
        assert blob(9) in ward.files()  # a promotion takes no blob away
        registry.gc()
    assert blob(9) not in ward.files()
    assert look(ward) == ([], [])


def test_a_users_files_are_left_alone(ward):
    ward.put("notes.txt", b"mine")
    ward.put("my_best.onnx", own_model(2))  # the file that was registered
    (ward.models / "older").mkdir()
    ward.put("older/a.onnx", own_model(8))
    assert look(ward) == ([], [])
    ward.put("gatekeeper_temp.onnx", own_model(9))  # nobody else has these bytes
    files = ward.files()
    assert look(ward, repair=True) == ([], [])
    (stray,) = check_up(ward.url, models=ward.models).marked  # Case 120: told of, and no reason to be unwell
    assert (stray.kind, stray.name) == ("stray", "gatekeeper_temp.onnx")
    with ward.open(grace_seconds=0) as registry:
        registry.gc()
    assert set(files) - set(ward.files()) == {"gatekeeper_3.onnx", "gatekeeper_primary1.onnx"}  # retired names alone


@pytest.mark.parametrize(
    ("statement", "version", "path"),
    [
        ("UPDATE \"RLModel\" SET path = '/home/dev/models/gatekeeper_2.onnx' WHERE id = 2", 2, "gatekeeper_2.onnx"),
        ("UPDATE \"RLModel\" SET path = 'C:\\bot\\gatekeeper_2.onnx' WHERE id = 2", 2, "gatekeeper_2.onnx"),
        ("UPDATE \"RLModel\" SET version = 'gatekeeper_temp' WHERE id = 2", 2, "gatekeeper_2.onnx"),
        ("UPDATE \"RLModel\" SET version = 'gatekeeper_primary' WHERE id = 3", 3, "gatekeeper_primary3.onnx"),
    ],
)
def test_a_row_that_an_older_writer_named(ward, statement, version, path):
    ward.sql(statement)
    check_mended(ward, ("misnamed", version, path))


def test_two_claims_and_a_history_that_knows(ward):
    ward.sql("DROP INDEX gatekeeper_one_primary")
    ward.sql(TWO_CLAIMS)
    check_mended(ward, ("misnamed", 1, "gatekeeper_1.onnx"), ("primaries", None, None), ("index", None, None))
    with ward.open() as registry:
        assert registry.primary().id == 3


def test_two_claims_and_no_history_are_for_a_person(empty_site):
    for number in (1, 2):
        empty_site.put(f"gatekeeper_primary{number}.onnx", own_model(number))
    empty_site.old_table(
        *[(number, f"gatekeeper_primary{number}", f"models/gatekeeper_primary{number}.onnx", None) for number in (1, 2)]
    )
    empty_site.upgrade()
    before = empty_site.rows(), empty_site.files()
    found = check_up(empty_site.url, models=empty_site.models, repair=True)
    assert [(one.kind, one.repairable) for one in found.findings] == [("primaries", False), ("index", False)]
    assert "--primary ID" in found.findings[0].text
    assert (empty_site.rows(), empty_site.files()) == before


def test_the_index_alone(ward):
    ward.sql("DROP INDEX gatekeeper_one_primary")
    check_mended(ward, ("index", None, None))


def test_no_row_is_active_any_more(ward):
    """An older writer demoted, and died before it promoted."""
    ward.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_3', path = 'models/gatekeeper_3.onnx' WHERE id = 3")
    with ward.open() as registry:
        as_of = registry.promotions()[0].as_of
    check_mended(ward, ("no primary", 3, None), ("orphaned", None, "gatekeeper_primary3.onnx"))
    with ward.open() as registry:
        assert registry.primary().id == 3
        assert registry.promotions()[0].actor == "gatekeeper doctor"
        assert registry.promotions()[0].as_of == as_of  # nothing newer was judged


def test_a_quarantined_model_does_not_come_back_by_itself(ward):
    ward.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_3', path = 'models/gatekeeper_3.onnx' WHERE id = 3")
    ward.sql(
        "INSERT INTO gatekeeper_quarantine (model_id, sha256, actor, reason, at) "
        "VALUES (3, ?, 'ann', 'r', '2025-01-01 00:00:00.000000')",
        sha(3),
    )
    found, mended = look(ward, repair=True)
    assert (found, mended) == ([("no primary", 3, None, False)], [("orphaned", None, "gatekeeper_primary3.onnx")])


def test_a_fresh_registry_without_a_primary_is_well(site, add):
    add(1)
    assert look(site) == ([], [])


def test_a_primary_that_another_writer_made(ward):
    """Case 60: by SQL, demoting first, with the file renamed as older servers do."""
    ward.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_3', path = 'models/gatekeeper_3.onnx' WHERE id = 3")
    name = "models/gatekeeper_primary2.onnx"
    ward.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2', path = ? WHERE id = 2", name)
    (ward.models / "gatekeeper_2.onnx").rename(ward.root / name)
    check_mended(
        ward,
        ("history", 2, None),
        ("orphaned", None, "gatekeeper_primary3.onnx"),
    )
    with ward.open() as registry:
        assert registry.promotions()[0].kind == "adopted"


def test_a_counter_behind_the_audit(ward):
    ward.sql("UPDATE gatekeeper_lock SET generation = 1")
    check_mended(ward, ("counter", None, None))


@pytest.mark.parametrize(
    ("statement", "model_id"),
    [
        ("UPDATE gatekeeper_lock SET generation = 5", None),
        ("DELETE FROM gatekeeper_promotion WHERE generation = 1", 3),
        ("UPDATE gatekeeper_promotion SET from_id = 2 WHERE generation = 2", 3),
    ],
)
def test_a_history_that_was_tampered_with_is_for_a_person(ward, statement, model_id):
    ward.sql(statement)
    before = ward.rows()
    found, mended = look(ward, repair=True)
    assert ("broken", model_id, None, False) in found
    assert mended == []
    assert ward.rows() == before


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)  # PostgreSQL keeps its foreign keys, whoever writes
def test_a_row_that_somebody_deleted(ward):
    ward.sql('DELETE FROM "RLModel" WHERE id = 2')
    found, _ = look(ward, repair=True)
    assert ("broken", 2, None, False) in found
    assert blob(2) in ward.files()


def test_tables_of_another_revision_are_all_that_is_said(ward):
    ward.sql("UPDATE gatekeeper_alembic_version SET version_num = '0000'")
    before = ward.rows(), ward.files()
    (only,) = check_up(ward.url, models=ward.models, repair=True).findings
    assert (only.kind, only.repairable) == ("schema", False)
    assert "gatekeeper db upgrade" in only.text
    assert (ward.rows(), ward.files()) == before


def test_a_table_of_another_tool_is_shown_the_way(empty_site):
    empty_site.old_table((1, "gatekeeper_v1", "models/a.onnx", None))
    empty_site.put("a.onnx", own_model(1))
    (only,) = check_up(empty_site.url, models=empty_site.models).findings
    assert (only.kind, "gatekeeper db upgrade" in only.text) == ("schema", True)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_no_database_is_no_finding(empty_site):
    with pytest.raises(SchemaOutOfDate, match="db upgrade"):
        check_up(empty_site.url, models=empty_site.models)


def test_rows_known_to_be_no_models_are_shown_and_do_no_harm(empty_site):
    empty_site.put("gatekeeper_1.onnx", placeholder_model())
    names = [(number, f"gatekeeper_{number}", f"models/gatekeeper_{number}.onnx", None) for number in (1, 2)]
    empty_site.old_table(*names, (3, "gatekeeper_primary3", "models/gatekeeper_primary3.onnx", None))
    empty_site.upgrade()
    found = check_up(empty_site.url, models=empty_site.models, repair=True)
    assert [(one.kind, one.model_id) for one in found.marked] == [("marked", 1), ("marked", 2)]
    assert [(one.kind, one.model_id, one.repairable) for one in found.findings] == [("unserved primary", 3, False)]
    empty_site.put("gatekeeper_1.onnx", own_model(1))  # both files came back
    empty_site.put("gatekeeper_primary3.onnx", own_model(3))
    assert look(empty_site) == (
        [("unregistered", 1, "gatekeeper_1.onnx", True), ("unregistered", 3, "gatekeeper_primary3.onnx", True)],
        [],
    )
    assert look(empty_site, repair=True)[0] == []
    with empty_site.open() as registry:
        assert [registry.model(number).sha256 for number in (1, 2, 3)] == [sha(1), None, sha(3)]
        assert registry.doctor().well


def test_a_store_that_is_not_there_is_never_called_missing(ward):
    """Case 57's kind: nothing is concluded, and nothing changes."""
    ward.models.rename(ward.root / "elsewhere")
    before = ward.rows()
    for repair in (False, True):
        with pytest.raises(Unavailable):
            check_up(ward.url, models=ward.models, repair=repair)
    ward.models.mkdir()  # a volume that isn't mounted
    with pytest.raises(Unavailable, match="Mount the models folder"):
        check_up(ward.url, models=ward.models, repair=True)
    assert ward.rows() == before


def test_a_writer_at_work_is_no_finding(ward):
    """The blob and the name are there before the row that names them."""
    looked, seen = threading.Event(), []

    def doctor() -> None:
        with ward.open(step=lambda name: looked.set() if name == "looked" else None) as registry:
            seen.append(registry.doctor())

    patient = threading.Thread(target=doctor)

    def step(name: str) -> None:
        if name == "placed gatekeeper_4.onnx":
            patient.start()
            assert looked.wait(30)

    with ward.open(step=step) as registry:
        registry.register(own_model(4), details=OWN)
    patient.join(60)
    assert [found.well for found in seen] == [True]


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_damage_that_leaves_one_copy_is_mended(three, tmp_path_factory, data):
    """Law: while one file of each model holds its bytes, a repair makes all well, and no right bytes are lost."""
    ward = three.clone(tmp_path_factory.mktemp("law") / "ward")
    for number in (1, 2, 3):
        name = "gatekeeper_primary3.onnx" if number == 3 else f"gatekeeper_{number}.onnx"
        for hurt in data.draw(st.sampled_from([[], [name], [blob(number)]]), label=f"hurt {number}"):
            kind = data.draw(st.sampled_from(["gone", "other", "empty", "dangling"]), label="how")
            path = ward.models / hurt
            if kind in {"gone", "dangling"}:
                path.unlink()
            if kind == "dangling":
                path.symlink_to("nowhere")
            if kind in {"other", "empty"}:
                overwrite(path, b"" if kind == "empty" else own_model(data.draw(st.integers(1, 9), label="by")))
    check_up(ward.url, models=ward.models, repair=True)
    assert look(ward) == ([], [])
    with ward.open() as registry:
        for number in (1, 2, 3):
            model = registry.model(number)
            assert registry.named_bytes(model) == registry.blob_bytes(model) == own_model(number)
