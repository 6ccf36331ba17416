"""Question texts: what an approver is shown besides the texts of people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gatekeeper.documents.comparison import Verdict

TWO_SIDED_90 = 1.645
"""Standard errors on either side: the normal quantile of 95 %."""


def gain(verdict: "Verdict") -> str:
    """The gain with its interval, in a sentence."""
    if verdict.gain is None:
        return "Gain: none to measure, since there is no champion to compare with."
    if verdict.standard_error is None:
        return f"Gain in annual Sharpe: {verdict.gain:.2f}; its error is not known."
    low, high = (verdict.gain + side * TWO_SIDED_90 * verdict.standard_error for side in (-1, 1))
    return (
        f"Gain in annual Sharpe: {verdict.gain:.2f}, 90 % interval {low:.2f} to {high:.2f} (standard error "
        f"{verdict.standard_error:.2f})."
    )
