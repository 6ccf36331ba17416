"""`"RLDataset"` and its side table: made, left alone, written as they are, each idea once."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from threading import Barrier

import pytest
from alembic import command
from decision_samples import NOON, decision, outcome, parsed

from gatekeeper.errors import GenerationMoved, SchemaOutOfDate
from gatekeeper.features import FEATURES
from gatekeeper.registry.db import schema, tables
from gatekeeper.registry.db.database import Database
from gatekeeper.registry.decision_log.log import OutcomeRefused

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
MORE = '"strategyVersionId" {strategy}, "gateScore" REAL, "modelId" INTEGER'
SHAPE = "PRAGMA table_info('RLDataset')"
PG_SHAPE = (
    "SELECT column_name, data_type, is_nullable, column_default FROM information_schema.columns "
    "WHERE table_name = 'RLDataset' ORDER BY ordinal_position"
)


def shape(site) -> list[tuple]:
    """The columns and the rows of the table."""
    return site.sql(PG_SHAPE if site.postgres else SHAPE) + site.sql('SELECT * FROM "RLDataset" ORDER BY 1')


def at_first_revision(site) -> None:
    database = Database.connect(site.url, create=True)
    with database.write(first=True) as work:
        command.upgrade(schema.alembic_config(work.connection), "0001")
        schema.secure_names(work.connection)
    database.close()


def grown(site, ts: str, vector: str, action: str, strategy: str = "INTEGER", key: str | None = None) -> None:
    key = key or ("SERIAL PRIMARY KEY" if site.postgres else "INTEGER PRIMARY KEY AUTOINCREMENT")
    more = MORE.format(strategy=strategy)
    site.sql(
        f'CREATE TABLE "RLDataset" (id {key}, ts {ts}, symbol TEXT, "featureVec" {vector}, action {action}, '
        f"outcome REAL, {more})"
    )


def test_from_the_first_revision_with_rows_in_every_table(empty_site):
    at_first_revision(empty_site)
    empty_site.sql('INSERT INTO "RLModel" (version, path) VALUES (?, ?)', "gatekeeper_1", "models/gatekeeper_1.onnx")
    with pytest.raises(SchemaOutOfDate, match="gatekeeper db upgrade"):
        empty_site.open()
    report = empty_site.upgrade()
    assert (report.revision_before, report.revision) == ("0001", tables.HEAD)
    with empty_site.open() as registry:
        assert registry.log_decisions(parsed(decision(1))).new == 1
    assert empty_site.sql('SELECT id, symbol, action FROM "RLDataset"') == [(1, "EURUSD", "sell")]
    assert empty_site.sql('SELECT version FROM "RLModel"') == [("gatekeeper_1",)]


@pytest.mark.parametrize("first", [True, False])
def test_a_table_that_another_server_made_is_left_as_it_is(empty_site, first):
    if first:
        at_first_revision(empty_site)
    grown(empty_site, "TEXT NOT NULL", "TEXT", "VARCHAR(4)")
    empty_site.sql('INSERT INTO "RLDataset" (ts, symbol) VALUES (?, ?)', "2025-06-03T12:00:00Z", "EURUSD")
    before = shape(empty_site)
    empty_site.upgrade()
    empty_site.upgrade()
    assert shape(empty_site) == before
    assert empty_site.sql("SELECT * FROM gatekeeper_decision") == []


def test_a_table_of_another_kind_altogether(empty_site):
    """The upgrade goes through; only logging says what is missing."""
    empty_site.sql('CREATE TABLE "RLDataset" (id INTEGER, epoch INTEGER, symbol TEXT)')
    empty_site.sql('INSERT INTO "RLDataset" VALUES (1, 2, ?)', "three")
    before = shape(empty_site)
    empty_site.upgrade()
    assert shape(empty_site) == before
    with empty_site.open() as registry, pytest.raises(SchemaOutOfDate, match="ts, featureVec, action, outcome"):
        registry.log_decisions(parsed(decision(1)))
    assert shape(empty_site) == before


def test_a_new_table_holds_what_was_decided(site, registry):
    one = decision(5, strategy="reversion")
    assert registry.log_decisions(parsed(one)).new == 1
    columns = 'ts, symbol, "featureVec", action, outcome, "strategyVersionId", "gateScore", "modelId"'
    ((ts, symbol, vector, *rest),) = site.sql(f'SELECT {columns} FROM "RLDataset"')
    at = ts if site.postgres else datetime.fromisoformat(ts).replace(tzinfo=UTC)
    assert at == one.time == NOON + timedelta(minutes=5, microseconds=5)
    values = vector if site.postgres else json.loads(vector)
    assert values == pytest.approx([25, 30.3, -0.05, 0.04, 0, -1.5, 0], rel=1e-7)
    assert (symbol, rest[:3], rest[4]) == ("EURUSD", ["sell", None, "reversion"], 3)
    assert rest[3] == pytest.approx(0.7, rel=1e-7)
    side = site.sql("SELECT idea_id, threshold, approved, sha256, degraded, strategy FROM gatekeeper_decision")
    assert side == [("idea-5", 0.55, True, "ab" * 32, False, "reversion")]


MS = 1_748_952_000_000  # date -u -d '2025-06-03 12:00' +%s000
AN_ARRAY = "[55, 20, 0, 0, 0, 0, 1]"
BY_NAME = json.dumps(dict(zip(FEATURES, [55, 20, 0, 0, 0, 0, 1], strict=True)))
KINDS = [
    # declared ts, featureVec, action; the newest row of theirs; and what a row of ours, 61 s later, holds
    ("BIGINT", "TEXT", "TEXT", (MS, AN_ARRAY, "buy"), MS + 60_000, list, ("sell", "buy")),
    ("INTEGER", "TEXT", "INTEGER", (MS // 1000, BY_NAME, 1), MS // 1000 + 60, dict, (0, 1)),
    (
        "TEXT",
        "TEXT",
        "TEXT",
        ("2025-06-03T12:00:00.000Z", BY_NAME, "BUY"),
        "2025-06-03T12:01:00.000Z",
        dict,
        ("SELL", "BUY"),
    ),
    ("TEXT", "TEXT", "TEXT", (str(MS), AN_ARRAY, "1"), str(MS + 60_000), list, ("0", "1")),
    ("TEXT", "TEXT", "TEXT", ("2025-06-03 12:00:00", AN_ARRAY, "Buy"), "2025-06-03 12:01:00", list, ("Sell", "Buy")),
    ("BIGINT", "TEXT", "SMALLINT", None, MS + 60_000, list, (0, 1)),
    ("TEXT", "TEXT", "TEXT", None, "2025-06-03 12:01:00.000001", list, ("sell", "buy")),
]
ON_SERVERS = [
    (
        "TIMESTAMP(3)",
        "JSONB",
        "TEXT",
        ("2025-06-03 12:00", AN_ARRAY, "buy"),
        (NOON + timedelta(minutes=1)).replace(tzinfo=None),
        list,
        ("sell", "buy"),
    ),
    (
        "TIMESTAMPTZ",
        "JSON",
        "BOOLEAN",
        ("2025-06-03 12:00Z", BY_NAME, True),
        NOON + timedelta(minutes=1, microseconds=1),
        dict,
        (False, True),
    ),
    ("NUMERIC(20)", "JSONB", "side", (MS, BY_NAME, "SELL"), Decimal(MS + 60_000), dict, ("SELL", "BUY")),
    (
        "DOUBLE PRECISION",
        "FLOAT8[]",
        "CHAR(4)",
        (float(MS), "{55,20,0,0,0,0,1}", "buy"),
        MS + 60_000.0,
        list,
        ("sell", "buy "),
    ),
]


def check_kind(site, ts, vector, action, theirs, written, kind, actions) -> None:
    if site.postgres:
        site.sql("CREATE TYPE side AS ENUM ('BUY', 'SELL')")
    grown(site, ts, vector, action)
    if theirs:
        site.sql('INSERT INTO "RLDataset" (ts, "featureVec", action) VALUES (?, ?, ?)', *theirs)
    site.upgrade()
    with site.open() as registry:
        ideas = [decision(1, strategy="17"), decision(2, strategy="mean reversion")]
        assert registry.log_decisions(parsed(*ideas)).new == 2
        assert [one.state for one in registry.close_decisions([outcome(1)], all_or_none=True)] == ["recorded"]
    columns = 'ts, "featureVec", action, "strategyVersionId", outcome'
    rows = site.sql(f'SELECT {columns} FROM "RLDataset" WHERE symbol IS NOT NULL ORDER BY id')
    assert rows[0][0] == written
    assert type(rows[0][0]) is type(written)
    values = [json.loads(row[1]) if isinstance(row[1], str) else row[1] for row in rows]
    assert [type(one) for one in values] == [kind, kind]
    named = values[0] if kind is dict else dict(zip(FEATURES, values[0], strict=True))
    assert named == pytest.approx(dict(zip(FEATURES, decision(1).features, strict=True)), rel=1e-7)
    assert tuple(row[2] for row in rows) == actions
    assert [row[3] for row in rows] == [17, None]
    assert rows[0][4] == pytest.approx(outcome(1).outcome, rel=1e-6)
    kept = site.sql("SELECT strategy FROM gatekeeper_decision ORDER BY dataset_id")
    assert kept == [("17",), ("mean reversion",)]


@pytest.mark.parametrize("case", KINDS)
def test_a_row_is_written_as_the_table_has_its_rows(empty_site, case):
    check_kind(empty_site, *case)


@POSTGRES
@pytest.mark.parametrize("case", ON_SERVERS)
def test_a_row_is_written_as_a_servers_table_has_its_rows(empty_site, case):
    check_kind(empty_site, *case)


def test_a_table_without_strategies(empty_site):
    empty_site.sql(
        'CREATE TABLE "RLDataset" (id BIGINT, ts BIGINT, symbol TEXT, "featureVec" TEXT, action TEXT, '
        'outcome REAL, "gateScore" REAL, "modelId" BIGINT)'
    )
    empty_site.upgrade()
    with empty_site.open() as registry:
        registry.log_decisions(parsed(decision(1, strategy="a"), decision(2)))
    assert empty_site.sql('SELECT id, ts FROM "RLDataset" ORDER BY id') == [(1, MS + 60_000), (2, MS + 120_000)]


@pytest.mark.parametrize("key", ["SERIAL PRIMARY KEY", "BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY", "BIGINT"])
@POSTGRES
def test_ids_that_an_import_took_are_never_given_again(empty_site, key):
    grown(empty_site, "BIGINT", "TEXT", "TEXT", key=key)
    for number in (1, 2, 40):
        empty_site.sql('INSERT INTO "RLDataset" (id, ts) OVERRIDING SYSTEM VALUE VALUES (?, 1)', number)
    empty_site.upgrade()
    with empty_site.open() as registry:
        registry.log_decisions(parsed(decision(1), decision(2)))
        registry.log_decisions(parsed(decision(3)))
    assert empty_site.sql('SELECT id FROM "RLDataset" WHERE symbol IS NOT NULL ORDER BY id') == [(41,), (42,), (43,)]
    if key != "BIGINT":  # and the other tool goes on counting where we are
        assert empty_site.sql('INSERT INTO "RLDataset" (ts) VALUES (1) RETURNING id') == [(44,)]


def test_an_idea_is_logged_once(site, registry):
    assert registry.log_decisions(parsed(decision(1), decision(2), decision(1, symbol="other"))).new == 2
    assert registry.log_decisions(parsed(decision(2), decision(3))).new == 1
    found = site.sql('SELECT idea_id, symbol FROM gatekeeper_decision JOIN "RLDataset" ON id = dataset_id')
    assert sorted(found) == [("idea-1", "EURUSD"), ("idea-2", "EURUSD"), ("idea-3", "EURUSD")]
    assert site.sql('SELECT count(*) FROM "RLDataset"') == [(3,)]


def test_flushers_that_race_with_the_same_ideas(site):
    """Each idea once, whoever comes first, whatever the order."""
    flushers, rounds = 4, 5
    together = Barrier(flushers)

    def flush(number: int) -> int:
        added = 0
        with site.open() as registry:
            for turn in range(rounds):
                ideas = [decision(turn * 100 + i) for i in range(60)]
                together.wait(60)
                added += registry.log_decisions(parsed(*(ideas if number % 2 else ideas[::-1]))).new
        return added

    with ThreadPoolExecutor(flushers) as pool:
        assert sum(pool.map(flush, range(flushers))) == rounds * 60
    assert site.sql("SELECT count(*), count(DISTINCT idea_id) FROM gatekeeper_decision") == [(rounds * 60,) * 2]
    assert site.sql('SELECT count(*), count(DISTINCT id) FROM "RLDataset"') == [(rounds * 60,) * 2]


@POSTGRES
def test_a_promotion_that_takes_long_holds_up_no_decision(site, registry):
    database = Database.connect(site.url)
    with database.write():
        assert registry.log_decisions(parsed(decision(1))).new == 1
        assert registry.close_decisions([outcome(1)], all_or_none=True)[0].state == "recorded"


def test_one_row_that_the_table_refuses_takes_none_with_it(empty_site):
    grown(empty_site, "BIGINT", "TEXT", "TEXT")
    empty_site.sql('CREATE UNIQUE INDEX once ON "RLDataset" (symbol, ts)')
    empty_site.upgrade()
    before = shape(empty_site)
    with empty_site.open() as registry, pytest.raises(GenerationMoved):
        registry.log_decisions(parsed(decision(1), decision(1, idea_id="another")))
    assert shape(empty_site) == before
    assert empty_site.sql("SELECT * FROM gatekeeper_decision") == []


def test_an_outcome_is_filled_in_once(site, registry):
    registry.log_decisions(parsed(decision(1), decision(2)))
    known = [one.state for one in registry.close_decisions([outcome(1), outcome(9)], all_or_none=True)]
    assert known == ["recorded", "unknown"]
    columns = "outcome, closed_at, known_at, stated, outcome_at"
    row = f'SELECT {columns} FROM gatekeeper_decision JOIN "RLDataset" ON id = dataset_id'
    before = site.sql(f"{row} WHERE idea_id = 'idea-1'")
    assert before[0][0] == outcome(1).outcome
    later = outcome(1, at=outcome(1).at + timedelta(hours=1), known_at=outcome(1).at + timedelta(hours=1))
    assert registry.close_decisions([later], all_or_none=True)[0].state == "recorded"
    assert site.sql(f"{row} WHERE idea_id = 'idea-1'") == before
    assert site.sql(f"{row} WHERE idea_id = 'idea-2'") == [(None,) * 5]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (outcome(1, outcome=0.5), "has the outcome -0.01, closed at .*0.5, closed at .* differs"),
        (outcome(1, closed_at=outcome(1).closed_at + timedelta(seconds=1)), "differs"),
        (outcome(2, closed_at=decision(2).time - timedelta(microseconds=1)), "can't have closed at"),
    ],
)
def test_an_outcome_that_contradicts_its_idea_is_refused_with_all_that_came_with_it(site, registry, wrong, said):
    registry.log_decisions(parsed(decision(1), decision(2), decision(3)))
    registry.close_decisions([outcome(1)], all_or_none=True)
    before = site.rows()
    with pytest.raises(OutcomeRefused, match=said):
        registry.close_decisions([outcome(3), wrong], all_or_none=True)
    assert site.rows() == before
    assert [one.state for one in registry.close_decisions([outcome(3), wrong], all_or_none=False)] == [
        "recorded",
        "refused",
    ]


def test_an_outcome_that_another_tool_filled_in_stands(site, registry):
    registry.log_decisions(parsed(decision(1)))
    site.sql('UPDATE "RLDataset" SET outcome = ?', outcome(1).outcome)
    with pytest.raises(OutcomeRefused, match=r"has the outcome -0\.01 already.* 0\.5"):
        registry.close_decisions([outcome(1, outcome=0.5)], all_or_none=True)
    assert registry.close_decisions([outcome(1)], all_or_none=True)[0].state == "recorded"
    assert site.sql("SELECT count(outcome_at), count(closed_at) FROM gatekeeper_decision") == [(1, 1)]


def test_outcomes_that_race(site, registry):
    """One of them is recorded; the others are refused, and change nothing."""
    registry.log_decisions(parsed(*[decision(number) for number in range(20)]))
    closers = 4
    together = Barrier(closers)

    def close(number: int) -> list[str]:
        with site.open() as mine:
            together.wait(60)
            outcomes = [outcome(i, outcome=number / 100) for i in range(20)]
            return [one.state for one in mine.close_decisions(outcomes[:: 1 if number % 2 else -1], all_or_none=False)]

    with ThreadPoolExecutor(closers) as pool:
        said = [state for states in pool.map(close, range(closers)) for state in states]
    assert (said.count("recorded"), said.count("refused")) == (20, 60)
    assert site.sql('SELECT count(outcome), count(DISTINCT outcome) FROM "RLDataset"') == [(20, 1)]


def test_the_revision_is_the_one_that_the_tables_are_of():
    assert tables.HEAD == "0010"
