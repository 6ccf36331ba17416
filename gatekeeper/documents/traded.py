"""Trades by side, and buy and hold: what the streams of an evaluation traded, and what holding its symbols made."""

import math

from msgspec import Struct


class SideTrades(Struct, frozen=True):
    """Entered trades of one side. Sums are parts of the initial capital, net of costs."""

    count: int
    """Number of them."""
    won: int
    """So many of them made money."""
    gained: float
    """Sum of what the winners made."""
    lost: float
    """Sum of what the others lost, 0 or more."""
    size: float
    """Sum of their sizes at entry."""

    def __post_init__(self) -> None:
        """Raise ValueError for sums that no trades have."""
        if not 0 <= self.won <= self.count or not all(
            math.isfinite(each) and each >= 0 for each in (self.gained, self.lost, self.size)
        ):
            raise ValueError(f"{self.won} of {self.count} trades won {self.gained}, the others lost {self.lost}")

    @property
    def made(self) -> float:
        """What they made together."""
        return self.gained - self.lost


class TradesBySide(Struct, frozen=True):
    """Entered trades of one stream, long and short."""

    long: SideTrades
    """Trades that buy first."""
    short: SideTrades
    """Trades that sell first."""

    @property
    def both(self) -> SideTrades:
        """The trades of both sides together."""
        one, other = self.long, self.short
        return SideTrades(
            one.count + other.count,
            one.won + other.won,
            one.gained + other.gained,
            one.lost + other.lost,
            one.size + other.size,
        )


class BuyAndHold(Struct, frozen=True):
    """Equal parts of the capital in each symbol of the source, bought at the window's start and held, before costs."""

    daily: list[float]
    """Return of each market day, as a part of the initial capital; in the order of the document's `days`."""
    symbols: int
    """Number of symbols held."""
    left_out: int
    """Symbols without a price at the window's start."""
