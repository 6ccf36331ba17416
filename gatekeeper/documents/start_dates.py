"""Start dates of a rehearsal: the figures of a desk that begins on each, and how far the date moves them.

All end on the same day. One date misleads: what differs between two of them is the days and the first model.
"""

from msgspec import Struct

from gatekeeper.documents.stream_pairs import PairResult


class StartedStream(Struct, frozen=True):
    """One policy or reference from one start date on."""

    name: str
    """Name of the policy or of the reference."""
    sharpe: float | None
    """Annual Sharpe ratio."""
    sharpe_error: float | None
    """Standard error of that."""
    total_return: float
    """Sum of the daily returns."""
    return_error: float | None
    """Standard error of that."""


class StartDate(Struct, frozen=True):
    """A desk that begins on this date without a model."""

    begins: str
    """The first Monday with a model that could be deployed, as an ISO date."""
    weeks: int
    """Mondays from then on."""
    streams: list[StartedStream]
    """Every policy and reference."""
    pairs: list[PairResult]
    """Streams against each other; their intervals hold at once for one start date."""


class StreamSpread(Struct, frozen=True):
    """One stream over all start dates."""

    name: str
    """Name of the policy or of the reference."""
    lowest: float | None
    """Smallest annual Sharpe ratio; null if undefined from every date."""
    highest: float | None
    """Largest of them."""


class StartDates(Struct, frozen=True):
    """The same rehearsal from several start dates."""

    dates: list[StartDate]
    """Every date, that of the whole rehearsal first."""
    spread: list[StreamSpread]
    """Every stream, by its annual Sharpe ratio over the dates."""
    by_date: float | None
    """Largest difference that the date makes in the annual Sharpe ratio of one policy."""
    by_policy: float | None
    """Largest difference of the annual Sharpe ratios of two policies from one date; null for a single policy."""
