"""The primary, verified, answering."""

from gatekeeper.serving.loader import Gatekeeper, Loaded, Scores, checked, fallbacks, load

__all__ = ["Gatekeeper", "Loaded", "Scores", "checked", "fallbacks", "load"]
