"""Source `sql:`: runs train on what servers logged, without anything from after the as-of."""

import csv
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from decision_samples import NOON, decision, outcome, parsed
from hypothesis import given, settings
from hypothesis import strategies as st
from registry_site import Site

from gatekeeper.errors import AsOfError, ConfigError, DataError, SchemaOutOfDate, StaleData, StorageFailed, Unavailable
from gatekeeper.features import FEATURES
from gatekeeper.market.ideas import Dataset
from gatekeeper.market.sources import load
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import Decision, Outcome
from gatekeeper.serving.decision_log.log import DecisionLog
from gatekeeper.settings import Settings

SQLITE = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
POSTGRES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
AS_OF = NOON + timedelta(days=30)
MS = 1_748_952_000_000  # date -u -d '2025-06-03 12:00' +%s000
DAY = 86_400_000


def read(site: Site, as_of: datetime = AS_OF, **options: object) -> Dataset:
    return load("sql:", as_of, Settings(db=site.url, **options))


def keep(site: Site, ideas: list[Decision], outcomes: list[Outcome]) -> None:
    """Through the log of a server."""
    with site.open() as registry:
        log = DecisionLog(registry, site.root / "spool", cap_bytes=10**8)
        log.start()
        assert log.write(ideas)
        log.close(outcomes)
        log.stop()
        again = DecisionLog(registry, site.root / "spool", cap_bytes=10**8, clock=lambda: outcomes[0].at)
        again.start()  # takes the outcomes that came before their ideas
        again.stop()


def as_file(folder: Path, ideas: list[Decision], outcomes: list[Outcome]) -> str:
    """The same for `ideas:`."""
    ends = {one.idea_id: one for one in outcomes}
    columns = ["symbol", "strategy", "time", *FEATURES, "outcome", "closed_at", "known_at"]
    with (folder / "ideas.csv").open("w") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for one in ideas:
            end = ends[one.idea_id]
            known = [repr(end.outcome), end.closed_at.isoformat(), end.known_at.isoformat()]
            features = [*map(repr, one.features[:-1]), int(one.features[-1])]
            writer.writerow([one.symbol, one.strategy or "", one.time.isoformat(), *features, *known])
    return f"ideas:{folder / 'ideas.csv'}"


def test_the_dataset_is_the_very_one_that_was_decided_and_closed(site, tmp_path):
    """Features, outcomes and times to the last bit, vetoed ideas too: as the same ideas give it from a file."""
    chance = np.random.default_rng(1)
    ideas, outcomes = [], []
    for number in range(300):
        features = (*np.abs(chance.normal(30, 9, 6)).astype(np.float32).tolist(), float(number % 2))
        strategy = [None, "a", "b"][number % 3]
        ideas.append(decision(number, features=features, symbol=f"S{number % 7}", strategy=strategy))
        outcomes.append(outcome(number, outcome=float(chance.normal(0, 0.01))))
    keep(site, ideas, outcomes)
    data = read(site)
    right = load(as_file(tmp_path, ideas, outcomes), AS_OF, Settings())
    assert data.ideas.fingerprint() == right.ideas.fingerprint()
    assert data.fingerprint() == right.fingerprint()
    assert (len(data.ideas), data.source, data.marked) == (300, "sql:", False)
    assert data.notes == ("0 of 300 outcomes missing (approved 0 of 200, vetoed 0 of 100)",)


@pytest.fixture(scope="module")
def one_site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("law"))
    made.upgrade()
    return made


@pytest.fixture(scope="module")
def law(one_site: Site) -> Iterator[Registry]:
    with one_site.open() as registry:
        yield registry


minutes = st.integers(0, 60 * 24 * 10)


@settings(max_examples=25, deadline=None)
@given(
    as_of=minutes,
    ideas=st.lists(st.tuples(minutes, st.integers(0, 3000), st.none() | st.integers(0, 5000)), min_size=1, max_size=12),
)
def test_what_came_after_the_as_of_changes_nothing(one_site, law, as_of, ideas):
    """Case 34, as a law. Of each idea: its time, when we got it, and when we got its outcome, in minutes."""
    at = NOON + timedelta(minutes=as_of)

    def fill(*, later: bool) -> str:
        one_site.sql('DELETE FROM "RLDataset"')
        one_site.sql("DELETE FROM gatekeeper_decision")
        logged, ends = [], []
        for number, (start, delay, end) in enumerate(ideas):
            time = NOON + timedelta(minutes=start)
            received = time + timedelta(minutes=delay)
            if received > at and not later:
                continue
            logged.append(decision(number, time=time, at=received, symbol=f"S{number}"))
            closed = received + timedelta(minutes=end or 0)
            if end is not None and (closed <= at or later):
                ends.append(outcome(number, closed_at=closed, known_at=closed, at=closed))
        if logged:
            law.log_decisions(parsed(*logged))
            law.close_decisions(ends, all_or_none=True)
        try:
            return read(one_site, at).fingerprint()
        except (AsOfError, StaleData) as refusal:
            return type(refusal).__name__

    assert fill(later=True) == fill(later=False)


def test_an_idea_that_came_late_belongs_to_its_senders_word(site):
    """Replayed today, of long ago: its outcome counts from when its sender says that it was known, and that is told."""
    now = AS_OF + timedelta(days=300)
    ideas = [decision(number, at=now) for number in range(4)]
    told = [outcome(number, known_at=outcome(number).closed_at, stated=True, at=now) for number in range(3)]
    keep(site, ideas, told)
    data = read(site)
    assert len(data.ideas) == 3
    assert data.newest == outcome(2).closed_at
    assert data.notes == ("3 outcomes known before receipt, as the sender states",)
    later = read(site, now, ideas_freshness_days=400)
    assert later.notes[0] == "1 of 4 outcomes missing (approved 0 of 2, vetoed 1 of 2)"


def test_an_outcome_counts_from_when_it_was_known(site):
    keep(site, [decision(1), decision(2)], [outcome(1), outcome(2, known_at=outcome(2).at, at=outcome(2).at)])
    known = outcome(1).known_at
    assert len(read(site, known).ideas) == 1
    before = read(site, known - timedelta(microseconds=1))
    assert len(before.ideas) == 0
    assert before.notes == ("2 ideas still open left out",)


def test_missing_outcomes_are_told_and_no_error(site):
    """A gatekeeper that learns only from what it approved fools itself: vetoed ideas are counted by themselves."""
    keep(site, [decision(number) for number in range(12)], [outcome(number) for number in (1, 2, 4, 5, 7, 9)])
    assert len(read(site).ideas) == 6
    assert read(site).notes == ("6 of 12 outcomes missing (approved 3 of 8, vetoed 3 of 4)",)
    early = read(site, NOON + timedelta(days=21))  # the longest hold of the first idea ends just now
    assert early.notes == ("1 of 1 outcomes missing (approved 0 of 0, vetoed 1 of 1)", "5 ideas still open left out")


def test_an_outcome_that_came_late_counts_and_is_told(site):
    late = NOON + timedelta(days=25)
    keep(site, [decision(1), decision(2)], [outcome(1), outcome(2, at=late, known_at=late)])
    assert len(read(site).ideas) == 2
    assert read(site).notes[1] == "1 outcome known later than 21 days after"


def test_a_log_that_stopped_is_stale(site):
    """Case 59."""
    keep(site, [decision(1)], [outcome(1)])
    newest = outcome(1).known_at
    assert len(read(site, newest + timedelta(days=30)).ideas) == 1
    with pytest.raises(StaleData, match=r"30\.1 days before .*limit of 30.*GATEKEEPER_IDEAS_FRESHNESS_DAYS"):
        read(site, newest + timedelta(days=30, hours=2))


def test_an_as_of_before_the_log(site):
    with pytest.raises(AsOfError, match=r'lies before the ideas in "RLDataset".*none by then'):
        read(site)
    keep(site, [decision(1)], [outcome(1)])
    with pytest.raises(AsOfError, match="lies before"):
        read(site, NOON)


def test_an_idea_that_was_logged_twice_counts_once(site):
    """A bot that retries without an id, and reports both; and one that had two ideas at once."""
    ideas = [decision(1), decision(1, idea_id="again"), decision(1, idea_id="other")]
    keep(site, ideas, [outcome(1), outcome(1, idea_id="again"), outcome(1, idea_id="other", outcome=0.5)])
    data = read(site)
    assert sorted(data.ideas.outcome) == [-0.01, 0.5]
    assert data.notes[:2] == (
        "1 exact duplicate idea dropped",
        "1 idea with the symbol, time and strategy of another one",
    )


THE_SIX = [55.5, 20.25, -0.01, 0.04, 0.3, -2.0]
BY_NAME = json.dumps(dict(zip(FEATURES, [*THE_SIX, 1], strict=True)))
ARRAY = json.dumps([*THE_SIX, 1])
OLD = [
    # ts, featureVec, action, strategyVersionId of older servers' tables, and the values of the row
    ("BIGINT", "TEXT", "TEXT", "INTEGER", (MS, ARRAY, "buy", 4), "4"),
    ("BIGINT", "TEXT", "INTEGER", "TEXT", (MS // 1000, BY_NAME, 1, "v4"), "v4"),
    ("TEXT", "TEXT", "TEXT", "TEXT", ("2025-06-03T12:00:00.000Z", BY_NAME, "BUY", None), ""),
    ("TEXT", "TEXT", "TEXT", "TEXT", ("2025-06-03 14:00:00+02:00", ARRAY, "1", None), ""),
    ("TEXT", "TEXT", "TEXT", "TEXT", ("2025-06-03 12:00:00", json.dumps(THE_SIX), "buy", None), ""),
    ("TEXT", "TEXT", "TEXT", "TEXT", (str(MS), json.dumps({**json.loads(BY_NAME), "action": "buy"}), "Buy", None), ""),
]
OLD_ON_SERVERS = [
    ("TIMESTAMP(3)", "JSONB", "BOOLEAN", "INTEGER", ("2025-06-03 12:00", BY_NAME, True, 4), "4"),
    (
        "TIMESTAMPTZ",
        "JSON",
        "TEXT",
        "UUID",
        ("2025-06-03 12:00Z", ARRAY, "buy", "0" * 32),
        f"{'0' * 8}-0000-0000-0000-{'0' * 12}",
    ),
    ("NUMERIC", "FLOAT8[]", "TEXT", "TEXT", (MS, "{55.5,20.25,-0.01,0.04,0.3,-2,1}", "buy", None), ""),
]


def old_table(site: Site, ts: str, vector: str, action: str, strategy: str, *rows: tuple) -> None:
    site.sql(
        f'CREATE TABLE "RLDataset" (id INTEGER PRIMARY KEY, ts {ts}, symbol TEXT, "featureVec" {vector}, '
        f'action {action}, "strategyVersionId" {strategy}, outcome REAL, "gateScore" REAL, "modelId" INTEGER)'
    )
    into = 'INSERT INTO "RLDataset" (id, ts, "featureVec", action, "strategyVersionId", symbol, outcome)'
    for number, row in enumerate(rows, 1):
        site.sql(f"{into} VALUES ({number}, ?, ?, ?, ?, ?, ?)", *row)


def check_old(site: Site, case: tuple, *, upgraded: bool) -> None:
    *kinds, row, strategy = case
    old_table(site, *kinds, (*row, "EURUSD", 0.25), (*row, "EURUSD", None))
    if upgraded:
        site.upgrade()
    with pytest.raises(DataError, match=r"1 outcomes .*ids from 1\).* have no time .*GATEKEEPER_MAX_HOLD"):
        read(site)
    data = read(site, max_hold=10)
    assert data.ideas.symbol.tolist() == ["EURUSD"]
    assert data.ideas.strategy.tolist() == [strategy]
    assert data.ideas.features[0].tolist() == [float(np.float32(value)) for value in [*THE_SIX, 1]]
    assert data.ideas.time.astype(str).tolist() == ["2025-06-03T12:00:00.000000000"]
    assert data.ideas.known_at.astype(str).tolist() == ["2025-06-13T12:00:00.000000000"]
    assert (data.ideas.outcome.tolist(), data.ideas.path_day.astype(str).tolist()) == ([0.25], ["2025-06-13"])
    assert data.notes == (
        "1 of 2 outcomes missing (approved 0 of 0, vetoed 0 of 0, of other servers 1 of 2)",
        "1 outcome of other servers, taken as known 10 days after",
    )
    assert len(read(site, NOON + timedelta(days=10), max_hold=10).ideas) == 1
    assert len(read(site, NOON + timedelta(days=9, hours=23), max_hold=10).ideas) == 0


@pytest.mark.parametrize("upgraded", [True, False])
@pytest.mark.parametrize("case", OLD)
def test_older_servers_rows_need_a_longest_hold(empty_site, case, upgraded):
    """Every kind of table; also one that `db upgrade` has never seen."""
    check_old(empty_site, case, upgraded=upgraded)


@POSTGRES
@pytest.mark.parametrize("case", OLD_ON_SERVERS)
def test_older_servers_rows_on_a_server(empty_site, case):
    check_old(empty_site, case, upgraded=True)


def test_rows_of_both_are_one_dataset(empty_site):
    """The older server goes on writing; and its job closes an idea of ours, without a word of when."""
    row = (MS - DAY, ARRAY, "buy", None)
    old_table(empty_site, "BIGINT", "TEXT", "TEXT", "TEXT", (*row, "GBPUSD", 0.25))
    empty_site.upgrade()
    keep(empty_site, [decision(1), decision(2)], [outcome(1)])
    empty_site.sql('UPDATE "RLDataset" SET outcome = 0.5 WHERE outcome IS NULL')
    with pytest.raises(DataError, match="2 outcomes"):
        read(empty_site)
    data = read(empty_site, max_hold=5)
    assert sorted(data.ideas.outcome.tolist()) == pytest.approx([-0.01, 0.25, 0.5])
    assert (data.ideas.known_at - data.ideas.time).max() == np.timedelta64(5, "D")


def test_a_hold_that_is_longer_than_the_longest(empty_site):
    old_table(empty_site, "BIGINT", "TEXT", "TEXT", "TEXT", (MS, ARRAY, "buy", None, "EURUSD", 0.25))
    with pytest.raises(ConfigError, match="GATEKEEPER_MAX_HOLD=25 exceeds GATEKEEPER_LONGEST_HOLD_DAYS=21"):
        read(empty_site, max_hold=25)
    assert len(read(empty_site, max_hold=25, longest_hold_days=25).ideas) == 1


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            (MS, "[1, 2]", "buy", None, "EURUSD", 0.1),
            "neither an array in FEATURES order nor an object by feature name",
        ),
        ((MS, "what", "buy", None, "EURUSD", 0.1), "neither an array"),
        ((MS, None, "buy", None, "EURUSD", 0.1), "neither an array"),
        ((MS, '{"rsi14": 50}', "buy", None, "EURUSD", 0.1), "adx14 is missing"),
        ((MS, "[101, 20, 0, 0, 0, 0, 1]", "buy", None, "EURUSD", 0.1), "rsi14 lies outside 0 to 100"),
        ((MS, "[50, 20, null, 0, 0, 0, 1]", "buy", None, "EURUSD", 0.1), "fastMASlowDelta is missing"),
        ((MS, "[50, 20, 0, 0, 0, 0, 1]", "sell", None, "EURUSD", 0.1), "give different sides"),
        ((MS, json.dumps(THE_SIX), "hold", None, "EURUSD", 0.1), "neither buy"),
        ((MS, ARRAY, "buy", None, "EURUSD", float("inf")), "outcome is missing or not a finite number"),
        ((MS, ARRAY, "buy", None, "", 0.1), "symbol is empty"),
        (("last Tuesday", ARRAY, "buy", None, "EURUSD", 0.1), "ts is not a readable time"),
    ],
)
@SQLITE
def test_a_row_at_fault_is_named_by_its_id(empty_site, row, said):
    good = (MS, ARRAY, "buy", None, "EURUSD", 0.1)
    old_table(empty_site, "", "TEXT", "TEXT", "TEXT", good, row)
    with pytest.raises(DataError, match=rf'"RLDataset": .*{said}.* in id 2 \('):
        read(empty_site, max_hold=5)


@SQLITE
def test_a_row_at_fault_that_was_not_known_yet_is_nobodys_business(empty_site):
    poison = (MS + DAY, "what", "hold", None, "", 0.1)
    old_table(empty_site, "", "TEXT", "TEXT", "TEXT", (MS, ARRAY, "buy", None, "EURUSD", 0.1), poison)
    assert len(read(empty_site, NOON + timedelta(days=5), max_hold=5).ideas) == 1
    with pytest.raises(DataError, match="id 2"):
        read(empty_site, NOON + timedelta(days=6), max_hold=5)


def test_another_database_by_its_url(site, tmp_path):
    keep(site, [decision(1)], [outcome(1)])
    data = load(f"sql:{site.url}", AS_OF, Settings(db=f"sqlite:///{tmp_path}/nothing.db"))
    assert len(data.ideas) == 1
    with pytest.raises(SchemaOutOfDate, match="There is no registry"):
        load("sql:", AS_OF, Settings(db=f"sqlite:///{tmp_path}/nothing.db"))


@POSTGRES
def test_a_password_in_the_url_is_in_no_dataset(site):
    keep(site, [decision(1)], [outcome(1)])
    url = site.url.replace("postgres:", "postgres:secret", 1) if "postgres:@" in site.url else site.url
    assert "secret" not in load(f"sql:{url}", AS_OF, Settings()).source


def test_a_database_without_the_table(empty_site):
    empty_site.sql("CREATE TABLE other (id INTEGER)")
    with pytest.raises(DataError, match='has no table "RLDataset"'):
        read(empty_site)
    empty_site.sql('CREATE TABLE "RLDataset" (id INTEGER, symbol TEXT)')
    with pytest.raises(DataError, match="lacks the columns ts, featureVec, action, outcome"):
        read(empty_site)


def test_no_ideas_known_yet_are_no_market_days(site):
    keep(site, [decision(1)], [outcome(1)])
    data = read(site, NOON + timedelta(minutes=90))
    assert (len(data.ideas), len(data.market_days)) == (0, 0)
    assert data.newest == decision(1).time.astimezone(UTC)


def test_another_database_is_not_called_the_registry(tmp_path: Path) -> None:
    """Its errors named the registry and GATEKEEPER_DB, and sent people to `gatekeeper db upgrade`."""
    other = tmp_path / "other.db"
    own = Settings(db=f"sqlite:///{tmp_path / 'registry.db'}")
    with pytest.raises(SchemaOutOfDate) as told:
        load(f"sql:sqlite:///{other}", AS_OF, own)
    assert str(told.value).startswith(f"There is no database at {other}. Name the database that the servers write to")
    other.write_bytes(b"no database at all, but a text that is long enough to be one" * 20)
    with pytest.raises(StorageFailed, match="Name the right file in GATEKEEPER_DATA"):
        load(f"sql:sqlite:///{other}", AS_OF, own)
    with pytest.raises(Unavailable) as refused:
        load("sql:postgresql://ann@127.0.0.1:1/d", AS_OF, own)
    assert str(refused.value).startswith("The database postgresql://127.0.0.1/d can't be used now")
    assert "nothing has changed" not in str(refused.value)
    with pytest.raises(SchemaOutOfDate, match=r"^There is no registry at .* `gatekeeper db upgrade`"):
        load("sql:", AS_OF, own)
