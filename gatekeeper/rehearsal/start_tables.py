"""Tables of a rehearsal's start dates, the same for the command line and the page."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from gatekeeper.documents.start_dates import StartDate, StartDates
from gatekeeper.documents.stream_pairs import DifferenceRecord, PairResult

UNDEFINED = "-"

Row = tuple[str, list[str]]


@dataclass(frozen=True, slots=True)
class StartTables:
    """Sharpe ratios by start date, pairs over all of them, and what that says."""

    begins: list[str]
    streams: list[Row]
    """Each stream: a cell for each date, and the range of all."""
    pairs: list[Row]
    """Each pair with a policy in it: smallest and largest Sharpe difference, and the verdicts."""
    conclusion: str


def start_tables(found: StartDates | None, policies: Mapping[str, object]) -> StartTables | None:
    """The tables; None for a single start date."""
    if found is None:
        return None
    return StartTables(
        [date.begins for date in found.dates],
        [
            (each.name, [*(_sharpe(date, each.name) for date in found.dates), _range(each.lowest, each.highest)])
            for each in found.spread
        ],
        list(_pairs(found.dates, policies)),
        _conclusion(found),
    )


def _sharpe(date: StartDate, name: str) -> str:
    (stream,) = [each for each in date.streams if each.name == name]
    return _figure(stream.sharpe, stream.sharpe_error)


def _pairs(dates: Sequence[StartDate], policies: Mapping[str, object]) -> Iterator[Row]:
    for first in dates[0].pairs:
        if first.one not in policies and first.other not in policies:
            continue
        names = (first.one, first.other)
        each = [pair for date in dates for pair in date.pairs if (pair.one, pair.other) == names]
        known = sorted((pair.sharpe for pair in each if pair.sharpe is not None), key=lambda found: found.value)
        ends = [_difference(known[0]), _difference(known[-1])] if known else [UNDEFINED, UNDEFINED]
        yield f"{first.one} - {first.other}", [*ends, _verdicts(each)]


def _verdicts(pairs: Sequence[PairResult]) -> str:
    counted = Counter(pair.verdict for pair in pairs)
    if len(counted) == 1:
        return next(iter(counted))
    return ", ".join(f"{count} {verdict}" for verdict, count in counted.items())


def _conclusion(found: StartDates) -> str:
    if found.by_date is None:
        return ""
    text = f"The start date alone moves the Sharpe of one policy by up to {found.by_date:.2f}"
    if found.by_policy is None:
        return f"{text}."
    return f"{text}; two policies differ by up to {found.by_policy:.2f} from the same date."


def _difference(found: DifferenceRecord) -> str:
    return f"{found.value:+.2f} ± {found.error:.2f}"


def _figure(value: float | None, error: float | None) -> str:
    if value is None:
        return UNDEFINED
    return f"{value:.2f}" + ("" if error is None else f" ± {error:.2f}")


def _range(lowest: float | None, highest: float | None) -> str:
    return UNDEFINED if lowest is None or highest is None else f"{lowest:.2f} to {highest:.2f}"
