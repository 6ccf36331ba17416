"""Feature schema: the names and the order of a model's features."""

FEATURES = ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB", "action")
FEATURE_SCHEMA = "gatekeeper-7-v1"

RANGES = {"rsi14": (0.0, 100.0), "adx14": (0.0, 100.0), "bbWidth": (0.0, float("inf")), "action": (0.0, 1.0)}
"""What is impossible outside of it, not what is unusual."""
OPTIONAL_FEATURES = ("avgSent", "avgOB")
"""0 for whoever has no source of them."""
