"""How is a rehearsal shown to people? A single HTML page that needs nothing else."""

from datetime import datetime
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np

from gatekeeper.judgement import charts
from gatekeeper.judgement.report import page
from gatekeeper.rehearsal.results import Document

if TYPE_CHECKING:
    from markupsafe import Markup

TEMPLATE = "rehearsal.html.j2"


def render(document: Document) -> str:
    """The page of what `rehearse` says: the same bytes for the same document."""
    template = resources.files("gatekeeper.rehearsal").joinpath(TEMPLATE).read_text("utf-8")
    parts = [_part(holdout, part) for holdout, part in document["holdouts"].items()]
    return page(template, {"rehearsal": document, "parts": parts})


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

    equity = charts.streams(f"equity{holdout}", days, {each["name"]: np.array(each["daily"]) for each in streams})
    moments = {name: _promotions(each) for name, each in part["policies"].items()}
    promoted = charts.moments(f"promotions{holdout}", days, moments)
    # The drawings hold no text from outside: all words in them are names of policies and units.
    return [
        {
            "name": f"equity{holdout}",
            "title": "What was live would have made",
            "about": "running sum, in percent of the initial capital",
            "svg": Markup(equity),  # noqa: S704  # see above
        },
        {
            "name": f"promotions{holdout}",
            "title": "Promotions",
            "about": "a line where the new model then made at least what the old one would have, a cross where less",
            "svg": Markup(promoted),  # noqa: S704  # see above
        },
    ]


def _promotions(each: Document) -> tuple[list[np.datetime64], list[np.datetime64]]:
    went: tuple[list[np.datetime64], list[np.datetime64]] = ([], [])
    for reign in each["reigns"]:
        day = np.datetime64(datetime.fromisoformat(reign["since"]).date())
        went[reign["made"] < reign["before"]].append(day)
    return went
