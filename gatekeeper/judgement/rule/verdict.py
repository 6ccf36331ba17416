"""Verdicts, gates and policies of the promotion rule, and the numbers that it uses."""

from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING

from gatekeeper.documents.comparison import LARGEST_ALPHA
from gatekeeper.documents.evaluation import PolicyName, PolicyRecord
from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from gatekeeper.settings import Settings

POLICIES: tuple[PolicyName, ...] = ("better", "safe", "proven")
DEPLOYS = ("judged", "refit")
"""Deployed model: the bytes that were judged, or a refit by the same recipe and seed on all data to the as-of."""


@dataclass(frozen=True, slots=True)
class Policy:
    """Every number that the promotion rule uses. Sharpe figures are annual, drawdowns parts of the initial capital."""

    name: PolicyName
    safe_tolerance: float
    alpha: float
    margin: float
    floor_trades: int
    floor_days: int
    drawdown_allowance: float
    gain_of_interest: float
    power: float
    periods_per_year: int
    risk_free: float

    def __post_init__(self) -> None:
        if self.name not in POLICIES:
            raise ConfigError(f"policy {self.name!r} is unknown; choose one of {', '.join(POLICIES)}")
        if not 0 < self.alpha <= LARGEST_ALPHA:
            raise ConfigError(
                f"alpha {self.alpha} of one test must be over 0 and at most {LARGEST_ALPHA}; "
                "set GATEKEEPER_FALSE_PROMOTIONS_A_YEAR, which gives alpha x 52"
            )

    @classmethod
    def from_settings(cls, settings: "Settings", periods_per_year: int) -> "Policy":
        """The policy of the settings, for a market with this many periods a year."""
        return cls(
            name=settings.policy,
            safe_tolerance=settings.tolerance,
            alpha=settings.alpha,
            margin=settings.margin,
            floor_trades=settings.floor_trades,
            floor_days=settings.floor_days,
            drawdown_allowance=settings.drawdown_allowance,
            gain_of_interest=settings.gain_of_interest,
            power=settings.power,
            periods_per_year=periods_per_year,
            risk_free=settings.risk_free,
        )

    @property
    def tolerance(self) -> float | None:
        """How far below 0 the lower bound may lie; None if the policy needs no bound."""
        return {"better": None, "safe": self.safe_tolerance, "proven": 0.0}[self.name]

    def with_name(self, name: PolicyName) -> "Policy":
        """The same numbers under another of the three policies."""
        return replace(self, name=name)

    def record(self) -> PolicyRecord:
        """The policy for documents."""
        return PolicyRecord(**asdict(self), tolerance=self.tolerance)

    @classmethod
    def of(cls, record: PolicyRecord) -> "Policy":
        """The policy of a document's record. Raises ConfigError for numbers that no policy may have."""
        return cls(**{field.name: getattr(record, field.name) for field in fields(cls)})


@dataclass(frozen=True, slots=True)
class Gain:
    """The challenger's gain in annual Sharpe and its precision; None where undefined."""

    value: float | None = None
    standard_error: float | None = None
    bound: float | None = None
    """The lower confidence bound."""
    p: float | None = None
    detectable: float | None = None
    """The gain that this window detects with the policy's power."""
    days_needed: int | None = None
    """Market days, of the same kind as these, that would detect the gain of interest."""
