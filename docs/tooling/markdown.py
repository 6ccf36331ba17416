"""Markdown that GitHub and the documentation site both show: headings, tables, code."""

import inspect
from collections.abc import Iterable, Sequence

MADE = "<!-- Made from the code by `make reference`; a change belongs there, not here. -->"


def page(title: str, *blocks: str) -> str:
    """A whole page; empty blocks are left out."""
    return "\n\n".join([f"# {title}", MADE, *(block for block in blocks if block)]) + "\n"


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A table; what separates cells is escaped."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def code(text: object) -> str:
    """In one line, as it is typed; empty for nothing."""
    return f"`{text}`" if str(text) else ""


def block(text: str, language: str = "python") -> str:
    """Lines of code."""
    return f"```{language}\n{text}\n```"


def doc(thing: object) -> str:
    """The docstring, without its indentation."""
    return inspect.cleandoc(thing.__doc__ or "") if thing is not None else ""


def paragraph(text: str) -> str:
    """Of a docstring or help text: as Markdown, with `\\b` blocks and hard breaks left alone."""
    return inspect.cleandoc(text).replace("\b\n", "")


def one_line(text: str) -> str:
    """A text over several lines as one, for a table's cell."""
    return " ".join(text.split())


def sentence(text: str) -> str:
    """A description as a sentence: its beginning in upper case unless it is code or a name, and a full stop."""
    text = text.strip()
    if text[:1].islower() and text.split()[0].strip(":,").isalpha():
        text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?", ":")) or not text else f"{text}."


def _cell(value: object) -> str:
    return one_line(str(value)).replace("|", "\\|")
