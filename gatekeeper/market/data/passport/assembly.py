"""Assembly of a data passport from a reading of the source and the dataset that was made of it."""

import math
from collections.abc import Iterable
from datetime import datetime

from gatekeeper.documents.passport import FORMAT, FindingRecord, Passport, sealed
from gatekeeper.market.data.passport import facts
from gatekeeper.market.data.passport.reading import Reading
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import Dataset

MOST_NOTES = 100  # findings that are only notes
MOST_FINDINGS = 1000


def assembled(
    reading: Reading, dataset: Dataset | None, *, source: str, as_of: datetime, findings: Iterable[Finding] = ()
) -> Passport:
    """The passport. dataset: None if the reading ended in an error. findings: those besides the reading's own."""
    listed, more = _listed([*findings, *reading.findings])
    book = reading.book
    return sealed(
        Passport(
            format=FORMAT,
            source=source,
            as_of=as_of,
            layouts=facts.layouts(reading.files),
            symbols=[
                facts.symbol(bars, left_out=bars.symbol in reading.left_out)
                for bars in (() if book is None else book.candles)
            ],
            ideas=None if dataset is None else facts.ideas(dataset),
            market_days=0 if dataset is None else len(dataset.market_days),
            notes=list(() if dataset is None else dataset.notes),
            findings=listed,
            more_findings=more,
            digest="",
        )
    )


def _listed(findings: list[Finding]) -> tuple[list[FindingRecord], int]:
    """The findings, the most severe first, and the number of those that aren't listed."""
    order = list(Severity)
    ordered = sorted(findings, key=lambda each: order.index(each.severity))
    grave = [each for each in ordered if each.severity is not Severity.NOTE][:MOST_FINDINGS]
    notes = [each for each in ordered if each.severity is Severity.NOTE][:MOST_NOTES]
    return [recorded(each) for each in (*grave, *notes)], len(findings) - len(grave) - len(notes)


def recorded(finding: Finding) -> FindingRecord:
    """The finding as documents hold it."""
    return FindingRecord(
        severity=finding.severity.value,
        kind=finding.kind,
        message=finding.message,
        symbol=finding.symbol,
        at=finding.at,
        key=finding.key,
        numbers={name: float(value) for name, value in finding.numbers.items() if math.isfinite(value)},
        accepted=finding.accepted,
    )
