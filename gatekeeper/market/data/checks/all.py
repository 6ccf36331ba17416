"""All data checks, in the order in which their findings are shown."""

from itertools import chain

from gatekeeper.market.data.checks.checked import Check, Checked
from gatekeeper.market.findings import Finding, judged

CHECKS: tuple[Check, ...] = ()


def run(checked: Checked) -> tuple[Finding, ...]:
    """What all checks found: the most severe first, what the setting `accept` names as accepted notes."""
    return judged(chain.from_iterable(check(checked) for check in CHECKS), checked.settings.accept)
