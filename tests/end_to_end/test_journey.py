"""Operator's journey through the pages in a real Chromium: run by form, read the verdict, promote, roll back."""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import readme_table
from airflow_server import ENDED, until
from chromium import chromium, pictured
from playwright.sync_api import FrameLocator, Page, expect
from score_server import eventually
from up_machine import Place

pytestmark = [pytest.mark.slow, pytest.mark.xdist_group("up"), pytest.mark.timeout(900)]
MINUTE = 60_000
PATIENCE = 5 * MINUTE
UNDER_WAY = re.compile("^(No Status|Scheduled|Queued|Running|Restarting)$")
WEEKLY = "/dags/gatekeeper_weekly"


@dataclass(frozen=True)
class Screen:
    """The one window, logged in to Airflow; `make pictures` keeps those of the docs."""

    page: Page
    place: Place
    pictures: Path

    def go(self, path: str) -> None:
        self.page.goto(self.place.airflow + path)

    def picture(self, name: str, height: int, *, wrapped: bool = False) -> None:
        """So high that all of it is in the picture; a log with its long lines wrapped, and afterwards as it was."""
        before = self.page.viewport_size
        assert before is not None
        self.page.set_viewport_size({"width": before["width"], "height": height})
        if wrapped:
            self.page.keyboard.press("w")
        pictured(self.page, self.pictures / name)
        if wrapped:
            self.page.keyboard.press("w")
        self.page.set_viewport_size(before)

    def console(self) -> FrameLocator:
        """The page in Airflow's menu."""
        self.page.get_by_role("link", name="Gatekeeper", exact=True).click()
        frame = self.page.frame_locator("iframe")
        frame.get_by_role("heading", name="Models").wait_for()
        return frame


@pytest.fixture(scope="module")
def screen(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Screen]:
    """After the first of the demo's Mondays, so that there is a champion to face; a second time it isn't run again."""
    for _ in range(2):
        ended = place.machine.make("mondays", COUNT="1")
        assert ended.returncode == 0, ended.stderr
        assert ended.stdout.splitlines()[1:] == readme_table.rows()[:1]
    assert place.runs() == {"monday_2018-11-05": ("manual", "success")}
    pictures = Path(os.environ.get("GATEKEEPER_PICTURES") or tmp_path_factory.mktemp("pictures"))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 900}, color_scheme="light")
        page.set_default_timeout(2 * MINUTE)
        expect.set_options(timeout=2 * MINUTE)
        page.goto(place.airflow + WEEKLY)
        page.get_by_label("Username").fill(place.user)
        page.get_by_label("Password").fill(place.password)
        page.get_by_role("button", name="Sign in").click()
        page.wait_for_url("**" + WEEKLY)
        yield Screen(page, place, pictures)


def test_a_run_by_form_ends_and_its_verdict_is_read(screen: Screen) -> None:
    """The numbers are those of the README, which the demo prints for this Monday."""
    page = screen.page
    page.get_by_role("button", name="Trigger").click()
    form = page.locator("[role=dialog][data-state=open]")
    form.get_by_text("Backfill", exact=True).click()
    expect(form.get_by_text("Max Active Runs")).to_be_visible()
    screen.picture("backfill-form", height=1180)
    form.get_by_text("Single Run", exact=True).click()
    form.get_by_role("button", name="Weekly run").click()
    form.locator("#element_as_of").fill("2018-11-12")
    screen.picture("form", height=1120)
    form.get_by_role("button", name="Trigger").click()
    page.wait_for_url(re.compile("/runs/manual"))
    expect(page.get_by_role("heading", name="5 Task Instances")).to_be_visible()
    expect(page.get_by_text(UNDER_WAY)).to_have_count(0, timeout=PATIENCE)
    expect(page.get_by_text("Success", exact=True)).to_have_count(6)  # five tasks, and the run
    run = page.url
    page.goto(f"{run}/tasks/backtest")
    expect(page.get_by_text("promote gatekeeper_2: the gain of 0.09")).to_be_visible()
    screen.picture("log", height=760, wrapped=True)
    page.get_by_role("link", name="Details").click()
    page.get_by_role("link", name="Evaluation").click()
    page.wait_for_url("**/gatekeeper/default/evaluations/2")
    verdict = page.get_by_role("region", name="Verdict", exact=True)
    expect(verdict).to_contain_text("promote")
    expect(verdict).to_contain_text("all gates passed")
    for stream, sharpe in (("challenger gatekeeper_2", "0.79"), ("champion", "0.70"), ("ungated", "0.43")):
        expect(page.get_by_role("row", name=re.compile(f"^{stream}.* {re.escape(sharpe)}"))).to_be_visible()
    screen.picture("evaluation", height=900)
    with screen.place.machine.registry() as registry:
        assert [(p.kind, p.to_id, p.actor) for p in registry.promotions()] == [
            ("weekly", 2, "airflow"),
            ("bootstrap", 1, "airflow"),
        ]
    answer = eventually(lambda: (said := screen.place.answer())["version"] == "gatekeeper_primary2" and said)
    assert not answer["degraded"]


def test_a_bad_monday_says_why_where_one_looks_first(screen: Screen) -> None:
    """A Monday beyond the demo's bars, which end with 2018."""
    run = "beyond"
    body = {"dag_run_id": run, "logical_date": None, "conf": {"as_of": "2019-01-07"}}
    screen.place.call("POST", f"/api/v2{WEEKLY}/dagRuns", body)
    until(lambda: screen.place.runs()[run][1] in ENDED, f"{run} ends")
    assert screen.place.runs()[run] == ("manual", "failed")
    screen.go(f"{WEEKLY}/runs/{run}/tasks/retrain")
    expect(screen.page.get_by_text("lies beyond the bars of demo:").first).to_be_visible()
    screen.page.get_by_text("AirflowFailException").first.click(position={"x": 4, "y": 4})  # folds the stack
    screen.picture("bad-monday", height=680, wrapped=True)


def test_another_model_is_promoted_and_rolled_back(screen: Screen) -> None:
    screen.go(WEEKLY)
    console = screen.console()
    expect(console.get_by_text("gatekeeper_primary2").first).to_be_visible()
    screen.picture("console", height=680)
    console.get_by_role("link", name="gatekeeper_1", exact=True).click()
    console.get_by_role("button", name="Promote").click()
    asked = console.get_by_role("dialog")
    asked.get_by_label("Reason").fill("the desk wants last week's model until the roll is over")
    screen.picture("promote", height=900)
    asked.get_by_role("button", name="Promote").click()
    expect(console.get_by_role("status")).to_contain_text("gatekeeper_primary1")
    answers(screen, "gatekeeper_primary1")
    console.get_by_role("link", name="Models").click()
    console.get_by_role("button", name="Roll back").click()
    asked = console.get_by_role("dialog")
    asked.get_by_label("Reason").fill("it vetoes too much")
    asked.get_by_role("button", name="Roll back").click()
    expect(console.get_by_role("status")).to_contain_text("gatekeeper_primary2")
    answers(screen, "gatekeeper_primary2")
    console.get_by_role("link", name="History").click()
    expect(console.get_by_text("it vetoes too much").first).to_be_visible()
    screen.picture("history", height=680)
    with screen.place.machine.registry() as registry:
        assert [(p.kind, p.from_id, p.to_id, p.actor, p.reason) for p in registry.promotions()[:2]] == [
            ("rollback", 1, 2, "admin", "it vetoes too much"),
            ("manual", 2, 1, "admin", "the desk wants last week's model until the roll is over"),
        ]
        assert [model.id for model in registry.models() if model.is_primary] == [2]


def answers(screen: Screen, version: str) -> None:
    """The scoring server follows."""
    eventually(lambda: screen.place.answer().get("version") == version)
