"""Promotion act: what it writes, what it checks again under the lock, and that a failure at any step leaves no trace.

The right values are the order's own words, the database's clock, and what rows and files were before.
"""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest
from promotion_steps import STEPS, Stopped, at_step, by_hand_as_of, check_chain, overwrite, stop
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import (
    ClaimsUnsettled,
)

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)


def test_an_order_by_hand_is_audited_in_its_own_words(registry, site, add):
    first, second = add(1), add(2)
    registry.promote(first.id, actor=" ann ", reason="\tstart ", run_key="key 1")
    started = datetime.now(UTC) - timedelta(seconds=1)
    with by_hand_as_of(MONDAY):
        made = registry.promote(second.id, actor="bob", reason="better")
    assert (made.actor, made.reason, made.kind, made.sha256) == ("bob", "better", "manual", second.sha256)
    assert (made.as_of, made.run_key, made.evaluation_id) == (MONDAY, None, None)
    assert started <= made.at <= datetime.now(UTC) + timedelta(seconds=1)
    start = registry.promotions()[1]
    assert (start.actor, start.reason, start.run_key, start.from_id) == ("ann", "start", "key 1", None)
    assert start.as_of == start.at  # of an order that says none, by the database's clock
    assert registry.promotions()[0] == made
    check_history(registry)
    check_chain(registry)


def test_the_file_name_that_a_row_leaves_is_noted_and_one_that_it_takes_is_not(registry, site, add):
    first, second = add(1), add(2)
    registry.promote(first.id, actor="ann", reason="r")
    assert site.sql("SELECT name FROM gatekeeper_retired") == [("gatekeeper_1.onnx",)]
    promotion = registry.promote(second.id, actor="ann", reason="r")
    noted = {name for (name,) in site.sql("SELECT name FROM gatekeeper_retired")}
    assert noted == {"gatekeeper_2.onnx", "gatekeeper_primary1.onnx"}  # gatekeeper_1.onnx is model 1's again
    (at,) = site.sql("SELECT DISTINCT at FROM gatekeeper_retired")
    assert datetime.fromisoformat(at[0]).replace(tzinfo=UTC) == promotion.at
    registry.promote(first.id, actor="ann", reason="back")
    noted = {name for (name,) in site.sql("SELECT name FROM gatekeeper_retired")}
    assert noted == {"gatekeeper_1.onnx", "gatekeeper_primary2.onnx"}


@pytest.mark.parametrize("path", ["", "models/gatekeeper_primary1.onnx"], ids=["no path", "the new path already"])
def test_a_row_that_leaves_no_other_name_retires_none(registry, site, add, path):
    """An older tool took the path away, or wrote the one that the model is about to get."""
    add(1)
    if path:
        (site.models / "gatekeeper_1.onnx").rename(site.models / "gatekeeper_primary1.onnx")
    site.sql('UPDATE "RLModel" SET path = ? WHERE id = 1', path)
    registry.promote(1, actor="ann", reason="r")
    assert site.sql("SELECT name FROM gatekeeper_retired") == []
    assert registry.model_bytes(registry.primary()) == own_model(1)


def test_names_are_retired_as_of_the_promotion_itself(site, registry, add):
    """However long the act takes after its row was written: whoever reads both sees one instant."""

    def ticked() -> None:
        before = datetime.now(UTC)
        while datetime.now(UTC) - before < timedelta(milliseconds=3):
            pass

    add(1)
    with site.open(step=at_step("audited", ticked)) as slow:
        made = slow.promote(1, actor="ann", reason="r")
    ((at,),) = site.sql("SELECT at FROM gatekeeper_retired")
    assert datetime.fromisoformat(at).replace(tzinfo=UTC) == made.at


def test_retired_names_count_from_the_databases_clock_not_from_the_orders(registry, site, add):
    """An order dated years back (a backfill) may not make a name vanish under its readers at once."""
    with by_hand_as_of(MONDAY):
        registry.promote(add(1).id, actor="ann", reason="r")
    ((at,),) = site.sql("SELECT at FROM gatekeeper_retired")
    assert datetime.fromisoformat(at).replace(tzinfo=UTC) > datetime.now(UTC) - timedelta(minutes=5)


def test_what_an_sql_writer_made_the_first_primary_is_adopted_as_of_its_creation(registry, site, add):
    """The audit's first row: nobody promoted it here, so the row's own date is all that is known."""
    first = add(1)
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary1' WHERE id = 1")
    registry.promote(add(2).id, actor="ann", reason="r")
    adopted = registry.promotions()[1]
    assert (adopted.generation, adopted.kind, adopted.actor) == (1, "adopted", "gatekeeper")
    assert (adopted.from_id, adopted.to_id, adopted.sha256) == (None, 1, first.sha256)
    assert (adopted.evaluation_id, adopted.run_key, adopted.as_of) == (None, None, first.created_at)
    assert adopted.reason
    check_history(registry)
    check_chain(registry)


def test_what_an_sql_writer_made_a_later_primary_is_adopted_as_of_now(registry, site, add, promote):
    """Its row may be years older than the promotion before it, which it came after."""
    promote(add(1))
    add(2)
    site.sql('UPDATE "RLModel" SET "createdAt" = 1000 WHERE id = 2')
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")
    promote(add(3))
    newest, adopted, first = registry.promotions()
    assert (adopted.from_id, adopted.to_id, newest.from_id) == (1, 2, 2)
    assert first.at <= adopted.as_of == adopted.at <= newest.at
    check_history(registry)
    check_chain(registry)


def test_promoting_what_an_sql_writer_promoted_returns_its_adoption(registry, site, add):
    """Not the promotion before it, which made another model the primary."""
    for number in (1, 2):
        add(number)
    registry.promote(1, actor="ann", reason="start")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")
    done = registry.promote(2, actor="ann", reason="better")
    assert (done.kind, done.from_id, done.to_id, done.generation) == ("adopted", 1, 2, 2)
    assert registry.promotions()[0] == done


def test_what_is_done_already_waits_for_no_lock(registry, site, add):
    """A promotion that is repeated returns while another writer works."""
    registry.promote(add(1).id, actor="ann", reason="start", run_key="key 1")
    with site.open(step=at_step("locked", stop)) as again:
        for key in ("key 1", None):
            assert again.promote(1, actor="ann", reason="start", run_key=key) == registry.promotions()[0]


def test_a_first_primary_without_a_date_is_adopted_as_of_now(registry, site, add):
    add(1)
    site.sql('UPDATE "RLModel" SET version = \'gatekeeper_primary1\', "createdAt" = NULL WHERE id = 1')
    registry.promote(add(2).id, actor="ann", reason="r")
    adopted = registry.promotions()[1]
    assert adopted.as_of == adopted.at


# A failure leaves no trace


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_any_step_leaves_rows_and_files_as_they_were(site, registry, add, promote, step):
    """Case 113: new names and a blob made anew go away again, and what stood under a name comes back.

    The copy that was made of the user's file first may stay: it is nobody's, and does no harm.
    """
    promote(add(1))
    second = add(2)
    (site.models / ".blobs" / second.sha256).unlink()
    site.put("gatekeeper_primary2.onnx", b"a file of the user's")
    before = site.rows(), site.files()
    with site.open(step=at_step(step, stop)) as stopping, pytest.raises(Stopped):
        stopping.promote(second.id, actor="ann", reason="r")
    left = {name: content for name, content in site.files().items() if not name.endswith(".kept")}
    assert (site.rows(), left) == before
    assert registry.promote(second.id, actor="ann", reason="r").generation == 2
    check_history(registry)


def test_what_fails_after_the_commit_undoes_nothing(site, registry, add, promote):
    promote(add(1))
    add(2)
    with site.open(step=at_step("committed", stop)) as stopping, pytest.raises(Stopped):
        stopping.promote(2, actor="ann", reason="r")
    assert (registry.primary().id, registry.generation()) == (2, 2)
    assert registry.model_bytes(registry.primary()) == own_model(2)
    check_history(registry)


def test_a_refused_demotion_takes_the_new_primarys_name_away_again(site, registry, add, promote):
    """Case 113: model 1 can't have its name back, which another row has; by then the new name is written."""
    promote(add(1))
    add(2), add(3)
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 2")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match="gatekeeper_1 of model 1 is taken by model 2"):
        registry.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


# Names of other rows


@pytest.mark.parametrize("lost", [False, True], ids=["with its bytes", "without its bytes"])
def test_a_demoted_model_never_takes_the_file_that_another_row_reads(site, registry, add, promote, lost):
    """Case 113: row 2's path leads to gatekeeper_1.onnx, which holds model 2's bytes; its version is its own."""
    first = add(1)
    promote(first)
    add(2), add(3)
    overwrite(site, "gatekeeper_1.onnx", own_model(2))
    site.sql("UPDATE \"RLModel\" SET path = 'models/gatekeeper_1.onnx' WHERE id = 2")
    if lost:
        (site.models / "gatekeeper_primary1.onnx").unlink()
        (site.models / ".blobs" / first.sha256).unlink()
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match="of model 1 is taken by model 2"):
        registry.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_a_new_primary_never_takes_the_file_that_another_row_reads(site, registry, add, promote):
    promote(add(1))
    add(2), add(3)
    site.put("gatekeeper_primary3.onnx", own_model(2))
    site.sql("UPDATE \"RLModel\" SET path = 'models/gatekeeper_primary3.onnx' WHERE id = 2")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match="gatekeeper_primary3 of model 3 is taken by model 2"):
        registry.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_a_row_that_reads_the_very_same_bytes_under_the_new_name_is_no_obstacle(site, registry, add):
    """An older tool's second row for one file: whatever it reads there, it goes on reading."""
    first = add(1)
    twin = registry.register(own_model(1), details=OWN)
    site.put("gatekeeper_primary1.onnx", own_model(1))
    site.sql("UPDATE \"RLModel\" SET path = 'models/gatekeeper_primary1.onnx' WHERE id = ?", twin.id)
    assert registry.promote(first.id, actor="ann", reason="r").to_id == first.id
    for model_id in (first.id, twin.id):
        assert registry.model_bytes(registry.model(model_id)) == own_model(1)


def test_a_primary_that_never_was_a_model_of_ours_keeps_its_bytes_and_gives_way(site, registry, add):
    """A placeholder that another tool made the primary: no artifact. Its file goes along under its new name."""
    add(1)
    site.put("gatekeeper_primary9.onnx", b"what an older tool put there")
    values = "VALUES (9, 'gatekeeper_primary9', 'models/gatekeeper_primary9.onnx')"
    site.sql(f'INSERT INTO "RLModel" (id, version, path) {values}')
    made = registry.promote(1, actor="ann", reason="r")
    assert (made.from_id, made.to_id) == (9, 1)
    for name in ("gatekeeper_9.onnx", "gatekeeper_primary9.onnx"):
        assert (site.models / name).read_bytes() == b"what an older tool put there"
    ((version, path),) = site.sql('SELECT version, path FROM "RLModel" WHERE id = 9')
    assert (version, path) == ("gatekeeper_9", "models/gatekeeper_9.onnx")
    noted = {name for (name,) in site.sql("SELECT name FROM gatekeeper_retired")}
    assert noted == {"gatekeeper_1.onnx"}  # nobody registered the other's bytes: they are in no blob
    assert f".blobs/{hashlib.sha256(b'what an older tool put there').hexdigest()}" not in site.files()
    check_history(registry)


# What is checked again under the lock
