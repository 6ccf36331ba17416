"""Texts of people on a terminal: as text, whatever characters they hold and whatever the terminal can show."""

import json
import os
import subprocess
import sys
import unicodedata
from pathlib import Path

import pytest
from command_shell import Shell
from hypothesis import given
from hypothesis import strategies as st
from model_files import constant_model

from gatekeeper import texts
from gatekeeper.errors import GatekeeperError

GATEKEEPER = str(Path(sys.executable).parent / "gatekeeper")
EVIL = (
    "a\x1b]0;owned\x07\x1b[2J \u202egnp.exe\u2066\u2069\u200b\ufeff\r\nforged: line\u2028\x85\x9b1m\x7f "
    ":warning: [red]x[/red] é漢"
)
SHOWN = (
    r"a\x1b]0;owned\x07\x1b[2J \u202egnp.exe\u2066\u2069\u200b\ufeff\r\nforged: line\u2028\x85\x9b1m\x7f "
    ":warning: [red]x[/red] é漢"
)


def is_clean(text: str) -> bool:
    """No control but the line's end, no mark of direction, nothing invisible."""
    return all(letter == "\n" or unicodedata.category(letter)[0] != "C" for letter in text) and not (
        {"\u2028", "\u2029"} & set(text)
    )


@given(st.text())
def test_law_of_one_line(text: str) -> None:
    shown = texts.plain(text)
    assert is_clean(shown)
    assert "\n" not in shown
    assert texts.plain(shown) == shown
    if is_clean(text) and "\n" not in text:
        assert shown == text


@given(st.text(st.sampled_from("`ab |<\n\u202e"), max_size=12))
def test_law_of_code_in_markdown(text: str) -> None:
    """markdown-it reads one code span with just that text."""
    from markdown_it import MarkdownIt

    (inline,) = [each for each in MarkdownIt().parse(f"x {texts.code(text)} y") if each.type == "inline"]
    spans = [child for child in inline.children or [] if child.type == "code_inline"]
    if text.strip():
        assert [span.content.strip() for span in spans] == [texts.plain(text).strip()]


@given(st.text())
def test_law_of_markdown(text: str) -> None:
    """markdown-it, with tables and HTML allowed, sees one paragraph of one text."""
    from markdown_it import MarkdownIt

    reader = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
    parsed = reader.parse(f"x{texts.markdown(text)}x")
    (inline,) = [each for each in parsed if each.type == "inline"]
    assert [each.type for each in parsed] == ["paragraph_open", "inline", "paragraph_close"]
    assert {child.type for child in inline.children or []} <= {"text", "text_special"}
    assert "".join(child.content for child in inline.children or []) == f"x{texts.plain(text)}x"


def test_an_error_is_one_line() -> None:
    assert str(GatekeeperError(f"held by {EVIL}")) == f"held by {SHOWN}"


def test_every_command_shows_it_as_text(shell: Shell) -> None:
    """Case 103: notes, actors and reasons in tables, sentences, errors and cards."""
    path = shell.file("new.onnx", constant_model(0.6))
    seen = [shell("register", "-p", path, "-n", EVIL, "--promote", "--actor", EVIL, "--reason", EVIL)]
    seen += [shell("register", "-p", shell.file("b.onnx", constant_model(0.4)))]
    seen += [shell("hold", "--reason", EVIL, "--actor", EVIL)]
    seen += [shell("promote", "-i", "2", "--reason", EVIL, "--actor", EVIL)]
    seen += [shell(*words.split()) for words in ("list", "history", "active", "card 1", "doctor", "release")]
    seen += [shell("rollback", "--reason", EVIL, "--actor", EVIL), shell("register", "-p", f"gone{EVIL}")]
    seen += [shell("promote", "-i", EVIL), shell(EVIL), shell("verify", EVIL)]
    for _, out, err in seen:
        assert is_clean(out + err)
    history, listed = seen[5][1], seen[4][1]
    assert SHOWN[:40] in history  # a cell of the table wraps
    assert SHOWN in listed
    assert SHOWN in seen[3][2]  # the hold does not stop it, and who holds
    assert json.loads(shell("history", "--json")[1])[0]["reason"] == EVIL


@pytest.mark.parametrize("encoding", ["latin-1", "ascii", "utf-8"])
def test_a_terminal_of_few_letters(shell: Shell, encoding: str) -> None:
    """Case 103: no exit code 70; what it can't show is written as an escape."""
    shell("register", "-p", shell.file("new.onnx", constant_model(0.6)), "-n", "naïve 漢\u202e", "--promote")
    environment = {**os.environ, "PYTHONIOENCODING": f"{encoding}:strict", "PYTHONUTF8": "0"}
    for words in (["history"], ["promote", "-i", "漢"]):
        ended = subprocess.run([GATEKEEPER, *words], env=environment, capture_output=True)
        assert ended.returncode == (2 if words[0] == "promote" else 0), ended.stderr
    listed = subprocess.run([GATEKEEPER, "list"], env=environment, capture_output=True, check=True).stdout
    assert {
        "latin-1": "naïve \\u6f22\\u202e",
        "ascii": "na\\xefve \\u6f22\\u202e",
        "utf-8": "naïve 漢\\u202e",
    }[encoding] in listed.decode(encoding)


@given(st.text())
def test_law_of_pages(text: str) -> None:
    """As every page is made: jinja, with its escaping; what is HTML already stays as it is."""
    from html import unescape

    from jinja2 import Environment
    from markupsafe import Markup

    page = Environment(autoescape=True, finalize=texts.in_html).from_string("{{ text }}{{ mark }}{{ number }}")
    shown = page.render(text=text, mark=Markup("<b>\n</b>"), number=1)
    words, apart, _ = shown.rpartition("<b>\n</b>1")
    assert apart
    assert "<" not in words
    assert unescape(words) == texts.plain(text)
