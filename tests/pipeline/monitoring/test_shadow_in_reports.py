"""Standby models in weekly reports: the last check's by the as-of, and in a later report the newest."""

import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_shell import Shell, bare
from weekly_data import write_ideas
from weekly_house import NOW, House

from gatekeeper.documents.check import CheckDocument
from gatekeeper.pipeline.monitoring.monitor import monitor

pytestmark = pytest.mark.xdist_group("shadow-reports")  # the house is made once

FIRST, SECOND, THIRD = (datetime(*day, 2, tzinfo=UTC) for day in ((2016, 1, 4), (2018, 1, 8), (2018, 3, 5)))
BEFORE, AFTER = datetime(2018, 3, 2, 4, 30, tzinfo=UTC), datetime(2018, 3, 20, 4, 30, tzinfo=UTC)

__all__ = ["bare"]


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """Two weekly runs, a check after the third as-of and then one before it; the third run comes last."""
    folder = tmp_path_factory.mktemp("house")
    data = write_ideas(folder / "ideas.csv", start="2012-01-02", end="2018-03-23", edge_from="2016-01-04", seed=7)
    made = House(folder, data)
    assert made.week(FIRST)["promoted"] and made.week(SECOND)["promoted"]
    for as_of in (AFTER, BEFORE):
        assert monitor(as_of, made.registry, made.settings, now=NOW).check is not None
    made.week(THIRD, policy="proven")
    return made


def seen(house: House, as_of: datetime) -> CheckDocument:
    return next(each.document for each in house.registry.checks.newest() if each.as_of == as_of)


def section(page: str) -> str:
    """The words of the section of standby models."""
    (found,) = re.findall(r"<section>\s*<h2>(Standby models.*?)</section>", page, re.DOTALL)
    return " ".join(re.sub(r"<[^>]+>", " ", found).split()).replace("\N{MINUS SIGN}", "-")


def rows(check: CheckDocument) -> list[str]:
    assert check.shadow is not None
    return [
        f"{one.model.version} {one.since:%Y-%m-%d} {one.ideas} {one.approved} {100 * one.total_return:.2f} % ± "
        f"{100 * one.total_return_error:.2f} % {100 * one.max_drawdown:.2f} % {one.sharpe:.3f} ± {one.sharpe_error:.3f}"
        for one in check.shadow.models
        if one.sharpe_error is not None and one.total_return_error is not None
    ]


def test_the_run_shows_the_last_check_by_its_as_of(house: House) -> None:
    """None that was made later knows a thing of it, though it was stored before the run."""
    page = Path(str(house.registry.evaluation(3).report)).read_text("utf-8")
    shown = section(page)
    assert shown.startswith("Standby models on live ideas, as of 2018-03-02 From the monitor's check of the primary")
    (row,) = rows(seen(house, BEFORE))
    assert row.startswith("gatekeeper_1 2016-01-04 ")
    assert row in shown
    assert rows(seen(house, AFTER))[0] not in shown
    assert "no part of this evaluation" in shown


def test_a_run_before_any_check_shows_none(house: House) -> None:
    assert "Standby models" not in Path(str(house.registry.evaluation(2).report)).read_text("utf-8")


def test_the_report_of_today_shows_the_newest_check(house: House, bare: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    """The receipt is what it is without: the check is no part of the evaluation."""
    monkeypatch.setenv("GATEKEEPER_DB", house.settings.db.reveal())
    assert bare("report", "2", "-o", "page.html")[0] == 0
    shown = section((bare.folder / "page.html").read_text("utf-8"))
    assert shown.startswith("Standby models on live ideas, as of 2018-03-20 ")
    assert all(row in shown for row in rows(seen(house, AFTER)))
    assert bare("receipt", "2")[0] == 0
    code, said, _ = bare("verify", "receipt_2.json")
    assert (code, "recomputed" in said) == (0, True)


def test_a_check_that_can_not_be_read_costs_no_report(house: House, bare: Shell) -> None:
    place = bare.folder / "registry.db"
    with closing(sqlite3.connect(house.folder / "registry.db")) as database:
        database.execute("VACUUM INTO ?", [str(place)])
    with closing(sqlite3.connect(place)) as database, database:
        database.execute("DROP TRIGGER IF EXISTS gatekeeper_check_is_never_changed")
        database.execute("UPDATE gatekeeper_check SET document = '{}'")
    assert bare("report", "2", "-o", "page.html")[0] == 0
    assert "Standby models" not in (bare.folder / "page.html").read_text("utf-8")
