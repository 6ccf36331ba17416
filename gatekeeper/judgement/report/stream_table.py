"""Stream table: what traders look for in each stream of an evaluation, each figure with its meaning in one line.

All of it follows from what the document holds, so none of it is stored.
"""

from collections.abc import Callable
from dataclasses import dataclass

from gatekeeper.documents.evaluation import BuyAndHold, EvaluationDocument, SideTrades
from gatekeeper.judgement.report.streams import Stream, streams_of
from gatekeeper.judgement.report.trader_formats import because, bp, days, percent, ratio
from gatekeeper.judgement.statistics.sharpe import sharpe_error, sharpe_ratio
from gatekeeper.judgement.statistics.track_record import Moments, deflated_sharpe, minimum_track_record
from gatekeeper.judgement.statistics.trading import SHORTFALL, calmar_ratio, expected_shortfall, sortino_ratio

CONFIDENCE = 0.95
"""Of the minimum track record."""

Show = Callable[[Stream], str]


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table: a figure, its meaning, and a cell for each stream."""

    name: str
    meaning: str
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class StreamTable:
    """The table, and sentences on what its cells can't show."""

    streams: tuple[str, ...]
    figures: tuple[Figure, ...]
    notes: tuple[str, ...]


def of(document: EvaluationDocument) -> StreamTable:
    """The table of the tested streams, and of buy and hold if the source has bars."""
    streams = [each for each in streams_of(document) if len(each.daily)]
    figures = [Figure(name, meaning, tuple(show(each) for each in streams)) for name, meaning, show in _rows(document)]
    notes = (_per_idea(document), _held(document))
    return StreamTable(tuple(each.name for each in streams), tuple(figures), tuple(filter(None, notes)))


def _rows(document: EvaluationDocument) -> list[tuple[str, str, Show]]:
    worst = f"{100 * SHORTFALL:g} %"
    tests = "" if document.looks is None else f" ({max(document.looks.spent, 1)})"
    luckiest = f"chance that the true Sharpe beats the luckiest of the tests on record{tests}, if none had skill"
    sure = f"market days until such a Sharpe is over 0 at {100 * CONFIDENCE:g} %"
    record = f"{sure}; this window has {document.window.days}"
    return [
        ("Sharpe", "annual; return over the risk-free rate by its spread", _sharpe),
        ("Standard error", "of that Sharpe; allows for autocorrelation, skew and fat tails", _error),
        ("Sortino", "annual; as Sharpe, with losing days alone as the spread", _sortino),
        ("Calmar", "return a year by the maximum drawdown", _calmar),
        (f"Expected shortfall, {worst}", f"mean return of the worst {worst} of days, in % of capital", _shortfall),
        ("Profit factor", "what winning trades made by what the others lost", _profit_factor),
        ("Mean win", "of a winning trade, in basis points of capital", _mean_win),
        ("Mean loss", "of a losing trade, in basis points of capital", _mean_loss),
        ("Turnover a year", "bought plus sold, in % of capital", _turnover),
        ("Gross exposure, mean", "held overnight, long plus short, in % of capital", _mean_exposure),
        ("Gross exposure, most", "the same in the fullest night", _most_exposure),
        ("Long trades", "made by trades that buy first, in % of capital, and their number", _long),
        ("Short trades", "made by trades that sell first, likewise", _short),
        ("Deflated Sharpe", luckiest, _deflated),
        ("Minimum track record", record, _track_record),
    ]


def _sharpe(stream: Stream) -> str:
    found = sharpe_ratio(stream.excess, stream.periods)
    return because("constant returns") if found is None else ratio(found)


def _error(stream: Stream) -> str:
    found = sharpe_error(stream.excess)
    return because("no Sharpe, or under 5 days") if found is None else ratio(found * stream.periods**0.5)


def _sortino(stream: Stream) -> str:
    found = sortino_ratio(stream.excess, stream.periods)
    return because("no losing day") if found is None else ratio(found)


def _calmar(stream: Stream) -> str:
    found = calmar_ratio(stream.daily, stream.periods)
    return because("no drawdown") if found is None else ratio(found)


def _shortfall(stream: Stream) -> str:
    found = expected_shortfall(stream.daily)
    return because("no days") if found is None else percent(found)


def _traded(show: Callable[[SideTrades], str]) -> Show:
    """A figure of the trades of both sides."""

    def shown(stream: Stream) -> str:
        if stream.untraded or stream.sides is None:
            return stream.untraded or because("not on record")
        both = stream.sides.both
        return show(both) if both.count else because("no trades")

    return shown


@_traded
def _profit_factor(trades: SideTrades) -> str:
    return ratio(trades.gained / trades.lost) if trades.lost else because("no losses")


@_traded
def _mean_win(trades: SideTrades) -> str:
    return bp(trades.gained / trades.won) if trades.won else because("no wins")


@_traded
def _mean_loss(trades: SideTrades) -> str:
    count = trades.count - trades.won
    return bp(-trades.lost / count) if count else because("no losses")


def _turnover(stream: Stream) -> str:
    show = _traded(lambda trades: percent(2 * trades.size * stream.periods / len(stream.daily), 0))
    return show(stream)


def _mean_exposure(stream: Stream) -> str:
    return because("not on record") if stream.exposed is None else percent(float(stream.exposed.mean()))


def _most_exposure(stream: Stream) -> str:
    return because("not on record") if stream.exposed is None else percent(float(stream.exposed.max()))


def _long(stream: Stream) -> str:
    return _made(stream, None if stream.sides is None else stream.sides.long)


def _short(stream: Stream) -> str:
    return _made(stream, None if stream.sides is None else stream.sides.short)


def _made(stream: Stream, trades: SideTrades | None) -> str:
    if stream.untraded or trades is None:
        return stream.untraded or because("not on record")
    return f"{percent(trades.made)} ({trades.count})" if trades.count else because("no trades")


def _deflated(stream: Stream) -> str:
    if not stream.selected:
        return "not selected"
    if stream.trials is None:
        return because("not on record")
    record = Moments.of(stream.excess)
    if record is None:
        return because("constant returns")
    # Without skill, the Sharpes of independent models differ by their own error alone: 1 / (T - 1).
    found = deflated_sharpe(record, stream.trials, 1 / (record.periods - 1))
    return because("too skewed") if found is None else percent(found, 1)


def _track_record(stream: Stream) -> str:
    record = Moments.of(stream.excess)
    if record is None:
        return because("constant returns")
    if record.sharpe <= 0:
        return because("Sharpe not over 0")
    found = minimum_track_record(record, confidence=CONFIDENCE)
    return because("too skewed") if found is None else days(found)


def _per_idea(document: EvaluationDocument) -> str | None:
    """The gain by the number of ideas that the two decide differently."""
    verdict, cards = document.verdict, document.scorecards
    if cards.champion is None or not cards.champion.tested:
        return None
    if verdict.gain is None or not verdict.differing:
        why = "there is no gain" if verdict.gain is None else "no idea was decided differently"
        return f"Gain per idea decided differently: undefined, since {why}."
    more = cards.challenger.total_return - cards.champion.total_return
    return (
        f"Gain per idea decided differently ({verdict.differing}): {ratio(verdict.gain / verdict.differing, 4)} annual "
        f"Sharpe, and {bp(more / verdict.differing)} of capital."
    )


def _held(document: EvaluationDocument) -> str:
    held = document.buy_and_hold
    if held is None:
        return "No buy and hold: the source has no bars, or no symbol had one at the window's start."
    if not isinstance(held, BuyAndHold):
        return "No buy and hold: the document, of an older format, doesn't hold it."
    without = f"; left out, without a price then: {held.left_out}" if held.left_out else ""
    return (
        f"Buy and hold puts all capital, in equal parts, into the source's symbols ({held.symbols}{without}) at the "
        "window's start, and pays no costs. Compare its Sharpe with the others', not its return: they put in less."
    )
