"""Promotion act: what it writes, what it checks again under the lock, and that a failure at any step leaves no trace.

The right values are the order's own words, the database's clock, and what rows and files were before.
"""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from registry_site import MONDAY, OWN, Site, check_history, own_model

from gatekeeper.errors import (
    ClaimsUnsettled,
    ConfigError,
    EvaluationOutdated,
    GenerationMoved,
    Held,
    ModelRefused,
    Quarantined,
)
from gatekeeper.registry import Registry

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)

STEPS = ("locked", "named", "demoted", "promoted", "audited", "noted")


class Stopped(Exception):
    """The process got no further."""


def at_step(name: str, act: Callable[[], object]) -> Callable[[str], None]:
    """Calls `act` when the promotion reaches this step."""

    def step(reached: str) -> None:
        if reached == name:
            act()

    return step


def stop() -> None:
    raise Stopped


def overwrite(site: Site, name: str, content: bytes) -> None:
    (site.models / name).unlink()
    site.put(name, content)


def check_chain(registry: Registry) -> None:
    """Each row holds the sha256 over the row before's and its own fields, recomputed here: an act breaks no chain."""
    before = hashlib.sha256(b"gatekeeper").hexdigest()
    for row in reversed(registry.promotions()):
        fields = {name: getattr(row, name) for name in row.__slots__ if name != "chain"}
        times = {name: fields[name].astimezone(UTC).isoformat(timespec="microseconds") for name in ("as_of", "at")}
        entry = {**fields, **times, "evidence": None}  # none of these rests on an evaluation
        written = json.dumps(entry, sort_keys=True, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{written}".encode()).hexdigest()
        assert row.chain == before


# What it writes


def test_an_order_by_hand_is_audited_in_its_own_words(registry, site, add):
    first, second = add(1), add(2)
    registry.promote(first.id, actor=" ann ", reason="\tstart ", run_key="key 1")
    started = datetime.now(UTC) - timedelta(seconds=1)
    made = registry.promote(second.id, actor="bob", reason="better", as_of=MONDAY)
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
    registry.promote(add(1).id, actor="ann", reason="r", now=MONDAY)
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


@pytest.fixture
def meanwhile(site: Site, registry: Registry) -> Any:
    """`promote` by a process between whose look and lock somebody else acts."""

    def promote(act: Callable[[], object], model_id: int, **words: Any) -> Any:
        with site.open(step=at_step("verified", act)) as slow:
            return slow.promote(model_id, **{"actor": "ann", "reason": "r", **words})

    return promote


def refused(site: Site, error: type[Exception], act: Callable[[], object], meanwhile: Any, *order: Any, **words: Any):
    """The order is refused with `error`, and only what the other one did has changed."""
    after: list[Any] = []

    def other() -> None:
        act()
        after[:] = [site.rows(), site.files()]

    with pytest.raises(error):
        meanwhile(other, *order, **words)
    assert [site.rows(), site.files()] == after


def test_a_generation_that_moves_before_the_lock_is_refused(site, registry, add, promote, meanwhile):
    promote(add(1))
    other, mine = add(2), add(3)
    refused(site, GenerationMoved, lambda: promote(other), meanwhile, mine.id, expected_generation=1)
    assert registry.primary().id == other.id


def test_a_model_that_is_quarantined_before_the_lock_is_refused(site, registry, add, promote, meanwhile):
    promote(add(1))
    mine = add(2)

    def fell() -> None:
        promote(mine)
        registry.rollback(actor="ann", reason="it lost money")

    refused(site, Quarantined, fell, meanwhile, mine.id)
    assert registry.primary().id == 1
    with pytest.raises(Quarantined, match=f"(?i)model {mine.id} .*{mine.sha256[:12]}.*it lost money"):
        promote(mine)


def test_a_hold_before_the_lock_stops_an_evaluation(site, registry, add, judged, meanwhile):
    evaluation = judged(add(1))
    hold = partial(registry.hold, actor="ann", reason="release week")
    refused(site, Held, hold, meanwhile, 1, evaluation=evaluation.id, kind="weekly")
    assert registry.primary() is None


def test_bytes_that_change_before_the_lock_are_not_those_that_were_judged(site, registry, add, judged, meanwhile):
    model = add(1)
    evaluation = judged(model)
    change = partial(overwrite, site, model.file_name, own_model(2))
    refused(site, EvaluationOutdated, change, meanwhile, 1, evaluation=evaluation.id, kind="weekly")
    assert registry.primary() is None


def test_bytes_that_are_lost_before_the_lock_are_promoted_by_nobody(site, registry, add, promote, meanwhile):
    """A primary whose file holds nothing would leave every server on its fallback."""
    promote(add(1))
    mine = add(2)

    def lose() -> None:
        for name in (mine.file_name, f".blobs/{mine.sha256}"):
            (site.models / name).unlink()

    refused(site, ModelRefused, lose, meanwhile, mine.id)
    assert registry.primary().id == 1


def test_the_same_order_that_another_process_fulfils_before_the_lock_is_done_once(registry, add, meanwhile):
    """Two schedulers, one weekly run: both are told of the one promotion."""
    add(1)
    other: list[object] = []

    def first() -> None:
        other.append(registry.promote(1, actor="ann", reason="r", run_key="weekly 1"))

    assert meanwhile(first, 1, run_key="weekly 1") == other[0]
    assert registry.generation() == 1
    check_history(registry)


def test_the_evaluations_as_of_stands_whatever_the_order_says_of_now(registry, add, judged):
    evaluation = judged(add(1), weeks=3)
    made = registry.promote(
        1, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly", now=MONDAY, as_of=evaluation.as_of
    )
    assert (made.as_of, made.at) == (MONDAY + timedelta(weeks=3), MONDAY)


# What is asked before anything moves


@pytest.mark.parametrize("field", ["actor", "reason", "run_key"])
def test_words_that_can_not_be_stored_are_refused(site, registry, add, field):
    add(1)
    before = site.rows()
    for words in (" ", "a\0b", "\ud800"):
        with pytest.raises(ConfigError, match=rf"^(The )?{field.replace('_', ' ')}\b"):
            registry.promote(1, **{"actor": "ann", "reason": "r", field: words})
    assert site.rows() == before


@pytest.mark.parametrize(("field", "named"), [("as_of", "as-of"), ("now", "now")])
def test_times_without_an_offset_are_refused(registry, add, field, named):
    add(1)
    with pytest.raises(ConfigError, match=f"^(The )?{named} 2018-01-01.* no .*offset"):
        registry.promote(1, actor="ann", reason="r", **{field: datetime(2018, 1, 1)})  # noqa: DTZ001  # that is the point


@pytest.mark.parametrize("kind", ["weekly", "bootstrap", "recovery"])
def test_each_kind_of_evaluation_promotes_and_none_by_hand(registry, add, judged, kind):
    evaluation = judged(add(1))
    with pytest.raises(ConfigError, match=f"without an evaluation .*'{kind}'.*manual"):
        registry.promote(1, actor="ann", reason="r", kind=kind)
    with pytest.raises(ConfigError, match=r"by evaluation .*'manual'.*weekly or bootstrap or recovery"):
        registry.promote(1, actor="ann", reason="r", evaluation=evaluation.id)
    made = registry.promote(1, actor="weekly", reason="better", evaluation=evaluation.id, kind=kind)
    assert (made.kind, made.evaluation_id) == (kind, evaluation.id)


def test_a_name_that_leads_nowhere_is_a_lost_one(site, registry, add):
    """A link whose target is gone: the blob answers, and the link becomes a file."""
    model = add(1)
    (site.models / model.file_name).unlink()
    (site.models / model.file_name).symlink_to("nowhere.onnx")
    assert registry.promote(1, actor="ann", reason="r").to_id == 1
    assert registry.model_bytes(registry.primary()) == own_model(1)


def test_a_file_that_is_too_large_is_no_lost_one(site, registry, add):
    """The blob may answer for a name that is gone, never for one that holds something else."""
    model = add(1)
    overwrite(site, model.file_name, b"x" * 4096)
    before = site.rows(), site.files()
    with site.open(size_cap=2048) as small, pytest.raises(ModelRefused) as fault:
        small.promote(1, actor="ann", reason="r")
    assert fault.value.reason == "size"
    assert (site.rows(), site.files()) == before


def test_examining_a_model_says_what_a_promotion_would(site, registry, add, promote):
    """None where it would go in; the promotion where it is in already."""
    add(1), add(2)
    before = site.rows(), site.files()
    assert registry.examine(2) is None
    assert (site.rows(), site.files()) == before
    made = promote(registry.model(2))
    assert registry.examine(2) == made


def test_a_database_without_the_index_promotes_nothing(site, registry, add):
    """Nothing would keep a second primary out while this one is written."""
    add(1)
    ((index,),) = site.sql("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%gatekeeper_primary%'")
    site.sql(f"DROP INDEX {index}")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match="migrate-naming"):
        registry.promote(1, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_two_claims_are_settled_by_a_person(site, registry, add, promote):
    promote(add(1))
    add(2), add(3)
    ((index,),) = site.sql("SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '%gatekeeper_primary%'")
    site.sql(f"DROP INDEX {index}")
    site.sql("UPDATE \"RLModel\" SET version = 'gatekeeper_primary2' WHERE id = 2")
    before = site.rows(), site.files()
    with pytest.raises(ClaimsUnsettled, match=r"gatekeeper_primary1.*gatekeeper_primary2.*migrate-naming"):
        registry.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


def test_a_lost_blob_and_a_lost_name_are_both_made_again(site, registry, add, promote):
    """The name of a demoted model from its blob; the blob of a promoted one from its name."""
    first, second = add(1), add(2)
    promote(first)
    (site.models / "gatekeeper_primary1.onnx").unlink()
    (site.models / ".blobs" / second.sha256).unlink()
    promote(second)
    assert (site.models / "gatekeeper_1.onnx").read_bytes() == own_model(1)
    assert (site.models / ".blobs" / second.sha256).read_bytes() == own_model(2)


def test_a_demoted_model_whose_blob_is_lost_keeps_the_bytes_of_its_name(site, add, promote):
    """Past the grace, so that nothing is left from before but what the promotion wrote."""
    first = add(1)
    promote(first)
    add(2)
    (site.models / ".blobs" / first.sha256).unlink()
    (site.models / "gatekeeper_1.onnx").unlink()
    with site.open(grace_seconds=0) as registry:
        registry.promote(2, actor="ann", reason="r")
        assert registry.model_bytes(registry.model(1)) == own_model(1)
    assert (site.models / ".blobs" / first.sha256).read_bytes() == own_model(1)
    assert (site.models / "gatekeeper_1.onnx").read_bytes() == own_model(1)


def test_names_past_the_grace_go_after_the_promotion(site):
    with site.open(grace_seconds=0) as registry:
        registry.register(own_model(1), details=OWN)
        registry.promote(1, actor="ann", reason="r")
    assert "gatekeeper_1.onnx" not in site.files()
    assert "gatekeeper_primary1.onnx" in site.files()
