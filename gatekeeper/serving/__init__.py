"""Model serving: loads the verified primary or its fallback, and scores ideas with it."""

from gatekeeper.serving.loader import Gatekeeper, Loaded, Scores, ServingState, checked, fallbacks, load

__all__ = ["Gatekeeper", "Loaded", "Scores", "ServingState", "checked", "fallbacks", "load"]
