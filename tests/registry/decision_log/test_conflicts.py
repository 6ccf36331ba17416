"""Conflicting decisions: the row that arrives first counts, the other is stored and counted, once (Case 123)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from decision_samples import decision, parsed

from gatekeeper.registry.db.database import Database
from gatekeeper.registry.decision_log.answered import newest
from gatekeeper.registry.decision_log.line_format import decision_lines, decision_of, parse

CHANGES = {
    "approved": {"approved": False},
    "score": {"score": 0.71},
    "no score": {"score": None, "model_id": None, "version": None, "sha256": None},
    "model": {"sha256": "cd" * 32, "model_id": 4, "version": "gatekeeper_primary4"},
    "version": {"version": "gatekeeper_4"},
    "symbol": {"symbol": "GBPUSD"},
    "side": {"features": (*decision(1).features[:-1], 1.0)},
    "feature": {"features": (21.5, *decision(1).features[1:])},
}
COLUMNS = "idea_id, symbol, score, approved, model_id, sha256, version"


def stored(site) -> list[tuple]:
    return [(*row[:3], bool(row[3]), *row[4:]) for row in site.sql(f"SELECT {COLUMNS} FROM gatekeeper_conflict")]


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_another_decision_of_a_logged_idea_is_a_conflict_once(site, registry, change):
    """However often it is delivered, and in one batch with the first too."""
    other = decision(1, **change)
    assert tuple(registry.log_decisions(parsed(decision(1), decision(2)))) == (2, 0)
    assert tuple(registry.log_decisions(parsed(other, decision(3)))) == (1, 1)
    assert tuple(registry.log_decisions(parsed(other, other))) == (0, 0)
    right = ("idea-1", other.symbol, other.score, other.approved, other.model_id, other.sha256, other.version)
    (found,) = stored(site)
    assert found == pytest.approx(right, rel=1e-6) if other.score else found == right
    assert tuple(registry.log_decisions(parsed(decision(10), decision(10, **change)))) == (1, 1)
    (row,) = site.sql("SELECT approved, sha256, version FROM gatekeeper_decision WHERE idea_id = 'idea-1'")
    assert (bool(row[0]), *row[1:]) == (True, "ab" * 32, "gatekeeper_primary3")


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"strategy": "other"},
        {"at": decision(5).at, "time": decision(4).time},
        {"version": None},
        {"threshold": 0.6},
    ],
)
def test_the_same_decision_again_is_none(site, registry, change):
    """A line that is delivered twice, or written again by a retry; an older server's line lacks the version."""
    registry.log_decisions(parsed(decision(1)))
    assert tuple(registry.log_decisions(parsed(decision(1, **change)))) == (0, 0)
    assert stored(site) == []


@pytest.mark.parametrize("table", ["text", "objects"])
def test_in_a_table_of_another_server(empty_site, table):
    """Scores as text, features by name: the same decision is read as the same."""
    sql = empty_site.sql
    key = "SERIAL PRIMARY KEY" if empty_site.postgres else "INTEGER PRIMARY KEY AUTOINCREMENT"
    sql(
        f'CREATE TABLE "RLDataset" (id {key}, ts TEXT, symbol TEXT, "featureVec" TEXT, action TEXT, outcome TEXT, '
        '"gateScore" TEXT, "modelId" INTEGER)'
    )
    if table == "objects":
        named = '{"rsi14":1,"adx14":2,"fastMASlowDelta":3,"bbWidth":4,"avgSent":5,"avgOB":6,"action":1}'
        sql('INSERT INTO "RLDataset" (ts, symbol, "featureVec", action) VALUES (?, ?, ?, ?)', "2020", "X", named, "BUY")
    empty_site.upgrade()
    with empty_site.open() as registry:
        assert tuple(registry.log_decisions(parsed(decision(1), decision(3)))) == (2, 0)
        assert tuple(registry.log_decisions(parsed(decision(1), decision(3, approved=True)))) == (0, 1)
        assert tuple(registry.log_decisions(parsed(decision(1, score=0.72)))) == (0, 1)


def test_a_row_that_was_deleted_contradicts_nobody(site, registry):
    registry.log_decisions(parsed(decision(1)))
    site.sql('DELETE FROM "RLDataset"')
    assert tuple(registry.log_decisions(parsed(decision(1)))) == (0, 0)
    assert tuple(registry.log_decisions(parsed(decision(1, approved=False)))) == (0, 1)


def test_servers_that_race_with_different_decisions(site):
    """Of each idea one row and one conflict, whoever comes first, whatever the order; no deadlock."""
    together = Barrier(2)

    def deliver(number: int) -> tuple[int, int]:
        with site.open() as registry:
            ideas = [decision(i, version=f"server-{number}") for i in range(50)]
            together.wait(60)
            return tuple(registry.log_decisions(parsed(*(ideas if number else ideas[::-1]))))

    with ThreadPoolExecutor(2) as pool:
        assert [sum(each) for each in zip(*pool.map(deliver, range(2)), strict=True)] == [50, 50]
    logged = dict(site.sql("SELECT idea_id, version FROM gatekeeper_decision"))
    others = dict(site.sql("SELECT idea_id, version FROM gatekeeper_conflict"))
    assert logged.keys() == others.keys() == {f"idea-{i}" for i in range(50)}
    assert all({logged[idea], others[idea]} == {"server-0", "server-1"} for idea in logged)


def test_what_is_logged_is_read_back_newest_first(site, registry):
    many = [decision(number) for number in range(1203)]
    registry.log_decisions(parsed(*many))
    database = Database.connect(site.url)
    pages = list(newest(database))
    database.close()
    assert [len(page) for page in pages] == [500, 500, 203]
    found = [one for page in pages for one in page]
    assert [one.idea_id for one in found] == [one.idea_id for one in many[::-1]]
    for one, right in zip(found, many[::-1], strict=True):
        assert one.features == pytest.approx(right.features, rel=1e-7)
        assert one.score == pytest.approx(right.score, rel=1e-7)
        told = (one.symbol, one.approved, one.threshold, one.model_id, one.version, one.sha256, one.degraded, one.at)
        assert told == (
            *(right.symbol, right.approved, right.threshold, right.model_id),
            *(right.version, right.sha256, right.degraded, right.at),
        )


OLD_LINE = (
    b'["idea","idea-1","2025-06-03 12:01:01.000001","2025-06-03 12:01:00.000001","EURUSD",null,'
    b'"[21,30.2999992,-0.00999999978,0.0399999991,0,-1.5,0]",0.699999988,1,0.55,3,"' + b"ab" * 32 + b'",0]'
)


def test_a_line_of_an_older_server_is_read(site, registry):
    """13 values, without the version: unless degraded, it was the primary's name."""
    (values,) = parse([OLD_LINE])
    assert (len(values), values[-1]) == (14, None)
    assert decision_of(values) == decision_of(parse([decision_lines([decision(1)])[:-1]])[0])
    assert tuple(registry.log_decisions([values])) == (1, 0)
    assert tuple(registry.log_decisions(parsed(decision(1)))) == (0, 0)
    assert site.sql("SELECT idea_id, version FROM gatekeeper_decision") == [("idea-1", None)]
    database = Database.connect(site.url)
    ((one,),) = newest(database)
    database.close()
    assert one.version == "gatekeeper_primary3"
