"""Schedules: cron lines as Airflow reads them, and the weekly runs that one makes in a year.

Standard library alone, but for croniter, which is imported where a line is read.
"""

from datetime import UTC, datetime, timedelta
from functools import lru_cache

MONDAYS = "0 2 * * 1"

PRESETS = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@quarterly": "0 0 1 */3 *",
    "@yearly": "0 0 1 1 *",
}
"""Airflow's names for cron lines."""

_START, _YEARS = datetime(2024, 1, 1, tzinfo=UTC), 4  # with a leap day


def fault(schedule: str) -> str:
    """What is wrong with a cron line, in brackets of a sentence; "" if nothing is, or croniter is absent."""
    line = PRESETS.get(schedule, schedule)
    if len(line.split()) != 5:
        return "it has not five fields"
    if line == MONDAYS:
        return ""  # known to be right: croniter imports slowly
    try:
        from croniter import croniter  # type: ignore[import-untyped]
    except ImportError:
        return ""
    try:
        croniter(line, _START).get_next()
    except (ValueError, KeyError, AttributeError) as why:
        return str(why)
    return ""


@lru_cache(maxsize=64)
def tests_a_year(schedule: str) -> int:
    """Runs that a valid cron line makes in a year, at least 1: the mean of four years, rounded.

    It follows from the line alone, never from the runs that happened: a pause leaves it as it is.
    """
    line = PRESETS.get(schedule, schedule)
    if line == MONDAYS:
        return 52
    minute, hour, *days = line.split()
    ends = _START.replace(year=_START.year + _YEARS)
    on_days = _instants(" ".join(["0", "0", *days]), _START, ends)
    times = _instants(f"{minute} {hour} * * *", _START, _START + timedelta(days=1))
    return max(1, round(on_days * times / _YEARS))


def _instants(line: str, start: datetime, end: datetime) -> int:
    """Instants of the line from `start`, itself included, to `end`."""
    from croniter import croniter_range

    return sum(1 for _ in croniter_range(start, end - timedelta(seconds=1), line))
