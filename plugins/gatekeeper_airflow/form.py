"""What does the form of a weekly run ask for? Each parameter with its range, and what holds where it is left alone."""

from typing import Any

from airflow.sdk import Param

from gatekeeper import config
from gatekeeper.errors import mask
from gatekeeper.model.recipes import RECIPES  # names alone: scikit-learn comes with a fit

DEMO_LAST_MONDAY = "2018-12-31T02:00:00Z"
LOOK, TRAINING, JUDGEMENT = "The look", "Training", "Judgement"
KNOWN = config.Settings.model_json_schema()["properties"]
LIMITS = {"minimum": "at least", "exclusiveMinimum": "over", "maximum": "at most", "exclusiveMaximum": "under"}
POLICIES = {
    "better": "better: a gain that was seen",
    "safe": "safe: a gain that was seen, and surely not worse by a difference that matters",
    "proven": "proven: a gain beyond doubt",
}
AS_OF = (
    "The run knows nothing beyond this instant: a date (02:00 UTC of that day) or ISO 8601. Empty: the end of the "
    "run's data interval, which is the Monday that it is for, or the logical date above. Leave it empty for a backfill."
)
ON_DEMO = " The demo's bars end with 2018, so the last Monday that works stands here."

# name: title, section, what it does, and what the form shows beside the limits of the setting
FIELDS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "recipe": ("Recipe", TRAINING, "How a model is trained.", {"examples": list(RECIPES)}),
    "seed": ("Seed", TRAINING, "Seed of the training: the same data, recipe and seed give the same bytes.", {}),
    "holdout_days": (
        "Holdout, days",
        TRAINING,
        "Training sees nothing of the last so many days before the as-of; the backtest is on these.",
        {},
    ),
    "threshold": ("Threshold", JUDGEMENT, "An idea that scores under it is vetoed. Stored with the model.", {}),
    "policy": (
        "Promotion policy",
        JUDGEMENT,
        "What a challenger has to show before it replaces the primary.",
        {"values_display": POLICIES},
    ),
    "tolerance": (
        "Tolerance of the policy safe, annual Sharpe",
        JUDGEMENT,
        "The lower confidence bound of the gain has to lie over minus this. Other policies take no notice of it.",
        {},
    ),
    "margin": ("Margin, annual Sharpe", JUDGEMENT, "The gain has to exceed it, under every policy.", {}),
}


def params(settings: config.Settings) -> dict[str, Param]:
    """The fields in their order, each with the desk's own setting in it; emptied, that setting holds too."""
    on_demo = settings.data.startswith("demo:")
    return {
        "as_of": Param(
            DEMO_LAST_MONDAY if on_demo else None,
            type=["null", "string"],
            title="As-of",
            description_md=AS_OF + (ON_DEMO if on_demo else ""),
            section=LOOK,
        ),
        # A source may hold a password: it is told, masked, and never put into the form.
        "data": Param(
            None,
            type=["null", "string"],
            title="Market data",
            description_md=f"`candles:URI`, `ideas:URI`, `sql:` or `demo:`. Empty: `{mask(settings.data)}`.",
            section=LOOK,
        ),
        **{name: _field(name, getattr(settings, name), KNOWN[name]) for name in FIELDS},
    }


def _field(name: str, value: object, known: dict[str, Any]) -> Param:
    title, section, text, more = FIELDS[name]
    shown = {limit: known[limit] for limit in LIMITS if limit in known} | more
    if "enum" in known:
        shown["enum"] = [*known["enum"], None]
    return Param(
        value,
        type=["null", known["type"]],
        title=title,
        description_md=f"{text}{_range(known)} This desk's setting is **{value}**; empty means that too.",
        section=section,
        **shown,
    )


def _range(known: dict[str, Any]) -> str:
    words = [f"{word} {known[limit]}" for limit, word in LIMITS.items() if limit in known]
    return f" {' and '.join(words).capitalize()}." if words else ""
