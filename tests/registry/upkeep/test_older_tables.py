"""Older tables of any content: each row ends adopted, marked or refused by itself; a time is right or unknown."""

import subprocess
import sys
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from model_files import contract_model
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import ClaimsUnsettled, SchemaOutOfDate
from gatekeeper.judgement.backtest.contender import Contender
from gatekeeper.registry import check_up

NOON_S = 1_748_952_000  # date -u -d '2025-06-03 12:00' +%s
NOON = datetime(2025, 6, 3, 12, tzinfo=UTC)
LOOSE = 'CREATE TABLE "RLModel" (id {id}, version TEXT, path TEXT, description TEXT, "createdAt" {created})'
KEYED = {"sqlite": "INTEGER PRIMARY KEY", "postgresql": "BIGINT PRIMARY KEY"}


def grown(site: Site, *rows: tuple, key: str | None = None, created: str = "BIGINT") -> None:
    """A table with a key alone: models 1 (the primary) and 2, then `rows` (id, version, path, createdAt)."""
    site.sql(LOOSE.format(id=key or KEYED[site.dialect], created=created))
    for number in (1, 2):
        site.put(f"m{number}.onnx", own_model(number))
    for row in ((1, "gatekeeper_primary1", "models/m1.onnx", None), (2, "two", "models/m2.onnx", None), *rows):
        site.sql('INSERT INTO "RLModel" (id, version, path, "createdAt") VALUES (?, ?, ?, ?)', *row)


def works(site: Site) -> None:
    """The registry does its work: register, promote, name, and doctor finds nothing."""
    with site.open() as registry:
        added = registry.register(own_model(5), details=OWN)
        assert 2 < added.id < 2**53
        registry.promote(added.id, actor="ann", reason="r")
        check_history(registry)
        registry.migrate_naming(dry_run=False, primary=None, actor="ann", reason="r")
        assert not registry.migrate_naming(dry_run=False, primary=None, actor="ann", reason="r").changes
    assert check_up(site.url, models=site.models).findings == ()


@pytest.mark.parametrize("stored", [NOON_S, NOON_S * 1000, NOON_S * 10**6, NOON_S * 10**9])
def test_epoch_numbers_of_every_unit(empty_site, stored):
    """Case 69: seconds were read as 1970, before every holdout, and so passed the out-of-sample gate."""
    grown(empty_site, (3, "three", "models/m2.onnx", stored))
    assert empty_site.upgrade().undated == ()
    with empty_site.open() as registry:
        assert registry.model(3).created_at == NOON
        added = registry.register(own_model(4), details=OWN)
        assert abs((added.created_at - datetime.now(UTC)).total_seconds()) < 60
    ((written,),) = empty_site.sql(f'SELECT "createdAt" FROM "RLModel" WHERE id = {added.id}')
    assert len(str(written)) == len(str(stored))  # the same unit


@pytest.mark.parametrize(
    ("created", "stored", "shown"),
    [
        ("BIGINT", 1, "createdAt is '1', read as 1970-01-01 00:00 UTC"),
        ("BIGINT", 9_000_000_000, "read as 2255-03-14 16:00 UTC"),
        ("TEXT", "1980-01-01", "createdAt is '1980-01-01', read as 1980-01-01 00:00 UTC"),
        ("TEXT", "yesterday", "createdAt is 'yesterday': no time"),
        ("TEXT", "2300-01-01 00:00:00", "read as 2300-01-01 00:00 UTC"),
    ],
)
def test_an_implausible_time_is_unknown_and_said(empty_site, created, stored, shown):
    """Case 69: by `db upgrade` and doctor; the gate `comparable` then has no time to believe."""
    grown(empty_site, (3, "three", "models/m2.onnx", stored), created=created)
    report = empty_site.upgrade()
    assert [(mark.model_id, shown in mark.message) for mark in report.undated] == [(3, True)]
    checkup = check_up(empty_site.url, models=empty_site.models)
    assert [(one.kind, one.model_id) for one in checkup.marked] == [("undated", 3)]
    assert shown in checkup.marked[0].text
    with empty_site.open() as registry:
        model = registry.model(3)
        contender = Contender(model.version, model.sha256, 0.5, len, model.trained_to, model.created_at)
        assert contender.seen_to is None
    works(empty_site)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("stated", "known"),
    [
        ("2018-01-05T00:00:00Z", datetime(2018, 1, 5, tzinfo=UTC)),
        ("1970-01-01", None),
        ("0001-01-01T00:00:00+05:00", None),
        ("2300-01-01", None),
        ("1515110400", None),
    ],
)
def test_an_implausible_end_of_the_training_data_is_unknown(empty_site, stated, known):
    """Case 69's kin: in the file of a foreign model, where it would put any window out of sample."""
    grown(empty_site)
    empty_site.put("m2.onnx", contract_model([0.2] * 7, trained_to=stated))
    empty_site.upgrade()
    with empty_site.open() as registry:
        assert registry.model(2).trained_to == known


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("stored", ["infinity", "-infinity", "0044-03-15 BC"])
def test_a_timestamp_that_the_driver_cant_read(empty_site, stored):
    grown(empty_site, (3, "three", "models/m2.onnx", stored), created="TIMESTAMPTZ")
    assert [mark.model_id for mark in empty_site.upgrade().undated] == [3]
    works(empty_site)


def test_a_primary_of_the_future_holds_up_no_monday(empty_site):
    """Cases 66 and 69: its adoption would be the highest as-of on record, for decades."""
    grown(empty_site)
    empty_site.sql(f'UPDATE "RLModel" SET "createdAt" = {NOON_S + 60 * 365 * 86400} WHERE id = 1')
    empty_site.upgrade()
    with empty_site.open() as registry:
        (adopted,) = registry.promotions()
        assert adopted.as_of == adopted.at


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ((-3, "three", "models/m2.onnx", None), "id"),
        ((-(2**63), "three", "models/m2.onnx", None), "id"),
        ((3, "three", None, None), "missing"),
        ((3, "three", "", None), "missing"),
        ((3, "three", "   ", None), "missing"),
        ((3, "three", "models/" + "x" * 5000, None), "missing"),
    ],
)
def test_an_unusable_row_is_marked_and_the_rest_adopted(empty_site, row, reason):
    """Case 70: one row with a negative id, and its siblings."""
    grown(empty_site, row)
    report = empty_site.upgrade()
    assert (report.adopted, report.claims) == ((1, 2), (1,))
    assert [(mark.model_id, mark.reason) for mark in report.marked] == [(row[0], reason)]
    works(empty_site)


@pytest.mark.parametrize("row", [(0, "zero", "models/m2.onnx", None), (3, None, "models/m2.onnx", None)])
def test_an_odd_row_with_a_usable_model_is_adopted(empty_site, row):
    grown(empty_site, row)
    assert empty_site.upgrade().adopted == tuple(sorted((1, 2, row[0])))
    works(empty_site)


@pytest.mark.parametrize("key", ["BIGINT PRIMARY KEY", "INTEGER PRIMARY KEY", "SMALLINT PRIMARY KEY"])
def test_the_largest_id_leaves_room_for_new_ones(empty_site, key):
    """One row at the end of the type's range: a new id that comes after it couldn't be stored."""
    largest = {"BIGINT": 2**63 - 1, "INTEGER": 2**31 - 1, "SMALLINT": 2**15 - 1}[key.split()[0]]
    largest = largest if empty_site.postgres else 2**63 - 1
    grown(empty_site, (largest, "last", "models/m2.onnx", None), key=key)
    assert empty_site.upgrade().adopted == (1, 2, largest)
    works(empty_site)


def test_a_negative_primary_gives_way(empty_site):
    """Case 70: nothing usable is under it, so another model is promoted over it."""
    grown(empty_site)
    empty_site.sql('UPDATE "RLModel" SET id = -1 WHERE id = 1')
    report = empty_site.upgrade()
    assert (report.adopted, report.claims) == ((2,), (-1,))
    works(empty_site)


def test_the_same_version_twice(empty_site):
    grown(empty_site, (3, "twice", "models/m2.onnx", None), (4, "twice", "models/m2.onnx", None))
    assert empty_site.upgrade().adopted == (1, 2, 3, 4)
    works(empty_site)


def test_rows_without_an_id_are_refused_by_themselves(empty_site):
    """Case 70: a column without a key may hold null, more than once."""
    rows = [(None, "a", "models/m2.onnx", None), (None, "b", "models/m2.onnx", None)]
    grown(empty_site, *rows, key="BIGINT")
    report = empty_site.upgrade()
    assert report.adopted == (1, 2)
    assert [text.split(". ")[0] for text in report.refused] == [
        "A row ('a') has the id null",
        "A row ('b') has the id null",
    ]
    works(empty_site)
    assert len(check_up(empty_site.url, models=empty_site.models).marked) == 2


def test_an_id_twice_is_named(empty_site):
    grown(empty_site, (7, "a", "models/m2.onnx", None), (7, "b", "models/m2.onnx", None), key="BIGINT")
    with pytest.raises(SchemaOutOfDate, match=r"has the id 7 more than once"):
        empty_site.upgrade()


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("number", ["abc", 3.5, b"x", 1e30])
def test_an_id_of_another_type_is_refused_by_itself(empty_site, number):
    """Case 70: SQLite's columns take any value."""
    grown(empty_site, (number, "a", "models/m2.onnx", None), key="INT PRIMARY KEY")
    report = empty_site.upgrade()
    assert (report.adopted, len(report.refused)) == ((1, 2), 1)
    assert repr(number) in report.refused[0]
    works(empty_site)


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
@pytest.mark.parametrize("key", ["NUMERIC PRIMARY KEY", "DOUBLE PRECISION PRIMARY KEY", "NUMERIC"])
def test_a_fraction_among_ids_that_may_have_one(empty_site, key):
    grown(empty_site, (3.5, "a", "models/m2.onnx", None), (7, "b", "models/m2.onnx", None), key=key)
    report = empty_site.upgrade()
    assert (report.adopted, len(report.refused)) == ((1, 2, 7), 1)
    works(empty_site)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_primary_without_a_usable_id_is_named(empty_site):
    """Nobody may promote over it in silence, and the models of the other rows are adopted."""
    grown(empty_site, key="INT PRIMARY KEY")
    empty_site.sql("UPDATE \"RLModel\" SET id = 'abc' WHERE id = 1")
    assert empty_site.upgrade().adopted == (2,)
    with empty_site.open() as registry, pytest.raises(ClaimsUnsettled, match=r"'gatekeeper_primary1'.*whole number"):
        registry.promote(2, actor="ann", reason="r")
    (finding,) = check_up(empty_site.url, models=empty_site.models).findings[:1]
    assert "nothing can be promoted" in finding.text
    empty_site.sql("UPDATE \"RLModel\" SET id = 9 WHERE id = 'abc'")
    assert empty_site.upgrade().adopted == (9,)
    works(empty_site)


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_bytes_and_numbers_in_text_columns(empty_site):
    """Case 70: one value that is not UTF-8 made the whole table unreadable."""
    values = ("x'67ff'", "CAST(x'67ff' AS TEXT)", "7", "1.5")
    cells = [(name, value) for name in ("version", "path", "description", '"createdAt"') for value in values]
    grown(empty_site, *((3 + at, f"row {at}", "models/m2.onnx", None) for at in range(len(cells))), created="TEXT")
    for at, (name, value) in enumerate(cells):
        empty_site.sql(f'UPDATE "RLModel" SET {name} = {value} WHERE id = {3 + at}')
    report = empty_site.upgrade()
    assert [mark.model_id for mark in report.marked] == [7, 8, 9, 10]  # those without a path
    assert len(report.adopted) == 2 + len(cells) - 4
    works(empty_site)


ANY = st.one_of(st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(), st.text(max_size=6), st.binary(max_size=4))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@settings(
    max_examples=5,
    deadline=None,
    phases=[Phase.explicit, Phase.generate],  # each try is a registry: shrinking would take minutes
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(rows=st.lists(st.tuples(ANY, ANY, st.one_of(ANY, st.just("models/m2.onnx")), ANY), max_size=4))
def test_law_of_the_older_table(new_site, tmp_path_factory, rows):
    """Case 70: each row ends adopted, marked or refused by itself, whatever it holds; the registry then works."""
    site = new_site(tmp_path_factory.mktemp("site"))
    grown(site, key="INT PRIMARY KEY", created="")
    for row in rows:
        site.sql('INSERT OR IGNORE INTO "RLModel" (id, version, path, "createdAt") VALUES (?, ?, ?, ?)', *row)
    ((count,),) = site.sql('SELECT count(*) FROM "RLModel"')
    report = site.upgrade()
    assert len(report.adopted) + len(report.marked) + len(report.refused) == count
    works(site)


@pytest.mark.parametrize("name", ["rlmodel", "RLModels", "rl_model", "RL Model", "RLMODEL"])
def test_a_table_of_nearly_that_name_is_told_of(empty_site, name):
    """Case 69's kind: a registry beside the table that was meant looks empty, and right."""
    empty_site.sql(
        f'CREATE TABLE "{name}" (id INTEGER PRIMARY KEY, version TEXT, path TEXT, description TEXT, "createdAt" TEXT)'
    )
    empty_site.sql("CREATE TABLE trades (id INTEGER)")
    similar = empty_site.upgrade().similar
    ours = not empty_site.postgres and name.lower() == "rlmodel"  # SQLite's names have no case: it is the table
    assert similar == (() if ours else (name,))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_the_command_tells_what_it_leaves_out(empty_site):
    """Each kind in a line of its own."""
    grown(empty_site, (-3, "a", "models/m2.onnx", 7), (None, "b", "models/m2.onnx", None), key="INT PRIMARY KEY")
    empty_site.sql("CREATE TABLE rl_models (id INTEGER)")
    around = {"GATEKEEPER_DB": empty_site.url, "GATEKEEPER_MODELS": str(empty_site.models), "PATH": ""}
    command = [sys.executable, "-c", "from gatekeeper.cli import main; main(['db', 'upgrade'])"]
    said = subprocess.run(command, env=around, cwd=empty_site.root, capture_output=True, text=True, check=True)
    beginnings = [line[:42] for line in said.stdout.splitlines()[2:]]
    assert beginnings == [
        "Not usable, and never served: model -3: mo",
        "Not adopted: A row ('b') has the id null. ",
        "Time unknown: model -3: createdAt is '7', ",
        "Not read: this database also has rl_models",
    ]


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_the_table_of_another_schema_is_told_of(empty_site):
    """But not that of another desk, which has its registry beside it."""
    empty_site.sql("CREATE SCHEMA old")
    empty_site.sql('CREATE TABLE old."RLModel" (id INTEGER)')
    empty_site.sql("CREATE SCHEMA desk")
    empty_site.sql('CREATE TABLE desk."RLModel" (id INTEGER)')
    empty_site.sql("CREATE TABLE desk.gatekeeper_lock (id INTEGER)")
    assert empty_site.upgrade().similar == ("old.RLModel",)


def test_a_view_is_no_table(empty_site):
    empty_site.sql(
        'CREATE VIEW "RLModel" AS SELECT 1 AS id, 2 AS version, 3 AS path, 4 AS description, 5 AS "createdAt"'
    )
    with pytest.raises(SchemaOutOfDate, match=r'^"RLModel" is a view'):
        empty_site.upgrade()


@pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
def test_a_column_of_nearly_that_name_is_told_of(empty_site):
    empty_site.sql(
        'CREATE TABLE "RLModel" (id INTEGER PRIMARY KEY, version TEXT, path TEXT, description TEXT, createdat TEXT)'
    )
    with pytest.raises(SchemaOutOfDate, match=r"lacks createdAt\..*also has createdat: rename"):
        empty_site.upgrade()
