"""Trigger form of a weekly run: each parameter with its range and the desk's setting."""

from typing import Any

from airflow.sdk import Param

from gatekeeper.model.recipes import RECIPES  # names alone: scikit-learn comes with a fit
from gatekeeper.settings import Settings
from gatekeeper.texts import code

DEMO_LAST_MONDAY = "2018-12-31T02:00:00Z"
WEEKLY_RUN, TRAINING, JUDGEMENT = "Weekly run", "Training", "Judgement"
KNOWN = Settings.model_json_schema()["properties"]
LIMITS = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most", "exclusiveMaximum": "under"}
POLICIES = {
    "better": "better: a measured gain",
    "safe": "safe: a measured gain, and with confidence no worse than the tolerance",
    "proven": "proven: a statistically significant gain",
}
AS_OF = (
    "The run uses no data after this instant: a date (02:00 UTC of that day) or ISO 8601. If empty, it is the end of "
    "the run's data interval, which is its Monday, or the logical date above. Leave it empty for a backfill."
)
ON_DEMO = " The demo's bars end in 2018, so the last Monday that works is filled in."

# name: title, section, what it does, and what the form shows beside the limits of the setting
FIELDS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "recipe": ("Recipe", TRAINING, "How a model is trained.", {"examples": list(RECIPES)}),
    "seed": ("Seed", TRAINING, "Seed of the training: the same data, recipe and seed give the same bytes.", {}),
    "train_years": (
        "Training window, years",
        TRAINING,
        "Training takes the ideas of this many years before its end. If empty there and here: all of them.",
        {},
    ),
    "half_life_days": (
        "Half-life, days",
        TRAINING,
        "Age by which an idea's weight in the training halves. If empty there and here: all weigh the same.",
        {},
    ),
    "holdout_days": (
        "Holdout, days",
        TRAINING,
        "Training uses no data of this many days before the as-of; the backtest runs on them.",
        {},
    ),
    "threshold": ("Threshold", JUDGEMENT, "An idea that scores below it is vetoed. Stored with the model.", {}),
    "policy": (
        "Promotion policy",
        JUDGEMENT,
        "The evidence that a challenger needs to replace the primary.",
        {"values_display": POLICIES},
    ),
    "tolerance": (
        "Tolerance of the policy safe, annual Sharpe",
        JUDGEMENT,
        "How far below 0 the lower confidence bound of the Sharpe gain may lie. Other policies ignore it.",
        {},
    ),
    "margin": ("Margin, annual Sharpe", JUDGEMENT, "The gain must exceed it, under every policy.", {}),
}


def params(settings: Settings) -> dict[str, Param]:
    """The fields in order, each filled with the desk's setting; an emptied field means that setting too."""
    on_demo = str(settings.data).startswith("demo:")
    return {
        "as_of": Param(
            DEMO_LAST_MONDAY if on_demo else None,
            type=["null", "string"],
            title="As-of",
            description_md=AS_OF + (ON_DEMO if on_demo else ""),
            section=WEEKLY_RUN,
        ),
        # A source may contain a password: it is shown masked in the description, and never filled in.
        "data": Param(
            None,
            type=["null", "string"],
            title="Market data",
            description_md=f"`candles:URI`, `ideas:URI`, `sql:` or `demo:`. If empty: {code(str(settings.data))}.",
            section=WEEKLY_RUN,
        ),
        **{name: _field(name, getattr(settings, name), _known(name)) for name in FIELDS},
    }


def _known(name: str) -> dict[str, Any]:
    """Type and limits of the setting; of one that may be empty, those of its value."""
    known: dict[str, Any] = KNOWN[name]
    return {**known, **next(each for each in known["anyOf"] if each["type"] != "null")} if "anyOf" in known else known


def _field(name: str, value: object, known: dict[str, Any]) -> Param:
    title, section, text, more = FIELDS[name]
    shown = {limit: known[limit] for limit in LIMITS if limit in known} | more
    if "enum" in known:
        shown["enum"] = [*known["enum"], None]
    return Param(
        value,
        type=["null", known["type"]],
        title=title,
        description_md=f"{text}{_range(known)} If empty, the desk's setting **{'empty' if value is None else value}** "
        "applies.",
        section=section,
        **shown,
    )


def _range(known: dict[str, Any]) -> str:
    words = [f"{word} {known[limit]}" for limit, word in LIMITS.items() if limit in known]
    return f" {' and '.join(words).capitalize()}." if words else ""
