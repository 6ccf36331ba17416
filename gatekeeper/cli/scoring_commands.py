"""Command `score`: scores ideas with the primary."""

import json
from pathlib import Path
from typing import Any

import click

from gatekeeper.cli.show import as_json, echo, json_option, opened
from gatekeeper.errors import DataError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("values", nargs=-1, metavar="[NAME=VALUE ...]")
@click.option(
    "--file", type=click.File(), help="JSON file: an object by feature name, or an array of them; - for stdin."
)
@json_option
def score(values: tuple[str, ...], file: Any, as_json_: bool) -> None:
    """Score ideas with the primary.

    Give one idea's seven features as NAME=VALUE, or ideas in a file.

    Example: gatekeeper score rsi14=41 adx14=22 fastMASlowDelta=0.02 bbWidth=0.05 avgSent=0 avgOB=0 action=1
    """
    from gatekeeper import config
    from gatekeeper.serving import Gatekeeper

    settings = config.load()
    rows = _rows(json.loads(_read(file)) if file else [_named(values)])
    with opened() as registry:
        scores = Gatekeeper(registry, threshold=settings.threshold).score(rows)
    answers = [
        {
            "decision": "approve" if approved else "veto",
            "score": float(value),
            "threshold": scores.threshold,
            "version": scores.version,
            "sha256": scores.sha256,
            "degraded": scores.degraded,
            "reason": scores.reason,
        }
        for value, approved in zip(scores.values, scores.approved, strict=True)
    ]
    if as_json_:
        as_json(answers)
        return
    for answer in answers:
        echo(f"{answer['decision']}  {answer['score']:.6f}  threshold {answer['threshold']}  {answer['version']}")
    if scores.degraded:
        echo(f"Degraded: another model than the primary answered. {scores.reason}", err=True)


def _read(file: Any) -> str:
    try:
        text: str = file.read()
        json.loads(text)
    except ValueError as fault:  # JSON, or the file's encoding
        name = getattr(file, "name", "the input")
        raise DataError(
            f"{Path(str(name)).name} is not valid JSON: {fault}. Write an object by feature name."
        ) from None
    return text


def _named(values: tuple[str, ...]) -> dict[str, object]:
    return dict(value.partition("=")[::2] for value in values)


def _rows(ideas: Any) -> list[list[float]]:
    from gatekeeper.features import FEATURES

    listed = ideas if isinstance(ideas, list) else [ideas]
    rows = []
    for number, idea in enumerate(listed):
        if not isinstance(idea, dict) or set(idea) != set(FEATURES):
            given = ", ".join(idea) if isinstance(idea, dict) else repr(idea)
            raise DataError(
                f"Idea {number} has the features {given or '(none)'}. It needs exactly {', '.join(FEATURES)}."
            )
        rows.append([_number(number, name, idea[name]) for name in FEATURES])
    return rows


def _number(idea: int, name: str, value: object) -> float:
    try:
        return float(value)  # type: ignore[arg-type]  # a value that is not a number is refused below
    except (TypeError, ValueError, OverflowError):
        raise DataError(f"Idea {idea}: {name}={value!r} is not a number.") from None


COMMANDS: dict[str, click.Command] = {"score": score}
