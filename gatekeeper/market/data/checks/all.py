"""All data checks, in the order in which their findings are shown."""

from itertools import chain

from gatekeeper.market.data.checks.checked import Check, Checked
from gatekeeper.market.data.checks.constant import constant_columns
from gatekeeper.market.data.checks.splits import splits
from gatekeeper.market.data.checks.twins import twins
from gatekeeper.market.data.checks.volume import repeated, stale_bars, volume
from gatekeeper.market.findings import Finding, judged

CHECKS: tuple[Check, ...] = (splits, twins, repeated, stale_bars, constant_columns, volume)


def run(checked: Checked) -> tuple[Finding, ...]:
    """What all checks found: the most severe first, what the setting `accept` names as accepted notes."""
    return judged(chain.from_iterable(check(checked) for check in CHECKS), checked.settings.accept)
