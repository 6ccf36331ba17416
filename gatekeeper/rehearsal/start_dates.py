"""Start dates of a rehearsal: evenly spaced Mondays from which the same weeks are followed to their common end."""

from collections.abc import Iterable, Sequence

from gatekeeper.documents.rehearsal import HoldoutResult, StreamResult
from gatekeeper.documents.start_dates import StartDate, StartDates, StartedStream, StreamSpread

STARTS = 4
MOST_STARTS = 20
FEWEST_WEEKS = 52


def start_weeks(first: int, last: int, starts: int) -> list[int]:
    """Up to `starts` week numbers, evenly spaced from `first` on; each leaves a year of weeks to `last`."""
    step = (last - first + 1) / starts
    spaced = dict.fromkeys(first + int(step * each) for each in range(starts))
    return [each for each in spaced if last - each + 1 >= FEWEST_WEEKS]


def of(results: Sequence[HoldoutResult]) -> StartDates | None:
    """The results of all start dates, the earliest first, side by side; None for a single one."""
    if len(results) < 2:
        return None
    dates = [_date(each) for each in results]
    spread = [_spread(name.name, dates) for name in dates[0].streams]
    policies = set(results[0].policies)
    moved = [_width(each.lowest, each.highest) for each in spread if each.name in policies]
    apart = [_width(*_range(each.sharpe for each in date.streams if each.name in policies)) for date in dates]
    return StartDates(dates, spread, _largest(moved), _largest(apart) if len(policies) > 1 else None)


def _date(result: HoldoutResult) -> StartDate:
    streams = [_stream(each) for each in (*result.policies.values(), *result.references)]
    return StartDate(f"{result.begins:%Y-%m-%d}", result.weeks or 0, streams, result.pairs)


def _stream(each: StreamResult) -> StartedStream:
    return StartedStream(each.name, each.sharpe, each.sharpe_error, each.total_return, each.return_error)


def _spread(name: str, dates: Sequence[StartDate]) -> StreamSpread:
    return StreamSpread(name, *_range(each.sharpe for date in dates for each in date.streams if each.name == name))


def _range(values: Iterable[float | None]) -> tuple[float | None, float | None]:
    known = [value for value in values if value is not None]
    return (min(known), max(known)) if known else (None, None)


def _width(lowest: float | None, highest: float | None) -> float | None:
    return None if lowest is None or highest is None else highest - lowest


def _largest(widths: Iterable[float | None]) -> float | None:
    return _range(widths)[1]
