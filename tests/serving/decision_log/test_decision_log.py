"""Decision log of a server process: on the spool before the answer, in both tables soon after, once."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from decision_samples import NOON, decision, logged, outcome, rejected, until
from postgres_proxy import Proxy
from registry_site import Site

from gatekeeper.errors import Unavailable
from gatekeeper.registry import Registry
from gatekeeper.registry.decision_log.line_format import decision_lines, outcome_lines
from gatekeeper.serving.decision_log.log import DecisionLog, OutcomeRefused
from gatekeeper.serving.decision_log.spool import ENDING

POSTGRES = pytest.mark.parametrize("dialect", ["postgresql"], indirect=True)
CAP = 1_000_000


def folder(site: Site) -> Path:
    return site.root / "spool"


def spool_files(site: Site) -> list[Path]:
    return sorted(folder(site).glob(f"*{ENDING}"))


@contextmanager
def running(site: Site, registry: Registry, **options: object):
    log = DecisionLog(registry, folder(site), **{"cap_bytes": CAP, **options})
    log.start()
    try:
        yield log
    finally:
        log.stop()


def test_what_is_written_gets_into_the_tables(site, registry):
    with running(site, registry) as log:
        assert log.write([decision(1)])
        assert log.write([decision(2), decision(3)])
        until(lambda: log.state().backlog == 0)
        until(lambda: log.state().last_flush is not None)
    assert logged(site) == [("idea-1", None), ("idea-2", None), ("idea-3", None)]
    assert [path.name for path in folder(site).iterdir()] == ["delivered"]


def test_stopping_delivers_what_waits(site, registry):
    with running(site, registry) as log:
        assert log.write([decision(number) for number in range(700)])
    assert len(logged(site)) == 700
    assert (log.state().backlog, log.state().dropped, log.state().rejected) == (0, 0, 0)


def test_no_decisions_are_no_line(site, registry):
    with running(site, registry) as log:
        assert log.write([])
    assert logged(site) == []


def test_a_line_is_on_the_disk_when_write_returns(site, registry):
    """Before any thread runs: whoever kills the process now loses nothing."""
    log = DecisionLog(registry, folder(site), cap_bytes=CAP)
    log.start()
    log.stop()
    assert not log.write([decision(1)])  # it has stopped: nobody is promised anything
    again = DecisionLog(registry, folder(site), cap_bytes=CAP)
    again.start()
    assert again.write([decision(1)])
    content = b"".join(path.read_bytes() for path in spool_files(site))
    assert content in (decision_lines([decision(1)]), b"")  # or it is in the table already
    again.stop()
    assert logged(site) == [("idea-1", None)]


def test_many_threads_write_whole_lines(site, registry):
    with running(site, registry) as log, ThreadPoolExecutor(8) as pool:
        done = list(pool.map(lambda n: log.write([decision(n), decision(n + 5000)]), range(400)))
    assert done == [True] * 400
    assert len(logged(site)) == 800


def test_two_processes_share_the_folder(site, registry):
    with running(site, registry) as one, running(site, registry) as two:
        assert one.write([decision(1), decision(2)])
        assert two.write([decision(2), decision(3)])  # a bot's retry came to another worker
    assert [idea for idea, _ in logged(site)] == ["idea-1", "idea-2", "idea-3"]


def test_what_a_dead_process_left_is_taken_over(site, registry):
    """Its last line broke off: set aside, counted, and in nobody's way."""
    folder(site).mkdir()
    left = (
        decision_lines([decision(1), decision(2)]) + outcome_lines([outcome(1)]) + decision_lines([decision(3)])[:-40]
    )
    (folder(site) / f"7-dead{ENDING}").write_bytes(left)
    with running(site, registry) as log:
        until(lambda: log.state().torn == 1 and log.state().backlog == 0)
        assert log.write([decision(4)])
    assert [idea for idea, _ in logged(site)] == ["idea-1", "idea-2", "idea-4"]
    (aside,) = rejected(folder(site))
    assert "is incomplete" in aside["why"]
    assert aside["line"].startswith('["idea","idea-3"')
    assert log.state().rejected == 0
    assert spool_files(site) == []


def test_a_line_that_cannot_be_read_is_set_aside(site, registry):
    folder(site).mkdir()
    lines = [b'{"no": "line"}', b"[1, 2]", b'["idea", NaN]', b"\xff\xfe", b'["outcome","a",1,"x","y",0,"z"]']
    left = b"\n".join([decision_lines([decision(1)])[:-1], *lines, decision_lines([decision(2)])])
    (folder(site) / f"7-dead{ENDING}").write_bytes(left)
    with running(site, registry) as log:
        until(lambda: log.state().rejected == len(lines) and log.state().backlog == 0)
    assert [idea for idea, _ in logged(site)] == ["idea-1", "idea-2"]
    assert len(rejected(folder(site))) == len(lines)


def test_a_row_that_the_table_refuses_holds_up_no_other(site, registry):
    """A rule of another server's: one idea a symbol and time."""
    site.sql('CREATE UNIQUE INDEX theirs ON "RLDataset" (symbol, ts)')
    with running(site, registry) as log:
        assert log.write([decision(1), decision(1, idea_id="again"), decision(2)])
    assert [idea for idea, _ in logged(site)] == ["idea-1", "idea-2"]
    (aside,) = rejected(folder(site))
    assert '"again"' in aside["line"]
    assert log.state().rejected == 1


def test_a_table_that_refuses_all_of_them_makes_them_wait(site, registry):
    """The fault is told, nothing is lost, and it goes on by itself."""
    site.sql('ALTER TABLE "RLDataset" RENAME COLUMN "gateScore" TO score')
    with running(site, registry) as log:
        assert log.write([decision(1), decision(2)])
        until(lambda: log.state().fault is not None)
        assert "gateScore" in log.state().fault
        assert (log.state().backlog, log.state().rejected) == (2, 0)
        site.sql('ALTER TABLE "RLDataset" RENAME COLUMN score TO "gateScore"')
        until(lambda: log.state().backlog == 0)
        until(lambda: log.state().fault is None)
    assert len(logged(site)) == 2


@POSTGRES
def test_a_database_that_is_away_for_a_while(site, tmp_path_factory):
    """The spool grows, then it drains; outcomes wait with the ideas."""
    sockets = tmp_path_factory.mktemp("p")
    proxy = Proxy(site.postgres, sockets)
    with proxy:
        registry = Registry.open(proxy.url, models=site.models)
        log = DecisionLog(registry, folder(site), cap_bytes=CAP)
        log.start()
        assert log.write([decision(1)])
        until(lambda: log.state().backlog == 0)
    registry._context.database.engine.dispose()  # what a restart of the server does to our connections
    assert log.write([decision(2), decision(3)])
    assert log.close([outcome(2)]) == ["pending"]
    until(lambda: log.state().fault is not None)
    assert log.state().backlog == 3
    assert log.state().backlog_bytes == sum(path.stat().st_size for path in spool_files(site)) > 0
    with Proxy(site.postgres, sockets):
        until(lambda: log.state().backlog == 0, 60)
        log.stop()
    registry.close()
    assert logged(site) == [("idea-1", None), ("idea-2", outcome(2).outcome), ("idea-3", None)]


def test_a_full_spool_says_so_and_counts(site, registry):
    log = DecisionLog(registry, folder(site), cap_bytes=len(decision_lines([decision(1)])) * 2)
    log.start()
    answers = [log.write([decision(number), decision(number + 50)]) for number in range(20)]
    assert False in answers
    assert log.state().dropped == 2 * answers.count(False)
    log.stop()
    assert len(logged(site)) == 2 * answers.count(True)


def test_a_folder_that_cannot_be_written_never_stops_a_score(site, registry):
    folder(site).write_text("a file in its place")
    with running(site, registry) as log:
        assert not log.write([decision(1)])
        assert log.state().dropped == 1
        assert "spool" in log.state().fault
        folder(site).unlink()
        until(lambda: log.state().fault is None)
        assert log.write([decision(2)])
    assert [idea for idea, _ in logged(site)] == ["idea-2"]


@pytest.mark.parametrize(
    "wrong",
    [
        decision(1, features=(float("nan"), *decision(1).features[1:])),
        decision(1, features=(1.0, 2.0)),
        decision(1, score=float("inf")),
        decision(1, symbol="EUR\0USD"),
        decision(1, symbol="\ud800"),
        decision(1, time=NOON.replace(tzinfo=None)),
        decision(1, threshold=None, time=None),
    ],
)
def test_what_is_no_decision_is_not_promised(site, registry, wrong):
    with running(site, registry) as log:
        assert not log.write([decision(2), wrong])
        assert log.state().dropped == 2
    assert logged(site) == []


def test_symbols_of_all_kinds(site, registry):
    symbols = ["BRK B", 'quote"s', "back\\slash", "€/$", "非", "a\u00a0b", "😀"]
    with running(site, registry) as log:
        assert log.write([decision(n, symbol=symbol, strategy=symbol) for n, symbol in enumerate(symbols)])
    assert [row[0] for row in site.sql('SELECT symbol FROM "RLDataset" ORDER BY id')] == symbols
    assert [row[0] for row in site.sql("SELECT strategy FROM gatekeeper_decision ORDER BY dataset_id")] == symbols


def test_without_a_model_there_is_no_score(site, registry):
    bare = {"score": None, "model_id": None, "version": None, "sha256": None, "approved": False, "degraded": True}
    with running(site, registry) as log:
        assert log.write([decision(1, **bare)])
    assert site.sql('SELECT "gateScore", "modelId" FROM "RLDataset"') == [(None, None)]
    assert site.sql("SELECT sha256, approved, degraded FROM gatekeeper_decision") == [(None, False, True)]


def test_an_outcome_of_an_idea_that_is_there_is_recorded(site, registry):
    """Of a vetoed idea too: number 3 is one."""
    with running(site, registry) as log:
        assert log.write([decision(2), decision(3)])
        until(lambda: log.state().backlog == 0)
        assert log.close([outcome(2), outcome(3)]) == ["recorded", "recorded"]
        assert log.close([outcome(3)]) == ["recorded"]
        with pytest.raises(OutcomeRefused, match="differs"):
            log.close([outcome(3, outcome=0.9)])
    assert logged(site) == [("idea-2", outcome(2).outcome), ("idea-3", outcome(3).outcome)]


def test_an_outcome_that_comes_before_its_idea_waits_for_it(site, registry):
    now = [outcome(1).at]
    with running(site, registry, clock=lambda: now[0]) as log:
        assert log.close([outcome(1)]) == ["pending"]
        until(lambda: log.state().last_flush is not None and log.state().backlog == 1)
        assert log.write([decision(1)])
        until(lambda: log.state().backlog == 0)
    assert logged(site) == [("idea-1", outcome(1).outcome)]
    assert rejected(folder(site)) == []


def test_a_waiting_outcome_outlives_its_process(site, registry):
    """Also the one that took its segment over."""
    now = [outcome(1).at]
    for _ in range(3):
        with running(site, registry, clock=lambda: now[0]) as log:
            log.close([outcome(1)])
            log.write([decision(2)])
            until(lambda log=log: log.state().last_flush is not None and log.state().backlog == 1)
    with running(site, registry, clock=lambda: now[0]) as log:
        assert log.write([decision(1)])
        until(lambda: log.state().backlog == 0)
    assert logged(site) == [("idea-1", outcome(1).outcome), ("idea-2", None)]
    assert [path.name for path in folder(site).iterdir()] == ["delivered"]


def test_an_outcome_whose_idea_never_comes_is_kept_for_people(site, registry):
    now = [outcome(1).at]
    with running(site, registry, clock=lambda: now[0]) as log:
        assert log.close([outcome(1)]) == ["pending"]
        until(lambda: log.state().last_flush is not None and log.state().backlog == 1)
        now[0] += timedelta(hours=1)
        until(lambda: log.state().rejected == 1)
        assert log.state().backlog == 0
    (aside,) = rejected(folder(site))
    assert "within an hour" in aside["why"]
    assert '"idea-1"' in aside["line"]
    assert spool_files(site) == []


def test_a_waiting_outcome_that_contradicts_its_idea_is_kept_for_people(site, registry):
    now = [outcome(1).at]
    early = outcome(1, closed_at=decision(1).time - timedelta(seconds=1))
    with running(site, registry, clock=lambda: now[0]) as log:
        assert log.close([early]) == ["pending"]
        assert log.write([decision(1)])
        until(lambda: log.state().rejected == 1)
    assert logged(site) == [("idea-1", None)]
    assert "can't have closed at" in rejected(folder(site))[0]["why"]


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (outcome(1, outcome=float("nan")), "not a finite number"),
        (outcome(1, known_at=outcome(1).closed_at - timedelta(seconds=1)), "can't be known before the trade closes"),
        (outcome(1, known_at=outcome(1).at + timedelta(seconds=1)), "before that"),
    ],
)
def test_an_outcome_that_cannot_be_is_refused_at_once(site, registry, wrong, said):
    with running(site, registry) as log:
        with pytest.raises(OutcomeRefused, match=said):
            log.close([outcome(2), wrong])
        assert log.state().backlog == 0


def test_an_outcome_that_nobody_can_take_is_sent_again(site, registry):
    """The spool is full and the table at fault: never `pending` for what is nowhere."""
    site.sql("ALTER TABLE gatekeeper_decision RENAME TO gone")
    log = DecisionLog(registry, folder(site), cap_bytes=1)
    log.start()
    with pytest.raises(Unavailable, match="Send all of them again"):
        log.close([outcome(1)])
    site.sql("ALTER TABLE gone RENAME TO gatekeeper_decision")
    log.stop()


def test_a_long_outage_is_many_files_and_all_of_them_drain(site, registry):
    site.sql('ALTER TABLE "RLDataset" RENAME COLUMN "gateScore" TO score')
    with running(site, registry, cap_bytes=40_000_000) as log:
        for part in range(10):
            assert log.write([decision(part * 1000 + number) for number in range(1000)])
            log._spool.rotate(1)
        assert len(spool_files(site)) >= 10
        site.sql('ALTER TABLE "RLDataset" RENAME COLUMN score TO "gateScore"')
        until(lambda: log.state().backlog == 0, 100)
    assert len(logged(site)) == 10_000
    assert rejected(folder(site)) == []
    assert spool_files(site) == []
