"""Rehearsal report: a single self-contained HTML page."""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.promotion_tally import TIE
from gatekeeper.documents.rehearsal import HoldoutResult, PolicyResult, RehearsalDocument, StreamResult
from gatekeeper.judgement.report import charts, glossary
from gatekeeper.judgement.report.report import DrawnChart, page
from gatekeeper.rehearsal.ageing_tables import ageing_tables
from gatekeeper.rehearsal.start_tables import StartTables, start_tables

TEMPLATE = "rehearsal.html.j2"
REFITS = ", refit"


@dataclass(frozen=True, slots=True)
class Part:
    """The page's data of one holdout."""

    holdout: str
    result: HoldoutResult
    streams: Sequence[StreamResult]
    charts: Sequence[DrawnChart]
    starts: StartTables | None


def render(document: RehearsalDocument) -> str:
    """The HTML page of a rehearsal's document; the same bytes for the same document."""
    template = resources.files("gatekeeper.rehearsal").joinpath(TEMPLATE).read_text("utf-8")
    parts = [_part(holdout, part) for holdout, part in document.holdouts.items()]
    sizing = glossary.sizing(document.rules.sizing)
    ageing = ageing_tables(document.ageing)
    return page(template, {"rehearsal": document, "parts": parts, "sizing": sizing, "ageing": ageing})


def _part(holdout: str, result: HoldoutResult) -> Part:
    streams = [*result.policies.values(), *result.references]
    days = np.array(result.days, dtype="datetime64[D]")
    drawn = _charts(holdout, result, streams, days) if len(days) > 1 else []
    return Part(holdout, result, streams, drawn, start_tables(result.starts, result.policies))


def _charts(
    holdout: str, result: HoldoutResult, streams: list[StreamResult], days: NDArray[np.datetime64]
) -> list[DrawnChart]:
    drawn = []
    for number, chosen in enumerate(_together(result, streams)):
        name = f"equity{holdout}{number or ''}"
        title = f"Return of the deployed models{', refits deployed' if chosen[0].name.endswith(REFITS) else ''}"
        curves = charts.streams(name, days, {each.name: np.array(each.daily) for each in chosen})
        drawn.append(DrawnChart(name, title, "running sum in percent of the initial capital", curves))
    moments = {name.replace(REFITS, ",\nrefit"): _promotions(each) for name, each in result.policies.items()}
    name = f"promotions{holdout}"
    about = "a line if the new model then made more than the old one would have, a cross if less, a ring if the same"
    return [*drawn, DrawnChart(name, "Promotions", about, charts.moments(name, days, moments))]


def _together(result: HoldoutResult, streams: list[StreamResult]) -> list[list[StreamResult]]:
    """The streams of each picture: at most six can be distinguished, so refits have a picture of their own."""
    fresh = [each for each in streams if each.name.endswith(REFITS)]
    judged = [each for each in streams if not each.name.endswith(REFITS)]
    if len(judged) == len(result.references) - bool(fresh):  # no policy among them
        return [fresh + judged[1:]]
    return [judged, fresh + judged[-2:]] if fresh else [judged]


def _promotions(each: PolicyResult) -> tuple[list[np.datetime64], ...]:
    """The Mondays of won, lost and tied promotions."""
    days: tuple[list[np.datetime64], ...] = ([], [], [])
    for reign in each.reigns:
        gain = reign.made - reign.before
        days[0 if gain > TIE else 1 if gain < -TIE else 2].append(np.datetime64(reign.since.date()))
    return days
