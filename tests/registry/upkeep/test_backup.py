"""Backup and restore of a SQLite registry in use (Case 72): what comes back, who follows, and what is refused."""

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from registry_site import OWN, Site, check_history, own_model

from gatekeeper.errors import ConfigError, RegistryReplaced, SchemaOutOfDate, StorageFailed, Unavailable
from gatekeeper.registry import Registry, back_up, restore
from gatekeeper.registry.db.tables import HEAD

pytestmark = pytest.mark.parametrize("dialect", ["sqlite"], indirect=True)
WORDS = {"actor": "ann", "reason": "r"}
NAMES = {"registry.db", "registry.db-wal", "registry.db-shm", "models"}


@pytest.fixture
def grown(site: Site) -> Site:
    """1 was the primary, now 2 is."""
    with site.open() as registry:
        for number in (1, 2):
            registry.register(own_model(number), details=OWN)
            registry.promote(number, **WORDS)
    return site


@pytest.fixture
def backup(grown: Site) -> Path:
    """Of a time when 1 was the primary again, as generation 3; since then 2 is, as generation 4."""
    with grown.open() as registry:
        registry.promote(1, **WORDS)
        made = back_up(grown.url, grown.root / "backup.db")
        registry.promote(2, **WORDS)
    assert (made.revision, made.generation, made.size) == (HEAD, 3, made.file.stat().st_size)
    return made.file


def test_a_backup_is_one_file_of_one_moment(grown: Site, backup: Path) -> None:
    """Any tool reads it without a log beside it, also from a folder that it can't write to."""
    with closing(sqlite3.connect(f"file:{backup}?immutable=1", uri=True)) as connection:
        assert connection.execute("SELECT generation FROM gatekeeper_lock").fetchall() == [(3,)]
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    assert {path.name for path in grown.root.iterdir()} <= NAMES | {"backup.db"}
    assert backup.stat().st_mode & 0o777 == 0o600


def test_open_registries_follow_a_restore(grown: Site, backup: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Case 72: the file stays the same, so connections that were open before read what was restored."""
    inode = grown.database.stat().st_ino
    with grown.open() as registry, grown.open() as other:
        assert [each.continuity.look() for each in (registry, other)] == [4, 4]
        done = restore(grown.url, backup)
        assert (done.generation_before, done.generation, done.revision, done.primary) == (
            *(4, 3, HEAD),
            "gatekeeper_primary1",
        )
        for each in (registry, other):
            assert (each.continuity.look(), each.primary().id) == (3, 1)
            assert each.continuity.look() == 3  # it is told once
        told = [one.message for one in caplog.records if one.levelname == "ERROR"]
        assert [("generation 3 follows 4" in one, "restored from a backup" in one) for one in told] == [
            (True, True)
        ] * 2
        other.promote(2, **WORDS)
        assert registry.continuity.look() == 4
        check_history(registry)
    assert grown.database.stat().st_ino == inode
    assert {path.name for path in grown.root.iterdir()} <= NAMES | {"backup.db"}


def test_each_restore_is_told_apart_from_the_one_before(grown: Site, backup: Path) -> None:
    """An epoch in a row is copied with a backup: so each restore makes another."""
    epochs = set()
    with grown.open() as registry:
        for _ in range(3):
            restore(grown.url, backup)
            assert registry.continuity.look() == 3
            epochs |= set(grown.sql("SELECT epoch FROM gatekeeper_lock"))
            again = back_up(grown.url, grown.root / f"again{len(epochs)}.db").file
            registry.promote(2, **WORDS)
            assert registry.continuity.look() == 4
            restore(grown.url, again)
            assert registry.continuity.look() == 3
            epochs |= set(grown.sql("SELECT epoch FROM gatekeeper_lock"))
    assert len(epochs) == 6


def test_a_writer_in_another_process_goes_on_after_a_restore(grown: Site, backup: Path) -> None:
    """It queues behind the restore as behind any writer, and then writes into what was restored."""
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\nfrom registry_site import Site\nfrom pathlib import Path\n"
        f"registry = Site(Path({str(grown.root)!r})).open()\nprint(registry.generation(), flush=True)\ninput()\n"
        "print(registry.promote(2, actor='bob', reason='r').generation)"
    )
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **pipes) as process:
        assert process.stdout.readline() == "4\n"
        restore(grown.url, backup)
        assert process.communicate("go\n", timeout=60)[0] == "4\n"
    with grown.open() as registry:
        check_history(registry)
        assert registry.promotions()[0].actor == "bob"


def test_a_backup_of_an_older_revision_is_brought_up_to_date(grown: Site, backup: Path) -> None:
    with closing(sqlite3.connect(backup)) as old, old:
        old.execute("ALTER TABLE gatekeeper_lock DROP COLUMN epoch")
        old.execute("ALTER TABLE gatekeeper_decision DROP COLUMN version")
        for table in ("gatekeeper_conflict", "gatekeeper_approval", "gatekeeper_act"):
            old.execute(f"DROP TABLE {table}")
        old.execute("UPDATE gatekeeper_alembic_version SET version_num = '0006'")
    assert restore(grown.url, backup).revision == "0006"
    with grown.open() as registry:
        assert registry.generation() == 3
    with closing(sqlite3.connect(backup)) as old:
        assert old.execute("SELECT version_num FROM gatekeeper_alembic_version").fetchall() == [("0006",)]


def test_a_lost_file_is_made_again(grown: Site, backup: Path) -> None:
    for path in grown.root.glob("registry.db*"):
        path.unlink()
    assert restore(grown.url, backup).generation_before is None
    with grown.open() as registry:
        assert registry.primary().id == 1
        assert registry.doctor(repair=True).well
    assert grown.sql("PRAGMA journal_mode") == [("wal",)]


def spoiled(file: Path) -> Path:
    """A copy whose pages after the first are noise."""
    copy = file.with_name("spoiled.db")
    content = file.read_bytes()
    copy.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))
    return copy


def test_what_is_refused_changes_nothing(grown: Site, backup: Path) -> None:
    (grown.root / "letter.db").write_text("Dear registry, " * 1000)
    with closing(sqlite3.connect(grown.root / "other.db")) as other, other:
        other.execute("CREATE TABLE other (id)")
    newer = shutil.copy(backup, grown.root / "newer.db")
    with closing(sqlite3.connect(newer)) as later, later:
        later.execute("UPDATE gatekeeper_alembic_version SET version_num = '9999'")
    before = grown.rows()
    for file, error, says in (
        ("nowhere.db", ConfigError, "There is no backup"),
        ("models", ConfigError, "There is no backup"),
        ("registry.db", ConfigError, "is the registry itself"),
        ("letter.db", StorageFailed, "letter.db can't be restored .*: file is not a database.*Use another one"),
        ("other.db", SchemaOutOfDate, "holds no registry"),
        ("newer.db", SchemaOutOfDate, "Install a newer one"),
        (spoiled(backup).name, StorageFailed, "spoiled.db .*damaged"),
    ):
        with pytest.raises(error, match=says):
            restore(grown.url, grown.root / file)
    for file, says in (("backup.db", "exists already"), ("no/backup.db", "does not exist")):
        with pytest.raises(ConfigError, match=says):
            back_up(grown.url, grown.root / file)
    for act in (restore, back_up):
        with pytest.raises(ConfigError, match="pg_dump"):
            act("postgresql://u:secret@h/d", grown.root / "new.db")
    with pytest.raises(SchemaOutOfDate, match="no registry at"):
        back_up("sqlite:///nowhere.db", grown.root / "new.db")
    assert grown.rows() == before
    assert not (grown.root / "new.db").exists()
    assert not list(grown.root.glob(".registry-*"))


def test_a_log_of_another_file_would_undo_a_restore(grown: Site, backup: Path) -> None:
    grown.database.unlink()
    (grown.root / "registry.db-wal").write_bytes(b"of another")
    with pytest.raises(ConfigError, match="would undo the restore"):
        restore(grown.url, backup)
    assert not grown.database.exists()


def test_a_restore_waits_for_a_writer_and_not_for_ever(
    grown: Site, backup: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gatekeeper.registry.upkeep.backup.BUSY_SECONDS", 0)
    with grown.connection() as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE gatekeeper_lock SET generation = 7")
        with pytest.raises(Unavailable, match="another writer"):
            restore(grown.url, backup)
        other.execute("ROLLBACK")
    with grown.open() as registry:
        assert registry.generation() == 4


# Files that were replaced in another way


def by_rename(site: Site, backup: Path) -> None:
    backup.rename(site.database)


def by_removal(site: Site, backup: Path) -> None:
    site.database.unlink()
    shutil.copy(backup, site.database)


def by_an_empty_one(site: Site, backup: Path) -> None:  # as the others
    site.database.unlink()
    site.database.touch()


def by_a_link(site: Site, backup: Path) -> None:
    site.database.unlink()
    site.database.symlink_to(backup)


def by_none(site: Site, backup: Path) -> None:  # as the others
    site.database.unlink()


@pytest.mark.parametrize("way", [by_rename, by_removal, by_an_empty_one, by_a_link, by_none])
def test_nothing_is_read_from_or_written_into_a_replaced_file(grown: Site, backup: Path, way) -> None:
    """Case 72: the open connections are to the deleted file, where everything would be lost."""
    with grown.open() as registry:
        assert registry.continuity.look() == 4
        way(grown, backup)
        there = grown.database.read_bytes() if grown.database.exists() else None
        for act in (
            registry.continuity.look,
            registry.primary,
            registry.models,
            lambda: registry.promote(1, **WORDS),
            lambda: registry.register(own_model(5), details=OWN),
            lambda: registry.log_decisions([["x"]]),
        ):
            with pytest.raises(RegistryReplaced, match=r"Stop the servers, remove .*registry\.db-wal and") as told:
                act()
            assert "gatekeeper db restore" in str(told.value)
        registry.close()  # new connections would be to the other file
        with pytest.raises(RegistryReplaced):
            registry.generation()
        assert (grown.database.read_bytes() if grown.database.exists() else None) == there
    if way in {by_rename, by_removal}:
        with grown.open() as fresh:  # who begins with the new file knows no other
            assert fresh.continuity.look() == 3


def test_a_file_that_is_back_is_used_again(grown: Site) -> None:
    with grown.open() as registry:
        assert registry.generation() == 2
        grown.database.rename(grown.root / "away.db")
        with pytest.raises(RegistryReplaced, match="the file is gone"):
            registry.generation()
        (grown.root / "away.db").rename(grown.database)
        assert registry.generation() == 2


def test_a_copy_into_the_same_file_shows_by_its_generation(grown: Site, backup: Path) -> None:
    """`cp` keeps device and inode. It stays refused, since what came since then may be lost, until a restore."""
    with grown.open() as registry:
        assert registry.continuity.look() == 4
        grown.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        shutil.copyfile(backup, grown.database)
        for file in ("registry.db-wal", "registry.db-shm"):
            (grown.root / file).unlink(missing_ok=True)
        registry.close()
        for _ in range(2):
            with pytest.raises(RegistryReplaced, match="its generation went back from 4 to 3"):
                registry.continuity.look()
        with grown.open() as other:
            other.promote(2, **WORDS)
            other.promote(1, **WORDS)
        with pytest.raises(RegistryReplaced, match="went back from 4 to 3"):  # other promotions than it knew
            registry.continuity.look()
        restore(grown.url, backup)
        assert registry.continuity.look() == 3


def test_the_commands_say_what_they_did(grown: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(grown.root)
    command = [sys.executable, "-c", "from gatekeeper.cli import main; main()", "db"]

    def said(*words: str) -> str:
        return subprocess.run([*command, *words], capture_output=True, text=True, check=True).stdout

    assert said("backup", "kept.db").startswith(f"Backed up to kept.db: revision {HEAD}, generation 2, ")
    with Registry.open(grown.url, models=grown.models) as registry:
        registry.promote(1, **WORDS)
    assert said("restore", "kept.db").splitlines() == [
        "Restored kept.db: generation 2, was 3; primary gatekeeper_primary2.",
        "next: gatekeeper doctor, which compares the restored rows with the model files",
    ]
    assert json.loads(said("restore", "kept.db", "--json"))["generation"] == 2
    failed = subprocess.run([*command, "restore", "no.db"], capture_output=True, text=True)
    assert (failed.returncode, failed.stderr.startswith("gatekeeper: There is no backup no.db.")) == (1, True)


@pytest.mark.parametrize("size", [512, 1024, 65536])
def test_a_backup_with_pages_of_another_size_is_restored(grown: Site, backup: Path, size: int) -> None:
    """Case 72: SQLite calls the live file read-only then, and the operator was sent to mend its rights."""
    with closing(sqlite3.connect(backup, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {size}")
        connection.execute("VACUUM")
    with grown.open() as registry:
        assert registry.continuity.look() == 4
        assert restore(grown.url, backup).primary == "gatekeeper_primary1"
        assert registry.continuity.look() == 3


@pytest.mark.parametrize("ending", ["-wal", "-shm", "-journal"])
def test_a_backup_never_takes_a_name_of_the_registrys_own(grown: Site, ending: str) -> None:
    with pytest.raises(ConfigError, match="a name of the registry's own"):
        back_up(grown.url, f"{grown.database}{ending}")


def test_a_full_disk_is_named_by_the_folder_that_is_full(
    grown: Site, backup: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case 73: space was asked for in the folder of what is read."""

    def full(*_: object) -> None:
        error = sqlite3.OperationalError("database or disk is full")
        error.sqlite_errorcode = sqlite3.SQLITE_FULL
        raise error

    away = tmp_path / "away"
    away.mkdir()
    backup = backup.rename(away / "kept.db")
    monkeypatch.setattr("gatekeeper.registry.upkeep.backup._refuse_damage", full)
    for act, where in ((restore, backup), (back_up, away / "new.db")):
        folder = grown.root if act is restore else away
        with pytest.raises(StorageFailed, match=f"^{folder} has no room for a copy of"):
            act(grown.url, where)
    assert [file.name for file in away.iterdir()] == ["kept.db"]


def test_names_of_files_are_bytes(grown: Site) -> None:
    """What is no UTF-8 was an unexpected error: a stick that another system has written holds such names."""
    folder = grown.root / "caf\udce9"  # café, in Latin-1
    folder.mkdir()
    with grown.open() as registry:
        for place in (folder / "backup.db", grown.root / "caf\udce9.db"):
            made = back_up(grown.url, place)
            registry.register(own_model(3), details=OWN)
            assert restore(grown.url, made.file).generation == made.generation
            assert [model.id for model in registry.models()] == [2, 1]
