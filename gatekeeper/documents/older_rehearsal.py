"""Rehearsal documents of format 1, which had no standard errors, and counted a tied promotion as right."""

import msgspec
from msgspec import Struct

from gatekeeper.documents.promotion_tally import PromotionTally
from gatekeeper.documents.serialization import JsonObject

GONE = ("false_promotions", "false_promotions_cost")


class _Reign(Struct, frozen=True):
    made: float
    before: float


class _Policy(Struct, frozen=True):
    reigns: list[_Reign]


class _Holdout(Struct, frozen=True):
    policies: dict[str, JsonObject]


class _RehearsalParts(Struct, frozen=True):
    holdouts: dict[str, JsonObject]


def of_format_1(content: JsonObject) -> JsonObject:
    """The document as one of format 2: its promotions counted anew, its errors unknown. Raises ValueError."""
    holdouts = {
        name: {
            **holdout,
            "policies": {
                name: _tallied(policy) for name, policy in msgspec.convert(holdout, _Holdout).policies.items()
            },
        }
        for name, holdout in msgspec.convert(content, _RehearsalParts).holdouts.items()
    }
    return {**content, "format": 2, "holdouts": holdouts}


def _tallied(policy: JsonObject) -> JsonObject:
    gains = [reign.made - reign.before for reign in msgspec.convert(policy, _Policy).reigns]
    kept = {key: value for key, value in policy.items() if key not in GONE}
    return {**kept, "tally": msgspec.to_builtins(PromotionTally.of(gains))}
