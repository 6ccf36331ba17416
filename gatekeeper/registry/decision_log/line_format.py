"""What is a decision, what is an outcome, and how is each one line of text?

A line is JSON, so that people can read a spool; it is put together by hand, because it is made for every request.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NoReturn

from gatekeeper.errors import DataError

IDEA, OUTCOME = "idea", "outcome"
_LENGTHS = {IDEA: 13, OUTCOME: 7}
_FLOAT32 = "%.9g"  # all the digits that it has
_VECTOR = ",".join([_FLOAT32] * 7)
_STAMP = 26  # YYYY-MM-DD hh:mm:ss.ffffff: UTC without saying so


@dataclass(frozen=True, slots=True)
class Decision:
    """One scored idea, and what was answered.

    features: the seven of FEATURES, float32 values. score: None where no model answered; so are model_id, version
    and sha256. at: when it was received. time: the idea's own. Both aware.
    """

    idea_id: str
    at: datetime
    time: datetime
    symbol: str
    strategy: str | None
    features: tuple[float, ...]
    score: float | None
    threshold: float
    approved: bool
    model_id: int | None
    version: str | None
    sha256: str | None
    degraded: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """One idea closed. outcome: net return, as a fraction of the entry price. at: when we received it.

    known_at: when the sender knew; by default our receipt. stated: it was said by the sender. All aware.
    """

    idea_id: str
    outcome: float
    closed_at: datetime
    known_at: datetime
    stated: bool
    at: datetime


def decision_lines(decisions: Sequence[Decision]) -> bytes:
    """All of them, each with its newline. Raises ValueError or TypeError for what is no decision."""
    return "".join([_decision(one) for one in decisions]).encode("ascii")


def _decision(one: Decision) -> str:
    score, symbol, strategy = one.score, one.symbol, one.strategy
    doubt = sum(one.features) + (0.0 if score is None else score)
    if doubt - doubt != 0:
        raise ValueError(f"idea {one.idea_id}: a feature or the score is no finite number")
    for text in (one.idea_id, symbol, strategy or ""):
        if not text.isprintable():
            _check_storable(text)
    at = stamp(one.at)
    time = at if one.time is one.at else stamp(one.time)
    plan = "null" if strategy is None else quoted(strategy)
    said = "null" if score is None else _FLOAT32 % score
    model = _model(one.threshold, one.model_id, one.sha256, one.degraded)
    return (
        f'["idea",{quoted(one.idea_id)},"{at}","{time}",{quoted(symbol)},{plan},'
        f'"[{_VECTOR % one.features}]",{said},{one.approved:d},{model}]\n'
    )


def _check_storable(text: str) -> None:
    text.encode()  # not half of a surrogate pair
    if "\0" in text:
        raise ValueError(f"{text!r} holds a character that not every database stores")


@lru_cache(maxsize=16)
def _model(threshold: float, model_id: int | None, sha256: str | None, degraded: bool) -> str:
    return json.dumps([threshold, model_id, sha256, int(degraded)], separators=(",", ":"), allow_nan=False)[1:-1]


def outcome_lines(outcomes: Sequence[Outcome]) -> bytes:
    """All of them, each with its newline."""
    return b"".join(
        json.dumps(
            [OUTCOME, o.idea_id, o.outcome, stamp(o.closed_at), stamp(o.known_at), int(o.stated), stamp(o.at)],
            separators=(",", ":"),
            allow_nan=False,
        ).encode()
        + b"\n"
        for o in outcomes
    )


def stamp(moment: datetime) -> str:
    """YYYY-MM-DD hh:mm:ss.ffffff in UTC. Raises ValueError for a time without its offset."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError(f"{moment.isoformat()} has no offset")
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:_STAMP]


def parse(lines: Sequence[bytes]) -> list[list[Any]]:
    """The values of each line: 13 of an idea, 7 of an outcome, its kind first. Raises DataError if one is neither.

    The features of an idea come as the text that they are, a JSON array in FEATURES order.
    """
    try:
        values: list[list[Any]] = json.loads(b"[" + b",".join(lines) + b"]", parse_constant=_refuse)
        sound = len(values) == len(lines) and all(len(one) == _LENGTHS[one[0]] for one in values)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as fault:
        raise DataError(f"{type(fault).__name__}: {fault}") from None
    if not sound:
        raise DataError("it has more or fewer values than a decision or an outcome")
    return values


def outcome_of(values: Sequence[Any]) -> Outcome:
    """The outcome that `parse` read. Raises DataError."""
    try:
        _, idea_id, outcome, closed_at, known_at, stated, at = values
        return Outcome(str(idea_id), float(outcome), _moment(closed_at), _moment(known_at), bool(stated), _moment(at))
    except (ValueError, TypeError) as fault:
        raise DataError(f"it is no outcome: {fault}") from None


def _moment(stamped: str) -> datetime:
    return datetime.fromisoformat(stamped).replace(tzinfo=UTC)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is no number")
