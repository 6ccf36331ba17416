"""Verdicts, gates and policies of the promotion rule, and the numbers that it uses."""

from dataclasses import dataclass

from gatekeeper.documents.rules import POLICIES, Policy

__all__ = ["DEPLOYS", "POLICIES", "Gain", "Policy"]

DEPLOYS = ("judged", "refit")
"""Deployed model: the bytes that were judged, or a refit by the same recipe and seed on all data to the as-of."""


@dataclass(frozen=True, slots=True)
class Gain:
    """The challenger's gain in annual Sharpe and its precision; None where undefined."""

    value: float | None = None
    standard_error: float | None = None
    bound: float | None = None
    """The lower confidence bound."""
    p: float | None = None
    detectable: float | None = None
    """The gain that this window detects with the policy's power."""
    days_needed: int | None = None
    """Market days, of the same kind as these, that would detect the gain of interest."""
