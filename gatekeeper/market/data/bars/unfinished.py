"""Unfinished bars: leaves out those that had not closed when their file was written.

They look like any other bar, and what they say changes until they close. After the calendars: these move closes.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gatekeeper.market.data.bars.candles import Book, Candles, picked
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import moment

_A_DAY = np.timedelta64(1, "D")


def finished(book: Book) -> Book:
    """The book without bars that were unfinished when their file was written, each counted in a note.

    Where more than one bar of a symbol closes after its file was written, that time can't be true (a copy, an archive):
    then only the symbol's last bar is left out, if it is of such a file.
    """
    candles, findings = [], list(book.findings)
    for bars in book.candles:
        unfinished, notes = _unfinished(bars)
        candles.append(picked(bars, ~unfinished) if unfinished.any() else bars)
        findings += notes
    return replace(book, candles=tuple(candles), findings=tuple(findings))


def _unfinished(bars: Candles) -> tuple[NDArray[np.bool_], list[Finding]]:
    """(n,) which bars are left out, and what to say of them."""
    out = np.zeros(len(bars), dtype=np.bool_)
    if bars.written is None:
        return out, []
    late = bars.closes_at > bars.written
    findings: list[Finding] = []
    for written in np.unique(bars.written[late]):
        here = late & (bars.written == written)
        if here.sum() == 1:
            out |= here
            findings += _one(bars, int(np.flatnonzero(here)[0]))
        else:
            out[-1] |= bars.written[-1] == written
            findings += _many(bars, here, written, left_out=bool(bars.written[-1] == written))
    return out, findings


def _one(bars: Candles, at: int) -> Iterator[Finding]:
    assert bars.written is not None  # noqa: S101  # asked by the caller
    closes, written = moment(bars.closes_at[at]), moment(bars.written[at])
    text = (
        f"A bar of {bars.symbol} is left out: it closes at {closes:%Y-%m-%d %H:%M}Z, after its file was written at "
        f"{written:%Y-%m-%d %H:%M}Z, so it was still going on."
    )
    if bars.session is None and bars.closes_at[at] - bars.opens_at[at] >= _A_DAY:
        text += f" If its market had closed by then, name its calendar (GATEKEEPER_CALENDARS={bars.symbol}=...)."
    yield Finding(Severity.NOTE, "unfinished", bars.symbol, f"{moment(bars.opens_at[at]):%Y-%m-%dT%H:%M:%S}", text)


def _many(bars: Candles, late: NDArray[np.bool_], written: np.datetime64, *, left_out: bool) -> Iterator[Finding]:
    text = (
        f"{late.sum()} bars of {bars.symbol} close after {moment(written):%Y-%m-%d %H:%M}Z, when their file is said to "
        "have been written: that time can't be trusted"
    )
    text += ", so the last bar is left out; download it anew." if left_out else "."
    yield Finding(Severity.NOTE, "unfinished", bars.symbol, "", text, numbers={"bars": float(late.sum())})
