"""Concurrent promotions by real processes: one primary, an unbroken chain, one row for each run key, no failed read."""

import hashlib

import pytest
from promotion_steps import by_hand_as_of
from registry_processes import check_primary_opens, run
from registry_site import MONDAY, OWN, check_history, own_model

from gatekeeper.errors import GenerationMoved
from gatekeeper.registry.db.tables import HEAD

WORKERS, MODELS = 8, 10
HOUR = 3600


def sized(short: int, full: int) -> pytest.MarkDecorator:
    """A little of it in `make test`, all of it in `make stress`."""
    return pytest.mark.parametrize(
        "size", [short, pytest.param(full, marks=[pytest.mark.stress, pytest.mark.timeout(HOUR)])]
    )


def grow(site) -> None:
    """MODELS models, each of which was the primary once."""
    with site.open() as registry:
        for number in range(1, MODELS + 1):
            registry.register(own_model(number), details=OWN)
            with by_hand_as_of(MONDAY.replace(year=2017)):
                registry.promote(number, actor="ann", reason="r")


@sized(80, 2200)
def test_eight_promote_while_four_read(site, size, figures):
    """Cases 1 and 12: exactly one primary, no failed read, no wrong bytes, no lost audit row."""
    grow(site)
    told = run("promote", site, seconds=HOUR, promotions=size, sql=False)
    with site.open() as registry:
        check_history(registry)
        audit = registry.promotions()
        assert len(audit) == registry.generation() >= size
        for worker, won in enumerate(told["won"]):  # what a worker was told, and what the audit says
            assert sum(row.actor == f"worker {worker}" for row in audit) <= won
        assert sum(row.actor != "ann" for row in audit) == len(audit) - MODELS
    assert min(told["reads"]) > 10
    check_primary_opens(site)
    figures(
        f"{site.dialect}: {len(audit) - MODELS} promotions by 8 processes in {told['seconds']:.1f} s; "
        f"{sum(told['reads'])} reads by 4 readers, none failed"
    )


@sized(20, 1000)
def test_an_older_server_that_speaks_sql_only_makes_no_second_primary(site, size, figures):
    """Cases 2 and 60: its UPDATE is refused by the database itself, whatever we are doing meanwhile."""
    grow(site)
    told = run("promote", site, seconds=HOUR, promotions=size, sql=True)
    assert told["refused"] > 10
    assert min(told["reads"]) > 10
    with site.open() as registry:
        check_history(registry)
    check_primary_opens(site)
    figures(f"{site.dialect}: {told['refused']} UPDATEs for a second primary, all refused")


@sized(4, 100)
def test_eight_register_the_same_and_their_own(site, size, figures):
    """Case 7: one row for one run key and bytes; all the others are there, under ids of their own."""
    told = run("register", site, seconds=HOUR, rounds=size)
    shared = [{ids[turn][0] for ids in told} for turn in range(size)]
    own = [pair[1] for ids in told for pair in ids]
    assert all(len(ids) == 1 for ids in shared)
    everything = own + [ids.pop() for ids in shared]
    assert len(set(everything)) == len(everything) == size * (WORKERS + 1)
    with site.open() as registry:
        models = registry.models()
        assert sorted(model.id for model in models) == sorted(everything)
        assert sorted(model.run_key for model in models if model.run_key) == sorted(f"shared {n}" for n in range(size))
        for model in models:
            assert hashlib.sha256((site.models / model.file_name).read_bytes()).hexdigest() == model.sha256
            assert registry.model_bytes(model) == registry.blob_bytes(model)
        for worker, ids in enumerate(told):
            for turn, (_, model_id) in enumerate(ids):
                assert registry.named_bytes(registry.model(model_id)) == own_model(1000 * (worker + 1) + turn)
    figures(f"{site.dialect}: {len(everything)} models registered by 8 processes")


@sized(4, 100)
def test_of_eight_judged_at_one_generation_one_is_promoted(site, size, figures):
    """The others are stale, though each of them was right when it was judged."""
    grow(site)
    told = run("judge", site, seconds=HOUR, rounds=size)
    for turn in range(size):
        answers = [answers[turn] for answers in told]
        assert answers.count("promoted") == 1
        assert set(answers) <= {"promoted", "GenerationMoved", "EvaluationOutdated"}
    with site.open() as registry:
        check_history(registry)
        assert [row.kind for row in registry.promotions()] == ["weekly"] * size + ["manual"] * MODELS
        late = 1 if registry.primary().id != 1 else 2  # the primary itself would be answered that it is so already
        with pytest.raises(GenerationMoved):
            registry.promote(late, actor="late", reason="r", expected_generation=MODELS)
    figures(f"{site.dialect}: {size} rounds of 8 evaluations, one promoted in each")


def test_eight_upgrade_at_once(empty_site):
    """One makes the tables; the others find them, and adopt nothing twice."""
    empty_site.old_table((1, "gatekeeper_primary1", "models/gatekeeper_primary1.onnx", None))
    told = run("upgrade", empty_site)
    assert sorted(before or "" for before, _, _ in told) == ["", *[HEAD] * (WORKERS - 1)]
    assert {(after, primary) for _, after, primary in told} == {(HEAD, 1)}
    with empty_site.open() as registry:
        assert registry.generation() == 1
        check_history(registry)
