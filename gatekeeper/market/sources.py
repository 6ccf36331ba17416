"""What does `GATEKEEPER_DATA` name, and what of it may a run at this as-of know?"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, entry_points

import numpy as np

from gatekeeper.config import Settings
from gatekeeper.errors import AsOfError, ConfigError, mask
from gatekeeper.market import candles, labelled
from gatekeeper.market.candles import Book, Candles
from gatekeeper.market.demo import FIRST_BAR, LAST_CLOSE, demo_last_monday, demo_tables
from gatekeeper.market.files import tables
from gatekeeper.market.ideas import Dataset, instant, join
from gatekeeper.market.market_days import EVERY_DAY, WORKDAYS, Days, calendar_of_ideas, check_fresh, last_closed
from gatekeeper.market.replay import replay

__all__ = ["check_as_of", "demo_last_monday", "last_monday", "load"]

ENTRY_POINTS = "gatekeeper.sources"

Reader = Callable[[str, datetime, Settings], Dataset]

# An odd Saturday session doesn't make a market that never closes; there, two days in seven are weekend.
_WEEKEND_SHARE = 0.1


def load(uri: str, as_of: datetime, settings: Settings) -> Dataset:
    """All that a run at `as_of` may know of the source `uri`, which is `SCHEME:REST`.

    Raises ConfigError (unknown scheme), DataError (names file and rows), StaleData, AsOfError, Unavailable.
    """
    dataset = _reader(uri)(uri, _utc(as_of), settings)
    return replace(dataset, source=mask(dataset.source))  # it goes into documents and reports


def last_monday(uri: str, now: datetime) -> datetime:
    """The newest Monday 02:00 UTC that a run of this source can have as its as-of."""
    now = _utc(now)
    monday = (now - timedelta(days=now.weekday())).replace(hour=2, minute=0, second=0, microsecond=0)
    newest = monday if monday <= now else monday - timedelta(weeks=1)
    return min(newest, demo_last_monday()) if uri.partition(":")[0] == "demo" else newest


def check_as_of(uri: str, as_of: datetime, now: datetime) -> None:
    """Refuse, before anything is read, an as-of in the future or one that the demo can't serve.

    Raises AsOfError, and ConfigError for an unknown source.
    """
    _reader(uri)
    as_of = _utc(as_of)
    if as_of > _utc(now):
        raise AsOfError(f"as-of {as_of:%Y-%m-%d %H:%M}Z lies in the future (now {_utc(now):%Y-%m-%d %H:%M}Z)")
    if uri.partition(":")[0] == "demo":
        _check_demo(as_of)


def _check_demo(as_of: datetime) -> None:
    last = demo_last_monday()
    first = FIRST_BAR + timedelta(days=1)
    if as_of < first:
        raise AsOfError(
            f"as-of {as_of:%Y-%m-%d %H:%M}Z lies before the bars of demo:, known from {first:%Y-%m-%d}; "
            f"the last Monday that works is {last:%Y-%m-%dT%H:%MZ}"
        )
    if as_of > LAST_CLOSE:
        raise AsOfError(
            f"as-of {as_of:%Y-%m-%d %H:%M}Z lies beyond the bars of demo:, which end in 2018; "
            f"the last Monday that works is {last:%Y-%m-%dT%H:%MZ}"
        )


def _demo(uri: str, as_of: datetime, settings: Settings) -> Dataset:
    _check_demo(as_of)
    return _replayed(candles.book(demo_tables(), as_of, "open", uri), uri, as_of, settings)


def _candles(uri: str, as_of: datetime, settings: Settings) -> Dataset:
    book = candles.read(uri.partition(":")[2], as_of, settings.bar_stamp)
    return _replayed(book, uri, as_of, settings)


def _ideas(uri: str, as_of: datetime, settings: Settings) -> Dataset:
    rest = uri.partition(":")[2]
    found = labelled.read(tables(rest), as_of, settings.longest_hold, rest)
    check_fresh("idea or outcome", found.newest, as_of, settings.ideas_freshness_days, uri, "IDEAS_FRESHNESS_DAYS")
    days, periods = calendar_of_ideas(found.ideas, as_of)
    return Dataset(found.ideas, days, periods, as_of, found.newest, found.marked, uri, found.notes)


_READERS: dict[str, Reader] = {"demo": _demo, "candles": _candles, "ideas": _ideas}


def _reader(uri: str) -> Reader:
    scheme, colon, _ = uri.partition(":")
    if colon and scheme in _READERS:
        return _READERS[scheme]
    if colon and scheme in _plugged():
        return _loaded(_plugged()[scheme])
    raise ConfigError(f"GATEKEEPER_DATA={uri.partition('//')[0]!r} names no source; use one of {_known_schemes()}")


def _plugged() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _loaded(point: EntryPoint) -> Reader:
    try:
        reader: Reader = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"source {point.name}: can't load {point.value}: {error}; mend its package") from error
    return reader


def _known_schemes() -> str:
    ours = ["demo:", "candles:URI", "ideas:URI", "sql:"]
    return ", ".join([*ours, *(f"{name}:" for name in sorted({*_plugged()} - {"sql"}))])


def _replayed(book: Book, uri: str, as_of: datetime, settings: Settings) -> Dataset:
    newest = candles.newest(book.candles)
    check_fresh("bar", newest, as_of, settings.freshness_days, uri, "FRESHNESS_DAYS")
    replays = [replay(bars, as_of, settings) for bars in book.candles]
    notes = [*book.notes, *_ended(book.candles, as_of, settings.freshness_days)]
    if still_open := sum(result.still_open for result in replays):
        notes.append(f"{still_open} idea{'s' * (still_open != 1)} still open left out")
    if never_entered := sum(result.never_entered for result in replays):
        notes.append(f"{never_entered} idea{'s' * (never_entered != 1)} without a bar to enter on left out")
    days, periods = _calendar(book.candles, as_of)
    ideas = join([result.ideas for result in replays])
    return Dataset(ideas, days, periods, as_of, newest, True, uri, tuple(notes))


def _ended(book: Iterable[Candles], as_of: datetime, limit: int) -> list[str]:
    """Symbols that stopped, while others go on: delisted, or a feed that half died."""
    oldest = instant(as_of) - np.timedelta64(limit, "D")
    ended = [bars.symbol for bars in book if bars.closes_at[-1] < oldest]
    return [f"no bar in the last {limit} days: {', '.join(ended)}"] if ended else []


def _calendar(book: Iterable[Candles], as_of: datetime) -> tuple[Days, int]:
    """The market days closed by the as-of, of all symbols together; and the busiest symbol's periods a year."""
    days = [np.unique(bars.days) for bars in book]
    weekend = max(float(np.mean(~np.is_busday(each))) for each in days)
    together = np.unique(np.concatenate(days))
    return together[together <= last_closed(as_of)], EVERY_DAY if weekend >= _WEEKEND_SHARE else WORKDAYS


def _utc(as_of: datetime) -> datetime:
    if as_of.tzinfo is None:
        raise AsOfError(f"as-of {as_of.isoformat()} has no offset; write it in UTC, as {as_of.isoformat()}Z")
    return as_of.astimezone(UTC)
