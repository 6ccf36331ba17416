"""Chromium for tests, the system's own; only if there is none is a test skipped."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


expect.set_options(timeout=60_000)  # milliseconds; the default is short for a busy machine


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser, started once for all that a file's tests look at."""
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("there is no Chromium on this machine: apt-get install chromium")
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(QUIET))
        try:
            yield browser
        finally:
            browser.close()


def faults(page: Page) -> list[str]:
    """What axe-core finds wrong for people who can't see, or not well."""
    found = Axe().run(page).response["violations"]
    return [f"{one['id']}: {one['help']}: {node['html'][:200]}" for one in found for node in one["nodes"]]


def unreadable(browser: Browser, place: Path) -> dict[str, object]:
    """What is wrong with a page of ours, wide and light, then narrow and dark: it scrolls sideways, or axe minds."""
    wrong: dict[str, object] = {}
    for width, look in ((1280, "light"), (360, "dark")):
        with browser.new_context(viewport={"width": width, "height": 800}, color_scheme=look) as context:  # type: ignore[arg-type]  # light or dark
            page = context.new_page()
            page.goto(place.as_uri(), wait_until="networkidle")
            reaches = page.evaluate("document.documentElement.scrollWidth")
            if reaches > width:
                wrong[f"width {width}"] = reaches
            if found := faults(page):
                wrong[f"axe {width} {look}"] = found
    return wrong


def pictured(page: Page, place: Path) -> None:
    """What the window shows, as `place`.png, and as `place`-dark.png for whoever has it dark."""
    place.parent.mkdir(exist_ok=True)
    for scheme, suffix in (("dark", "-dark"), ("light", "")):
        page.emulate_media(color_scheme=scheme)
        page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")
        page.screenshot(path=place.with_name(f"{place.name}{suffix}.png"), animations="disabled")
