"""Model card in Markdown: renders the facts of `card` by the template card.md.j2."""

from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

from msgspec import structs

from gatekeeper import texts
from gatekeeper.documents.card import CardEvaluation, CardFacts
from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from jinja2 import Template

UNKNOWN, UNDEFINED = "unknown", "undefined"

MEANING = {
    "rsi14": "Wilder's relative strength index over 14 bars, 0 to 100",
    "adx14": "Wilder's average directional index over 14 bars, 0 to 100",
    "fastMASlowDelta": "(SMA50 - SMA200) / close",
    "bbWidth": "width of the Bollinger bands (20 bars, 2 standard deviations) / SMA20",
    "avgSent": "sentiment, as the source gives it; 0 if it gives none",
    "avgOB": "order book, as the source gives it; 0 if it gives none",
    "action": "1 buy, 0 sell",
}

SHAPES = {"win_rate": ".1%", "max_drawdown": ".2%"}


def markdown(facts: CardFacts) -> str:
    """The card as Markdown; the same facts give the same text. Raises ConfigError if jinja2 is not installed."""
    return _template().render(structs.asdict(facts), meaning=MEANING)


@cache
def _template() -> "Template":
    try:
        from jinja2 import Environment, StrictUndefined
    except ModuleNotFoundError:
        raise ConfigError(
            "A model card needs the package jinja2, which is not installed. "
            "Run `pip install 'gatekeeper[train]'` or `pip install 'gatekeeper[console]'`."
        ) from None
    environment = Environment(  # noqa: S701  # Markdown, which the filters `words` and `code` escape
        undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters.update(words=_words, code=_code, figure=_figure, instant=_instant, day=_day)
    return environment.from_string((files(__package__) / "card.md.j2").read_text())


def _words(text: str | None) -> str:
    """Somebody's words, on one line: no mark of theirs becomes ours."""
    return texts.markdown(" ".join((text or "").split()))


def _code(text: str | None) -> str:
    if not text:
        return UNKNOWN
    return f"`{texts.plain(' '.join(text.replace('`', chr(39)).replace('|', '/').split()))}`"


def _figure(one: CardEvaluation, name: str) -> str:
    """One figure of an evaluation; "none" for a comparison without a champion, "unknown" for a foreign document."""
    if one.policy is None:
        return UNKNOWN
    if one.champion is None and name in {"champion_sharpe", "gain", "standard_error", "bound"}:
        return "none"
    figure: float | None = getattr(one, name)
    return UNDEFINED if figure is None else format(figure, SHAPES.get(name, ".3f"))


def _instant(value: datetime | None) -> str:
    return UNKNOWN if value is None else f"{value:%Y-%m-%d %H:%M} UTC"


def _day(value: datetime | None) -> str:
    return UNKNOWN if value is None else f"{value:%Y-%m-%d}"
