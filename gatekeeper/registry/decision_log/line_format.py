"""Line format of the decision log: decisions and outcomes as lines of JSON.

JSON keeps a spool readable. The lines are formatted by hand for speed, since each request makes one.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from json.encoder import encode_basestring_ascii as quoted
from typing import Any, NoReturn

from gatekeeper.errors import DataError
from gatekeeper.registry.naming import primary_version

IDEA, OUTCOME = "idea", "outcome"
_LENGTHS = {IDEA: (14, 13), OUTCOME: (7,)}  # 13: lines of before there was the version
_FLOAT32 = "%.9g"  # enough digits for a float32 round trip
_VECTOR = ",".join([_FLOAT32] * 7)
_STAMP = 26  # the length of YYYY-MM-DD hh:mm:ss.ffffff, in UTC without an offset


@dataclass(frozen=True, slots=True)
class Decision:
    """One scored idea and its answer.

    features: the seven of FEATURES, float32 values. score, model_id, version, sha256: None if no model answered.
    at: the time of receipt. time: the idea's own time. Both aware.
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
    """The outcome of one idea. outcome: net return, as a fraction of the entry price. at: the time of receipt.

    known_at: when the sender knew it; by default the receipt. stated: whether the sender gave known_at. All aware.
    """

    idea_id: str
    outcome: float
    closed_at: datetime
    known_at: datetime
    stated: bool
    at: datetime


def decision_lines(decisions: Sequence[Decision]) -> bytes:
    """One line for each decision, with its newline. Raises ValueError or TypeError for an invalid decision."""
    return "".join([_decision(one) for one in decisions]).encode("ascii")


def _decision(one: Decision) -> str:
    score, symbol, strategy = one.score, one.symbol, one.strategy
    doubt = sum(one.features) + (0.0 if score is None else score)
    if doubt - doubt != 0:
        raise ValueError(f"Idea {one.idea_id}: a feature or the score is not a finite number.")
    for text in (one.idea_id, symbol, strategy or ""):
        if not text.isprintable():
            _check_storable(text)
    at = stamp(one.at)
    time = at if one.time is one.at else stamp(one.time)
    plan = "null" if strategy is None else quoted(strategy)
    shown_score = "null" if score is None else _FLOAT32 % score
    model = _model(one.threshold, one.model_id, one.sha256, one.degraded, one.version)
    return (
        f'["idea",{quoted(one.idea_id)},"{at}","{time}",{quoted(symbol)},{plan},'
        f'"[{_VECTOR % one.features}]",{shown_score},{one.approved:d},{model}]\n'
    )


def _check_storable(text: str) -> None:
    text.encode()  # raises UnicodeEncodeError for half of a surrogate pair
    if "\0" in text:
        raise ValueError(f"{text!r} holds a null character, which not every database stores.")


@lru_cache(maxsize=16)
def _model(threshold: float, model_id: int | None, sha256: str | None, degraded: bool, version: str | None) -> str:
    values = [threshold, model_id, sha256, int(degraded), version]
    return json.dumps(values, separators=(",", ":"), allow_nan=False)[1:-1]


def outcome_lines(outcomes: Sequence[Outcome]) -> bytes:
    """One line for each outcome, with its newline."""
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
    """`moment` as YYYY-MM-DD hh:mm:ss.ffffff in UTC. Raises ValueError for a time without an offset."""
    if moment.tzinfo is not UTC:
        if moment.tzinfo is None:
            raise ValueError(f"The time {moment.isoformat()} has no UTC offset.")
        moment = moment.astimezone(UTC)
    return moment.isoformat(" ", "microseconds")[:_STAMP]


def parse(lines: Sequence[bytes]) -> list[list[Any]]:
    """The values of each line, its kind first: 14 for an idea, 7 for an outcome. Raises DataError for any other line.

    The features of an idea stay text: a JSON array in FEATURES order. The last value is the model's version; None in a
    line of an older server, which has 13.
    """
    try:
        values: list[list[Any]] = json.loads(b"[" + b",".join(lines) + b"]", parse_constant=_refuse)
        sound = len(values) == len(lines) and all(len(one) in _LENGTHS[one[0]] for one in values)
    except (ValueError, TypeError, KeyError, IndexError, RecursionError) as fault:
        raise DataError(f"{type(fault).__name__}: {fault}") from None
    if not sound:
        raise DataError("The line has neither the 14 values of an idea nor the 7 of an outcome.")
    for one in values:
        if len(one) == _LENGTHS[IDEA][1]:
            one.append(None)
    return values


def decision_of(values: Sequence[Any]) -> Decision:
    """The decision from the values that `parse` returned. Raises DataError."""
    try:
        (
            _,
            idea_id,
            at,
            time,
            symbol,
            strategy,
            vector,
            score,
            approved,
            threshold,
            model_id,
            sha256,
            degraded,
            version,
        ) = values
        return Decision(
            idea_id=str(idea_id),
            at=_moment(at),
            time=_moment(time),
            symbol=str(symbol),
            strategy=strategy,
            features=tuple(float(value) for value in json.loads(vector)),
            score=None if score is None else float(score),
            threshold=float(threshold),
            approved=bool(approved),
            model_id=model_id,
            version=version_then(version, model_id, degraded=bool(degraded)),
            sha256=sha256,
            degraded=bool(degraded),
        )
    except (ValueError, TypeError) as fault:
        raise DataError(f"The line is not a valid decision: {fault}.") from None


def version_then(version: str | None, model_id: int | None, *, degraded: bool) -> str | None:
    """The version that answered; older servers logged none, but unless degraded it was the primary."""
    return version if version is not None or model_id is None or degraded else primary_version(model_id)


def outcome_of(values: Sequence[Any]) -> Outcome:
    """The outcome from the values that `parse` returned. Raises DataError."""
    try:
        _, idea_id, outcome, closed_at, known_at, stated, at = values
        return Outcome(str(idea_id), float(outcome), _moment(closed_at), _moment(known_at), bool(stated), _moment(at))
    except (ValueError, TypeError) as fault:
        raise DataError(f"The line is not a valid outcome: {fault}.") from None


def _moment(stamped: str) -> datetime:
    return datetime.fromisoformat(stamped).replace(tzinfo=UTC)


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number")
