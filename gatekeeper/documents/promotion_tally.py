"""Promotion tally: how many promotions of a rehearsal won, tied and lost, and what they made together."""

from collections.abc import Sequence

from msgspec import Struct

TIE = 1e-12
"""Two returns, as parts of the initial capital, that differ by less are equal: both models took the same ideas."""


class PromotionTally(Struct, frozen=True, kw_only=True):
    """Promotions after the first, each by what its model made until the next one, less what the replaced one would."""

    won: int
    """Promotions whose model made more than the replaced one would have."""
    tied: int
    """Promotions whose model made the same."""
    lost: int
    """Promotions whose model made less."""
    gained: float
    """Return that the won promotions added."""
    given_up: float
    """Return that the lost promotions cost."""
    net: float
    """Return that all promotions added: gained less given up."""
    net_error: float | None = None
    """Standard error of the net return."""

    @classmethod
    def of(cls, gains: Sequence[float], net_error: float | None = None) -> "PromotionTally":
        """The tally of promotions with these gains in return."""
        won = [gain for gain in gains if gain > TIE]
        lost = [-gain for gain in gains if gain < -TIE]
        return cls(
            won=len(won),
            tied=len(gains) - len(won) - len(lost),
            lost=len(lost),
            gained=float(sum(won)),
            given_up=float(sum(lost)),
            net=float(sum(won) - sum(lost)),
            net_error=net_error,
        )
