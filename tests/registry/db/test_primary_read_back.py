"""Read-back of primary and generation in acts that promote nothing: no trigger may move either unseen."""

from collections.abc import Callable

import pytest
from registry_site import MONDAY, OWN, Site, own_model

from gatekeeper.errors import ConfigError
from gatekeeper.registry import Registry

DEMOTES = "UPDATE \"RLModel\" SET version = 'gatekeeper_1' WHERE id = 1"
MOVES = "UPDATE gatekeeper_lock SET generation = 9 WHERE id = 1"


def evaluated(registry: Registry) -> object:
    return registry.record_evaluation(
        challenger=2,
        champion=1,
        generation=1,
        as_of=MONDAY,
        kind="weekly",
        verdict="keep",
        document={},
        run_key="week",
        report=None,
    )


def checked(registry: Registry) -> object:
    return registry.checks.record(registry.model(1), as_of=MONDAY, generation=1, document={"format": 1})


ACTS: list[tuple[str, str, Callable[[Registry], object]]] = [
    ("RLModel", "INSERT", lambda registry: registry.register(own_model(4), details=OWN)),
    ("gatekeeper_evaluation", "INSERT", evaluated),
    ("gatekeeper_hold", "INSERT", lambda registry: registry.hold(actor="ann", reason="r")),
    ("gatekeeper_hold", "UPDATE", lambda registry: registry.release(1, actor="ann", reason="r")),
    ("gatekeeper_check", "INSERT", checked),
    ("gatekeeper_act", "INSERT", lambda registry: registry.release(actor="ann", reason="r", run_key="none")),
    ("gatekeeper_alarm", "INSERT", lambda registry: registry.checks.note_alarm("kept", "run", "one")),
]


@pytest.mark.parametrize(("table", "verb", "act"), ACTS, ids=[f"{verb} {table}" for table, verb, _ in ACTS])
@pytest.mark.parametrize(
    ("change", "told"),
    [
        (DEMOTES, "primary nothing instead of primary 'gatekeeper_primary1', so"),
        (MOVES, "generation 9 instead of generation 1, so"),
    ],
    ids=["primary", "generation"],
)
def test_an_act_that_promotes_nothing_leaves_the_primary(
    registry: Registry,
    add: Callable[[int], object],
    site: Site,
    table: str,
    verb: str,
    act: Callable[[Registry], object],
    change: str,
    told: str,
) -> None:
    """A trigger on another table demotes the primary (PostgreSQL: at the commit): "Registered", and none serves."""
    add(1)
    add(2)
    registry.promote(1, actor="ann", reason="first")
    if verb == "UPDATE":
        registry.hold(actor="ann", reason="r")
    if site.dialect == "sqlite":
        site.sql(f'CREATE TRIGGER aside AFTER {verb} ON "{table}" BEGIN {change}; END')
    else:
        body = f"BEGIN {change}; RETURN NULL; END"
        site.sql(f"CREATE FUNCTION aside() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
        site.sql(
            f'CREATE CONSTRAINT TRIGGER aside AFTER {verb} ON "{table}" DEFERRABLE INITIALLY DEFERRED FOR EACH ROW '
            "EXECUTE FUNCTION aside()",
        )
    before = site.rows(), site.files()
    with pytest.raises(ConfigError, match=f"^The database stored the registry's {told} nothing has changed"):
        act(registry)
    assert (site.rows(), site.files()) == before
