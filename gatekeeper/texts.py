"""Texts of people: shown as text in terminals, logs and Markdown, whatever characters they hold."""

import re
import unicodedata

_OTHER = {
    "Cc",
    "Cf",
    "Cn",
    "Co",
    "Cs",
    "Zl",
    "Zp",
}  # controls, invisible and direction marks, no characters, line breaks
# What begins markup wherever it stands; else what begins a list or a heading, an entity, or a link without brackets.
_MARKUP = re.compile(r"[\\`*_\[\]<>#|~$@]|^[-+=]|&(?=[#\w])|:(?=//)|(?<=www)\.", re.IGNORECASE)
_NUMBERED = re.compile(r"^(\d{1,9})([.)])")


def plain(text: str) -> str:
    """`text` on one line: control, invisible and direction characters as escapes such as `\\x1b` or `\\u202e`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(_escape(letter) if unicodedata.category(letter) in _OTHER else letter for letter in text)


def markdown(text: str) -> str:
    """`text` as Markdown that renders as just this text: no link, picture, heading, table cell or HTML of its own."""
    return _NUMBERED.sub(r"\1\\\2", _MARKUP.sub(r"\\\g<0>", plain(text)))


def in_html(value: object) -> object:
    """`value` for a page, as jinja's `finalize`: `plain` for text, unchanged for what is HTML already, or no text."""
    return plain(value) if isinstance(value, str) and not hasattr(value, "__html__") else value


def code(text: str) -> str:
    """`text` as code in Markdown, whatever backticks it holds."""
    shown = plain(text)
    fence = "`" * (max((len(run) for run in "".join(c if c == "`" else " " for c in shown).split()), default=0) + 1)
    pad = " " if "`" in shown else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _escape(letter: str) -> str:
    return letter.encode("unicode_escape", "surrogatepass").decode("ascii")
