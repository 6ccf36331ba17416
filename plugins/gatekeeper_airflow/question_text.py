"""Question texts: what an approver is shown, with the texts of people as text and never as Markdown or HTML."""

import re
import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.documents.comparison import Verdict

TWO_SIDED_90 = 1.645
"""Standard errors on either side: the normal quantile of 95 %."""
_RUNS = re.compile(r"`+")


def literal(text: str) -> str:
    """A person's text as a Markdown code span, in one line: control characters and marks of direction as escapes."""
    line = "".join(_escaped(char) for char in text)
    fence = "`" * (max((len(run) for run in _RUNS.findall(line)), default=0) + 1)
    apart = " " if line.startswith("`") or line.endswith("`") or not line.strip() else ""
    return f"{fence}{apart}{line}{apart}{fence}"


def cell(text: str) -> str:
    """A text of ours in a cell of a table."""
    return text.replace("|", "\\|")


def gain(verdict: "Verdict") -> str:
    """The gain with its interval, in a sentence."""
    if verdict.gain is None:
        return "Gain: none to measure, since there is no champion to compare with."
    if verdict.standard_error is None:
        return f"Gain in annual Sharpe: {verdict.gain:.2f}; its error is not known."
    low, high = (verdict.gain + side * TWO_SIDED_90 * verdict.standard_error for side in (-1, 1))
    return (
        f"Gain in annual Sharpe: {verdict.gain:.2f}, 90 % interval {low:.2f} to {high:.2f} (standard error "
        f"{verdict.standard_error:.2f})."
    )


def _escaped(char: str) -> str:
    if unicodedata.category(char) in {"Cc", "Cf", "Co", "Cs", "Cn", "Zl", "Zp"}:
        return f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}"
    return char
