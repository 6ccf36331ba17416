"""Feature schema: the names and the order of what a model scores."""

FEATURES = ("rsi14", "adx14", "fastMASlowDelta", "bbWidth", "avgSent", "avgOB", "action")
FEATURE_SCHEMA = "gatekeeper-7-v1"
