"""Evidence on a gain besides daily returns: pooled history, and the ideas that only one of two models entered.

From both, and the daily returns, anyone can recompute the gain's error without the pooled ideas.
"""

from msgspec import Struct

Moments = tuple[float, float, float]
"""Of y and y²: the sum of squares of the first, of their products, and of squares of the second."""


class PooledHistory(Struct, frozen=True):
    """Ideas that were known before the window: what each would have made (y), as a part of the initial capital."""

    ideas: int
    """Number of ideas, at least 30."""
    squares: int
    """Sum over the weeks in which they were entered, from Monday to Sunday, of the squared number of ideas."""
    spread: Moments
    """Of deviations from the mean, summed over ideas."""
    weekly: Moments
    """Of each week's sum of deviations, summed over weeks."""

    @property
    def week_size(self) -> float:
        """Ideas that the average idea shares its week with, itself included."""
        return self.squares / self.ideas


class DifferingIdeas(Struct, frozen=True):
    """Ideas of the window that exactly one of challenger and champion entered."""

    only_challenger: int
    """Entered by the challenger alone."""
    only_champion: int
    """Entered by the champion alone."""
    weeks: int
    """Distinct weeks in which they were entered, from Monday to Sunday."""
    squares: int
    """Sum over these weeks of the squared number of ideas."""
    champion_made: float
    """What the champion's made, as a part of the initial capital."""

    @property
    def count(self) -> int:
        """The number of these ideas."""
        return self.only_challenger + self.only_champion

    @property
    def week_size(self) -> float:
        """Ideas that the average one shares its week with, itself included; 1 without any."""
        return self.squares / self.count if self.count else 1.0


class Evidence(Struct, frozen=True):
    """All that the error of a gain rests on besides daily returns."""

    differing: DifferingIdeas
    """Ideas that only one of the two entered."""
    history: PooledHistory | None
    """Null if fewer than 30 ideas were known before the window."""
