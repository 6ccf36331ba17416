"""Verdicts, gates and policies of the promotion rule, and the numbers that it uses."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, cast

from gatekeeper.errors import ConfigError

if TYPE_CHECKING:
    from gatekeeper.config import Settings

PolicyName = Literal["better", "safe", "proven"]
POLICIES: tuple[PolicyName, ...] = ("better", "safe", "proven")
DEPLOYS = ("judged", "refit")
"""Deployed model: the bytes that were judged, or a refit by the same recipe and seed on all data to the as-of."""
Answer = Literal["promote", "keep", "undecided"]
Number = float | int | str | None

LARGEST_ALPHA = 0.05


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

    def to_dict(self) -> dict[str, Number]:
        """The policy for JSON."""
        return {**asdict(self), "tolerance": self.tolerance}


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


@dataclass(frozen=True, slots=True)
class Gate:
    """One named check of the promotion rule: passed, failed, or None if it could not be evaluated."""

    name: str
    passed: bool | None
    numbers: Mapping[str, Number]
    text: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """Every gate in order, and the answer. Gains, errors and bounds are annual Sharpe; None where undefined."""

    answer: Answer
    kind: str
    policy: str
    gates: tuple[Gate, ...]
    decided_by: str
    """The first gate that failed; `all gates` if none did."""
    message: str
    alert: bool = False
    """Whether this needs a person's attention."""
    gain: float | None = None
    standard_error: float | None = None
    bound: float | None = None
    p: float | None = None
    differing: int | None = None
    detectable_gain: float | None = None

    def gate(self, name: str) -> Gate:
        """The gate of that name."""
        return next(gate for gate in self.gates if gate.name == name)

    def to_dict(self) -> dict[str, object]:
        """The verdict for JSON, every number finite or null."""
        return {
            **{field.name: getattr(self, field.name) for field in fields(self)},
            "gates": [
                {"name": gate.name, "passed": gate.passed, "numbers": dict(gate.numbers), "text": gate.text}
                for gate in self.gates
            ],
        }

    @classmethod
    def from_dict(cls, document: Mapping[str, Any]) -> "Verdict":
        """The verdict that `to_dict` wrote."""
        gates = tuple(Gate(**cast("dict[str, Any]", gate)) for gate in document["gates"])
        return cls(**{**document, "gates": gates})
