"""Request handlers of POST /v1/score and POST /v1/outcomes."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from secrets import token_hex
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import astuple

from gatekeeper.errors import ModelRefused, NoModel, Unavailable
from gatekeeper.serving.decision_log.idea_file import Claim
from gatekeeper.serving.decision_log.idea_memory import IdeaMemory
from gatekeeper.serving.decision_log.log import Decision, DecisionLog, Outcome, OutcomeRefused, OutcomeTooEarly
from gatekeeper.serving.http.counters import Counters
from gatekeeper.serving.http.messages import Answer, Closed, Features, Idea, Noted, Reader, Unanswered
from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.http.replies import Reply
from gatekeeper.serving.loader import Gatekeeper, Scores

SKEW = timedelta(seconds=5)  # how far a caller's clock may be ahead of the server's
AT_ONCE = 64  # ideas that are scored in the event loop; more get a thread
CLOSING = 8  # threads for outcomes, which may wait for the database
EARLIEST = 1973  # the first year accepted; earlier epoch milliseconds look like seconds

ACTIONS = {"buy": 1.0, "sell": 0.0, 1.0: 1.0, 0.0: 0.0}

CONFLICT: Literal["idea_conflict"] = "idea_conflict"

Places = Sequence[int | None]

_encode = msgspec.json.Encoder().encode


def utc_now() -> datetime:
    """The time of this machine's clock, in UTC."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class _WithoutModel:
    """Origin of a decision without a model."""

    threshold: float
    model_id: None = None
    version: None = None
    sha256: None = None
    degraded: bool = True


class Scoring:
    """POST /v1/score. `on_no_model` is the answer if no model may answer: veto, pass or error."""

    def __init__(
        self,
        gatekeeper: Gatekeeper,
        log: DecisionLog,
        memory: IdeaMemory,
        counters: Counters,
        *,
        on_no_model: Literal["veto", "pass", "error"],
        threshold: float,
        most: int,
        clock: Callable[[], datetime] = utc_now,
    ) -> None:
        self._gatekeeper = gatekeeper
        self._log = log
        self._memory = memory
        self._counters = counters
        self._on_no_model = on_no_model
        self._threshold = threshold
        self._reader = Reader(Idea, most)
        self._clock = clock

    async def __call__(self, body: bytes) -> Reply:
        """Decide one idea or many; the answer has the same form and order. Raises Problem."""
        read = self._reader.read(body)
        at = self._clock()
        ideas, places = _listed(read)
        if len(ideas) > AT_ONCE:
            claims, logged = await asyncio.to_thread(self._decide, ideas, places, at)
        else:
            claims, logged = self._decide(ideas, places, at)
        self._counters.decided(claims, logged=logged)
        if isinstance(read, list):
            pairs = zip(ideas, claims, strict=True)
            return Reply(200, _encode([_answer(claim, logged) or _unanswered(idea) for idea, claim in pairs]))
        if (answer := _answer(claims[0], logged)) is None:
            raise Problem(409, CONFLICT, _conflict(read), field="idea_id")
        return Reply(200, _encode(answer))

    def _decide(self, ideas: Sequence[Idea], places: Places, at: datetime) -> tuple[list[Claim], bool]:
        """What stands for each idea, and whether it is logged.

        A repeated decision is logged again, since its first worker may have been killed before it had logged it: the
        database takes it once.
        """
        _refuse_twice([idea.idea_id for idea in ideas if idea.idea_id is not None])
        times = [_time(idea.time, at, "time", place) for idea, place in zip(ideas, places, strict=True)]
        rows = np.array(
            [_row(idea.features, place) for idea, place in zip(ideas, places, strict=True)], dtype=np.float32
        )
        claims = self._judged(ideas, times, rows.reshape(-1, 7), at)
        standing = [claim.decision for claim in claims if claim.decision is not None]
        return claims, self._log.write(standing) if standing else True

    def _judged(self, ideas: Sequence[Idea], times: Sequence[datetime], rows: np.ndarray, at: datetime) -> list[Claim]:
        try:
            scores = self._gatekeeper.score(rows)
        except (NoModel, ModelRefused) as fault:  # ModelRefused: a score that is not a number from 0 to 1
            return self._undecided(ideas, times, rows, at, str(fault))
        verdicts = zip(scores.values.tolist(), scores.approved.tolist(), strict=True)
        return self._claimed(ideas, _decisions(ideas, times, rows, at, verdicts, scores), scores.reason)

    def _undecided(
        self, ideas: Sequence[Idea], times: Sequence[datetime], rows: np.ndarray, at: datetime, reason: str
    ) -> list[Claim]:
        """What stands without a model: earlier decisions, and those by the setting `on_no_model`, without a score."""
        verdict = (None, self._on_no_model == "pass")
        decisions = _decisions(ideas, times, rows, at, [verdict] * len(ideas), _WithoutModel(self._threshold))
        if self._on_no_model == "error":
            if (known := self._memory.recall(decisions)) is None:
                raise Problem(503, "no_model", reason)
            return known
        return self._claimed(ideas, decisions, reason)

    def _claimed(self, ideas: Sequence[Idea], decisions: Sequence[Decision], reason: str | None) -> list[Claim]:
        """What stands for each idea. An id that the server made needs no claim: nobody else knows it."""
        named = [one for idea, one in zip(ideas, decisions, strict=True) if idea.idea_id is not None]
        if not named:
            return [Claim(one, False, reason) for one in decisions]
        claims = self._memory.claim(named, reason)
        if len(named) == len(decisions):
            return claims
        each = iter(claims)
        pairs = zip(ideas, decisions, strict=True)
        return [Claim(one, False, reason) if idea.idea_id is None else next(each) for idea, one in pairs]


class Closing:
    """POST /v1/outcomes: the outcomes of ideas, vetoed ones included."""

    def __init__(self, log: DecisionLog, *, most: int, clock: Callable[[], datetime] = utc_now) -> None:
        self._log = log
        self._reader = Reader(Closed, most)
        self._clock = clock
        # Their own: in those of scoring, outcomes that wait for a locked database would keep ideas waiting too.
        self._threads = ThreadPoolExecutor(CLOSING, "gatekeeper outcomes")

    async def __call__(self, body: bytes) -> Reply:
        """Record one outcome or many; status 202 if one of them is not in the database yet. Raises Problem."""
        read = self._reader.read(body)
        at = self._clock()
        closed, places = _listed(read)
        _refuse_twice([one.idea_id for one in closed])
        outcomes = [_outcome(one, at, place) for one, place in zip(closed, places, strict=True)]
        try:
            states = await asyncio.get_running_loop().run_in_executor(self._threads, self._log.close, outcomes)
        except OutcomeTooEarly as fault:
            raise Problem(422, "closed_at", str(fault), field="closed_at") from None
        except OutcomeRefused as fault:
            raise Problem(409, "outcome", str(fault)) from None
        except Unavailable as fault:  # neither the database nor the spool takes it
            raise Problem(503, "unavailable", str(fault)) from None
        noted = [Noted(one.idea_id, state) for one, state in zip(closed, states, strict=True)]
        status = 202 if "pending" in states else 200
        return Reply(status, _encode(noted if isinstance(read, list) else noted[0]))


def _decisions(
    ideas: Sequence[Idea],
    times: Sequence[datetime],
    rows: np.ndarray,
    at: datetime,
    verdicts: Iterable[tuple[float | None, bool]],
    by: Scores | _WithoutModel,
) -> list[Decision]:
    """One decision for each idea. verdicts: its score, and whether it is approved."""
    # Ids ascend with time, as in RFC 9562 version 7: random ones cost a database's index twice as much.
    since = f"{int(at.timestamp() * 1000):012x}"
    return [
        Decision(
            idea_id=idea.idea_id or since + token_hex(10),
            at=at,
            time=time,
            symbol=idea.symbol,
            strategy=idea.strategy,
            features=tuple(row),
            score=score,
            threshold=by.threshold,
            approved=approved,
            model_id=by.model_id,
            version=by.version,
            sha256=by.sha256,
            degraded=by.degraded,
        )
        for idea, time, row, (score, approved) in zip(ideas, times, rows.tolist(), verdicts, strict=True)
    ]


def _answer(claim: Claim, logged: bool) -> Answer | None:
    """None if the id belongs to another idea."""
    one = claim.decision
    if one is None:
        return None
    return Answer(
        one.idea_id,
        "approve" if one.approved else "veto",
        one.score,
        one.threshold,
        one.version,
        one.model_id,
        one.sha256,
        one.degraded,
        claim.reason,
        logged,
        claim.repeated,
    )


def _unanswered(idea: Idea) -> Unanswered:
    return Unanswered(str(idea.idea_id), CONFLICT, _conflict(idea))


def _conflict(idea: Idea) -> str:
    return (
        f"Idea {idea.idea_id} was decided already, for another symbol, side or features. "
        "Give each idea an id of its own, or repeat the first request unchanged."
    )


def _listed(read: Any) -> tuple[list[Any], Places]:
    """The items as a list, and the index of each in the request; None for a single item."""
    return (read, range(len(read))) if isinstance(read, list) else ([read], (None,))


def _at(place: int | None) -> str:
    return "" if place is None else f"Idea {place}: "


def _row(features: Features, place: int | None) -> tuple[float, ...]:
    """The features in FEATURES order; `action` comes last."""
    *numbers, action = astuple(features)
    side = ACTIONS.get(action)
    if side is None:
        raise Problem(
            422,
            "schema",
            f'{_at(place)}features.action is {action}. An action is 1 or "buy", 0 or "sell".',
            idea=place,
            field="action",
        )
    return (*numbers, side)


def _time(given: datetime | float | None, at: datetime, field: str, place: int | None) -> datetime:
    """`given` in UTC; the server's time if none is given or the caller's clock is slightly ahead. Raises Problem."""
    if given is None:
        return at
    moment = given if isinstance(given, datetime) else datetime.fromtimestamp(given / 1000, UTC)
    if moment > at + SKEW:
        problem = f"lies after the server's time {at.isoformat()}. Check the sender's clock."
    elif moment.year < EARLIEST:
        problem = f"lies before {EARLIEST}. Epoch times are in milliseconds."
    else:
        return min(moment.astimezone(UTC), at)
    raise Problem(422, field, f"{_at(place)}{field} {moment.isoformat()} {problem}", idea=place, field=field)


def _outcome(closed: Closed, at: datetime, place: int | None) -> Outcome:
    closed_at = _time(closed.closed_at, at, "closed_at", place)
    known_at = _time(closed.known_at, at, "known_at", place)
    if known_at < closed_at:
        raise Problem(
            422,
            "known_at",
            f"{_at(place)}known_at {known_at.isoformat()} lies before closed_at {closed_at.isoformat()}. "
            "An outcome can't be known before the trade closes.",
            idea=place,
            field="known_at",
        )
    return Outcome(
        idea_id=closed.idea_id,
        outcome=closed.outcome,
        closed_at=closed_at,
        known_at=known_at,
        stated=known_at < at,
        at=at,
    )


def _refuse_twice(ids: Sequence[str]) -> None:
    if len(set(ids)) < len(ids):
        first = next(one for place, one in enumerate(ids) if one in ids[:place])
        raise Problem(422, "idea_id", f"The idea_id {first!r} is in the request twice. Each idea needs its own.")
