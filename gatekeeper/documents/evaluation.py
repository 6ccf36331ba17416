"""Evaluation document: everything that is kept of one comparison, so that anyone can check it without the data.

Returns and drawdowns are parts of the initial capital, outcomes parts of the entry price, Sharpe ratios annual. None is
JSON's null: undefined, or not known. Instants are in ISO 8601 with their offset from UTC.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from gatekeeper.documents import serialization
from gatekeeper.documents.serialization import JsonObject

FORMAT = 1
WHAT = "evaluation document"

PolicyName = Literal["better", "safe", "proven"]
Answer = Literal["promote", "keep", "undecided"]
Number = float | int | str | None


HOLDOUT = "the holdout"
"""`Window.bound_by` of a window whose start is limited by the holdout."""


class Window(Struct, frozen=True):
    """The out-of-sample period on which models are compared. Empty or negative if `end` is not after `start`."""

    start: datetime
    """The first instant at which an idea may start."""
    end: datetime
    """The last instant at which an idea may start: the as-of less the longest hold."""
    as_of: datetime
    """The instant after which no data are used."""
    days: int
    """Market days from that of the start to the last one closed by the as-of."""
    bound_by: str = HOLDOUT
    """What limits the start: the holdout, or a model's data."""
    ready: date | None = None
    """If the window is too short, the first date at which it is not; None if it is long enough, or never will be."""

    @property
    def empty(self) -> bool:
        """Whether no idea can have started in it, or no market day has closed."""
        return self.end <= self.start or self.days < 1


class StreamFigures(Struct, frozen=True, kw_only=True):
    """Scorecard figures of one model, or of ungated, on the ideas of one window, without its daily returns."""

    name: str
    """Version of the model, `ungated` for every idea taken."""
    model_id: int | None
    """Its id in the registry; null for the ungated stream."""
    sha256: str | None
    """Digest of the model's bytes; null for the ungated stream."""
    threshold: float | None
    """Score from which on an idea is approved, 0 to 1."""
    trained_to: datetime | None
    """When the last outcome that it was trained on became known; null if unknown."""
    tested: bool
    """False if the model has the other's bytes; no figure is meaningful then."""
    out_of_sample: bool
    """Whether it has seen nothing of the window."""
    ideas: int
    """Ideas that there were to take."""
    kept_trades: int
    """Ideas that it approved."""
    passed_over: int = 0
    """Approved ideas that were not entered, because as many positions were open as may be. Older documents lack it."""
    win_rate: float | None
    """Share of the entered trades that won, 0 to 1; null without trades."""
    sharpe: float | None
    """Annual Sharpe ratio; null if undefined."""
    total_return: float
    """Sum of the daily returns, as a part of the initial capital."""
    max_drawdown: float
    """Deepest fall from a peak, as a part of the initial capital."""


class ScorecardRecord(StreamFigures, frozen=True, kw_only=True):
    """A scorecard with its daily returns."""

    daily: list[float]
    """Return of each market day, as a part of the initial capital; in the order of the document's `days`."""


class Scorecards(Struct, frozen=True):
    """The streams that were compared."""

    challenger: ScorecardRecord
    """The model that wants to be the primary."""
    champion: ScorecardRecord | None
    """The model that it was compared with; null if there was none."""
    ungated: ScorecardRecord
    """Every idea taken."""

    def __iter__(self) -> Iterator[tuple[str, ScorecardRecord]]:
        """Role and card of those that there are."""
        cards = {"challenger": self.challenger, "champion": self.champion, "ungated": self.ungated}
        return iter([(role, card) for role, card in cards.items() if card is not None])


class Gate(Struct, frozen=True):
    """One check of the promotion rule."""

    name: str
    """Name of the check, such as `enough` or `bound`."""
    passed: bool | None
    """Null if it can't be told here."""
    numbers: Mapping[str, Number]
    """Numbers that decided it."""
    text: str
    """The same in one sentence."""


class Verdict(Struct, frozen=True):
    """Every gate in order, and the answer. Gains, errors and bounds are annual Sharpe; null if undefined."""

    answer: Answer
    """`promote` if every gate passes, `undecided` if the data can't tell, else `keep`."""
    kind: str
    """Kind of the weekly run: weekly, bootstrap, recovery or what-if."""
    policy: str
    """Policy in force."""
    gates: tuple[Gate, ...]
    """Every gate that could be evaluated, in order."""
    decided_by: str
    """The first gate that failed; `all gates` if none did."""
    message: str
    """The verdict in words."""
    alert: bool = False
    """Whether this needs a person's attention."""
    gain: float | None = None
    """Annual Sharpe of the challenger minus the champion's."""
    standard_error: float | None = None
    """Standard error of the gain."""
    bound: float | None = None
    """Lower confidence bound of the gain."""
    p: float | None = None
    """One-sided p-value of a gain over 0."""
    differing: int | None = None
    """Ideas that the two decide differently."""
    detectable_gain: float | None = None
    """The gain that these days would show with the policy's power."""

    def gate(self, name: str) -> Gate:
        """The gate of that name."""
        return next(gate for gate in self.gates if gate.name == name)


class PolicyRecord(Struct, frozen=True):
    """Every number that the promotion rule used. Sharpe figures are annual, drawdowns parts of the initial capital."""

    name: PolicyName
    """Name of the policy: better, safe or proven."""
    safe_tolerance: float
    """`safe`: how far below 0 the lower bound of the gain may lie, in annual Sharpe."""
    alpha: float
    """Chance of a false promotion that one test may have."""
    margin: float
    """Gain that must be exceeded, in annual Sharpe."""
    floor_trades: int
    """Fewest trades to be judged."""
    floor_days: int
    """Fewest market days to be judged."""
    drawdown_allowance: float
    """Allowance by which a drawdown may be deeper than the champion's."""
    gain_of_interest: float
    """Gain that a window should be able to show, in annual Sharpe."""
    power: float
    """Chance to show it if it exists, 0 to 1."""
    periods_per_year: int
    """Market days in a year."""
    risk_free: float
    """Yearly risk-free rate."""
    tolerance: float | None
    """How far below 0 the bound may lie under this policy; null if it needs no bound."""


class PolicyAnswer(Struct, frozen=True):
    """The verdict of one of the three policies on the same scorecards."""

    answer: Answer
    """As of a verdict."""
    decided_by: str
    """As of a verdict."""
    message: str
    """As of a verdict."""


class TradeOutcomes(Struct, frozen=True):
    """Outcomes of some trades, net of costs."""

    count: int
    """Number of them."""
    win_rate: float | None
    """Share of them that won, 0 to 1; null if there are none."""
    mean: float | None
    """Mean outcome, as a part of the entry price; null if there are none."""
    total: float
    """Sum of the outcomes."""


class TradesByDecision(Struct, frozen=True):
    """Outcomes of the trades that a model approved, and those that its vetoed ones would have had."""

    kept: TradeOutcomes
    """Approved trades."""
    vetoed: TradeOutcomes
    """Vetoed ideas, as if they had been taken."""

    def __iter__(self) -> Iterator[tuple[str, TradeOutcomes]]:
        """Decision and outcomes."""
        return iter([("kept", self.kept), ("vetoed", self.vetoed)])


class Agreement(Struct, frozen=True):
    """Numbers of ideas on which challenger and champion agree and differ."""

    both_kept: int
    """Approved by both."""
    only_challenger: int
    """Approved by the challenger alone."""
    only_champion: int
    """Approved by the champion alone."""
    both_vetoed: int
    """Vetoed by both."""


class ScoreHistogram(Struct, frozen=True):
    """Histogram of scores."""

    edges: list[float]
    """Edges of the bins, 0 to 1: one more than there are counts."""
    counts: list[int]
    """Ideas in each bin."""


class OutcomeHistogram(Struct, frozen=True):
    """Outcomes of what the challenger approved and vetoed, in the same bins; the outermost hold the tails."""

    edges: list[float]
    """Edges of the bins, as parts of the entry price."""
    kept: list[int]
    """Approved trades in each bin."""
    vetoed: list[int]
    """Vetoed ideas in each bin."""


class CalibrationBin(Struct, frozen=True, rename={"lower": "from", "upper": "to"}):
    """Win rate of the ideas in one bin of scores. Bins without ideas are left out."""

    lower: float
    """Lower edge of the bin (`from` in the JSON)."""
    upper: float
    """Upper edge of the bin (`to` in the JSON)."""
    ideas: int
    """Ideas in the bin."""
    score: float
    """Their mean score."""
    won: float
    """Share of them that won, 0 to 1."""


class Slice(Struct, frozen=True):
    """Approved and vetoed trades of one symbol, strategy or month."""

    name: str
    """The symbol, strategy or month; `(all others)` for the rest together."""
    kept: TradeOutcomes
    """Ideas that the challenger approved."""
    vetoed: TradeOutcomes
    """Ideas that it vetoed."""


class Flip(Struct, frozen=True):
    """One idea that challenger and champion decide differently."""

    time: str
    """When the idea came, ISO 8601 with `Z`."""
    symbol: str
    """Symbol."""
    strategy: str
    """The rule that had the idea; may be empty."""
    action: str
    """`buy` or `sell`."""
    challenger: float
    """The challenger's score, 0 to 1."""
    champion: float
    """The champion's score, 0 to 1."""
    kept_by: str
    """`challenger` or `champion`."""
    outcome: float
    """Net outcome, as a part of the entry price."""


class Flips(Struct, frozen=True):
    """Every idea that the two decide differently."""

    count: int
    """Number of them."""
    only_challenger_made: float
    """Sum of the outcomes of what only the challenger approved."""
    only_champion_made: float
    """Sum of the outcomes of what only the champion approved."""
    newest: list[Flip]
    """The newest, newest first, 40 at most."""


class Breakdown(Struct, frozen=True):
    """Breakdown of decisions by score, symbol, strategy and month."""

    calibration: dict[str, list[CalibrationBin]]
    """By role, of each model that was scored."""
    slices: dict[str, list[Slice]]
    """By `symbol`, `strategy` and `month`; empty if the challenger was not scored."""
    flips: Flips | None
    """Null without two models that were scored."""


class CostsPaid(Struct, frozen=True):
    """Costs paid by each stream, part by part, from gross to net."""

    parts: list[str]
    """Names of the parts that the source tells apart."""
    streams: dict[str, dict[str, float]]
    """By role: `gross`, each part, `net`; all as parts of the initial capital."""


class LiveModel(Struct, frozen=True):
    """The model that answers, or would, in the stead of the one that was judged."""

    name: str
    """Its version."""
    sha256: str
    """Digest of its bytes."""
    threshold: float
    """Score from which on an idea is approved, 0 to 1."""
    trained_to: datetime | None
    """When the last outcome that it was trained on became known; null if unknown."""
    model_id: int | None
    """Its id in the registry."""


class Refit(LiveModel, frozen=True):
    """A deployed refit, and how it and the judged model decided the ideas of the window."""

    limit: float
    """Largest share of these ideas that may be decided differently, 0 to 1."""
    both_kept: int = 0
    """Approved by both."""
    only_refit: int = 0
    """Approved by the refit alone."""
    only_twin: int = 0
    """Approved by the judged model alone."""
    both_vetoed: int = 0
    """Vetoed by both."""

    @property
    def ideas(self) -> int:
        """The number of ideas that both decided."""
        return self.both_kept + self.only_refit + self.only_twin + self.both_vetoed

    @property
    def differing(self) -> int:
        """The number of ideas that they decided differently."""
        return self.only_refit + self.only_twin

    @property
    def share(self) -> float | None:
        """The share of ideas decided differently; None if there were no ideas."""
        return self.differing / self.ideas if self.ideas else None

    @property
    def alike(self) -> bool | None:
        """Whether the share is within the limit; None if it is undefined."""
        return None if self.share is None else self.share <= self.limit


class Twins(Struct, frozen=True):
    """The deployed refits of the compared models; null for a model that is deployed itself."""

    challenger: Refit | None = None
    """Refit that would be deployed instead of the challenger."""
    champion: LiveModel | None = None
    """Refit that is deployed instead of the champion."""


class SizingRecord(Struct, frozen=True):
    """Sizing rule of trades."""

    kind: str
    """`fraction` or `volatility`."""
    fraction: float
    """`fraction`: part of the initial capital in each trade."""
    target: float
    """`volatility`: what a move of ATR14 makes, as a part of capital."""
    largest: float
    """`volatility`: largest part of capital in one trade."""
    most_open: int | None
    """Most positions that one stream holds at once; null for any number."""


class RatesRecord(Struct, frozen=True):
    """Cost rates of the replay."""

    commission: float
    """A side, as a part of the entry price."""
    spread: float
    """Spread as a part of the entry price, half of it paid per side."""
    slippage: float
    """A side, as a part of ATR14."""
    borrow: float
    """Yearly rate paid on shorts, for each calendar day held."""
    funding: float
    """The same on longs."""


class Rules(Struct, frozen=True):
    """Rules that turn trades into returns."""

    periods_per_year: int
    """Market days in a year: 252, or 365 around the clock."""
    marked: bool
    """Whether trades are marked to market day by day, or booked on the day of their exit."""
    fraction: float
    """Part of the initial capital in each trade."""
    risk_free: float
    """Yearly risk-free rate."""
    sizing: SizingRecord | None = None
    """Sizing rule of trades. Older documents lack it: a fixed fraction."""
    rates: RatesRecord | None = None
    """Cost rates of the replay. Older documents lack it."""
    calendars: str | None = None
    """Exchange calendars by symbol, as the setting has them; may be empty. Older documents lack it."""


class DataRecord(Struct, frozen=True):
    """Source of the ideas."""

    source: str
    """Name of the source and its file."""
    newest: datetime
    """Close of the newest bar, or the newest that is known."""
    notes: list[str]
    """Notes of the source on its data, such as what was left out."""
    fingerprint: str
    """sha256 over all ideas of the dataset."""


class SpentTests(Struct, frozen=True):
    """The weekly runs that compared two models in the days up to the as-of, this one among them."""

    days: int
    """Days covered before the as-of."""
    spent: int
    """Tests: an as-of with its settings, each."""
    as_ofs: int
    """Number of as-ofs."""
    promoted: int
    """So many of them promoted before this one."""
    alpha: float | None
    """Chance of a false promotion of one test; null for a policy without a bound."""
    allowed: float | None
    """False promotions that so many tests allow on average; null likewise."""


class Training(Struct, frozen=True):
    """Training of a model."""

    recipe: str
    """Name of the recipe."""
    seed: int
    """Seed of the training."""
    parameters: str
    """Parameters of the fitted estimator, as JSON."""
    ideas: int
    """Ideas that it was trained on."""
    wins: int
    """Number of them that won."""
    trained_from: datetime
    """Start of the first of them."""
    trained_to: datetime
    """When the last outcome became known."""
    cutoff: datetime
    """Nothing later was allowed."""
    fingerprint: str
    """sha256 over the training ideas."""


class FieldTest(Struct, frozen=True):
    """Test of a whole league: Hansen's superior predictive ability."""

    critical: float
    """Limit for a gain plus the tolerance, in units of its standard error."""
    p: float
    """Probability of the largest figure seen if no contender is better than the tolerance allows."""
    block: int
    """Mean length of the bootstrap's blocks, in market days."""
    draws: int
    """Draws of the bootstrap."""
    seed: int
    """Seed of the bootstrap."""


class LeagueRow(StreamFigures, frozen=True, kw_only=True):
    """One contender of a league."""

    daily: list[float] | None
    """Return of each market day; null for the contender that the evaluation is of: its scorecard has them."""
    both_kept: int
    """Ideas that it and the champion approved."""
    gain: float | None
    """Annual Sharpe over the champion's; null if undefined."""
    standard_error: float | None
    """Standard error of the gain."""
    bound: float | None
    """Lower bound of the gain of this contender alone."""
    bound_of_many: float | None
    """Lower bound that holds for all contenders at once."""
    alone: Answer
    """Verdict on it alone."""
    decided_by: str
    """The gate that decided so."""


class LeagueRecord(Struct, frozen=True):
    """League: earlier challengers that competed with this week's own."""

    contenders: list[LeagueRow]
    """This week's own challenger first."""
    challenger: int
    """Index of the evaluation's contender, from 0."""
    winner: int | None
    """Index of the winner; null if none won."""
    test: FieldTest | None
    """Null under a policy without a bound, or if no gain has an error."""
    left_out: dict[str, str]
    """Models that could not compete, by version, and why."""


class EvaluationDocument(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One evaluation. What has a default is left out of the JSON if it isn't known."""

    format: int
    """Format of the document: 1."""
    window: Window
    """The stretch that the models are compared on."""
    days: list[str]
    """Market days of the window, as ISO dates."""
    scorecards: Scorecards
    """Scorecard of each stream."""
    verdict: Verdict
    """The answer of the policy in force."""
    policy: PolicyRecord
    """Every number of that policy."""
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
    twins: Twins | None = None
    """Left out if both models stand for themselves."""
    rules: Rules
    """Rules that turn trades into returns."""
    data: DataRecord
    """Source of the ideas."""
    looks: SpentTests | None = None
    """Tests spent up to the as-of. Older documents lack it."""
    training: Training | None = None
    """Training of the challenger; left out if this run didn't train it."""
    league: LeagueRecord | None = None
    """Left out if no other model competed."""

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


class WindowPart(Struct, frozen=True):
    """As in Window."""

    start: str | None = None
    days: int | None = None


class TrainingPart(Struct, frozen=True):
    """As in Training."""

    fingerprint: str
    seed: int | None = None
    parameters: str | None = None
    ideas: int | None = None
    wins: int | None = None


class DataPart(Struct, frozen=True):
    """As in DataRecord."""

    source: str | None = None
    notes: list[str] | None = None


class BreakdownPart(Struct, frozen=True):
    """As in Breakdown."""

    slices: dict[str, list[NamedPart]] = {}


class EvaluationSummary(Struct, frozen=True):
    """As much of an evaluation document as a line of a list, or a model card, shows: None where it doesn't say."""

    verdict: VerdictPart = VerdictPart()
    policy: NamedPart = NamedPart()
    window: WindowPart = WindowPart()
    scorecards: CardParts = CardParts()
    details: BreakdownPart | None = None
    training: TrainingPart | None = None
    data: DataPart = DataPart()


class _Stands(Struct, frozen=True):
    twins: Twins | None = None


def written(document: EvaluationDocument) -> str:
    """The document as the registry stores it. Raises DataError for a number that is not finite."""
    return serialization.written(document, "the evaluation's document")


def read(content: str | bytes) -> EvaluationDocument:
    """The stored document. Raises DataError for one of another format, or a damaged one."""
    return serialization.read(content, EvaluationDocument, WHAT, FORMAT)


def of_object(value: object) -> EvaluationDocument:
    """The document of a receipt, whose JSON was read already. Raises DataError as `read` does."""
    return serialization.of_object(value, EvaluationDocument, WHAT, FORMAT)


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


def twins(content: str | bytes) -> Twins:
    """The deployed refits of the compared models, without reading the rest. Raises DataError for a damaged document."""
    return serialization.read(content, _Stands, WHAT).twins or Twins()
