"""The primary, verified, answering."""

from gatekeeper.serving.loader import Gatekeeper, Loaded, Scores, ServingState, checked, fallbacks, load

__all__ = ["Gatekeeper", "Loaded", "Scores", "ServingState", "checked", "fallbacks", "load"]
