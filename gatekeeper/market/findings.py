"""Data findings: what a check of bars or labelled ideas found, how severe it is, and the key that accepts it.

A check is a pure function from data to findings; it never changes a number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

from gatekeeper.errors import DataError

SHOWN = 5


class Severity(StrEnum):
    """REFUSED: results would be wrong. WARNING: alarm kind `data`. NOTE: worth knowing, changes nothing."""

    REFUSED = "refused"
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a check found.

    kind: the check's slug, such as `split`. symbol: "" for the whole source. at: the time in ISO 8601, "" if it isn't
    of one time. message: the value, the limit and the way out, without the key. key: what `accept` takes for it
    (`split:AAPL:2005-02-28`), "" if it can't be accepted. numbers: what was measured, by name.
    """

    severity: Severity
    kind: str
    symbol: str
    at: str
    message: str
    key: str = ""
    numbers: Mapping[str, float] = field(default_factory=dict)
    accepted: bool = False

    def __str__(self) -> str:
        if self.accepted:
            return f"{self.message} (accepted: {self.key})"
        return f'{self.message} If it is right as it is: accept = ["{self.key}"].' if self.key else self.message


def judged(findings: Iterable[Finding], accept: Collection[str]) -> tuple[Finding, ...]:
    """The findings, those whose key is in `accept` as accepted notes; the most severe first, else in their order."""
    known = [
        replace(each, severity=Severity.NOTE, accepted=True) if each.key and each.key in accept else each
        for each in findings
    ]
    order = list(Severity)
    return tuple(sorted(known, key=lambda each: order.index(each.severity)))


def refuse(findings: Iterable[Finding], source: str) -> None:
    """Raises DataError with the refused findings, if there are any."""
    refused = [str(each) for each in findings if each.severity is Severity.REFUSED]
    if refused:
        more = f" And {len(refused) - SHOWN} more: `gatekeeper data` lists all." if len(refused) > SHOWN else ""
        raise DataError(f"{source} is refused. " + " ".join(refused[:SHOWN]) + more)


def lines(findings: Sequence[Finding]) -> tuple[str, ...]:
    """The findings as a few sentences: the first ones, and how many more there are."""
    more = len(findings) - SHOWN
    rest = (f"and {more} more findings about the data: `gatekeeper data` lists all",) if more > 0 else ()
    return (*(str(each) for each in findings[:SHOWN]), *rest)
