"""Counted writes: what the database swallows or rewrites is found before the commit (case 65)."""

import ast
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from decision_samples import decision, outcome, parsed
from postgres_server import connect
from registry_site import MONDAY, OWN, Site, own_model
from sqlalchemy.engine import make_url

import gatekeeper.registry
from gatekeeper.errors import ConfigError, GatekeeperError, SchemaOutOfDate
from gatekeeper.registry import Evaluation, Registry
from gatekeeper.registry.db.faults import rewritten
from gatekeeper.registry.records import Hold

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("dialect", [pytest.param("postgresql", marks=pytest.mark.slow)], indirect=True)
REGISTRY = Path(gatekeeper.registry.__file__).parent
SWALLOWED = r"^The database changed 0 rows of {} instead of 1 \({}\), so nothing has changed\."


@pytest.fixture
def grown(registry: Registry, add) -> Registry:
    """Models 1 to 3; the first two were promoted by hand, so that there is a way back."""
    for number in (1, 2, 3):
        add(number)
    registry.promote(1, actor="ann", reason="first")
    registry.promote(2, actor="ann", reason="second")
    return registry


def swallow(site: Site, table: str, verb: str) -> None:
    """A trigger that drops each row, as an old partitioning scheme or an audit tool has it."""
    if site.dialect == "sqlite":
        site.sql(f'CREATE TRIGGER gone BEFORE {verb} ON "{table}" BEGIN SELECT RAISE(IGNORE); END')
        return
    site.sql("CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'")
    site.sql(f'CREATE TRIGGER gone BEFORE {verb} ON "{table}" FOR EACH ROW EXECUTE FUNCTION gone()')


def rewrite(site: Site, table: str, verb: str, values: str, key: str, *, deferred: bool = False) -> None:
    """A trigger that changes what was written, once it stands there: a count says nothing of that.

    deferred: at the commit, after everything else.
    """
    change = f'UPDATE "{table}" SET {values} WHERE {key} = NEW.{key}'
    if site.dialect == "sqlite":
        site.sql(f'CREATE TRIGGER other AFTER {verb} ON "{table}" BEGIN {change}; END')
        return
    body = f"BEGIN IF pg_trigger_depth() = 1 THEN {change}; END IF; RETURN NULL; END"
    site.sql(f"CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ {body} $$")
    kind, when = ("CONSTRAINT TRIGGER", "DEFERRABLE INITIALLY DEFERRED") if deferred else ("TRIGGER", "")
    site.sql(f'CREATE {kind} other AFTER {verb} ON "{table}" {when} FOR EACH ROW EXECUTE FUNCTION other()')


def evaluate(registry: Registry) -> object:
    return registry.record_evaluation(
        challenger=3,
        champion=2,
        generation=registry.generation(),
        as_of=MONDAY,
        kind="weekly",
        verdict="keep",
        document={},
        run_key="week",
        report=None,
    )


def check(registry: Registry) -> object:
    document = {"format": 1}
    return registry.checks.record(registry.model(2), as_of=MONDAY, generation=2, document=document)


def held_and_released(registry: Registry) -> object:
    return registry.release(registry.holds()[0].id, actor="ann", reason="r")


ACTS: dict[str, Callable[[Registry], object]] = {
    "promote": lambda registry: registry.promote(3, actor="ann", reason="r"),
    "rollback": lambda registry: registry.rollback(actor="ann", reason="r"),
    "register": lambda registry: registry.register(own_model(4), details=OWN),
    "evaluate": evaluate,
    "hold": lambda registry: registry.hold(actor="ann", reason="r"),
    "release": held_and_released,
    "check": check,
    "clear": lambda registry: registry.release_quarantine(2, actor="ann", reason="r"),
    "nothing": lambda registry: registry.release(actor="ann", reason="r", run_key="none"),
    "alarm": lambda registry: registry.checks.note_alarm("kept", "run", "one"),
}
WRITES = [
    ("promote", "RLModel", "UPDATE"),
    ("promote", "gatekeeper_promotion", "INSERT"),
    ("promote", "gatekeeper_lock", "UPDATE"),
    ("rollback", "RLModel", "UPDATE"),
    ("rollback", "gatekeeper_quarantine", "INSERT"),
    ("rollback", "gatekeeper_promotion", "INSERT"),
    ("register", "RLModel", "INSERT"),
    ("register", "gatekeeper_artifact", "INSERT"),
    ("evaluate", "gatekeeper_evaluation", "INSERT"),
    ("hold", "gatekeeper_hold", "INSERT"),
    ("release", "gatekeeper_hold", "UPDATE"),
    ("check", "gatekeeper_check", "INSERT"),
    ("nothing", "gatekeeper_act", "INSERT"),
    ("alarm", "gatekeeper_alarm", "INSERT"),
]


@pytest.mark.parametrize(("act", "table", "verb"), WRITES, ids=[" ".join(each) for each in WRITES])
def test_a_write_that_is_swallowed_undoes_the_act(grown: Registry, site: Site, act: str, table: str, verb: str) -> None:
    """Case 65: exit 0, another primary told of than there is, and a history of what never happened."""
    if act == "release":
        grown.hold(actor="ann", reason="r")
    swallow(site, table, verb)
    before = site.rows(), site.files()
    with pytest.raises(ConfigError, match=SWALLOWED.format(table, verb)):
        ACTS[act](grown)
    assert (site.rows(), site.files()) == before


REWRITES = [
    ("promote", "RLModel", "UPDATE", "version = 'gatekeeper_' || id", "id", "the primary"),
    (
        "promote",
        "RLModel",
        "UPDATE",
        "path = 'models/elsewhere.onnx'",
        "id",
        "the primary .*elsewhere.* instead of .*_primary3",
    ),
    ("promote", "RLModel", "UPDATE", "path = CASE id WHEN 2 THEN 'x' ELSE path END", "id", "the primary"),  # the former
    (
        "promote",
        "gatekeeper_promotion",
        "INSERT",
        "actor = 'eve'",
        "generation",
        "the promotion .*'eve'.* instead of .*'ann'",
    ),
    ("promote", "gatekeeper_promotion", "INSERT", "to_id = 1", "generation", "the promotion"),
    ("promote", "gatekeeper_promotion", "INSERT", "order_digest = 'ab'", "generation", "the promotion"),
    ("promote", "gatekeeper_lock", "UPDATE", "generation = 1", "id", "the generation 1 instead of 3"),
    ("rollback", "gatekeeper_promotion", "INSERT", "kind = 'manual'", "generation", "the promotion"),
    ("rollback", "gatekeeper_quarantine", "INSERT", "released_at = at", "id", "the quarantine"),
    ("register", "gatekeeper_artifact", "INSERT", "sha256 = 'ab'", "model_id", "the model"),
    ("evaluate", "gatekeeper_evaluation", "INSERT", "verdict = 'promote'", "id", "the evaluation"),
    ("hold", "gatekeeper_hold", "INSERT", "released_at = at", "id", "the hold"),
    (
        "release",
        "gatekeeper_hold",
        "UPDATE",
        "released_at = NULL",
        "id",
        "the holds in force .*'ann'.* instead of none",
    ),
    ("clear", "gatekeeper_quarantine", "UPDATE", "released_at = NULL", "id", "the quarantines in force"),
    ("nothing", "gatekeeper_act", "INSERT", "order_digest = 'ab'", "run_key", "the run key"),
]


@pytest.mark.parametrize(
    ("act", "table", "verb", "values", "key", "told"), REWRITES, ids=[" ".join(each[:4]) for each in REWRITES]
)
def test_a_write_that_is_rewritten_undoes_the_act(
    grown: Registry, site: Site, act: str, table: str, verb: str, values: str, key: str, told: str
) -> None:
    """Case 65: the count is right, the row is not."""
    refuses_rewritten(grown, site, act, table, verb, values, key, told, deferred=False)


@POSTGRES
@pytest.mark.parametrize(
    ("act", "table", "verb", "values", "key", "told"), REWRITES, ids=[" ".join(each[:4]) for each in REWRITES]
)
def test_a_write_that_is_rewritten_at_the_commit_undoes_the_act(
    grown: Registry, site: Site, act: str, table: str, verb: str, values: str, key: str, told: str
) -> None:
    """A deferred trigger ran after the read-back: it could release a hold that was told of as placed."""
    refuses_rewritten(grown, site, act, table, verb, values, key, told, deferred=True)


def refuses_rewritten(
    grown: Registry, site: Site, act: str, table: str, verb: str, values: str, key: str, told: str, *, deferred: bool
) -> None:
    if act == "release":
        grown.hold(actor="ann", reason="r")
    if act == "clear":
        grown.rollback(actor="ann", reason="r")
    rewrite(site, table, verb, values, key, deferred=deferred)
    before = site.rows(), site.files()
    told += "" if " instead of " in told else " .* instead of .*"
    with pytest.raises(GatekeeperError, match=rf"^The database stored {told}.*, so nothing has changed\."):
        ACTS[act](grown)
    assert (site.rows(), site.files()) == before


@pytest.mark.parametrize("table", ["gatekeeper_decision", "RLDataset"])
def test_a_decision_that_is_swallowed_is_not_said_to_be_logged(registry: Registry, site: Site, table: str) -> None:
    """A row that is there already is no fault, and a row that is nowhere is one."""
    ideas = parsed(*(decision(number) for number in range(3)))
    assert registry.log_decisions(ideas[:1]).new == 1
    swallow(site, table, "INSERT")
    before = site.rows()
    with pytest.raises(ConfigError, match=rf"^The database changed \d rows? of {table} instead of [123] "):
        registry.log_decisions(ideas)
    assert site.rows() == before
    assert registry.log_decisions(ideas[:1]).new == 0


def test_an_outcome_that_is_swallowed_is_not_said_to_be_recorded(registry: Registry, site: Site) -> None:
    registry.log_decisions(parsed(decision(1), decision(2)))
    swallow(site, "RLDataset", "UPDATE")
    before = site.rows()
    with pytest.raises(ConfigError, match=r"^The database changed 0 rows of RLDataset instead of 2 \(UPDATE\)"):
        registry.close_decisions([outcome(1), outcome(2)], all_or_none=False)
    assert site.rows() == before


@POSTGRES
def test_a_rule_that_does_nothing_instead(grown: Registry, site: Site) -> None:
    site.sql("CREATE RULE gone AS ON INSERT TO gatekeeper_promotion DO INSTEAD NOTHING")
    before = site.rows(), site.files()
    with pytest.raises(ConfigError, match=SWALLOWED.format("gatekeeper_promotion", "INSERT")):
        grown.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


@pytest.fixture
def clerk(site: Site, grown: Registry) -> Iterator[Site]:
    """The same registry for a role that owns nothing: row-level security is for such a one."""
    role = f"clerk_{make_url(site.url).database}"
    site.sql(f"CREATE ROLE {role} LOGIN PASSWORD 'clerk'")
    site.sql(f"GRANT ALL ON ALL TABLES IN SCHEMA public TO {role}")
    site.sql(f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {role}")
    url = make_url(site.url).set(username=role, password="clerk")
    yield Site(site.root, url.render_as_string(hide_password=False))
    grown.close()
    with connect(site.url, autocommit=True) as connection:
        connection.execute(f"DROP OWNED BY {role}".encode())
        connection.execute(f"DROP ROLE {role}".encode())


@POSTGRES
@pytest.mark.parametrize("table", ["RLModel", "gatekeeper_lock", "gatekeeper_hold", "gatekeeper_quarantine"])
def test_row_level_security_stops_every_act_of_the_role(
    site: Site, grown: Registry, clerk: Site, judged: Callable[..., Evaluation], table: str
) -> None:
    """Case 65: without a policy for UPDATE no row is found, and without one for SELECT no hold and no quarantine."""
    site.sql(f'ALTER TABLE "{table}" ENABLE ROW LEVEL SECURITY')
    if table in {"RLModel", "gatekeeper_lock"}:  # case 65 to the letter; the others have no policy at all
        site.sql(f'CREATE POLICY reading ON "{table}" FOR SELECT USING (true)')
        site.sql(f'CREATE POLICY adding ON "{table}" FOR INSERT WITH CHECK (true)')
    week = judged(grown.model(3), today=True)
    weekly = {"evaluation": week.id, "kind": "weekly", "actor": "airflow", "reason": "r"}
    if table == "gatekeeper_hold":
        grown.hold(actor="boss", reason="not this month")
    before = site.rows(), site.files()
    with clerk.open() as registry:
        acts = [lambda registry: registry.promote(3, **weekly)]
        if table != "gatekeeper_hold":  # no act by hand is held
            acts += [ACTS["promote"], ACTS["rollback"]]
        for act in acts:
            with pytest.raises(
                ConfigError, match=r"^Row-level security shows this role only some rows of the registry"
            ):
                act(registry)
        assert registry.primary().id == 2
    assert (site.rows(), site.files()) == before


@SQLITE
def test_a_mark_of_retirement_that_is_swallowed_undoes_the_act(grown: Registry, site: Site) -> None:
    """Several rows in one statement."""
    swallow(site, "gatekeeper_retired", "INSERT")
    before = site.rows(), site.files()
    with pytest.raises(ConfigError, match=r"changed 0 rows of gatekeeper_retired instead of 2 \(INSERT\)"):
        grown.promote(3, actor="ann", reason="r")
    assert (site.rows(), site.files()) == before


@SQLITE
def test_an_update_of_more_rows_than_one_is_refused(grown: Registry, site: Site) -> None:
    """A second lock row, as a restore by halves leaves it, is not overwritten by the first one's count."""
    before = site.rows()
    with pytest.raises(ConfigError, match=r"changed 3 rows of RLModel instead of 1 \(UPDATE\)"):
        _touch_all(grown)
    assert site.rows() == before


def _touch_all(registry: Registry) -> None:
    from sqlalchemy import true

    from gatekeeper.registry.db import tables, writes

    with registry._context.database.write() as work:
        writes.change(work.connection, tables.models, true(), {"description": "x"})


def test_a_driver_that_does_not_count_is_an_error() -> None:
    from gatekeeper.registry.db import writes

    with pytest.raises(ConfigError, match="changed an unknown number of rows of some_table instead of 1"):
        writes._refuse(-1, 1, 1, "UPDATE", "some_table")
    with pytest.raises(ConfigError, match="changed an unknown number of rows of some_table instead of 5"):
        writes._refuse(-1, 0, 5, "DELETE", "some_table")


def test_every_write_of_the_registry_is_counted() -> None:
    """No module but writes.py builds an INSERT, UPDATE or DELETE, in SQLAlchemy's words or in its own."""
    found = []
    for file in sorted(REGISTRY.rglob("*.py")):
        if "migrations" in file.parts or file.name == "writes.py":
            continue
        counted = set()
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            place = str(file.relative_to(REGISTRY))
            if isinstance(node, ast.Call) and ast.unparse(node.func).startswith("writes."):
                counted |= {id(inner) for inner in ast.walk(node)}
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy"):
                found += [place for name in node.names if name.name in {"insert", "update", "delete"}]
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and not node.args:
                found += [place for _ in range(node.func.attr in {"insert", "delete"})]
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in counted:
                found += [place for _ in range(node.value.startswith(("INSERT ", "UPDATE ", "DELETE ", "MERGE ")))]
    assert found == ["decision_log/bulk.py"], "the words that `writes.driver` sends, and counts"


@SQLITE
def test_times_are_read_back_to_the_last_digit(grown: Registry) -> None:
    made = grown.promote(3, actor="ann", reason="r")
    assert grown.promotions()[0] == made
    assert made.at <= datetime.now(UTC)


@pytest.mark.parametrize(
    ("found", "meant", "told"),
    [
        (None, Hold(3, "ann", "r", None, MONDAY), "nothing instead of id 3, actor 'ann', reason 'r', until nothing"),
        (
            Hold(3, "eve", "r", MONDAY, MONDAY),
            Hold(3, "ann", "r", None, MONDAY),
            f"actor 'eve', until {MONDAY:%Y-%m-%d} 02:00:00+00:00 instead of actor 'ann', until nothing,",
        ),
        ({1: {"path": "x"}}, {1: {"path": "y"}, 2: {"path": "z"}}, "1 path 'x' instead of 1 path 'y', 2 path 'z',"),
        ([], [Hold(3, "ann", "r", None, MONDAY)], "none instead of id 3"),
        (1, 3, "1 instead of 3,"),
    ],
)
def test_what_was_rewritten_is_told_in_words(found: object, meant: object, told: str) -> None:
    """It was told as Python spells its objects."""
    text = str(rewritten("the row", found, meant))
    assert text.startswith(f"The database stored the row {told}")
    assert not any(python in text for python in ("Hold(", "datetime", "None", "{", "["))


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("obstacle", "kind", "says"),
    [
        (
            "CREATE TRIGGER no BEFORE UPDATE ON RLModel BEGIN SELECT RAISE(ABORT, 'frozen'); END",
            ConfigError,
            r"refuses this \(frozen\).*Trying again won't help",
        ),
        (
            "CREATE TABLE theirs (version TEXT REFERENCES RLModel (version)); "
            "INSERT INTO theirs VALUES ('gatekeeper_1')",
            SchemaOutOfDate,
            "let the table refer to the id",
        ),
    ],
)
def test_what_no_repetition_helps_is_no_failure_that_retries(site, obstacle, kind, says):
    """Nor is it another writer's doing."""
    with site.open() as registry:
        registry.register(own_model(1), details=OWN)
        for statement in obstacle.split("; ", 1) if "TRIGGER" not in obstacle else [obstacle]:
            site.sql(statement)
        with pytest.raises(kind, match=says) as fault:
            registry.promote(1, actor="ann", reason="r")
        assert not fault.value.retryable
        assert registry.generation() == 0
