"""All data checks, in the order in which their findings are shown."""

from itertools import chain

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


def run(checked: Checked) -> tuple[Finding, ...]:
    """What all checks found: the most severe first, what the setting `accept` names as accepted notes."""
    return judged(chain.from_iterable(check(checked) for check in CHECKS), checked.settings.accept)
