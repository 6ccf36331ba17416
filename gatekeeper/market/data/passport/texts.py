"""Words of a data passport: a few lines for a task's log, and sentences that the screen and the page share."""

import re
from collections import Counter
from collections.abc import Iterator

from gatekeeper.documents.passport import Layout, Passport
from gatekeeper.market.data.passport.compared import length_in_words

_DELIMITERS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "spaces"}


def lines(passport: Passport) -> list[str]:
    """The passport in a few lines: what was read, then what is refused and warned of."""
    grave = [*passport.refused, *passport.warnings]
    return [
        f"data passport {passport.digest[:12]} of {passport.source} as of {passport.as_of:%Y-%m-%d %H:%M}Z: "
        f"{'; '.join(_read(passport))}; {counted(passport)}",
        *(f"{each.severity}: {each}" for each in grave),
    ]


def counted(passport: Passport) -> str:
    """`0 refused, 2 warnings, 1 note`."""
    found = Counter(each.severity for each in passport.findings)
    notes = found["note"] + passport.more_findings
    return (
        f"{found['refused']} refused, {found['warning']} warning{'s' * (found['warning'] != 1)}, "
        f"{notes} note{'s' * (notes != 1)}"
    )


def layout(found: Layout) -> str:
    """How one group of files was read."""
    parts = [found.vendor or "columns by their names"]
    if found.delimiter:
        named = _DELIMITERS.get(found.delimiter, repr(found.delimiter))
        parts.append(f"{named} between columns, decimal {'comma' if found.decimal == ',' else 'point'}")
    if found.time_unit:
        parts.append(f"times as epochs in {found.time_unit}")
    if found.stamp:
        parts.append(f"times are a bar's {found.stamp}")
    if found.zone:
        parts.append(f"in {found.zone}")
    return ", ".join(parts)


def written(found: Layout) -> str | None:
    """When the files of a group were written; None for data that come from no file."""
    if found.written_from is None or found.written_to is None:
        return "unknown: their store doesn't say"
    first, last = f"{found.written_from:%Y-%m-%d %H:%M}Z", f"{found.written_to:%Y-%m-%d %H:%M}Z"
    known = first if first == last else f"{first} to {last}"
    return f"{known}, unknown of {found.unwritten}" if found.unwritten else known


def parted(refusal: str) -> list[str]:
    """A refusal by its parts: what is wrong, the first lines of the file, the mapping to paste."""
    return re.split(r" \| |(?<=\.) (?=First lines:)", refusal)


def bar_lengths(passport: Passport) -> str:
    """The bars' lengths, the commonest first."""
    lengths = Counter(length_in_words(each.bar_seconds) for each in passport.symbols)
    if len(lengths) == 1:
        return next(iter(lengths))
    return ", ".join(f"{length} ({count} symbols)" for length, count in lengths.most_common(4))


def _read(passport: Passport) -> Iterator[str]:
    if files := sum(each.files for each in passport.layouts):
        vendors = [each.vendor for each in passport.layouts if each.vendor]
        yield f"{files} file{'s' * (files != 1)}" + (f" ({', '.join(dict.fromkeys(vendors))})" if vendors else "")
    if symbols := passport.symbols:
        first, last = min(each.first for each in symbols), max(each.last for each in symbols)
        yield (
            f"{len(symbols)} symbol{'s' * (len(symbols) != 1)}, {sum(each.bars for each in symbols)} bars of "
            f"{bar_lengths(passport)}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
        )
    if out := passport.without_last:
        yield f"last bar left out of {', '.join(out[:5])}{' and more' * (len(out) > 5)}"
    if passport.ideas is not None:
        yield f"{passport.ideas.ideas} ideas, {passport.ideas.a_year:.0f} a year"
