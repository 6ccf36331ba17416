"""The documents are tests: what README and docs tell their readers to type works, and prints what they show.

Each page is read as a newcomer reads it: after `make setup` in a fresh clone, in a folder whose path has spaces, from
its first block to its last, in one shell, with no network. `exceptions.toml` lists what isn't run.
"""

import configparser
import json
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from document_clone import HOUSE, clone
from document_pages import EXCEPTIONS, Block, Command, blocks, commands, exceptions, pages, wants_more

PAGES = {page: blocks(HOUSE, page) for page in pages(HOUSE)}
LONG = {"README.md", "docs/get-started/first-monday.md"}
"""What every newcomer reads; ten to twenty seconds of processor time each."""
LONGER = {
    *("docs/how-to/console.md", "docs/how-to/judge.md", "docs/how-to/monitor.md", "docs/how-to/more-desks.md"),
    *("docs/how-to/operate.md", "docs/how-to/serve.md", "docs/how-to/troubleshoot.md"),
    "docs/get-started/your-data.md",
}
"""Three minutes of it in all, `make up` among them: `make matrix` runs these."""
ALONE = ["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"]
AS_NOBODY = ["unshare", "--map-root-user", *ALONE[1:]]
INIT = ["bash", "-c", '"$@"; exit $?', "init"]  # the first process takes in orphans: `make up` leaves some


def request_or_response(text: str) -> None:
    """HTTP/1.1: one first line, headers, and below an empty line the body."""
    head, _, body = text.partition("\n\n")
    first, *headers = head.splitlines()
    if not HTTP.fullmatch(first) or not all(HEADER.match(line) for line in headers):
        raise ValueError(f"{head!r} is no head of a request or response")
    if body.strip():
        json.loads(body)


def difference(text: str) -> None:
    """A change that the repository of now takes."""
    ended = subprocess.run(
        ["git", "apply", "--check", "-C1", "-"], cwd=HOUSE, input=text, capture_output=True, text=True
    )
    if ended.returncode:
        raise ValueError(f"make this change anew and paste its diff: {ended.stderr}")


def of_the_shell(text: str) -> None:
    if fault := wants_more(text):
        raise ValueError(fault)


RUN = ("console", "python")
READ: dict[str, Callable[[str], object]] = {
    "toml": tomllib.loads,
    "ini": lambda text: configparser.ConfigParser(interpolation=None).read_string(text),
    "yaml": lambda text: list(yaml.safe_load_all(text)),
    "json": json.loads,
    "http": request_or_response,
    "diff": difference,
    "sh": of_the_shell,  # is listed as an exception, too: it isn't run
}
NO_CODE = ("text", "mermaid")  # and Sphinx's directives, such as {toctree}, which `make docs` reads
HTTP = re.compile(r"[A-Z]+ /\S* HTTP/1\.1|HTTP/1\.1 \d{3} .+")
HEADER = re.compile(r"[\w-]+: \S")


@pytest.fixture(scope="session")
def alone() -> list[str]:
    """How to run a command with no network but its own; as root, or with a user namespace."""
    if not shutil.which("unshare"):
        pytest.skip("there is no `unshare` (Linux, util-linux), by which a page gets a network of its own")
    for words in (ALONE, AS_NOBODY):
        tried = subprocess.run([*words, "true"], capture_output=True, text=True)
        if tried.returncode == 0:
            return [*words, *INIT]
    return pytest.skip(f"neither root nor user namespaces to refuse the network with: {tried.stderr.strip()}")


@pytest.fixture(scope="session")
def house(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The clone that each page has a copy of."""
    return clone(tmp_path_factory.mktemp("documents") / "a fresh clone" / "gatekeeper")


def runs(page: str) -> bool:
    """Is there anything to run in it, and isn't the whole page listed?"""
    listed = any(entry.means(page, "*") for entry in exceptions(HOUSE))
    return not listed and any(block.language in RUN for block in PAGES[page])


def marks(page: str) -> list[pytest.MarkDecorator]:
    return [pytest.mark.slow] * (page in LONG) + [pytest.mark.matrix] * (page in LONGER)


@pytest.mark.timeout(900)
@pytest.mark.parametrize("page", [pytest.param(page, marks=marks(page)) for page in PAGES if runs(page)])
def test_a_page_works_as_it_stands(page: str, alone: list[str], house: Path, tmp_path: Path) -> None:
    own = tmp_path / "a quant's own folder" / "gatekeeper"
    shutil.copytree(house, own, symlinks=True)
    ended = walked(alone, page, own)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def walked(alone: list[str], page: str, own: Path) -> subprocess.CompletedProcess[str]:
    runner = [sys.executable, str(HOUSE / "tests" / "support" / "document_run.py"), page, str(own)]
    return subprocess.run([*alone, *runner], capture_output=True, text=True)


def written(folder: Path, page: str, listed: str = "exception = []") -> Path:
    """A checkout of one page."""
    (folder / EXCEPTIONS).parent.mkdir(parents=True)
    (folder / EXCEPTIONS).write_text(listed)
    (folder / "PAGE.md").write_text(page)
    return folder


RIGHT = """
```console
$ echo "$PWD/build"; echo "'$PWD/build'"
/srv/gatekeeper/build
/srv/gatekeeper/build
$ export NAME="a name"; cd ..
$ echo "$NAME" > file   # a comment
$ for word in one \\
>   two; do
>   echo "$word"; done; cat file >&2
one
two
a name
$ cat <<'END'
made 2018-12-31, and again 2026-11-30 09:15:00
it took 3.2 s; sha256 0123456789abcdef0123
END
made 2018-12-31, and again 2027-01-01
it took 12 s; sha256 ...
```

- of one shell

  ```console
  $ cat file; echo '{"a":1,"b":"c d"}'
  a ...
  $ echo '{"a":1,"b":"c d"}'
  {"a": 1,
   "b": "c d"}
  ```
"""


@pytest.mark.parametrize(
    ("shown", "told"),
    [
        (RIGHT, ""),
        ("```console\n$ echo 2018-12-31\n2018-12-30\n```\n", "Expected:\n    2018-12-30\nGot:\n    2018-12-31"),
        ("```console\n$ true\n$ false\n```\n", "PAGE.md:3: `false` ended with status 1"),
        ("```console\n$ exit 3\n```\n", "PAGE.md:2: `exit 3`: the shell ended"),
        ("```console\n$ gatekeeper serve\n```\n", "PAGE.md:2: `gatekeeper serve`: it ended before it listened"),
        ("```console\n$ echo 'an open quote\n```\n", "PAGE.md:2: bash: line 1: unexpected EOF"),
        ("```console\necho and no prompt\n```\n", "PAGE.md:1: a console block begins with a command after a `$ `"),
        ("```python\nraise SystemExit(2)\n```\n", "PAGE.md:1: `raise SystemExit(2)` ended with status"),
        (
            "1. a\n\n       ```console\n       $ true\n",
            "PAGE.md:3: this fence is indented so far",
        ),
    ],
)
def test_what_a_page_says_wrongly_is_told_with_its_line(
    alone: list[str], tmp_path: Path, shown: str, told: str
) -> None:
    ended = walked(alone, "PAGE.md", written(tmp_path / "a house", shown))
    assert told in ended.stderr
    assert (ended.returncode == 0) == (told == ""), ended.stderr


def test_what_is_listed_is_not_run_or_ends_as_it_says(alone: list[str], tmp_path: Path) -> None:
    listed = """
    [[exception]]
    command = "touch made"
    reason = "none"

    [[exception]]
    page = "PAGE.md"
    command = "cat made"
    status = 1
    reason = "nobody made it"
    """
    house = written(tmp_path, "```console\n$ touch made   # not done\n$ cat made\n```\n", listed)
    ended = walked(alone, "PAGE.md", house)
    assert (ended.returncode, ended.stderr) == (0, "")


def test_nothing_but_the_machine_itself_is_reached(alone: list[str]) -> None:
    """Else what a page needs from elsewhere would be missed here, and only here."""
    words = "import socket; socket.create_connection(('192.0.2.1', 80), timeout=60)"
    ended = subprocess.run([*alone, sys.executable, "-c", words], capture_output=True, text=True)
    assert "Network is unreachable" in ended.stderr


def names(block: Block) -> list[str]:
    """What the list of exceptions can name in it."""
    return [command.name for command in commands(block)] if block.language == "console" else [first_line(block)]


def first_line(block: Block) -> str:
    return Command(block.page, block.line, block.text or "\n", "").name


def read(block: Block, place: str) -> None:
    try:
        READ[block.language](block.text)
    except (ValueError, yaml.YAMLError, configparser.Error) as fault:
        pytest.fail(f"{place}: this is no {block.language}: {fault}")


@pytest.mark.parametrize("page", PAGES)
def test_each_block_is_run_or_read_or_listed(page: str) -> None:
    listed = exceptions(HOUSE)
    for block in PAGES[page]:
        place = f"{page}:{block.line}"
        assert block.language in (*RUN, *READ, *NO_CODE) or block.language.startswith("{"), (
            f"{place}: nobody checks a block of {block.language or 'no language'}"
        )
        if block.language in READ:
            read(block, place)
        if block.language in NO_CODE:
            assert not first_line(block).startswith("$ "), f"{place}: commands are for a `console` block"
        if block.language == "sh":
            assert any(entry.means(page, first_line(block)) for entry in listed), f"{place}: neither run nor listed"


def test_each_exception_has_a_reason_and_is_still_there() -> None:
    """Case 118."""
    there = [(page, name) for page, found in PAGES.items() for block in found for name in names(block)]
    listed = exceptions(HOUSE)
    assert [entry for entry in listed if not entry.reason.strip()] == []
    assert [entry for entry in listed if not any(entry.means(*place) for place in there)] == []


def test_the_long_pages_are_there() -> None:
    assert set(PAGES) >= LONG | LONGER
