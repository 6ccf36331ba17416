"""Class balance: how many of the labelled ideas won."""

from collections.abc import Iterable

from gatekeeper.market.data.checks.checked import Checked
from gatekeeper.market.findings import Finding, Severity
from gatekeeper.market.ideas import Ideas

FEWEST = 100
RARE = 0.05


def check(checked: Checked) -> Iterable[Finding]:
    """The finding about the balance of labelled ideas, if there is one."""
    found = None if checked.ideas is None else unbalanced(checked.ideas)
    return () if found is None else (found,)


def unbalanced(ideas: Ideas) -> Finding | None:
    """A warning, from 100 ideas on, if under 5 % of them won, or under 5 % lost."""
    n, won = len(ideas), int(ideas.wins.sum())
    if n < FEWEST or RARE <= won / n <= 1 - RARE:
        return None
    rare, count = ("won", won) if won < n - won else ("lost", n - won)
    text = (
        f"Only {count} of {n} ideas {rare} ({count / n:.1%}, under {RARE:.0%}). Give the ideas that were vetoed or "
        "skipped, too, with what they would have made."
    )
    return Finding(Severity.WARNING, "classes", "", "", text, f"classes:{rare}", {"share": count / n})
