"""What another tool may do to a registry's file without its being a replaced one."""

import os
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from sqlite3 import connect

import pytest
from registry_site import Site

from gatekeeper.errors import RegistryReplaced

FOREIGN = (
    "CREATE TABLE theirs (id INTEGER PRIMARY KEY AUTOINCREMENT, x)",
    "INSERT INTO theirs (x) VALUES (1), (2), (3)",
)
REBUILT = (  # as migrations of other tools do it: the count begins at the newest row that is left
    "PRAGMA foreign_keys = OFF",
    "CREATE TABLE new_RLModel (id INTEGER PRIMARY KEY AUTOINCREMENT, version TEXT NOT NULL UNIQUE, path TEXT NOT NULL, "
    'description TEXT, "createdAt" DATETIME)',
    "INSERT INTO new_RLModel SELECT * FROM RLModel",
    "DROP TABLE RLModel",
    "ALTER TABLE new_RLModel RENAME TO RLModel",
)
HARMLESS = {
    "their table made anew": ("DROP TABLE theirs", FOREIGN[0], "INSERT INTO theirs (x) VALUES (1)"),
    "their table emptied": ("DELETE FROM theirs", "UPDATE sqlite_sequence SET seq = 0 WHERE name = 'theirs'"),
    "their count is text": ("UPDATE sqlite_sequence SET seq = 'many' WHERE name = 'theirs'",),
    "a count of nothing": ("INSERT INTO sqlite_sequence VALUES (NULL, 3)",),
    "our rows deleted": ("DELETE FROM RLModel WHERE id = 2",),
    "our table rebuilt": ("DELETE FROM RLModel WHERE id = 2", *REBUILT),
    "the file rebuilt": ("DELETE FROM RLModel WHERE id = 2", "VACUUM"),
}


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Site:
    made = Site(tmp_path_factory.mktemp("template"))
    made.upgrade()
    run(made, [*FOREIGN, "INSERT INTO RLModel (version, path) VALUES ('gatekeeper_1', 'a'), ('gatekeeper_2', 'b')"])
    return made


@pytest.fixture
def site(template: Site, tmp_path: Path) -> Site:
    return template.clone(tmp_path)


def run(site: Site, statements: Sequence[str]) -> None:
    with closing(connect(site.database, isolation_level=None)) as connection:
        for each in statements:
            connection.execute(each)


def settled(site: Site, at: int) -> None:
    """All is in the main file, which is in no checkpoint."""
    site.sql("PRAGMA wal_checkpoint(TRUNCATE)")
    os.utime(site.database, (at, at))


@pytest.mark.parametrize("way", HARMLESS)
def test_acts_of_other_tools_are_no_replacement(site: Site, way: str) -> None:
    with site.open() as registry:
        settled(site, 1)
        registry.continuity.look()
        run(site, HARMLESS[way])
        for moment in (2, 3):
            registry.continuity.look()
            settled(site, moment)
        registry.continuity.look()


def test_our_counts_that_go_back_by_themselves_are_told(site: Site) -> None:
    with site.open() as registry:
        registry.continuity.look()
        run(site, ["DELETE FROM RLModel", "UPDATE sqlite_sequence SET seq = 1 WHERE name = 'RLModel'"])
        with pytest.raises(RegistryReplaced, match="the newest id of RLModel went back from 2 to 1"):
            registry.continuity.look()


def test_a_transaction_that_is_undone_is_no_replacement(site: Site) -> None:
    """Without a write-ahead log, a long one is in the main file before its end."""
    site.sql("PRAGMA journal_mode = DELETE")
    with site.open() as registry, closing(connect(site.database, isolation_level=None)) as writer:
        settled(site, 1)
        registry.continuity.look()
        writer.execute("PRAGMA cache_size = 1")
        writer.execute("BEGIN IMMEDIATE")
        for number in range(300):
            row = f"gatekeeper_{number + 3}", "0" * 4000
            writer.execute("INSERT INTO RLModel (version, path) VALUES (?, ?)", row)
        assert site.database.stat().st_size > 1e6
        os.utime(site.database, (2, 2))
        registry.continuity._file.went_back()
        writer.execute("ROLLBACK")
        os.utime(site.database, (3, 3))
        registry.continuity.look()
