"""Texts of a verdict against its figures: the numbers in its sentences must be those that the rule writes there.

A sentence in other words is that of another version, which is shown as it is; its numbers can't be placed.
"""

import math
import re
from collections.abc import Sequence

from gatekeeper.documents.evaluation import EvaluationDocument, Gate, Verdict
from gatekeeper.judgement.report.figures import CLOSE

_NUMBER = re.compile(r"(?<![\w.])(?:undefined|nan|inf|[-\u2212]?\d+(?:,\d{3})*(?:\.\d+)?(?:e[+-]?\d+)?)(?!\w)")
_WORD = re.compile(r"\w+")

DIGITS = 4
"""Significant digits of a figure at least; zeros at its end are not written."""


def faults(document: EvaluationDocument, again: Verdict, gates: Sequence[Gate]) -> list[str]:
    """Texts whose numbers are others than in `again`, the verdict judged again.

    gates: those judged again, the league's from the document's own test, whose draws another library may not repeat.
    """
    held = document.verdict
    message = again.message
    for judged, right in zip(again.gates, gates, strict=True):
        message = message.replace(judged.text, right.text)
    texts = [
        (f"the gate {one.name}'s text", one.text, right.text) for one, right in zip(held.gates, gates, strict=True)
    ]
    return [
        f"{what} is {right!r} by its numbers, and the document says {stored!r}"
        for what, stored, right in [*texts, ("the message", held.message, message)]
        if _contradicts(stored, right)
    ]


def _contradicts(stored: str, right: str) -> bool:
    """Whether both have the same words, and other numbers."""
    if stored == right or _words(stored) != _words(right):
        return False
    numbers = _NUMBER.findall(stored), _NUMBER.findall(right)
    return len(numbers[0]) != len(numbers[1]) or not all(map(_near, *numbers))


def _words(text: str) -> list[str]:
    """The words without the numbers: what stands for a number in another notation is none."""
    return [word for word in _WORD.findall(_NUMBER.sub(" ", text)) if not word.isnumeric()]


def _near(one: str, other: str) -> bool:
    """Whether two numbers differ by one in the last digit at most, as where a machine adds in another order."""
    if one == other:
        return True
    if "undefined" in (one, other):
        return False
    values = [float(text.replace(",", "").replace("\u2212", "-")) for text in (one, other)]
    if (one + other).isdecimal() or not all(map(math.isfinite, values)):
        return values[0] == values[1]  # two counts
    largest = max(map(abs, values))
    places = [len(text.partition(".")[2]) for text in (one, other) if "e" not in text]
    places.append(DIGITS - 1 - math.floor(math.log10(largest)) if largest else 0)
    return abs(values[0] - values[1]) <= max(CLOSE, 1.5 * 10.0 ** -max(places))
