"""How is a model card read? As Markdown, from the facts alone; what nobody recorded is unknown, and says so."""

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from gatekeeper.documents.card import CardEvaluation, CardFacts, CardQuarantine

UNKNOWN, UNDEFINED = "unknown", "undefined"

MEANING = {
    "rsi14": "Wilder's relative strength index over 14 bars, 0 to 100",
    "adx14": "Wilder's average directional index over 14 bars, 0 to 100",
    "fastMASlowDelta": "(SMA50 - SMA200) / close",
    "bbWidth": "width of the Bollinger bands (20 bars, 2 standard deviations) / SMA20",
    "avgSent": "sentiment, as the source gives it; 0 where it has none",
    "avgOB": "order book, as the source gives it; 0 where it has none",
    "action": "1 buy, 0 sell",
}

JUDGED = ("evaluation", "as-of", "kind", "policy", "verdict", "decided by", "against model", "kept of ideas", "won")
COMPARED = ("Sharpe", "champion's", "ungated", "gain", "error", "lower bound", "max drawdown", "data age")
SHAPES = {"win_rate": ".1%", "max_drawdown": ".2%"}

Row = Sequence[object]


def markdown(facts: CardFacts) -> str:
    """The card: the same text for the same facts."""
    model = facts.model
    lines = [f"# Model card: {_code(model.version or 'no name')}", ""]
    lines += [f"Made {_instant(facts.made_at)} by {facts.made_by}, from what the registry has on record alone."]
    for title, part in {
        "What it is": _what(facts),
        "Training": _training(facts),
        "Features": _features(facts.features),
        "Evaluations": _evaluations(facts),
        "Promotions": _promotions(facts),
        "Quarantine": _quarantines(facts.quarantines),
        "Intended use, and limits": _limits(facts),
    }.items():
        lines += ["", f"## {title}", "", *part]
    return "\n".join(lines) + "\n"


def _what(facts: CardFacts) -> Iterator[str]:
    model, state = facts.model, facts.state
    threshold = "its threshold (unknown)" if model.threshold is None else f"{model.threshold:g}"
    yield f"It scores a trade idea from 0 to 1; an idea that scores under {threshold} is vetoed."
    yield ""
    since = f" since {_instant(state.since)}" if state.since else ""
    fault = f": {_words(state.fault)}" if state.fault else ""
    yield from _pairs(
        {
            "id": model.id,
            "state": f"{state.name}{since}{fault}",
            "note": _words(model.description) or "none",
            "sha256": _code(model.sha256),
            "size": UNKNOWN if model.size is None else f"{model.size} bytes",
            "score is read from": _words(model.recognised) or UNKNOWN,
            "registered": _instant(model.created_at),
            "run": _code(model.run_key),
            **({} if facts.twin is None else {"judged by its twin": f"model {facts.twin}"}),
            "made with gatekeeper": model.code_version or UNKNOWN,
        }
    )


def _training(facts: CardFacts) -> Iterator[str]:
    model, training = facts.model, facts.training
    ideas = UNKNOWN if training.ideas is None else f"{training.ideas}, of which {training.wins} won"
    age = UNKNOWN if training.age_days is None else f"{training.age_days} days when this card was made"
    yield from _pairs(
        {
            "recipe": _code(model.estimator),
            "seed": UNKNOWN if training.seed is None else training.seed,
            "parameters": _parameters(training.parameters),
            "source": _code(training.source),
            "ideas": ideas,
            "first idea": _instant(model.trained_from),
            "last outcome": _instant(model.trained_to),
            "nothing known after": _instant(model.cutoff),
            "age of its data": age,
            "fingerprint of its data": _code(model.fingerprint),
        }
    )
    if training.notes:
        yield from ("", *(f"- {_words(note)}" for note in training.notes))


def _features(names: Sequence[str] | None) -> Iterator[str]:
    if names is None:
        yield "Unknown: its feature schema is not on record, or not of this version."
        return
    yield from _table(("feature", "meaning"), ((_code(name), MEANING[name]) for name in names))


def _evaluations(facts: CardFacts) -> Iterator[str]:
    judged, champion = facts.evaluations, facts.as_champion
    if not judged:
        yield "None: it was never judged as a challenger."
    else:
        yield (
            "Each on ideas behind the training data of both models, or of their judged twins, net of costs; "
            "Sharpe ratios and gain are annual."
        )
        yield ""
        yield from _table((*JUDGED, *COMPARED), map(_judged, judged))
        if not all(each.of_these_bytes for each in judged):
            yield from ("", "Those marked * judged other bytes under this id.")
    if champion.count:
        yield from (
            "",
            f"It was the champion in {champion.count} more, the newest as of {_day(champion.newest)}.",
        )


def _judged(one: CardEvaluation) -> Row:
    return (
        f"{one.id}{'' if one.of_these_bytes else ' *'}",
        _day(one.as_of),
        one.kind,
        one.policy or UNKNOWN,
        one.verdict,
        one.decided_by or UNKNOWN,
        "none" if one.champion is None else one.champion,
        UNKNOWN if one.kept is None else f"{one.kept} of {one.ideas}",
        *(_figure(one, name) for name in ("win_rate", "sharpe", "champion_sharpe", "ungated_sharpe")),
        *(_figure(one, name) for name in ("gain", "standard_error", "bound", "max_drawdown")),
        UNKNOWN if one.age_days is None else f"{one.age_days} days",
    )


def _promotions(facts: CardFacts) -> Iterator[str]:
    if not facts.promotions:
        yield "None: it was never the primary."
        return
    own = facts.model.id
    columns = ("generation", "at", "what", "kind", "as-of", "evaluation", "by", "reason")
    rows = (
        (
            each.generation,
            _instant(each.at),
            "became the primary" if each.to_id == own else f"replaced by model {each.to_id}",
            each.kind,
            _day(each.as_of),
            "none" if each.evaluation_id is None else each.evaluation_id,
            _words(each.actor),
            _words(each.reason),
        )
        for each in facts.promotions
    )
    yield from _table(columns, rows)


def _quarantines(rows: Sequence[CardQuarantine]) -> Iterator[str]:
    if not rows:
        yield "None: nobody rolled back from these bytes."
        return
    columns = ("since", "by", "reason", "lifted", "by", "reason")
    yield from _table(
        columns,
        (
            (
                _instant(each.at),
                _words(each.actor),
                _words(each.reason),
                *(("it stands", "", "") if each.released_at is None else _lifted(each)),
            )
            for each in rows
        ),
    )


def _lifted(row: CardQuarantine) -> Row:
    return _instant(row.released_at), _words(row.released_by), _words(row.release_reason)


def _limits(facts: CardFacts) -> Iterator[str]:
    model, judged = facts.model, facts.evaluations
    symbols = next((each.symbols for each in judged if each.symbols), None)
    about = (
        f"judged last on ideas of {', '.join(map(_words, symbols))}" if symbols else "which symbols is not on record"
    )
    yield "- Meant for one thing: to veto ideas for new trades, of the kind that it was trained on; " + about + "."
    yield "- Not meant for exits and hedges, which never pass a gate, nor for the size of a trade."
    ends = model.trained_to
    yield (
        "- Where its data end is unknown."
        if ends is None
        else f"- It knows nothing of what happened after {_day(ends)}."
    )
    yield "- Its score is a chance only as far as the calibration in its reports shows."
    yield "- Its numbers are of the windows above, of the past, and of simulated fills at the stated costs."


def _parameters(values: dict[str, object] | None) -> str:
    if values is None:
        return UNKNOWN
    return ", ".join(_code(f"{name}={value}") for name, value in values.items())


def _pairs(values: dict[str, object]) -> Iterator[str]:
    yield from _table(("", ""), values.items())


def _table(columns: Sequence[str], rows: Iterable[Row]) -> Iterator[str]:
    yield f"| {' | '.join(columns)} |"
    yield f"|{'---|' * len(columns)}"
    for row in rows:
        yield f"| {' | '.join(map(str, row))} |"


def _words(text: str | None) -> str:
    """Somebody's words, on one line: no mark of theirs becomes ours."""
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", " ".join((text or "").split()))


def _code(text: str | None) -> str:
    if not text:
        return UNKNOWN
    return f"`{' '.join(text.replace('`', chr(39)).replace('|', '/').split())}`"


def _figure(one: CardEvaluation, name: str) -> str:
    """Without a champion there is nothing to compare with; of a document of another make nothing is known."""
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
