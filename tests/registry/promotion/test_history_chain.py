"""History chain: rows changed, removed or added behind Gatekeeper's back are found."""

from collections.abc import Callable

import pytest
from promotion_steps import BESIDE
from registry_site import Site
from sqlalchemy import text

from gatekeeper.registry import Registry
from gatekeeper.registry.promotion.history_chain import GENESIS, canonical, first_break, link


def chain_faults(registry: Registry) -> list[str]:
    return [finding.text for finding in registry.doctor().findings if finding.kind == "broken"]


def change(registry: Registry, words: str) -> None:
    with registry._context.database.write() as work:
        work.connection.execute(text(words))


@pytest.fixture
def three(registry: Registry, add: Callable, promote: Callable) -> Registry:
    for number in (1, 2, 3):
        promote(add(number))
    return registry


def test_each_row_holds_the_hash_of_the_one_before(three: Registry) -> None:
    """Recomputed from the public records alone."""
    import hashlib
    import json

    before = hashlib.sha256(b"gatekeeper").hexdigest()
    assert before == GENESIS
    for promotion in reversed(three.promotions()):
        fields = {name: getattr(promotion, name) for name in promotion.__slots__ if name not in BESIDE}
        for name in ("as_of", "at"):
            fields[name] = fields[name].isoformat(timespec="microseconds")
        written = json.dumps({**fields, "evidence": None}, sort_keys=True, separators=(",", ":"))
        before = hashlib.sha256(f"{before}\n{written}".encode()).hexdigest()
        assert promotion.chain == before
        assert promotion.sha256 == three.model(promotion.to_id).sha256
    assert chain_faults(three) == []


@pytest.mark.parametrize("generation", [1, 2, 3])
@pytest.mark.parametrize(
    "column",
    ["kind = 'rollback'", "actor = 'eve'", "reason = 'because'", "to_id = 1 + (to_id % 3)", "sha256 = 'ab'",
     "run_key = 'k'", "chain = 'cd'"],
)  # fmt: skip
def test_a_changed_column_is_found(three: Registry, column: str, generation: int) -> None:
    change(three, f"UPDATE gatekeeper_promotion SET {column} WHERE generation = {generation}")
    (said,) = chain_faults(three)
    row = (
        generation + 1 if column.startswith("to_id") and generation < 3 else generation
    )  # the next one starts elsewhere
    assert f"Promotion {row} " in said


def test_a_changed_moment_is_found(three: Registry) -> None:
    change(
        three, "UPDATE gatekeeper_promotion SET at = as_of, as_of = '2018-01-01 00:00:00.000000' WHERE generation = 2"
    )
    assert "Promotion 2 " in chain_faults(three)[0]


def test_a_removed_row_is_found(three: Registry) -> None:
    change(three, "DELETE FROM gatekeeper_promotion WHERE generation = 2")
    assert "Promotion 3 " in chain_faults(three)[0]


def test_rows_of_an_older_gatekeeper_are_sealed_by_db_upgrade(three: Registry, site: Site) -> None:
    """And an act of after that goes on with the chain."""
    sealed = three.promotions()
    change(three, "UPDATE gatekeeper_promotion SET chain = NULL, sha256 = NULL")
    site.upgrade()
    assert three.promotions() == sealed
    three.rollback(actor="ann", reason="worse")
    assert chain_faults(three) == []


def test_the_chain_needs_no_database() -> None:
    rows, before = [], GENESIS
    for generation in range(1, 6):
        row = {"generation": generation, "to_id": generation}
        before = link(before, row)
        rows.append({**row, "chain": before})
    assert first_break(rows) is None
    assert first_break([]) is None
    assert first_break([*rows[:2], rows[3]]) == 4
    assert first_break([*rows[:2], {**rows[2], "to_id": 9}, *rows[3:]]) == 3
    with pytest.raises(ValueError, match="not JSON compliant"):
        canonical(float("nan"))
