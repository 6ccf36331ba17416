"""Number of SQL statements: a transaction doesn't ask again for what it knows."""

import re
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from registry_site import MONDAY, OWN, own_model
from sqlalchemy import event

from gatekeeper.registry import Model, Registry

Statement = tuple[str, str]
"""Its words and its values."""


@pytest.fixture
def asked(registry: Registry, add: Callable[[int], Model]) -> Iterator[list[Statement]]:
    """Every statement from now on, of a registry in which 1 is the primary and 2 isn't."""
    for number in (1, 2):
        add(number)
    registry.promote(1, actor="ann", reason="the first")
    heard: list[Statement] = []
    engine = registry._context.database.engine

    def hear(*said: object) -> None:
        heard.append((str(said[2]), repr(said[3])))

    event.listen(engine, "before_cursor_execute", hear)
    yield heard
    event.remove(engine, "before_cursor_execute", hear)


READS: dict[str, Callable[[Registry], object]] = {
    "model": lambda registry: registry.model(1),
    "models": lambda registry: registry.models(limit=50),
    "primary": Registry.primary,
    "generation": Registry.generation,
    "promotions": Registry.promotions,
    "quarantined": lambda registry: registry.quarantined("0" * 64),
    "passed": Registry.passed,
    "last_verdict": Registry.last_verdict,
    "check": lambda registry: registry.checks.find(MONDAY, "0" * 64),
    "checks": lambda registry: registry.checks.newest(),
    "alarm_reached": lambda registry: registry.checks.alarm_reached("live", "week 1"),
    "a page of promotions": lambda registry: registry.pages.promotions(),
    "quarantines": lambda registry: registry.pages.quarantines(),
    "holds": lambda registry: registry.pages.holds(),
}


@pytest.mark.parametrize("read", READS)
def test_what_one_statement_answers_takes_no_more(registry: Registry, asked: list[Statement], read: str) -> None:
    """Not even a BEGIN: a statement is a snapshot by itself."""
    READS[read](registry)
    assert len(asked) == 1


@pytest.mark.parametrize("act", ["promote", "rollback", "register"])
def test_a_transaction_asks_nothing_twice(registry: Registry, asked: list[Statement], act: str) -> None:
    if act == "rollback":
        registry.promote(2, actor="ann", reason="to be left")
        asked.clear()
    acts: dict[str, Callable[[], object]] = {
        "promote": lambda: registry.promote(2, actor="ann", reason="better"),
        "rollback": lambda: registry.rollback(actor="ann", reason="worse"),
        "register": lambda: registry.register(own_model(3), run_key="week 3", details=OWN),
    }
    acts[act]()
    begins = [place for place, (words, _) in enumerate(asked) if words.startswith("BEGIN")]
    transactions = list(zip(begins, [*begins[1:], len(asked)], strict=True))
    changes = re.compile(r"(INSERT|UPDATE|DELETE) ")
    writing = [1 for begin, end in transactions if any(changes.match(words) for words, _ in asked[begin:end])]
    assert len(writing) == 1, "an act is all there or not at all"
    for begin, end in transactions:
        of_tables = re.compile(r"SELECT .* FROM ", re.DOTALL)  # the clock says something else each time
        of_these = Counter(one for one in asked[begin:end] if of_tables.match(one[0]))
        assert [one for one, count in of_these.items() if count > 1] == []
