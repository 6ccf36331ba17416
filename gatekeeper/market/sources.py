"""Data sources: the point-in-time dataset of a source (`GATEKEEPER_DATA`), without look-ahead past the as-of."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from importlib.metadata import EntryPoint, entry_points
from typing import Protocol

import numpy as np

from gatekeeper.errors import AsOfError, ConfigError, DataError
from gatekeeper.market.data.bars import candles, corporate_actions, tapes, unfinished
from gatekeeper.market.data.bars.adjusting import applied
from gatekeeper.market.data.bars.candles import Book, Candles
from gatekeeper.market.data.bars.untraded import untraded
from gatekeeper.market.data.calendar import calendars
from gatekeeper.market.data.calendar.closes import daily_closes
from gatekeeper.market.data.calendar.market_days import (
    WORKDAYS,
    Days,
    calendar_of_ideas,
    check_fresh,
    counted_periods,
    last_closed,
)
from gatekeeper.market.data.calendar.sessions import calendar_of, periods_per_year
from gatekeeper.market.data.checks.all import CHECKS, OF_IDEAS, OF_REPLAYED, run
from gatekeeper.market.data.checks.checked import DEMO, Check, Checked
from gatekeeper.market.data.demo import FIRST_BAR, LAST_CLOSE, demo_last_monday, demo_tables
from gatekeeper.market.data.passport.assembly import assembled
from gatekeeper.market.data.passport.reading import Reading
from gatekeeper.market.data.reading.files import tables
from gatekeeper.market.data.reading.vendors.bars import BARS
from gatekeeper.market.data.reading.vendors.ideas import IDEAS
from gatekeeper.market.data.trades import feature_rows, labelled
from gatekeeper.market.findings import Finding, judged, lines, refuse
from gatekeeper.market.ideas import Dataset, instant, join
from gatekeeper.market.replay.kernel import replay
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.settings import Settings

__all__ = ["check_as_of", "demo_last_monday", "last_monday", "load", "opened", "schemes"]

ENTRY_POINTS = "gatekeeper.sources"

Source = str | SecretUrl
Plugged = Callable[[str, datetime, Settings], Dataset]


class Known(Protocol):
    """A source's point-in-time reader: from an as-of to the dataset that was known then.

    checked: run the data checks first, and refuse what they refuse.
    """

    def __call__(self, as_of: datetime, *, checked: bool = False) -> Dataset:
        """The dataset."""


def load(uri: Source, as_of: datetime, settings: Settings, reading: Reading | None = None) -> Dataset:
    """The dataset of the source `uri` (`SCHEME:REST`) as it was known at `as_of`, an aware datetime.

    reading: notes what is read, and may leave last bars out; with one, the dataset has its passport.
    Raises ConfigError (unknown scheme), DataError (names file and rows), StaleData, AsOfError, Unavailable.
    """
    return opened(uri, settings, reading)(as_of, checked=True)


def opened(uri: Source, settings: Settings, reading: Reading | None = None) -> Known:
    """`load` for many as-ofs: files are read once, here; a plugged-in source is read again for each as-of.

    Data checks are run where they are asked for: once, on the newest as-of, does for all of them.

    Raises ConfigError, DataError, Unavailable. The function that it returns raises the same errors as `load`.
    """
    url = _read(uri)
    known = _opener(url)(url, settings, reading or Reading(keep=False))

    def at(as_of: datetime, *, checked: bool = False) -> Dataset:
        dataset = known(_utc(as_of), checked=checked)
        if settings.sizing == "volatility" and len(dataset.ideas) and dataset.ideas.atr is None:
            raise DataError(
                f"GATEKEEPER_SIZING=volatility needs the ATR14 of each idea, and {url} has none. Give labelled "
                "ideas a column `atr` (ATR14 as a fraction of the entry price), or set GATEKEEPER_SIZING=fraction"
            )
        source = str(url) if dataset.source == url.reveal() else url.hide(dataset.source)
        dataset = replace(dataset, source=source)  # it goes into documents and reports
        if reading is None:
            return replace(dataset, notes=(*dataset.notes, *lines(dataset.findings)))  # no passport tells them
        return replace(dataset, passport=assembled(reading, dataset, source=source, as_of=dataset.as_of))

    return at


def last_monday(uri: Source, now: datetime) -> datetime:
    """The newest Monday 02:00 UTC that a run of this source can have as its as-of."""
    now = _utc(now)
    monday = (now - timedelta(days=now.weekday())).replace(hour=2, minute=0, second=0, microsecond=0)
    newest = monday if monday <= now else monday - timedelta(weeks=1)
    return min(newest, demo_last_monday()) if _scheme(_read(uri)) == "demo" else newest


def check_as_of(uri: Source, as_of: datetime, now: datetime) -> None:
    """Refuse an as-of in the future or beyond the demo's bars, before anything is read.

    Raises AsOfError, and ConfigError for an unknown source.
    """
    url = _read(uri)
    _opener(url)
    as_of = _utc(as_of)
    if as_of > _utc(now):
        raise AsOfError(f"as-of {as_of:%Y-%m-%d %H:%M}Z lies in the future (now {_utc(now):%Y-%m-%d %H:%M}Z)")
    if _scheme(url) == "demo":
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


def _demo(url: SecretUrl, settings: Settings, reading: Reading) -> Known:
    tape = tapes.tape(demo_tables(), "open", str(url))

    def known(as_of: datetime, *, checked: bool = False) -> Dataset:
        _check_demo(as_of)
        return _replayed(tape.book(as_of), str(url), as_of, settings, reading, checked=checked)

    return known


def _candles(url: SecretUrl, settings: Settings, reading: Reading) -> Known:
    read_at = datetime.now(UTC)
    files = tables(_rest(url), BARS, settings.columns, settings.desk)
    tape = tapes.tape(reading.tables(files), settings.bar_stamp, _shown_rest(url), read_at)

    def known(as_of: datetime, *, checked: bool = False) -> Dataset:
        return _replayed(tape.book(as_of), str(url), as_of, settings, reading, checked=checked)

    return known


def _ideas(url: SecretUrl, settings: Settings, reading: Reading) -> Known:
    rows, bars, uri = _feature_rows(settings), _idea_bars(settings), str(url)
    found = reading.tables(tables(_rest(url), IDEAS, settings.columns, settings.desk))
    ledger = labelled.ledger(found, _shown_rest(url), rows, settings.outcome_unit)

    def known(as_of: datetime, *, checked: bool = False) -> Dataset:
        found = ledger.known(as_of, settings.longest_hold, sized=settings.sizing == "volatility")
        check_fresh("idea or outcome", found.newest, as_of, settings.ideas_freshness_days, uri, "IDEAS_FRESHNESS_DAYS")
        findings: tuple[Finding, ...] = ()
        if checked:
            findings = _checked(Checked(bars(as_of), found.ideas, as_of, settings), OF_IDEAS, reading, uri)
        days, periods = calendar_of_ideas(found.ideas, as_of, settings.market_calendars)
        return Dataset(
            found.ideas, days, periods, as_of, found.newest, found.marked, uri, found.notes, findings=findings
        )

    return known


def _feature_rows(settings: Settings) -> feature_rows.FeatureRows | None:
    url = settings.idea_features
    return None if url is None else feature_rows.read(tables(url.reveal()), settings.bar_stamp, str(url))


def _idea_bars(settings: Settings) -> Callable[[datetime], tuple[Candles, ...]]:
    """The bars of labelled ideas' symbols by as-of, for checks only: none without GATEKEEPER_IDEA_BARS."""
    url = settings.idea_bars
    if url is None:
        return lambda _: ()
    tape = tapes.tape(tables(url.reveal(), BARS), settings.bar_stamp, str(url))
    return lambda as_of: tape.book(as_of).candles


Opener = Callable[[SecretUrl, Settings, Reading], Known]
_OPENERS: dict[str, Opener] = {"demo": _demo, "candles": _candles, "ideas": _ideas}


def _read(uri: Source) -> SecretUrl:
    try:
        return SecretUrl.source(uri) if isinstance(uri, str) else uri
    except ValueError as fault:
        raise ConfigError(f"The source of market data can't be read. {fault}") from None


def _scheme(url: SecretUrl) -> str:
    return url.reveal().partition(":")[0]


def _rest(url: SecretUrl) -> str:
    return url.reveal().partition(":")[2]


def _shown_rest(url: SecretUrl) -> str:
    return str(url).partition(":")[2]


def _opener(url: SecretUrl) -> Opener:
    scheme, colon, _ = url.reveal().partition(":")
    if colon and scheme in _OPENERS:
        return _OPENERS[scheme]
    if colon and scheme in _plugged():
        read = _loaded(_plugged()[scheme])
        return lambda url, settings, _: lambda as_of, **_: read(url.reveal(), as_of, settings)
    raise ConfigError(f"GATEKEEPER_DATA={str(url).partition('//')[0]!r} is not a source; use one of {_known_schemes()}")


def _plugged() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def _loaded(point: EntryPoint) -> Plugged:
    try:
        reader: Plugged = point.load()
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"source {point.name}: can't load {point.value}: {error}; fix its package") from error
    return reader


def schemes() -> frozenset[str]:
    """The words that a source may begin with, before its colon."""
    return frozenset({*_OPENERS, *_plugged()})


def _known_schemes() -> str:
    ours = ["demo:", "candles:URI", "ideas:URI", "sql:"]
    return ", ".join([*ours, *(f"{name}:" for name in sorted({*_plugged()} - {"sql"}))])


def _checked(
    checked: Checked, checks: Iterable[Check], reading: Reading, uri: str, already: Iterable[Finding] = ()
) -> tuple[Finding, ...]:
    """What was found as the source was read and what the checks found, noted in the reading.

    Raises DataError for what they refuse.
    """
    findings = judged((*already, *run(checked, checks)), checked.settings.accept)
    reading.findings = (*reading.findings, *findings)
    refuse(findings, uri)
    return findings


def _replayed(book: Book, uri: str, as_of: datetime, settings: Settings, reading: Reading, *, checked: bool) -> Dataset:
    """The dataset of the bars. reading: notes the bars; if `checked`, the findings of the data checks too."""
    named, as_read = settings.market_calendars, book.candles
    if named:
        book = calendars.within_sessions(book, as_of, named, settings.freshness_days)
    book = reading.bars(unfinished.finished(book))
    newest = candles.newest(book.candles)
    check_fresh("bar", newest, as_of, settings.freshness_days, uri, "FRESHNESS_DAYS")
    book, splits = applied(book, corporate_actions.read(settings.splits))
    book = replace(book, candles=tuple(_ready(bars) for bars in book.candles))
    reading.adjusted = book if reading.keep else None
    whole = Checked(book.candles, None, as_of, settings, splits, uri, as_read, book.closing)
    findings = _checked(whole, CHECKS, reading, uri, book.findings) if checked else ()
    replays = [replay(bars, as_of, settings) for bars in book.candles]
    notes = [*book.notes, *_ended(book.candles, as_of, settings.freshness_days)]
    if still_open := sum(result.still_open for result in replays):
        notes.append(f"{still_open} idea{'s' * (still_open != 1)} still open left out")
    if never_entered := sum(result.never_entered for result in replays):
        notes.append(f"{never_entered} idea{'s' * (never_entered != 1)} without a bar to enter on left out")
    days, periods = _calendar(book.candles, as_of, named, uri)
    ideas = join([result.ideas for result in replays])
    findings += _checked(replace(whole, ideas=ideas), OF_REPLAYED, reading, uri) if checked else ()
    closes = daily_closes(book.candles, days, as_of, settings.holdout_days)
    return Dataset(ideas, days, periods, as_of, newest, True, uri, tuple(notes), closes, findings)


def _ready(bars: Candles) -> Candles:
    """The bars with what checks and replay would each look for: their market days, and which weren't traded."""
    return replace(bars, session=bars.days, untraded=untraded(bars))


def _ended(book: Iterable[Candles], as_of: datetime, limit: int) -> list[str]:
    """A note on symbols whose bars ended while those of others go on: delisted, or a feed that partly failed."""
    oldest = instant(as_of) - np.timedelta64(limit, "D")
    ended = [bars.symbol for bars in book if bars.closes_at[-1] < oldest]
    return [f"no bar in the last {limit} days: {', '.join(ended)}"] if ended else []


def _calendar(book: Iterable[Candles], as_of: datetime, named: Mapping[str, str], uri: str) -> tuple[Days, int]:
    """The market days of all symbols that were closed by the as-of, and the busiest symbol's periods a year."""
    days, periods = [], []
    for bars in book:
        name, own = calendar_of(bars.symbol, named), np.unique(bars.days)
        days.append(own)
        if name is not None:
            periods.append(periods_per_year(name, own[0], as_of))
        else:  # the demo's files say 252, its exchange's, in the years of which it has the first only, too
            periods.append(WORKDAYS if uri == DEMO else counted_periods(own, as_of))
    together = np.unique(np.concatenate(days))
    return together[together <= last_closed(as_of)], max(periods)


def _utc(as_of: datetime) -> datetime:
    if as_of.tzinfo is None:
        raise AsOfError(f"as-of {as_of.isoformat()} has no offset; write it in UTC, as {as_of.isoformat()}Z")
    return as_of.astimezone(UTC)
