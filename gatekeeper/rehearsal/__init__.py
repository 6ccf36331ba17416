"""Rehearsal: walk-forward simulation of past weeks for each promotion policy, on one source's data."""

from gatekeeper.rehearsal.plan import Plan, mondays, plan
from gatekeeper.rehearsal.results import rehearse

__all__ = ["Plan", "mondays", "plan", "rehearse"]
