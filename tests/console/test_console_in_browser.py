"""Console pages in a real Chromium: wide and narrow, light and dark, by keyboard, with and without JavaScript."""

import re
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from chromium import chromium, faults, unreadable
from console_house import Insider, console, served
from playwright.sync_api import Browser, Page, expect
from registry_site import Site
from weekly_house import House

from gatekeeper.judgement import render

pytestmark = pytest.mark.xdist_group("console")

PAGES = [
    "/default/models",
    "/default/models/2",
    "/default/evaluations",
    "/default/evaluations/3",
    "/default/evaluations/3/report",
    "/default/monitor",
    "/default/history",
    "/default/holds",
    "/default/doctor",
    "/empty/models",
]
LOOKS = [(1280, "light"), (360, "dark")]
ACTS = {"width": 1280, "height": 800}


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def insiders(furnished: Path) -> Iterator[str]:
    """The console for somebody who might act, so that buttons are there; nobody does."""
    with served(console(furnished, Insider())) as url:
        yield url


@pytest.fixture(scope="module")
def monitored(watched: Path) -> Iterator[str]:
    """The console of a desk whose monitor has run."""
    with served(console(watched, Insider(may=False))) as url:
        yield url


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    with browser.new_context(viewport=ACTS) as context:
        yield context.new_page()


@pytest.fixture
def small(site: Site) -> Iterator[str]:
    with served(console(site.root, Insider())) as url:
        yield url


@pytest.mark.parametrize(("width", "look"), LOOKS)
def test_every_page_fits_reads_aloud_and_asks_nobody_else(
    browser: Browser, insiders: str, width: int, look: str
) -> None:
    said: list[str] = []
    asked: list[str] = []
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=look) as context:  # type: ignore[arg-type]  # light or dark
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        wrong = {}
        for path in PAGES:
            page.goto(insiders + path, wait_until="networkidle")
            assert page.evaluate("document.documentElement.scrollWidth") <= width, path
            wrong[path] = faults(page)
        assert {path: found for path, found in wrong.items() if found} == {}
        paper = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(255, 255, 255)" if look == "light" else "rgb(16, 21, 27)")
    assert {re.match(r"https?://[^/]+", url)[0] for url in asked} == {insiders}  # type: ignore[index]  # always one
    assert [line for line in said if "503" not in line] == []


@pytest.mark.parametrize(("width", "look"), LOOKS)
def test_the_monitor_fits_and_reads_aloud_with_its_tables(
    browser: Browser, monitored: str, width: int, look: str
) -> None:
    with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=look) as context:  # type: ignore[arg-type]  # light or dark
        page = context.new_page()
        page.goto(f"{monitored}/default/monitor", wait_until="networkidle")
        assert [each.split(" ")[0] for each in page.get_by_role("heading", level=3).all_text_contents()] == [
            "What", "Gain", "Circuit", "Drift", "Standby"
        ]  # fmt: skip
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert faults(page) == []


def test_reports_fit_and_read_aloud(browser: Browser, watched: Path, tmp_path: Path) -> None:
    """Decision, traders' table, months, charts, gates and standby models; and the first one, which has no champion."""
    with House(watched, "demo:").registry as registry:
        check = registry.checks.last_seen()
        pages = {number: render(registry.evaluation(number).document, "Nothing.", check) for number in (1, 2, 3)}
    for words in ("The decision", "What traders look for", "Returns by month", "Standby models on live ideas"):
        assert words in pages[3]
    wrong = {}
    for number, text in pages.items():
        place = tmp_path / f"{number}.html"
        place.write_text(text, "utf-8")
        wrong[number] = unreadable(browser, place)
    assert {number: found for number, found in wrong.items() if found} == {}


def test_charts_are_drawn_and_say_their_numbers_under_the_pointer(page: Page, insiders: str) -> None:
    page.goto(f"{insiders}/default/evaluations/3", wait_until="networkidle")
    charts = page.locator("[data-chart]")
    assert [chart.get_attribute("data-chart") for chart in charts.all()] == [
        "equity",
        "drawdown",
        "kept",
        "scores",
        "outcomes",
    ]
    for chart in charts.all():
        inked = chart.locator("canvas").evaluate(
            "canvas => new Set(new Uint32Array(canvas.getContext('2d')"
            ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
        )
        assert inked > 10, chart.get_attribute("data-chart")
    plot = charts.first.locator(".u-over")
    box = plot.bounding_box()
    assert box is not None
    plot.hover(position={"x": box["width"] - 1, "y": 50})
    legend = charts.first.locator(".u-legend")
    table = page.locator("details.table", has_text="Equity as a table")
    last = table.locator("tbody tr").last.locator("th, td").all_text_contents()
    expect(legend).to_contain_text(last[0])
    for value in last[1:]:
        expect(legend).to_contain_text(f"{value} %")
    before = page.evaluate("document.querySelector('canvas').toDataURL()")
    page.emulate_media(color_scheme="dark")
    page.wait_for_function("before => document.querySelector('canvas').toDataURL() !== before", arg=before)


def test_without_javascript_everything_but_charts_and_acts_is_there(browser: Browser, insiders: str) -> None:
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(f"{insiders}/default/evaluations/3")
        page.get_by_text("Equity as a table").click()
        expect(page.get_by_role("region", name="Equity as a table").get_by_role("row").nth(5)).to_be_visible()
        page.get_by_role("link", name="Models").click()
        expect(page.get_by_role("row", name="gatekeeper_primary1")).to_be_visible()
        expect(page.get_by_role("button", name="Roll back")).to_be_hidden()
        expect(page.get_by_text("Changes on this page need JavaScript")).to_be_visible()
        page.get_by_text("Desk default").click()
        page.get_by_role("link", name="Not made yet").click()
        expect(page.get_by_role("heading", name="Service Unavailable")).to_be_visible()


def test_a_model_is_promoted_by_keyboard_alone(page: Page, small: str, site: Site) -> None:
    page.goto(f"{small}/default/models/3")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    promote = page.get_by_role("button", name="Promote", exact=True)
    expect(promote).to_be_focused()
    assert promote.evaluate("button => getComputedStyle(button).outlineStyle") == "solid"
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Promote gatekeeper_3?")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    assert faults(page) == []
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    expect(promote).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(dialog.get_by_role("alert")).to_have_text("Give a reason; it is recorded in the history.")
    expect(dialog.get_by_label("Reason")).to_be_focused()
    page.keyboard.type("two weeks in a row better")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_have_text(
        "Promoted gatekeeper_primary3 (generation 3), was gatekeeper_primary2."
    )
    with site.open() as registry:
        assert registry.promotions()[0].reason == "two weeks in a row better"


def test_what_the_registry_refuses_stays_in_the_dialog_as_a_sentence(page: Page, small: str, site: Site) -> None:
    page.goto(f"{small}/default/models")
    with site.open() as registry:
        registry.promote(3, actor="dora", reason="meanwhile")
    page.get_by_role("button", name="Roll back").click()
    dialog = page.get_by_role("dialog", name="Roll back to gatekeeper_1?")
    dialog.get_by_label("Reason").fill("losses")
    dialog.get_by_role("button", name="Roll back").click()
    expect(dialog.get_by_role("alert")).to_contain_text("Another promotion came first, so nothing has changed")
    expect(dialog.get_by_role("button", name="Roll back")).to_be_enabled()
    dialog.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Hold").click()
    held = page.get_by_role("dialog", name="Hold promotions?")
    held.get_by_label("Reason").fill("holidays")
    held.get_by_label("Until (UTC)").fill("2019-01-01T08:00")
    held.get_by_role("button", name="Hold").click()
    expect(held.get_by_role("alert")).to_contain_text("lies in the past")
    held.get_by_label("Until (UTC)").fill("")
    held.get_by_role("button", name="Hold").click()
    expect(page.get_by_role("status")).to_contain_text("Promotions are held until somebody releases the hold")
    expect(page.get_by_role("region", name="A hold is in force")).to_contain_text("carol")


def test_a_page_of_another_site_can_change_nothing(page: Page, small: str, site: Site, tmp_path: Path) -> None:
    """Case 47's kin: by form, by plain fetch, and with our header, from a page that a user also has open."""
    before = site.rows()
    hostile = "http://localhost" + small[len("http://127.0.0.1") :]  # another site to the browser
    assert httpx.get(f"{hostile}/default/models").status_code == 200
    page.goto(f"{hostile}/static/uplot.LICENSE.txt")
    address = f"{small}/default/acts/hold"
    for headers in ({"Content-Type": "text/plain"}, {"Content-Type": "application/json", "X-Gatekeeper-Act": "1"}):
        outcome = page.evaluate(
            "([address, headers]) => fetch(address, {method: 'POST', credentials: 'include', headers, "
            "body: JSON.stringify({reason: 'x'})}).then(answer => answer.status, () => 'blocked')",
            [address, headers],
        )
        assert outcome == "blocked"
    assert site.rows() == before
