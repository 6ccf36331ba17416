"""Feature schema: the names and the order of a model's features."""

FEATURES = ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB", "action")
FEATURE_SCHEMA = "gatekeeper-7-v1"
