"""Comparison records: window, scorecards, verdict, decisions and costs of the streams of one evaluation.

Returns and drawdowns are parts of the initial capital, outcomes parts of the entry price, Sharpe ratios annual. None is
JSON's null: undefined, or not known. Instants are in ISO 8601 with their offset from UTC.
"""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from gatekeeper.documents.evidence import Evidence

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
    evidence: Evidence | UnsetType = UNSET
    """How its trades differ from the champion's, and what history says of such trades. Left out for champion and
    ungated, without a champion, if it wasn't tested, and in older documents."""


class ScorecardRecord(StreamFigures, frozen=True, kw_only=True):
    """A scorecard with its daily returns."""

    daily: list[float]
    """Return of each market day, as a part of the initial capital; in the order of the document's `days`."""
    exposed: list[float] | UnsetType = UNSET
    """Part of the initial capital in open positions in the night before each of these days. Older documents lack it."""


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
