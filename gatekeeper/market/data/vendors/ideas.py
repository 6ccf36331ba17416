"""What files of labelled ideas hold, and the vendors whose closed trades are read without a setting.

A vendor is one entry of VENDORS, as with bars: `columns` maps its columns to the roles below, `reshape` makes what it
writes otherwise.
"""

from gatekeeper.features import FEATURES
from gatekeeper.market.data.vendors.declaration import Shape, Vendor

_GIVEN = FEATURES[:-1]  # the seventh, the action, is a column of its own

VENDORS: tuple[Vendor, ...] = ()

IDEAS = Shape(
    "labelled ideas",
    required=("symbol", "time", "action", *_GIVEN, "outcome", "closed_at"),
    optional=("known_at", "strategy", "path", "cost", "atr"),
    numeric=(*_GIVEN, "outcome", "cost", "atr"),
    text=("symbol", "time", "action", "closed_at", "known_at", "strategy", "path"),
    vendors=VENDORS,
)
