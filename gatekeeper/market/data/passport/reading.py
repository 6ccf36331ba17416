"""Record of one reading of a source: its files, its bars and what was found, kept even if the reading ends in an error.

A bar that changed after an earlier weekly run had used it as its symbol's last one was not complete then. From then on
that symbol's last bar is left out.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field, fields, replace

from gatekeeper.documents.passport import Passport
from gatekeeper.market.data.bars.candles import Book, Candles
from gatekeeper.market.data.passport.compared import revised
from gatekeeper.market.data.passport.facts import SourceFile
from gatekeeper.market.data.reading.files import Table
from gatekeeper.market.findings import Finding


@dataclass(slots=True)
class Reading:
    """What has been read of a source so far.

    before: the passport of the weekly run before, whose bars are compared. without_last: symbols whose last bar is left
    out whatever the comparison says. keep: whether the bars are kept: `book` as they were read, `adjusted` as they are
    replayed.
    """

    before: Passport | None = None
    without_last: Collection[str] = ()
    keep: bool = True
    files: list[SourceFile] = field(default_factory=list)
    book: Book | None = None
    adjusted: Book | None = None
    findings: tuple[Finding, ...] = ()
    left_out: frozenset[str] = frozenset()

    def tables(self, source: Iterable[Table]) -> Iterator[Table]:
        """The tables, each noted as it passes."""
        for table in source:
            columns = tuple(str(column) for column in table.frame.columns)
            self.files.append(
                SourceFile(
                    table.name,
                    columns,
                    table.written,
                    table.vendor,
                    table.stamp,
                    table.zone,
                    table.notes,
                    table.delimiter,
                    table.decimal,
                    table.time_unit,
                )
            )
            yield table

    def bars(self, book: Book) -> Book:
        """The book without the last bars that can't be trusted, with a note on them."""
        since = {} if self.before is None else {each.symbol: each for each in self.before.symbols}
        found, left_out = [], set()
        for bars in book.candles:
            record = since.get(bars.symbol)
            if bars.symbol in self.without_last or (record is not None and record.last_bar_left_out):
                left_out.add(bars.symbol)
            if record is not None:
                finding, was_last = revised(bars, record.newest_bars)
                found += [finding] if finding else []
                left_out |= {bars.symbol} if was_last else set()
        self.findings, self.left_out = tuple(found), frozenset(left_out)
        if left_out:
            candles = tuple(_without_last(bars) if bars.symbol in left_out else bars for bars in book.candles)
            named = ", ".join(sorted(left_out)[:5]) + (f" and {len(left_out) - 5} more" if len(left_out) > 5 else "")
            note = f"the last bar left out, since an earlier one was changed after it had been used: {named}"
            book = replace(book, candles=candles, notes=(*book.notes, note))
        self.book = book if self.keep else None
        return book


def _without_last(bars: Candles) -> Candles:
    columns = {each.name: getattr(bars, each.name) for each in fields(bars) if each.name != "symbol"}
    return replace(bars, **{name: column[:-1] for name, column in columns.items() if column is not None})
