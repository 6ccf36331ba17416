"""Rehearsal report: a single self-contained HTML page."""

from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from gatekeeper.judgement.report import charts, glossary
from gatekeeper.judgement.report.report import page
from gatekeeper.rehearsal.results import Document

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = "rehearsal.html.j2"
REFITS = ", refit"


def render(document: Document) -> str:
    """The HTML page of a rehearsal's document; the same bytes for the same document."""
    template = resources.files("gatekeeper.rehearsal").joinpath(TEMPLATE).read_text("utf-8")
    parts = [_part(holdout, part) for holdout, part in document["holdouts"].items()]
    return page(template, {"rehearsal": document, "parts": parts, "sizing": glossary.of(document)["Sizing"]})


def _part(holdout: str, part: Document) -> dict[str, Any]:
    streams = [*part["policies"].values(), *part["references"]]
    days = np.array(part["days"], dtype="datetime64[D]")
    return {
        "holdout": holdout,
        "begins": part["begins"],
        "policies": part["policies"],
        "streams": streams,
        "charts": _charts(holdout, part, streams, days) if len(days) > 1 else [],
    }


def _charts(
    holdout: str, part: Document, streams: list[Document], days: "np.ndarray[Any, np.dtype[np.datetime64]]"
) -> list[dict[str, "str | Markup"]]:
    from markupsafe import Markup

    drawn = [
        (
            f"equity{holdout}{number or ''}",
            f"Return of the deployed models{', refits deployed' if chosen[0]['name'].endswith(REFITS) else ''}",
            "running sum in percent of the initial capital",
            charts.streams(f"equity{holdout}{number or ''}", days, {s["name"]: np.array(s["daily"]) for s in chosen}),
        )
        for number, chosen in enumerate(_together(part, streams))
    ]
    moments = {name.replace(REFITS, ",\nrefit"): _promotions(each) for name, each in part["policies"].items()}
    drawn.append(
        (
            f"promotions{holdout}",
            "Promotions",
            "a line if the new model then made at least as much as the old one would have, a cross if less",
            charts.moments(f"promotions{holdout}", days, moments),
        )
    )
    # The drawings hold no text from outside: all words in them are names of policies and units.
    return [
        {"name": name, "title": title, "about": about, "svg": Markup(svg)}  # noqa: S704  # see above
        for name, title, about, svg in drawn
    ]


def _together(part: Document, streams: list[Document]) -> list[list[Document]]:
    """The streams of each picture: at most six can be distinguished, so refits have a picture of their own."""
    fresh = [each for each in streams if each["name"].endswith(REFITS)]
    judged = [each for each in streams if each not in fresh]
    if len(judged) == len(part["references"]) - bool(fresh):  # no policy among them
        return [fresh + judged[1:]]
    return [judged, fresh + judged[-2:]] if fresh else [judged]


def _promotions(each: Document) -> tuple[list[np.datetime64], list[np.datetime64]]:
    good_and_false: tuple[list[np.datetime64], list[np.datetime64]] = ([], [])
    for reign in each["reigns"]:
        day = np.datetime64(datetime.fromisoformat(reign["since"]).date())
        good_and_false[reign["made"] < reign["before"]].append(day)
    return good_and_false
