"""Delivered lines: kept for a day or up to a size, and brought back into a database that lost them (Case 72)."""

import shutil
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from decision_samples import decision, logged, outcome, parsed, until

from gatekeeper.cli.main import gatekeeper
from gatekeeper.errors import ConfigError
from gatekeeper.registry.decision_log.line_format import decision_lines, outcome_lines
from gatekeeper.serving.decision_log import acknowledged, delivered
from gatekeeper.serving.decision_log.acknowledged import Acknowledged
from gatekeeper.serving.decision_log.delivered import DeliveredLines
from gatekeeper.serving.decision_log.log import DecisionLog

HOUR = 3600


def kept(spool: Path) -> bytes:
    return b"".join(path.read_bytes() for path in delivered.files(spool))


def test_lines_are_kept_for_a_day(tmp_path):
    now = [1e9]
    lines = DeliveredLines(tmp_path, now=lambda: now[0])
    for hour in range(30):
        lines.keep(b"%d\n" % hour)
        now[0] += HOUR
    hours = [int(line) for line in kept(tmp_path).split()]
    assert hours == list(range(5, 30))  # written 24 hours before the newest, or later
    assert {path.stat().st_mode & 0o777 for path in delivered.files(tmp_path)} == {0o600}


def test_no_more_is_kept_than_fits(tmp_path, monkeypatch):
    monkeypatch.setattr(delivered, "FILE_BYTES", 1000)
    lines = DeliveredLines(tmp_path, most_bytes=5000)
    for number in range(200):
        lines.keep(b"%99d\n" % number)
        assert sum(path.stat().st_size for path in delivered.files(tmp_path)) <= 5000
    numbers = sorted(map(int, kept(tmp_path).split()))
    assert numbers[-1] == 199
    assert len(numbers) >= 40


def test_a_folder_that_cannot_be_written_holds_up_nothing(site, registry, caplog):
    spool = site.root / "spool"
    spool.mkdir()
    (spool / delivered.FOLDER).write_text("a file in its place")
    log = DecisionLog(registry, spool, cap_bytes=10**6)
    log.start()
    assert log.write([decision(1), decision(2)])
    until(lambda: log.state().backlog == 0)
    log.stop()
    assert len(logged(site)) == 2
    assert len([one for one in caplog.records if "can't be kept" in one.message]) == 1


def test_what_went_into_a_database_that_was_replaced_is_brought_back(site, registry):
    """Ideas, and the outcomes that were recorded at once or waited; what is there already stays as it is."""
    spool = site.root / "spool"
    log = DecisionLog(registry, spool, cap_bytes=10**6, clock=lambda: outcome(3).at)
    log.start()
    assert log.close([outcome(3)]) == ["pending"], "its idea is not written yet"
    assert log.write([decision(number) for number in range(50)])
    until(lambda: log.state().last_flush is not None and log.state().backlog == 0)
    assert log.close([outcome(1), outcome(2)]) == ["recorded", "recorded"]
    log.stop()
    before = logged(site)
    # What a backup of an hour ago lacks.
    lost = "dataset_id IN (SELECT dataset_id FROM gatekeeper_decision WHERE idea_id <> 'idea-7')"
    site.sql(f'DELETE FROM "RLDataset" WHERE id IN (SELECT dataset_id FROM gatekeeper_decision WHERE {lost})')
    site.sql(f"DELETE FROM gatekeeper_decision WHERE {lost}")
    told = [Acknowledged(f"idea-{number}", "veto" if number % 3 == 0 else "approve") for number in range(50)]
    found = acknowledged.check(site.url, spool, told)
    assert (found.well, len(found.missing), found.different, found.conflicts) == (False, 49, (), ())
    again = acknowledged.check(site.url, spool, told, redeliver=True)
    assert (again.well, again.ideas, again.outcomes) == (True, 49, 3)
    assert logged(site) == before
    third = acknowledged.check(site.url, spool, told, redeliver=True)
    assert (third.well, third.ideas, third.outcomes) == (True, 0, 0)


def doctor(site, *words: str, text: str = ""):
    environment = {
        "GATEKEEPER_DB": site.url,
        "GATEKEEPER_MODELS": str(site.models),
        "GATEKEEPER_SPOOL": str(site.root / "spool"),
    }
    file = site.root / "told.txt"
    file.write_text(text)
    words = ("doctor", "--decisions", str(file), *words)
    return CliRunner(env=environment).invoke(gatekeeper, list(words), standalone_mode=False)


def test_doctor_names_what_is_missing_different_and_in_conflict(site, registry):
    registry.log_decisions(parsed(decision(1), decision(2), decision(3), decision(4)))
    registry.log_decisions(parsed(decision(2, approved=False, version="gatekeeper_primary2"), decision(4, score=0.9)))
    (site.root / "spool").mkdir()
    (site.root / "spool" / "1-x.spool").write_bytes(decision_lines([decision(9)]))
    answers = [
        "idea-1",
        '{"idea_id": "idea-2", "decision": "veto", "version": "gatekeeper_primary2", "score": 0.1}',
        '{"idea_id": "idea-3", "decision": "veto", "version": "gatekeeper_primary3"}',
        "",
        "idea-8",
        "idea-9",
    ]
    done = doctor(site, text="\n".join(answers))
    assert done.return_value == 1
    assert done.output.splitlines() == [
        "waiting   idea-9: on the spool, not in the database yet.",
        "missing   idea-8: neither in the database nor on the spool.",
        "different idea-2: told veto by gatekeeper_primary2, logged is approve by gatekeeper_primary3.",
        "conflict  idea-2: veto by gatekeeper_primary2 was told too, logged is approve by gatekeeper_primary3.",
        "1 more conflicts are of ids that the file does not name.",
        "Compared 5 ids: 1 missing, 1 different, 1 in conflict.",
        "With --redeliver, what the spool folder keeps of the last 24 hours is delivered again.",
    ]
    well = doctor(site, "--json", text="idea-1\nidea-9\n")
    assert (well.return_value, '"well": true' in well.output, '"waiting"' in well.output) == (0, True, True)


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("two words", "is not an id"),
        ("\x1b[31mred", "is not an id"),
        ('{"idea_id": "a\\u001b"}', "is not an id"),
        ('{"decision": "veto"}', "idea_id"),
        ('{"idea_id": "a", "decision": "maybe"}', "maybe"),
        ('{"idea_id": "a"', "truncated"),
        ('{"idea_id": "a", "more": ' + "[" * 100_000 + "}", "recursion"),
        ("x" * 65, "is not an id"),
    ],
)
def test_a_line_that_is_neither_names_itself(line, why):
    with pytest.raises(ConfigError, match=r"told\.txt, line 2: .*Write one id a line") as refusal:
        acknowledged.read(["idea-1\n", line + "\n"], "told.txt")
    assert why in str(refusal.value)
    assert "\x1b" not in str(refusal.value)


def test_a_file_without_an_idea_is_not_well():
    """It said `Compared 0 ids: all are logged as they were told.`"""
    with pytest.raises(ConfigError, match=r"told\.txt names no idea"):
        acknowledged.read(["\n", "  \n", "\ufeff\n"], "told.txt")


@pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
def test_a_whole_sqlite_file_that_was_replaced_by_its_backup(site, registry):
    """Case 72: the backup goes into the place; what was delivered since is on the spool's side, and comes back."""
    spool = site.root / "spool"
    backup = site.root / "backup.db"
    registry.log_decisions(parsed(decision(0)))
    site.sql(f"VACUUM INTO '{backup}'")
    log = DecisionLog(registry, spool, cap_bytes=10**6)
    log.start()
    log.write([decision(number) for number in range(1, 30)])
    until(lambda: log.state().backlog == 0)
    log.stop()
    registry.close()
    file = Path(site.url.removeprefix("sqlite:///"))
    for ending in ("", "-wal", "-shm"):
        file.with_name(file.name + ending).unlink(missing_ok=True)
    shutil.copy(backup, file)
    assert len(logged(site)) == 1
    done = doctor(site, "--redeliver", text="\n".join(f"idea-{number}" for number in range(30)))
    assert done.output.splitlines() == [
        "Brought back 29 ideas and 0 outcomes.",
        "Compared 30 ids: all are logged as they were told.",
    ]
    assert done.return_value == 0
    assert len(logged(site)) == 30


def test_outcomes_come_after_their_ideas(site, registry):
    """In whatever order the files of several processes are."""
    spool = site.root / "spool"
    spool.mkdir()
    DeliveredLines(spool, now=lambda: time.time() - 100).keep(outcome_lines([outcome(1)]))
    DeliveredLines(spool).keep(decision_lines([decision(1)]))
    found = acknowledged.check(site.url, spool, [Acknowledged("idea-1")], redeliver=True)
    assert (found.well, found.ideas, found.outcomes) == (True, 1, 1)
    assert logged(site) == [("idea-1", outcome(1).outcome)]
