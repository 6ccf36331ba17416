"""What did the market do, and which trade ideas would it have given? Raw data in, labelled ideas out."""

from gatekeeper.features import FEATURE_SCHEMA, FEATURES
from gatekeeper.market.ideas import Dataset, Ideas

# The readers need pandas, which a scoring server hasn't got: import them from `gatekeeper.market.sources`.
__all__ = ["FEATURES", "FEATURE_SCHEMA", "Dataset", "Ideas"]
