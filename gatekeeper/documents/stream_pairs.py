"""Pairs of return streams on the same days: their differences, with errors and intervals."""

from msgspec import Struct


class DifferenceRecord(Struct, frozen=True):
    """One figure of a stream less that of another."""

    value: float
    """The difference."""
    error: float
    """Its standard error."""
    low: float
    """Lower end of the interval that holds for all pairs at once."""
    high: float
    """Its upper end."""

    @property
    def separable(self) -> bool:
        """Whether the interval leaves 0 out."""
        return self.low > 0 or self.high < 0


class PairResult(Struct, frozen=True):
    """Two streams on the same days."""

    one: str
    """Name of the first stream."""
    other: str
    """Name of the stream that is subtracted."""
    sharpe: DifferenceRecord | None
    """Difference of the annual Sharpe ratios; null if undefined."""
    total_return: DifferenceRecord | None
    """Difference of the total returns."""
    separable: bool
    """Whether one of both intervals leaves 0 out; otherwise the two can't be told apart by these days."""

    @property
    def verdict(self) -> str:
        """`identical`, `not separable`, or the figures by which the first is better or worse."""
        known = [each for each in (self.sharpe, self.total_return) if each is not None]
        if not known:
            return "undefined"
        if all(each.value == 0 and each.error == 0 for each in known):
            return "identical"
        apart = {
            name: "higher" if found.value > 0 else "lower"
            for name, found in (("Sharpe", self.sharpe), ("return", self.total_return))
            if found is not None and found.separable
        }
        if len(apart) == 2 and len(set(apart.values())) == 1:
            return f"{apart['Sharpe']} in both"
        return ", ".join(f"{how} {name}" for name, how in apart.items()) or "not separable"


class Resampling(Struct, frozen=True):
    """The bootstrap behind the errors: one draw of days for all streams."""

    method: str
    """`stationary bootstrap`."""
    draws: int
    """Number of draws."""
    block: int
    """Mean length of a block, in market days."""
    seed: int
    """Seed of the draws."""
    level: float
    """Probability with which the intervals of all pairs hold at once."""
    critical: float
    """Standard errors to either side of a difference that make its interval."""
