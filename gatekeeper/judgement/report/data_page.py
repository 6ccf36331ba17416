"""Page of a data passport: a single self-contained HTML page with a picture of each symbol and each feature."""

from collections.abc import Iterator
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from gatekeeper.documents.passport import Passport, SymbolRecord
from gatekeeper.judgement.report import data_charts
from gatekeeper.judgement.report.report import DrawnChart, page
from gatekeeper.market.data.bars.candles import Book, Candles
from gatekeeper.market.data.checks.lags import lagged
from gatekeeper.market.data.passport import texts
from gatekeeper.market.data.passport.compared import length_in_words
from gatekeeper.market.data.passport.facts import hole_starts
from gatekeeper.market.ideas import Dataset

if TYPE_CHECKING:
    from numpy.typing import NDArray

TEMPLATE = "data.html.j2"
MOST_PICTURES = 50
MOST_ROWS = 2000
FEWEST_IDEAS = 30
NEXT, NEXT_BY_CHANCE = 0.12, 5.5
"""Correlation with the next bar from which on a feature knows the future, and by chance, over the root of the ideas."""
SUSPECTED = ("split", "readjusted", "revised")
"""Kinds of findings that have a time of their own in a symbol's picture."""


def render(
    passport: Passport, prospects: Any, refusal: str | None, use: str, book: Book | None, dataset: Dataset | None
) -> str:
    """The page. prospects: what the floors say (rehearsal's Prospects), None if they can't be asked. book, dataset: as
    far as they could be read."""
    candles = () if book is None else book.candles
    pictured = {bars.symbol: bars for bars in _chosen(passport, candles)}
    template = resources.files("gatekeeper.judgement.report").joinpath(TEMPLATE).read_text("utf-8")
    return page(
        template,
        {
            "passport": passport,
            "prospects": prospects,
            "refusal": [] if refusal is None else texts.parted(refusal),
            "use": use,
            "layouts": [(each, texts.layout(each), texts.written(each)) for each in passport.layouts],
            "counted": texts.counted(passport),
            "bar_lengths": texts.bar_lengths(passport) if passport.symbols else "",
            "bars": sum(each.bars for each in passport.symbols),
            "pictures": [
                _picture(number, passport, bars, dataset) for number, bars in enumerate(pictured.values(), start=1)
            ],
            "rows": [(each, length_in_words(each.bar_seconds)) for each in passport.symbols[:MOST_ROWS]],
            "more_rows": max(0, len(passport.symbols) - MOST_ROWS),
            "features": list(_features(candles, dataset)),
        },
    )


def _chosen(passport: Passport, candles: tuple[Candles, ...]) -> list[Candles]:
    """The symbols that are drawn: all, or those with findings first."""
    found = {each.symbol for each in passport.findings}
    return sorted(candles, key=lambda bars: bars.symbol not in found)[:MOST_PICTURES]


def _picture(number: int, passport: Passport, bars: Candles, dataset: Dataset | None) -> DrawnChart:
    record = next(each for each in passport.symbols if each.symbol == bars.symbol)
    starts = hole_starts(bars)
    holes = [(bars.closes_at[row], bars.opens_at[row + 1]) for row in starts]
    suspects = [
        np.datetime64(each.at[:19])
        for each in passport.findings
        if each.symbol == bars.symbol and each.kind in SUSPECTED and each.at
    ]
    won, lost = _ideas(bars.symbol, dataset)
    name = f"symbol-{number}"
    drawing = data_charts.symbol(name, (bars.closes_at, bars.high, bars.low, bars.close), holes, suspects, (won, lost))
    return DrawnChart(name, bars.symbol, _about(record, bars, len(won), len(lost), len(suspects)), drawing)


def _ideas(symbol: str, dataset: Dataset | None) -> "tuple[NDArray[np.datetime64], NDArray[np.datetime64]]":
    if dataset is None:
        return np.empty(0, dtype="datetime64[ns]"), np.empty(0, dtype="datetime64[ns]")
    own = dataset.ideas.symbol == symbol
    return dataset.ideas.time[own & dataset.ideas.wins], dataset.ideas.time[own & ~dataset.ideas.wins]


def _about(record: SymbolRecord, bars: Candles, won: int, lost: int, suspects: int) -> str:
    span = f"{record.first:%Y-%m-%d} to {record.last:%Y-%m-%d}"
    parts = [
        f"{record.bars} bars of {length_in_words(record.bar_seconds)}, {span}",
        _sessions(bars, record.bar_seconds),
    ]
    parts.append(
        f"{record.holes} hole{'s' * (record.holes != 1)}"
        + (f", up to {record.longest_hole_days:g} days" if record.holes else "")
    )
    if record.without_volume:
        parts.append(f"{record.without_volume} bars without volume")
    if suspects:
        parts.append(f"{suspects} suspected (dashed)")
    if won + lost:
        parts.append(f"{won + lost} ideas along the bottom: {won} won (lines), {lost} lost (crosses)")
    if record.last_bar_left_out:
        parts.append("last bar left out")
    return "; ".join(each for each in parts if each)


def _sessions(bars: Candles, seconds: float) -> str:
    """Days of the week, and hours of intraday bars, on which at least one bar in a hundred opens."""
    weekday = (bars.days.astype("datetime64[D]").astype(np.int64) + 3) % 7
    share = np.bincount(weekday, minlength=7) / len(weekday)
    names = [
        name
        for name, part in zip(("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), share, strict=True)
        if part >= 0.01
    ]
    days = f"{names[0]} to {names[-1]}" if len(names) > 2 else ", ".join(names)
    if seconds >= 86_400:
        return days
    minute = (bars.opens_at - bars.opens_at.astype("datetime64[D]")).astype("timedelta64[m]").astype(np.int64)
    if np.ptp(minute) + seconds / 60 >= 1440:
        return f"{days}, around the clock"
    first, last = (int(each) for each in np.quantile(minute, (0.01, 0.99)))
    return f"{days}, bars open {first // 60:02}:{first % 60:02} to {last // 60:02}:{last % 60:02} UTC"


def _features(candles: tuple[Candles, ...], dataset: Dataset | None) -> Iterator[DrawnChart]:
    """A picture of each feature that moves: its correlation with the market's bars around the idea."""
    if dataset is None or not candles:
        return
    for number, (feature, found) in enumerate(lagged(dataset.ideas, candles).items(), start=1):
        row = np.array([np.nan if each is None else each for each in found.correlations])
        if not np.isfinite(row).all() or min(found.ideas) < FEWEST_IDEAS:
            continue
        after = [place for place, lag in enumerate(found.lags) if lag > 0]
        largest = max(after, key=lambda place: abs(row[place]))
        bound = NEXT + NEXT_BY_CHANCE / np.sqrt(min(found.ideas))
        most = f"{row[largest]:.2f} (lag {found.lags[largest]})"
        about = f"after the idea at most {most}; over {bound:.2f} it knows the future"
        name = f"feature-{number}"
        yield DrawnChart(name, feature, about, data_charts.lags(name, found.lags, row, float(bound)))
