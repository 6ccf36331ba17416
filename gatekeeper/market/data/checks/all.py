"""All data checks, in the order in which their findings are shown."""

from collections.abc import Iterable
from itertools import chain

from gatekeeper.market.data.checks import classes, duplicates, features, future, outcome_unit
from gatekeeper.market.data.checks.checked import Check, Checked
from gatekeeper.market.findings import Finding, judged

CHECKS: tuple[Check, ...] = (
    outcome_unit.check,
    features.check,
    classes.check,
    duplicates.check,
    future.check,
)
REPLAYED: tuple[Check, ...] = (future.check,)
"""Those that are run again on the ideas that were found in bars."""


def run(checked: Checked, checks: Iterable[Check] = CHECKS) -> tuple[Finding, ...]:
    """What the checks found: the most severe first, what the setting `accept` names as accepted notes."""
    return judged(chain.from_iterable(check(checked) for check in checks), checked.settings.accept)
