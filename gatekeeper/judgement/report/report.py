"""Evaluation report: a single self-contained HTML page, without scripts or network."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.documents.evaluation import EvaluationDocument, ScorecardRecord, TradeOutcomes
from gatekeeper.judgement.report import by_month, charts, decision_chart, gain_over_time, glossary, stream_table
from gatekeeper.judgement.report.streams import streams_of
from gatekeeper.judgement.rule import tests_spent
from gatekeeper.market.data.passport import texts
from gatekeeper.texts import in_html

if TYPE_CHECKING:
    from jinja2 import Template
    from markupsafe import Markup

    from gatekeeper.documents.check import CheckDocument

ROLES = ("challenger", "champion", "ungated")
TEMPLATE = "report.html.j2"
STYLE = "page.css"

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class DrawnChart:
    """One chart of a page: what it shows, in words, and its drawing."""

    name: str
    title: str
    about: str
    drawing: str

    @property
    def svg(self) -> "Markup":
        """The drawing is ours and holds no text from outside: all words in it are names of streams and units."""
        from markupsafe import Markup

        return Markup(self.drawing)  # noqa: S704  # see above


def render(document: EvaluationDocument, effect: str | None = None, check: "CheckDocument | None" = None) -> str:
    """The page of an evaluation document: the same bytes for the same of all three, under 500 KB.

    effect: what came of it, as the registry says now. None for a run that writes its report before it promotes: then
    the page says where to read it. check: the monitor's check whose standby models the page shows beside the
    evaluation, which is no part of them.
    """
    template = resources.files("gatekeeper.judgement.report").joinpath(TEMPLATE).read_text("utf-8")
    shown = check if check is not None and check.shadow is not None and check.shadow.models else None
    return page(template, {**_context(document), "effect": effect or _told_elsewhere(document), "check": shown})


def _told_elsewhere(document: EvaluationDocument) -> str:
    number = document.scorecards.challenger.model_id
    where = f"gatekeeper explain {'ID' if number is None else number}"
    return f"Verdict: {document.verdict.answer}. Whether it was promoted: {where}"


def page(template: str, context: Mapping[str, object]) -> str:
    """`template` with what it shows, and the style of all our pages."""
    from markupsafe import Markup

    style = Markup(resources.files("gatekeeper.judgement.report").joinpath(STYLE).read_text("utf-8"))  # noqa: S704  # ours
    return _compiled(template).render(style=style, **context)


@cache
def _compiled(template: str) -> "Template":
    """The compiled template, cached, since compiling takes as long as drawing a chart."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, finalize=in_html, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters.update(number=_number, percent=_percent, plain=_plain, instant=_instant, day=_day, mark=_mark)
    return environment.from_string(template)


def _context(document: EvaluationDocument) -> dict[str, object]:
    cards, rules = document.scorecards, document.rules
    ours = (document.refit or cards.challenger).name
    theirs = document.live or cards.champion
    return {
        "title": f"{ours} as the first primary" if theirs is None else f"{ours} against {theirs.name}",
        "verdict": document.verdict,
        "cards": list(cards),
        "ideas": cards.ungated.ideas,
        "charts": _charts(document),
        "decision": decision_chart.of(document),
        "traders": stream_table.of(document),
        "months": by_month.MONTHS,
        "years": by_month.of(document.days, streams_of(document)),
        "policies": document.policies.items(),
        "policy": document.policy,
        "trades": _trade_rows(document),
        "agreement": document.agreement,
        "details": document.details,
        "costs": document.costs or None,
        "terms": glossary.of(document),
        "gate_terms": glossary.of_gates(document.verdict.gates),
        "window": document.window,
        "data": document.data,
        "passport": "" if document.data.passport is None else texts.counted(document.data.passport),
        "rules": rules,
        "age": _age(document),
        "league": document.league,
        "one_of_one": gain_over_time.critical_of(document),
        "refit": document.refit,
        "live": document.live,
        "looks": tests_spent.sentences(document),
        "loud": _loud(cards.challenger, cards.ungated),
        "calendar": "around the clock" if rules.periods_per_year == 365 else "exchange days",
        "marking": (
            "Marked to market along each trade's path, day by day."
            if rules.marked
            else "The source has no paths, so each trade's whole outcome is booked on the day of its exit. "
            "That makes a Sharpe ratio look higher than marking to market does."
        ),
    }


def _charts(document: EvaluationDocument) -> list[DrawnChart]:
    """The charts that the numbers allow, with captions that state the figures for people who can't see them."""
    days = np.array(document.days, dtype="datetime64[D]")
    cards = {role: card for role, card in document.scorecards if card.tested}
    daily = {role: np.array(card.daily) for role, card in cards.items()}
    drawn: list[DrawnChart] = []
    if len(days) > 1:
        made = ", ".join(f"{role} {_percent(card.total_return)}" for role, card in cards.items())
        fell = ", ".join(f"{role} {_percent(card.max_drawdown)}" for role, card in cards.items())
        drawn.append(DrawnChart("equity", "Equity", f"end: {made}", charts.equity(days, daily)))
        drawn.append(DrawnChart("drawdown", "Drawdown", f"deepest: {fell}", charts.drawdown(days, daily)))
    # With a cap, the ungated stream less the challenger's isn't what it vetoed: each had its own positions open.
    passed_over = any(card.passed_over for card in cards.values())
    if len(days) > 1 and "challenger" in document.trades and not passed_over:
        ours, all_of_it = daily["challenger"], daily["ungated"]
        about = (
            f"the challenger's approved trades made {_percent(ours.sum())}, "
            f"its vetoed ones would have made {_percent((all_of_it - ours).sum())}"
        )
        drawn.append(
            DrawnChart("kept", "Approved and vetoed", about, charts.approved_and_vetoed(days, ours, all_of_it))
        )
    if len(cards) == len(ROLES):
        drawn += _gain(document, days)
    if document.scores and document.outcomes:
        thresholds = {role: cards[role].threshold or 0.0 for role in document.scores}
        about = "ideas by score; vertical lines are thresholds, an idea under its line is vetoed"
        drawn.append(DrawnChart("scores", "Scores", about, charts.scores(document.scores, thresholds)))
        about = "trades that the challenger approved and vetoed, by outcome; the outermost bars hold the tails"
        drawn.append(DrawnChart("outcomes", "Outcomes", about, charts.outcomes(document.outcomes)))
    if document.details is not None and (calibration := document.details.calibration):
        about = "share of ideas that won, by score; on the line it equals the score"
        drawn.append(DrawnChart("calibration", "Calibration", about, charts.calibration(calibration)))
    return drawn


def _gain(document: EvaluationDocument, days: NDArray[np.datetime64]) -> Iterator[DrawnChart]:
    """The gain and its band as the window grew; empty if undefined."""
    seen = gain_over_time.of(document)
    if seen is None:
        return
    lower = seen.value[-1] - seen.critical * seen.error[-1]
    about = f"as the window grew; at its end {_number(seen.value[-1])}, lower bound {_number(lower)}"
    yield DrawnChart("gain", "Gain", about, charts.gain(days[seen.rows], seen.value, seen.error, seen.critical))


def _trade_rows(document: EvaluationDocument) -> Sequence[tuple[str, str, TradeOutcomes]]:
    return [(role, decision, row) for role, each in document.trades.items() for decision, row in each]


def _age(document: EvaluationDocument) -> str:
    notes = []
    for role, card in document.scorecards:
        if role == "ungated":
            continue
        if card.trained_to is None:
            notes.append(f"The end of the {role}'s training data is unknown.")
        else:
            days = (document.window.as_of - card.trained_to).days
            notes.append(f"The {role} has not seen the last {days} days: its data end {card.trained_to:%Y-%m-%d}.")
    refit = document.refit
    if refit is None:
        return " ".join([*notes, "A promotion deploys, byte for byte, the model backtested here."])
    ends = "on an unknown day" if refit.trained_to is None else f"{refit.trained_to:%Y-%m-%d}"
    return " ".join([*notes, f"A promotion deploys its refit {refit.name}, whose data end {ends}."])


def _loud(challenger: ScorecardRecord, ungated: ScorecardRecord) -> str | None:
    """A warning if the challenger made less than ungated, since vetoes cost when the ideas are good."""
    if not challenger.tested or challenger.total_return >= ungated.total_return:
        return None
    ours, theirs = _percent(challenger.total_return), _percent(ungated.total_return)
    return f"The challenger made less than ungated (every idea taken): {ours} against {theirs} of capital."


def _number(value: float | None) -> str:
    return "undefined" if value is None else f"{value:.3f}".replace("-", "\N{MINUS SIGN}")


def _percent(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{100 * value:.2f} %".replace("-", "\N{MINUS SIGN}")


def _plain(value: float | None) -> str:
    return "\N{EN DASH}" if value is None else f"{value:.4g}"


def _instant(value: datetime | str) -> str:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"


def _day(value: datetime | None) -> str:
    return "unknown" if value is None else f"{value:%Y-%m-%d}"


def _mark(passed: bool | None) -> "Markup":
    from markupsafe import Markup

    tone, word = {True: ("pass", "passed"), False: ("fail", "failed"), None: ("unknown", "not evaluated")}[passed]
    return Markup('<span class="mark {}">{}</span>').format(tone, word)
