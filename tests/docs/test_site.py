"""The documentation site: built strictly, whole, and loaded from the disk alone."""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from chromium import chromium

pytestmark = pytest.mark.xdist_group("docs")  # the site is built once for all

HOUSE = Path(__file__).parents[2]
LOADED = {"src", "srcset", "poster", "data", "background"}  # what a browser fetches by itself, on whatever element
LINKED = {"link", "use", "image"}  # elements whose href is fetched too; an <a> is only followed


def build(source: Path, into: Path) -> subprocess.CompletedProcess[str]:
    """As `make docs` does."""
    options = ["--fail-on-warning", "--keep-going", "--nitpicky", "--quiet", "-d", str(into / "trees")]
    command = [sys.executable, "-m", "sphinx", *options, str(source), str(into / "site")]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    into = tmp_path_factory.mktemp("docs")
    ended = build(HOUSE / "docs", into)
    assert ended.returncode == 0, ended.stderr
    return into / "site"


class Loads(HTMLParser):
    """What a page makes the browser fetch."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: set[str] = set()
        self._inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside = tag
        for name, value in attrs:
            if name == "style":
                self.found |= in_styles(value or "")
            elif name == "srcset":
                self.found |= {each.split()[0] for each in (value or "").split(",") if each.strip()}
            elif name in LOADED or (tag in LINKED and name.endswith("href")):
                self.found.add(value or "")

    def handle_data(self, data: str) -> None:
        if self._inside == "style":
            self.found |= in_styles(data)


def in_styles(text: str) -> set[str]:
    """What a style sheet fetches."""
    quoted = re.findall(r"""(?:url\(\s*|@import\s+)(["'])(.*?)\1""", text)
    bare = re.findall(r"""url\(\s*([^"'\s][^)]*)\)""", text)
    return {target for _, target in quoted} | set(bare)


def elsewhere(targets: set[str]) -> set[str]:
    """Those of another host; `//host/x` is one too."""
    return {each for each in targets if urlsplit(each).netloc or urlsplit(each).scheme not in ("", "data")}


def test_what_pages_load_is_recognised() -> None:
    page = """<link rel=stylesheet href="https://a.example/x.css"><script src='//b.example/x.js'></script>
        <a href="https://fine.example">f</a><img src="x.png" srcset="x.png 1x, https://c.example/x.png 2x">
        <style>@import "https://d.example/x.css"; p { background: url(https://e.example/x.png) }</style>
        <p style="background: url('https://f.example/x.png')"></p><img src="data:image/png;base64,AAAA">"""
    assert {urlsplit(each).netloc[0] for each in elsewhere(Loads(page).found)} == set("abcdef")


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    pages, sheets = list(site.rglob("*.html")), list(site.rglob("*.css"))
    assert len(pages) > 20
    assert sheets
    loaded = {path.relative_to(site): Loads(path.read_text()).found for path in pages}
    loaded |= {path.relative_to(site): in_styles(path.read_text()) for path in sheets}
    assert {path: found for path, targets in loaded.items() if (found := elsewhere(targets))} == {}


def test_what_pages_load_and_link_to_is_there(site: Path) -> None:
    missing = set()
    for path in site.rglob("*.html"):
        page = path.read_text()
        targets = Loads(page).found | set(re.findall(r'<a [^>]*href="([^"]*)"', page))
        for target in targets - elsewhere(targets):
            where = urlsplit(target).path
            if where and urlsplit(target).scheme != "data" and not (path.parent / where).exists():
                missing.add((path.name, target))
    assert missing == set()


def test_the_pages_open_from_the_disk_and_ask_nobody(site: Path) -> None:
    """In a real browser, scripts too: each request that isn't for a file of the site is one too many."""
    asked: list[str] = []
    with chromium() as browser:
        page = browser.new_page()
        page.on("request", lambda request: asked.append(request.url))
        page.goto((site / "index.html").as_uri())
        title = page.get_by_role("heading", level=1).inner_text()
        page.goto((site / "search.html").as_uri() + "?q=promotion")
        page.locator("#search-results li").first.wait_for()
    assert title.startswith("Gatekeeper")
    assert asked
    assert [url for url in asked if not url.startswith((site.as_uri(), "data:"))] == []


def test_every_page_is_in_the_site(site: Path) -> None:
    pages = {path.relative_to(HOUSE / "docs").with_suffix("") for path in (HOUSE / "docs").rglob("*.md")}
    built = {path.relative_to(site).with_suffix("") for path in site.rglob("*.html")}
    assert pages - built == set()


def test_links_from_outside_into_a_page_find_their_heading(site: Path) -> None:
    """Of README, CONTRIBUTING and the like, which the site doesn't hold."""
    lost = set()
    for page in HOUSE.glob("*.md"):
        for target, heading in re.findall(r"\]\(docs/([^)#]+)\.md#([^)]+)\)", page.read_text()):
            if f'id="{heading}"' not in (site / f"{target}.html").read_text():
                lost.add((page.name, target, heading))
    assert lost == set()


@pytest.fixture
def draft(tmp_path: Path) -> Iterator[Path]:
    """A page of its own, built as the site is."""
    shutil.copy(HOUSE / "docs" / "conf.py", tmp_path)
    shutil.copy(HOUSE / "docs" / "site.css", tmp_path)
    (tmp_path / "other.md").write_text("# Other\n\n## A heading there\n")
    (tmp_path / "index.md").write_text("# Draft\n\n[fine](other.md#a-heading-there)\n\n```{toctree}\nother\n```\n")
    yield tmp_path


def test_a_sound_draft_builds(draft: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert build(draft, tmp_path_factory.mktemp("built")).returncode == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[x](nowhere.md)", "nowhere"),
        ("[x](other.md#no-such-heading)", "no-such-heading"),
        ("[x](#no-such-heading)", "no-such-heading"),
        ("![x](nowhere.png)", "nowhere.png"),
    ],
)
def test_a_broken_link_fails(draft: Path, tmp_path_factory: pytest.TempPathFactory, text: str, message: str) -> None:
    page = draft / "index.md"
    page.write_text(page.read_text().replace("# Draft\n", f"# Draft\n\n{text}\n"))
    ended = build(draft, tmp_path_factory.mktemp("built"))
    assert ended.returncode != 0
    assert message in ended.stderr
