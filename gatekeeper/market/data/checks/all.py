"""All data checks, in the order in which their findings are shown."""

from collections.abc import Iterable
from itertools import chain

from gatekeeper.market.data.checks import classes, duplicates, features, future, outcome_unit
from gatekeeper.market.data.checks.calendar_days import calendar
from gatekeeper.market.data.checks.checked import Check, Checked
from gatekeeper.market.data.checks.constant import constant_columns
from gatekeeper.market.data.checks.daylight import daylight
from gatekeeper.market.data.checks.last_volume import last_volume
from gatekeeper.market.data.checks.splits import splits
from gatekeeper.market.data.checks.stamps import stamps
from gatekeeper.market.data.checks.twins import twins
from gatekeeper.market.data.checks.volume import repeated, stale_bars, volume
from gatekeeper.market.findings import Finding, judged

CHECKS: tuple[Check, ...] = (
    *(splits, twins, repeated, stale_bars, constant_columns, volume),
    *(stamps, last_volume, daylight, calendar),
)
OF_IDEAS: tuple[Check, ...] = (
    outcome_unit.check,
    features.check,
    classes.check,
    duplicates.check,
    future.check,
)
OF_REPLAYED: tuple[Check, ...] = (future.check_found,)
"""Of the ideas that were found in bars."""


def run(checked: Checked, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """What the checks found: the most severe first, what the setting `accept` names as accepted notes."""
    return judged(chain.from_iterable(check(checked) for check in checks), checked.settings.accept)
