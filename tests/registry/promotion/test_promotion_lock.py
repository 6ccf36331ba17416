"""Promotion act under its lock: what changed since the first check is checked again, and refused if need be."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from promotion_steps import at_step, overwrite
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


def test_the_evaluations_as_of_stands_and_the_databases_time(registry, add, judged):
    evaluation = judged(add(1), weeks=3)
    started = datetime.now(UTC) - timedelta(seconds=1)
    made = registry.promote(
        1, actor="weekly", reason="better", evaluation=evaluation.id, kind="weekly", as_of=evaluation.as_of
    )
    assert made.as_of == MONDAY + timedelta(weeks=3)
    assert started <= made.at <= datetime.now(UTC) + timedelta(seconds=1)


# What is asked before anything moves


@pytest.mark.parametrize("field", ["actor", "reason", "run_key"])
def test_words_that_can_not_be_stored_are_refused(site, registry, add, field):
    add(1)
    before = site.rows()
    for words in (" ", "a\0b", "\ud800"):
        with pytest.raises(ConfigError, match=rf"^(The )?{field.replace('_', ' ')}\b"):
            registry.promote(1, **{"actor": "ann", "reason": "r", field: words})
    assert site.rows() == before


def test_times_without_an_offset_are_refused(registry, add, judged):
    evaluation = judged(add(1)).id
    words = {"actor": "ann", "reason": "r", "evaluation": evaluation, "kind": "weekly"}
    with pytest.raises(ConfigError, match=r"^The as-of 2018-01-01.* no .*offset"):
        registry.promote(1, as_of=datetime(2018, 1, 1), **words)  # noqa: DTZ001  # that is the point


def test_an_order_by_hand_takes_no_as_of(registry, site, add):
    """Case 66: it is the database's clock that tells it."""
    add(1)
    before = site.rows()
    with pytest.raises(ConfigError, match=r"by hand takes no as-of, but 2018-06-04 02:00:00\+00:00 was given"):
        registry.promote(1, actor="ann", reason="r", as_of=MONDAY)
    with pytest.raises(TypeError, match="now"):
        registry.promote(1, actor="ann", reason="r", now=MONDAY)
    assert site.rows() == before


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
