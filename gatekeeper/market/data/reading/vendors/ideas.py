"""What files of labelled ideas hold, for `columns`. Exported trades have layouts of their own, in `trades.layouts`."""

from gatekeeper.features import FEATURES
from gatekeeper.market.data.reading.vendors.declaration import Shape

_GIVEN = FEATURES[:-1]  # the seventh, the action, is a column of its own

IDEAS = Shape(
    "labelled ideas",
    required=("symbol", "time", "action", *_GIVEN, "outcome", "closed_at"),
    optional=("known_at", "strategy", "path", "cost", "atr"),
    numeric=(*_GIVEN, "outcome", "cost", "atr"),
    text=("symbol", "time", "action", "closed_at", "known_at", "strategy", "path"),
)
