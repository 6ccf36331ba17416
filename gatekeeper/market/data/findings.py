"""Data findings under the name that the checks import; they are defined below the ideas, which carry them."""

from gatekeeper.market.findings import SHOWN, Finding, Severity, judged, lines, refuse

__all__ = ["SHOWN", "Finding", "Severity", "judged", "lines", "refuse"]
