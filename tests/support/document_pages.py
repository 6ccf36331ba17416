"""Code blocks of README.md, CONTRIBUTING.md, SECURITY.md and docs/, and the list of those that no test runs."""

import re
import subprocess
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from markdown_it import MarkdownIt

EXCEPTIONS = "tests/docs/exceptions.toml"
PAGES = ("README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/*.md")
COMMENT = re.compile(r"\s+# .*")


@dataclass(frozen=True)
class Block:
    """A fenced block: where it begins, its language, and what it holds."""

    page: str
    line: int
    language: str
    text: str


@dataclass(frozen=True)
class Command:
    """What a page tells its reader to type, and what it shows below: nothing, if it shows no output."""

    page: str
    line: int
    text: str
    shown: str
    run: str = ""  # what the shell is given instead, for a block that isn't the shell's

    @property
    def name(self) -> str:
        """Its first line, without the comment: so the list of exceptions names it."""
        return COMMENT.sub("", self.text.splitlines()[0])


@dataclass(frozen=True)
class Exempt:
    """A command, or the first line of a block, that isn't run, or ends with another status than 0; and why.

    `*` is every command of the page.
    """

    command: str
    reason: str
    page: str = ""  # every page, if it names none
    status: int | None = None

    def means(self, page: str, name: str) -> bool:
        return self.command in ("*", name) and self.page in ("", page)


def exceptions(house: Path) -> list[Exempt]:
    """That of a checkout."""
    return [Exempt(**entry) for entry in tomllib.loads((house / EXCEPTIONS).read_text())["exception"]]


def pages(house: Path) -> list[str]:
    """All that git knows, or would add."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *PAGES]
    names = subprocess.run(listed, cwd=house, capture_output=True, text=True, check=True).stdout.split("\0")
    return sorted(name for name in filter(None, names) if (house / name).exists())


def blocks(house: Path, page: str) -> list[Block]:
    """In the order of the page. Raises ValueError for a fence that Markdown doesn't take for one."""
    found = []
    for token in MarkdownIt("commonmark").parse((house / page).read_text()):
        line = token.map[0] + 1 if token.map else 0
        if token.type == "fence":
            found.append(Block(page, line, token.info.partition(" ")[0], token.content))
        elif token.type == "code_block" and "```" in token.content:
            raise ValueError(f"{page}:{line}: this fence is indented so far that it is a code block itself")
    return found


def commands(block: Block) -> Iterator[Command]:
    """Each `$ ` begins one; it goes on, after a `> ` or without, for as long as the shell would ask for more."""
    lines = block.text.splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("$ ")]
    if not starts or starts[0]:
        raise ValueError(f"{block.page}:{block.line}: a console block begins with a command after a `$ `")
    for start, end in zip(starts, [*starts[1:], len(lines)], strict=True):
        text, rest = lines[start][2:], lines[start + 1 : end]
        while wanting := wants_more(text):
            if not rest:
                raise ValueError(f"{block.page}:{block.line + 1 + start}: {wanting}")
            text += "\n" + rest.pop(0).removeprefix("> ")
        yield Command(block.page, block.line + 1 + start, text, "\n".join(rest))


def wants_more(text: str) -> str:
    """Why the shell can't run it yet, in its own words."""
    if text.endswith("\\"):
        return "a backslash at the end of the last line"
    return subprocess.run(["bash", "-n"], input=text + "\n", capture_output=True, text=True).stderr
