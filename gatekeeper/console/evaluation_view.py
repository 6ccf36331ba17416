"""Evaluation page data: curves, bars and tables from the numbers of an evaluation's document."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import accumulate, pairwise

from gatekeeper.console.formatting import percent
from gatekeeper.documents.evaluation import (
    EvaluationDocument,
    OutcomeHistogram,
    ScorecardRecord,
    Scorecards,
    ScoreHistogram,
    Verdict,
)
from gatekeeper.errors import DataError
from gatekeeper.judgement.report import by_month, decision_chart, glossary, stream_table
from gatekeeper.judgement.report.by_month import Year
from gatekeeper.judgement.report.decision_chart import DecisionChart
from gatekeeper.judgement.report.stream_table import StreamTable
from gatekeeper.judgement.report.streams import streams_of
from gatekeeper.judgement.rule import tests_spent
from gatekeeper.registry import Evaluation


@dataclass(frozen=True, slots=True)
class Series:
    """One line or row of bars of a chart: its name, its colour, and a number for each place."""

    name: str
    tone: str
    values: Sequence[float]


@dataclass(frozen=True, slots=True)
class Chart:
    """One chart and the table of its numbers. about: its content in words.

    kind: `days` (`at` are dates) or `bars` (`at` are the edges of the bars, one more than the values).
    """

    name: str
    title: str
    about: str
    kind: str
    unit: str
    at: Sequence[str] | Sequence[float]
    series: Sequence[Series]
    lines: Sequence[tuple[str, float]] = ()
    """Vertical lines: name and place."""

    def drawn(self) -> dict[str, object]:
        """The data for the script that draws the chart."""
        at = [_seconds(each) if isinstance(each, str) else each for each in self.at]
        return {
            "kind": self.kind,
            "unit": self.unit,
            "at": at,
            "series": [{"name": each.name, "tone": each.tone, "values": each.values} for each in self.series],
            "lines": [{"tone": tone, "at": value} for tone, value in self.lines],
        }

    def rows(self) -> Iterator[tuple[str, list[str]]]:
        """The rows of the table that stands for the chart."""
        if self.kind == "days":
            for row, day in enumerate(self.at):
                yield str(day), [f"{each.values[row]:.2f}" for each in self.series]
            return
        edges = [float(edge) for edge in self.at]
        for row, (low, high) in enumerate(pairwise(edges)):
            if any(each.values[row] for each in self.series):
                yield f"{low:.3g} to {high:.3g}", [f"{each.values[row]:g}" for each in self.series]


@dataclass(frozen=True, slots=True)
class EvidenceView:
    """All that the page shows of an evaluation."""

    verdict: Verdict
    document: EvaluationDocument
    cards: Sequence[tuple[str, ScorecardRecord]]
    charts: Sequence[Chart]
    loud: str | None
    looks: str | None
    terms: Mapping[str, str]
    gate_terms: Mapping[str, str]
    decision: DecisionChart | None
    traders: StreamTable
    years: Sequence[Year]
    months: Sequence[str] = by_month.MONTHS


@dataclass(frozen=True, slots=True)
class Unreadable:
    """Why the page can show no evidence: the document is damaged, or of a format that this version doesn't read."""

    fault: str


def of(evaluation: Evaluation) -> EvidenceView | Unreadable:
    """The page's data, or why there are none."""
    try:
        document = evaluation.document
    except DataError as fault:
        return Unreadable(str(fault))
    return EvidenceView(
        document.verdict,
        document,
        list(document.scorecards),
        list(_charts(document)),
        _loud(document.scorecards),
        tests_spent.sentences(document),
        glossary.of(document),
        glossary.of_gates(document.verdict.gates),
        decision_chart.of(document),
        stream_table.of(document),
        by_month.of(document.days, streams_of(document)),
    )


def _charts(document: EvaluationDocument) -> Iterator[Chart]:
    days, cards = document.days, dict(document.scorecards)
    daily = {role: card.daily for role, card in cards.items() if card.tested}
    if len(days) > 1:
        yield from _curves(days, daily)
        # With a cap, each stream has its own positions open: ungated less the challenger isn't what it vetoed.
        if "challenger" in document.trades and not any(card.passed_over for card in cards.values()):
            yield _approved(days, daily["challenger"], daily["ungated"])
    if document.scores:
        yield _scores(document.scores, cards)
    if document.outcomes:
        yield _outcomes(document.outcomes)


def _curves(days: Sequence[str], daily: Mapping[str, Sequence[float]]) -> Iterator[Chart]:
    equity = {role: _running(each) for role, each in daily.items()}
    fallen = {role: _fallen(each) for role, each in equity.items()}
    ends = ", ".join(f"{role} {percent(each[-1] / 100)}" for role, each in equity.items())
    yield Chart("equity", "Equity", f"End: {ends} of capital.", "days", "%", days, _by_role(equity))
    lows = ", ".join(f"{role} {percent(min(each) / 100)}" for role, each in fallen.items())
    yield Chart("drawdown", "Drawdown", f"Deepest: {lows} of capital.", "days", "%", days, _by_role(fallen))


def _approved(days: Sequence[str], ours: Sequence[float], ungated: Sequence[float]) -> Chart:
    kept = _running(ours)
    vetoed = _running([every - mine for every, mine in zip(ungated, ours, strict=True)])
    about = (
        f"The challenger's approved trades made {percent(kept[-1] / 100)} of capital, its vetoed ones would have made "
        f"{percent(vetoed[-1] / 100)}."
    )
    series = [Series("approved", "challenger", kept), Series("vetoed", "ungated", vetoed)]
    return Chart("kept", "Approved and vetoed trades", about, "days", "%", days, series)


def _scores(scores: Mapping[str, ScoreHistogram], cards: Mapping[str, ScorecardRecord]) -> Chart:
    series = [Series(role, role, histogram.counts) for role, histogram in scores.items()]
    lines = [(role, cards[role].threshold or 0.0) for role in scores]
    thresholds = ", ".join(f"{role} {threshold:g}" for role, threshold in lines)
    about = f"Ideas by score; an idea under the threshold (the vertical line: {thresholds}) is vetoed."
    edges = next(iter(scores.values())).edges
    return Chart("scores", "Scores", about, "bars", "ideas", [round(edge, 6) for edge in edges], series, lines)


def _outcomes(outcomes: OutcomeHistogram) -> Chart:
    series = [Series("approved", "challenger", outcomes.kept), Series("vetoed", "ungated", outcomes.vetoed)]
    about = (
        "Trades that the challenger approved and vetoed, by outcome in % of the entry price; "
        "the outermost bars hold the tails."
    )
    return Chart("outcomes", "Outcomes", about, "bars", "trades", [100 * edge for edge in outcomes.edges], series)


def _running(daily: Sequence[float]) -> list[float]:
    """Running sum in percent of the initial capital, since each trade is a fixed fraction of it."""
    return [round(100 * total, 6) for total in accumulate(daily)]


def _fallen(equity: Sequence[float]) -> list[float]:
    """Distance below the peak so far; the start counts as a peak."""
    peaks = accumulate(equity, max, initial=0.0)
    next(peaks)
    return [round(now - peak, 6) for now, peak in zip(equity, peaks, strict=True)]


def _by_role(curves: Mapping[str, Sequence[float]]) -> list[Series]:
    return [Series(role, role, curve) for role, curve in curves.items()]


def _seconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())


def _loud(cards: Scorecards) -> str | None:
    """A warning if the challenger made less than ungated, since vetoes cost when the ideas are good."""
    ours, every = cards.challenger, cards.ungated
    if not ours.tested or ours.total_return >= every.total_return:
        return None
    return (
        f"The challenger made less than ungated (every idea taken): {percent(ours.total_return)} against "
        f"{percent(every.total_return)} of capital."
    )
