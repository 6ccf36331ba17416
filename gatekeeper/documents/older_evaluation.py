"""Evaluation documents of formats 1 and 2: as those of today, with the edition of the judgement that they went by.

Format 1 had a policy beside its rules, and held fewer of these. Neither holds what was exposed: edition 1 of the
judgement took the risk-free rate off all capital.
"""

from datetime import timedelta

import msgspec
from msgspec import Struct

from gatekeeper.documents.budget import z_of_alpha
from gatekeeper.documents.comparison import Window
from gatekeeper.documents.rules import LARGEST_ALPHA, UNKNOWN_IN_FORMAT_1, Policy, RatesRecord, Rules, SizingRecord
from gatekeeper.documents.serialization import JsonObject

ONE_DAY = timedelta(days=1)
EDITION = 1


class _Tolerance(Struct, frozen=True):
    tolerance: float | None


class _Rules(Struct, frozen=True):
    periods_per_year: int
    marked: bool
    fraction: float
    risk_free: float
    sizing: SizingRecord | None = None
    rates: RatesRecord | None = None
    calendars: str | None = None


class _Parts(Struct, frozen=True):
    policy: JsonObject
    rules: _Rules
    window: Window


class _Policed(Struct, frozen=True):
    policy: JsonObject


class _Alpha(Struct, frozen=True):
    alpha: float


class _Derived(Struct, frozen=True):
    policy: _Tolerance


def of_format_1(content: JsonObject) -> JsonObject:
    """The document as one of today. Raises ValueError for one whose parts contradict each other."""
    parts, derived = msgspec.convert(content, _Parts), msgspec.convert(content, _Derived)
    policy, rules = msgspec.convert(_with_z(parts.policy), Policy), parts.rules
    # Documents of before there was a choice have no sizing: a fixed fraction, which the other numbers don't bear on.
    sizing = rules.sizing or SizingRecord("fraction", rules.fraction, 0.0, rules.fraction, None)
    for what, one, other in (
        ("the periods of a year", rules.periods_per_year, policy.periods_per_year),
        ("the risk-free rate", rules.risk_free, policy.risk_free),
        ("the fraction of a trade", rules.fraction, sizing.fraction),
        ("the tolerance", derived.policy.tolerance, policy.tolerance),
    ):
        if one != other:
            raise ValueError(f"{what} is both {one} and {other}")
    pinned = Rules(
        edition=EDITION,
        policy=policy,
        marked=rules.marked,
        sizing=sizing,
        rates=rules.rates,
        calendars=rules.calendars,
        longest_hold_days=_longest_hold(parts.window),
        **dict.fromkeys(UNKNOWN_IN_FORMAT_1),
    )
    kept = {name: value for name, value in content.items() if name != "policy"}
    return {**kept, "format": 3, "rules": msgspec.to_builtins(pinned)}


class _Format2(Struct, frozen=True):
    rules: JsonObject


def of_format_2(content: JsonObject) -> JsonObject:
    """The document as one of today. Raises ValueError for one without rules."""
    rules = msgspec.convert(content, _Format2).rules
    policy = _with_z(msgspec.convert(rules, _Policed).policy)
    return {**content, "format": 3, "rules": {**rules, "policy": policy, "edition": EDITION}}


def _with_z(policy: JsonObject) -> JsonObject:
    """The policy with the z that follows from its alpha."""
    alpha = msgspec.convert(policy, _Alpha).alpha
    return {**policy, "z": z_of_alpha(alpha) if 0 < alpha <= LARGEST_ALPHA else 0.0}  # another is refused by Policy


def _without_z(policy: Policy) -> JsonObject:
    known: JsonObject = msgspec.to_builtins(policy)
    return {name: value for name, value in known.items() if name != "z"}


def stated(content: JsonObject, rules: Rules) -> JsonObject:
    """Policy and rules of an older document as its format writes them: whatever else they hold is unknown."""
    if content["format"] == 2:
        known = {**msgspec.to_builtins(rules), "policy": _without_z(rules.policy)}
        return {"format": 2, "rules": {name: value for name, value in known.items() if name != "edition"}}
    parts, derived = msgspec.convert(content, _Parts), msgspec.convert(content, _Derived)
    policy = _without_z(msgspec.convert(_with_z(parts.policy), Policy)) | {"tolerance": derived.policy.tolerance}
    return {"format": 1, "policy": policy, "rules": msgspec.to_builtins(parts.rules)}


def _longest_hold(window: Window) -> int:
    for instant in (window.as_of, window.end):
        if instant.tzinfo is None:
            raise ValueError(f"the instant {instant.isoformat()} has no offset from UTC")
    return (window.as_of - window.end) // ONE_DAY
