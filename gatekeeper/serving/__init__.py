"""The primary, verified, answering."""

from gatekeeper.serving.loader import Gatekeeper, Loaded, Scores, State, checked, fallbacks, load

__all__ = ["Gatekeeper", "Loaded", "Scores", "State", "checked", "fallbacks", "load"]
