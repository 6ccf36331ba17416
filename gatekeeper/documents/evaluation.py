"""Evaluation document: everything that is kept of one comparison, so that anyone can check it without the data.

Returns and drawdowns are parts of the initial capital, outcomes parts of the entry price, Sharpe ratios annual. None is
JSON's null: undefined, or not known. Instants are in ISO 8601 with their offset from UTC.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime

from msgspec import UNSET, Struct, UnsetType

from gatekeeper.documents import older_evaluation, serialization
from gatekeeper.documents.comparison import (
    HOLDOUT,
    Agreement,
    Answer,
    Breakdown,
    CalibrationBin,
    CostsPaid,
    Flip,
    Flips,
    Gate,
    LiveModel,
    Number,
    OutcomeHistogram,
    PolicyAnswer,
    Refit,
    ScorecardRecord,
    Scorecards,
    ScoreHistogram,
    Slice,
    StreamFigures,
    TradeOutcomes,
    TradesByDecision,
    Twins,
    Verdict,
    Window,
)
from gatekeeper.documents.passport import Passport
from gatekeeper.documents.provenance import (
    DataRecord,
    FieldTest,
    LeagueRecord,
    LeagueRow,
    SpentTests,
    Training,
)
from gatekeeper.documents.rules import (
    Policy,
    PolicyName,
    RatesRecord,
    ReadingRecord,
    ReplayRecord,
    Rules,
    SizingRecord,
)
from gatekeeper.documents.serialization import JsonObject
from gatekeeper.documents.traded import BuyAndHold, SideTrades, TradesBySide

__all__ = [
    "FORMAT",
    "HOLDOUT",
    "WHAT",
    "Agreement",
    "Answer",
    "Breakdown",
    "BreakdownPart",
    "BuyAndHold",
    "CalibrationBin",
    "CardPart",
    "CardParts",
    "CostsPaid",
    "DataPart",
    "DataRecord",
    "EvaluationDocument",
    "EvaluationSummary",
    "FieldTest",
    "Flip",
    "Flips",
    "Gate",
    "LeagueRecord",
    "LeagueRow",
    "LiveModel",
    "NamedPart",
    "Number",
    "OutcomeHistogram",
    "Policy",
    "PolicyAnswer",
    "PolicyName",
    "RatesRecord",
    "ReadingRecord",
    "Refit",
    "ReplayRecord",
    "Rules",
    "RulesPart",
    "ScoreHistogram",
    "ScorecardRecord",
    "Scorecards",
    "SideTrades",
    "SizingRecord",
    "Slice",
    "SpentTests",
    "StreamFigures",
    "TradeOutcomes",
    "TradesByDecision",
    "TradesBySide",
    "Training",
    "TrainingPart",
    "Twins",
    "Verdict",
    "VerdictPart",
    "Window",
    "WindowPart",
    "as_object",
    "named",
    "of_object",
    "passport",
    "read",
    "summary",
    "twins",
    "written",
]

FORMAT = 3
OLDER = {1: older_evaluation.of_format_1, 2: older_evaluation.of_format_2}
"""Older formats, each with what reads it."""
WHAT = "evaluation document"


class EvaluationDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One evaluation. What has a default is left out of the JSON if it isn't known."""

    format: int
    """Format of the document: 3. An older one becomes one of 3 as it is read; `rules` says what it didn't hold."""
    window: Window
    """The stretch that the models are compared on."""
    days: list[str]
    """Market days of the window, as ISO dates."""
    scorecards: Scorecards
    """Scorecard of each stream."""
    verdict: Verdict
    """The answer of the policy in force."""
    policies: dict[str, PolicyAnswer]
    """The verdict of each of the three policies, by name."""
    trades: dict[str, TradesByDecision]
    """By role, of each model that was scored."""
    agreement: Agreement | None
    """Null without two models that were scored."""
    scores: dict[str, ScoreHistogram]
    """By role, of each model that was scored."""
    outcomes: OutcomeHistogram | None
    """Null without ideas, or if the challenger was not scored."""
    details: Breakdown | None = None
    """Decisions by score, symbol, strategy and month. Older documents lack it."""
    costs: CostsPaid | UnsetType | None = UNSET
    """Null if the source doesn't tell the costs apart. Older documents lack it."""
    sides: dict[str, TradesBySide] | None = None
    """Long and short trades of each stream that was backtested, by role. Older documents lack it."""
    buy_and_hold: BuyAndHold | UnsetType | None = UNSET
    """Null if the source has no bars. Older documents lack it."""
    twins: Twins | None = None
    """Left out if both models stand for themselves."""
    rules: Rules
    """All that the evaluation went by, its policy included."""
    data: DataRecord
    """Source of the ideas."""
    looks: SpentTests | None = None
    """Tests spent up to the as-of. Older documents lack it."""
    training: Training | None = None
    """Training of the challenger; left out if this run didn't train it."""
    league: LeagueRecord | None = None
    """Left out if no other model competed."""

    def __post_init__(self) -> None:
        """Raise ValueError for a day or time that isn't one, and for a role whose scorecard is missing or not whole."""
        for day in self.days:
            date.fromisoformat(day)
        for flip in () if self.details is None or self.details.flips is None else self.details.flips.newest:
            datetime.fromisoformat(flip.time)
        roles = {role for role, _ in self.scorecards}
        for part, by_role in self._by_role():
            if others := sorted(by_role.keys() - roles):
                raise ValueError(f"it has {part} of {', '.join(others)}, but no such scorecard")
        rows = () if self.league is None else self.league.contenders
        for card in (*(card for _, card in self.scorecards), *rows):
            if (card.exposed is UNSET) != (self.rules.edition == 1):
                lacks = "lack" if card.exposed is UNSET else "have"
                raise ValueError(f"the figures of {card.name} {lacks} `exposed`, by edition {self.rules.edition}")

    def _by_role(self) -> Iterator[tuple[str, Mapping[str, object]]]:
        yield "trades", self.trades
        yield "scores", self.scores
        if self.details is not None:
            yield "calibration", self.details.calibration
        if isinstance(self.costs, CostsPaid):
            yield "costs", self.costs.streams
        if self.sides is not None:
            yield "sides", self.sides

    @property
    def policy(self) -> Policy:
        """Policy in force, with its numbers."""
        return self.rules.policy

    @property
    def refit(self) -> Refit | None:
        """Refit that would be deployed instead of the challenger; None if that is the challenger itself."""
        return None if self.twins is None else self.twins.challenger

    @property
    def live(self) -> LiveModel | None:
        """Refit that is deployed instead of the champion; None if that is the champion itself."""
        return None if self.twins is None else self.twins.champion


class VerdictPart(Struct, frozen=True):
    """Of a verdict, what a line of a list shows; as in Verdict."""

    answer: str | None = None
    kind: str | None = None
    decided_by: str | None = None
    message: str | None = None
    gain: float | None = None
    standard_error: float | None = None
    bound: float | None = None


class CardPart(Struct, frozen=True):
    """Of a scorecard, what a line of a list shows; as in ScorecardRecord."""

    ideas: int | None = None
    kept_trades: int | None = None
    win_rate: float | None = None
    sharpe: float | None = None
    total_return: float | None = None
    max_drawdown: float | None = None


class CardParts(Struct, frozen=True):
    """As in Scorecards."""

    challenger: CardPart = CardPart()
    champion: CardPart | None = None
    ungated: CardPart = CardPart()


class NamedPart(Struct, frozen=True):
    """A policy or a slice, by its name."""

    name: str | None = None


class RulesPart(Struct, frozen=True):
    """As in Rules."""

    policy: NamedPart = NamedPart()


class WindowPart(Struct, frozen=True):
    """As in Window."""

    start: str | None = None
    as_of: datetime | None = None
    days: int | None = None


class TrainingPart(Struct, frozen=True):
    """As in Training."""

    fingerprint: str
    seed: int | None = None
    parameters: str | None = None
    ideas: int | None = None
    wins: int | None = None
    train_years: float | None = None
    half_life_days: float | None = None


class DataPart(Struct, frozen=True):
    """As in DataRecord."""

    source: str | None = None
    newest: datetime | None = None
    notes: list[str] | None = None


class BreakdownPart(Struct, frozen=True):
    """As in Breakdown."""

    slices: dict[str, list[NamedPart]] = {}


class EvaluationSummary(Struct, frozen=True):
    """As much of an evaluation document as a line of a list, or a model card, shows: None where it doesn't say."""

    verdict: VerdictPart = VerdictPart()
    policy: NamedPart = NamedPart()
    """Of format 1, where it stood beside the rules."""
    rules: RulesPart = RulesPart()
    window: WindowPart = WindowPart()
    scorecards: CardParts = CardParts()
    details: BreakdownPart | None = None
    training: TrainingPart | None = None
    data: DataPart = DataPart()

    @property
    def policy_name(self) -> str | None:
        """Name of the policy in force."""
        return self.rules.policy.name or self.policy.name


class _Stands(Struct, frozen=True):
    twins: Twins | None = None


class _Passported(Struct, frozen=True):
    passport: Passport | None = None


class _Data(Struct, frozen=True):
    data: _Passported = _Passported()


def written(document: EvaluationDocument) -> str:
    """The document as the registry stores it. Raises DataError for a number that is not finite."""
    return serialization.written(document, "the evaluation's document")


def named(evaluation_id: int | None) -> str:
    """What an error calls the document: by the id of its evaluation, if that is known."""
    return WHAT if evaluation_id is None else f"document of evaluation {evaluation_id}"


def read(content: str | bytes, evaluation_id: int | None = None) -> EvaluationDocument:
    """The stored document. Raises DataError for one of another format, or a damaged one."""
    return serialization.read(content, EvaluationDocument, named(evaluation_id), FORMAT, OLDER)


def of_object(value: object, evaluation_id: int | None = None) -> EvaluationDocument:
    """The document of a receipt, whose JSON was read already. Raises DataError as `read` does."""
    return serialization.of_object(value, EvaluationDocument, named(evaluation_id), FORMAT, OLDER)


def as_object(document: EvaluationDocument) -> JsonObject:
    """The document as plain JSON."""
    return serialization.as_object(document)


def summary(content: str | bytes) -> EvaluationSummary:
    """What a list shows of the stored document; all None for one of another make."""
    from gatekeeper.errors import DataError

    try:
        return serialization.read(content, EvaluationSummary, WHAT)
    except DataError:
        return EvaluationSummary()


def twins(content: str | bytes, evaluation_id: int | None = None) -> Twins:
    """The deployed refits of the compared models, without reading the rest. Raises DataError for a damaged document."""
    return serialization.read(content, _Stands, named(evaluation_id)).twins or Twins()


def passport(content: str | bytes, evaluation_id: int | None = None) -> Passport | None:
    """The passport of its data, without reading the rest; None for an older one. Raises DataError for a damaged one."""
    return serialization.read(content, _Data, named(evaluation_id)).data.passport
