"""Texts of a verdict against its figures: the numbers in its sentences must be those that the rule writes there.

A sentence in other words is that of another version, which is shown as it is; its numbers can't be placed.
"""

import re
from collections.abc import Sequence

from gatekeeper.documents.evaluation import EvaluationDocument, Gate, Verdict

_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?![\w])")


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
    if stored == right or _NUMBER.sub("#", stored) != _NUMBER.sub("#", right):
        return False
    return not all(map(_near, _NUMBER.findall(stored), _NUMBER.findall(right)))


def _near(one: str, other: str) -> bool:
    """Whether two numbers differ by one in the last digit at most, as where a machine adds in another order."""
    if one == other:
        return True
    digits = [len(text.partition(".")[2]) for text in (one, other)]
    return min(digits) > 0 and "e" not in one + other and abs(float(one) - float(other)) <= 1.5 * 10.0 ** -min(digits)
