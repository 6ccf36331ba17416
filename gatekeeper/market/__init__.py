"""Market data and trade ideas: reads bars or labelled ideas, replays strategies, returns ideas with their outcomes."""

from gatekeeper.features import FEATURE_SCHEMA, FEATURES
from gatekeeper.market.ideas import Dataset, Ideas

# The readers need pandas, which a scoring server doesn't have: import them from `gatekeeper.market.sources`.
__all__ = ["FEATURES", "FEATURE_SCHEMA", "Dataset", "Ideas"]
