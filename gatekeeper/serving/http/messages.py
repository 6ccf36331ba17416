"""HTTP messages: request and response types of the scoring server, with their JSON schema."""

import json
import re
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from gatekeeper.model.verify import LARGEST_FEATURE
from gatekeeper.serving.http.problems import Problem
from gatekeeper.serving.ladder import Fallback

T = TypeVar("T")

_TEXT = r"^[^\x00-\x1f\x7f]+"
_ID = r"^[A-Za-z0-9_.:-]+"
# Python's `$` matches before a final newline, its `\Z` does not; JSON Schema knows only `$`.
Text = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_TEXT + r"\Z", extra_json_schema={"pattern": _TEXT + "$"})
]
IdeaId = Annotated[
    str, Meta(min_length=1, max_length=64, pattern=_ID + r"\Z", extra_json_schema={"pattern": _ID + "$"})
]
Feature = Annotated[float, Meta(ge=-LARGEST_FEATURE, le=LARGEST_FEATURE)]
Action = Annotated[float, Meta(extra_json_schema={"enum": [0, 1]})] | Literal["buy", "sell"]
# Milliseconds from March 1973 to 2100; today's epoch seconds lie below this range.
Time = (
    Annotated[datetime, Meta(tz=True, description="ISO 8601 with its offset")]
    | Annotated[float, Meta(ge=1e11, le=4_102_444_800_000, description="epoch milliseconds")]
)
Return = Annotated[float, Meta(ge=-100, le=100, description="net return as a fraction of the entry price: 0.02 is 2 %")]


class Features(Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """The seven features; `action` is 1 or "buy", 0 or "sell"."""

    rsi14: Feature
    adx14: Feature
    fastMASlowDelta: Feature  # noqa: N815  # the contract's name
    bbWidth: Feature  # noqa: N815  # the contract's name
    avgSent: Feature  # noqa: N815  # the contract's name
    avgOB: Feature  # noqa: N815  # the contract's name
    action: Action


class Idea(Struct, frozen=True, forbid_unknown_fields=True):
    """A trade idea. `time` is its own time (default: now); `idea_id` gives a retry the first decision again."""

    symbol: Text
    features: Features
    time: Time | None = None
    strategy: Text | None = None
    idea_id: IdeaId | None = None


class Closed(Struct, frozen=True, forbid_unknown_fields=True):
    """The outcome of an idea, traded or not, and when it was known (default: now)."""

    idea_id: IdeaId
    outcome: Return
    closed_at: Time
    known_at: Time | None = None


class Answer(Struct, frozen=True):
    """The decision on an idea. Without a model, `score`, `version`, `model_id` and `sha256` are null.

    `repeated`: this id was decided before, and this is that first decision.
    """

    idea_id: str
    decision: Literal["approve", "veto"]
    score: float | None
    threshold: float
    version: str | None
    model_id: int | None
    sha256: str | None
    degraded: bool
    reason: str | None
    logged: bool
    repeated: bool


class Unanswered(Struct, frozen=True):
    """An idea of an array that gets no decision: its id belongs to another symbol, side or features."""

    idea_id: str
    error: Literal["idea_conflict"]
    detail: str


class Noted(Struct, frozen=True):
    """`recorded`: the outcome is in the database. `pending`: it is on the spool, and will be delivered."""

    idea_id: str
    status: Literal["recorded", "pending"]


class Serving(Struct, frozen=True):
    """The model that answers. `fallback` is its place in the order of trust: `primary` is the primary's own file."""

    model_id: int
    version: str
    sha256: str
    threshold: float
    fallback: Fallback
    degraded: bool
    reason: str | None
    created_at: datetime | None
    trained_to: datetime | None
    generation: int | None
    lag_seconds: float


class Ready(Struct, frozen=True):
    """A model answers. `degraded`: it is another one than the primary, or `stalled` names background loops."""

    status: Literal["ready"]
    version: str
    degraded: bool
    reason: str | None
    stalled: list[str]


class Alive(Struct, frozen=True):
    """The process answers."""

    status: Literal["alive"]


_WANTED = {
    "features": "A feature is a finite number from -1e9 to 1e9.",
    "action": 'An action is 1 or "buy", 0 or "sell".',
    "time": "A time is ISO 8601 with its offset, such as 2018-01-31T14:30:00Z, or epoch milliseconds.",
    "outcome": "An outcome is a net return as a fraction of the entry price, from -100 to 100: 0.02 is 2 %.",
    "idea_id": "An id has 1 to 64 letters, digits, or any of _ . : -",
    "symbol": "A symbol has 1 to 64 characters.",
    "strategy": "A strategy has 1 to 64 characters.",
}
_WANTED["closed_at"] = _WANTED["known_at"] = _WANTED["time"]
_NAMES: dict[type[Any], tuple[int, tuple[str, ...]]] = {
    Idea: (2 + len(Features.__struct_fields__), ("time", "strategy", "idea_id")),
    Closed: (3, ("known_at",)),
}
"""Of each kind, the number of names that it must give, those within it too, and those that it may give."""
_BEFORE_COLON = (b" :", b"\t:", b"\n:", b"\r:")
_FAULT = re.compile(r"(?P<what>.*?)(?: - at `\$(?P<where>[^`]*)`)?", re.DOTALL)
_STEP = re.compile(r"\[(\d+)\]|\.(\w+)")
_NAMED = re.compile(r"field `(\w+)`")


class Reader:
    """Parses request bodies: one object of type `kind`, or an array of up to `most`."""

    def __init__(self, kind: type[Any], most: int) -> None:
        self._type: Any = kind | Annotated[list[kind], Meta(max_length=most)]  # type: ignore[valid-type]  # made at run time
        self._decoder = msgspec.json.Decoder(self._type)
        self._most = most
        self._names = _NAMES[kind]

    def read(self, body: bytes) -> Any:
        """The object or the list of objects in `body`. Raises Problem, which names idea and field."""
        try:
            found = self._decoder.decode(body)
        except msgspec.ValidationError as fault:
            raise self._refusal(str(fault), body) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as fault:
            self._refuse_infinite(body)
            raise Problem(400, "json", f"The body is not valid JSON: {fault}.") from None

        self._refuse_twice(body, found if isinstance(found, list) else (found,))
        return found

    def _refuse_twice(self, body: bytes, found: Sequence[Any]) -> None:
        """Raise Problem for a name that an object gives twice: the decoder takes the last, others the first.

        Whoever writes a null, or a space before a colon, costs a closer look.
        """
        required, others = self._names
        expected = required * len(found) + sum(getattr(one, name) is not None for one in found for name in others)
        # Within a text, a quote has a backslash before it; no name ends with a backslash.
        names = body.count(b'":') - body.count(b'\\":')
        if names != expected or any(space in body for space in _BEFORE_COLON):
            json.loads(body, object_pairs_hook=_once)

    def _refuse_infinite(self, body: bytes) -> None:
        """Raise Problem for NaN and Infinity, which are not JSON, and name the field."""
        try:
            msgspec.convert(json.loads(body), self._type)
        except msgspec.ValidationError as fault:
            raise self._refusal(str(fault), body) from None
        except (ValueError, RecursionError):
            return

    def _refusal(self, text: str, body: bytes) -> Problem:
        matched = _FAULT.fullmatch(text)
        what, where = (matched["what"], matched["where"] or "") if matched else (text, "")
        steps: list[str | int] = [int(number) if number else name for number, name in _STEP.findall(where)]
        if "`array` of length" in what:
            return Problem(
                422,
                "too_many",
                f"The request holds more than {self._most} items (GATEKEEPER_MAX_IDEAS). Send several requests.",
            )
        named = _NAMED.search(what)
        names = [*(step for step in steps if isinstance(step, str)), *(named.groups() if named else ())]
        idea = steps[0] if steps and isinstance(steps[0], int) else None
        field = names[-1] if names else None
        value = "" if named else _shown(body, steps)
        wanted = _WANTED.get(field or "") or _WANTED.get(names[0] if names else "", "")
        problem = f"{'.'.join(names) or 'the body'}{value}" + ("" if value and wanted else f": {what}")
        return Problem(
            422,
            field if field in {"time", "closed_at", "known_at"} else "schema",
            " ".join(filter(None, [f"{problem}." if idea is None else f"Idea {idea}: {problem}.", wanted])),
            idea=idea,
            field=field,
        )


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. Raises Problem if a name is there twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise Problem(400, "json", f"The body gives {twice!r} twice in one object. Send it once.")
    return found


def _shown(body: bytes, steps: Sequence[str | int]) -> str:
    """` is VALUE`, if the value can be found and is short."""
    try:
        value = json.loads(body)
        for step in steps:
            value = value[step]
    except (ValueError, LookupError, TypeError, RecursionError):
        return ""
    return "" if isinstance(value, (dict, list)) else f" is {json.dumps(value):.60}"
