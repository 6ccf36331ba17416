"""Check document: what one run of the monitor saw of the primary since its promotion.

Returns and drawdowns are parts of the initial capital, Sharpe ratios annual; null is undefined, or not known.
"""

from collections.abc import Iterator
from datetime import datetime

from msgspec import Struct

from gatekeeper.documents import serialization
from gatekeeper.documents.evaluation import ScorecardRecord
from gatekeeper.documents.passport import FindingRecord
from gatekeeper.documents.serialization import JsonObject

FORMAT = 2
WHAT = "check document"


class CheckedModel(Struct, frozen=True):
    """A model by its row and its bytes."""

    model_id: int
    """Its id in the registry."""
    version: str
    """Its version, when the check was made."""
    sha256: str | None
    """Digest of its bytes; null for a row that was never registered."""


class PromotionRecord(Struct, frozen=True):
    """Promotion of the primary."""

    generation: int
    """Number of the promotion."""
    kind: str
    """Kind of the promotion: weekly, bootstrap, recovery, manual, rollback or adopted."""


class LiveScorecards(Struct, frozen=True):
    """The primary, the model before it, and every idea taken, on the same live ideas."""

    primary: ScorecardRecord
    """The primary."""
    before: ScorecardRecord | None
    """The model before it; null if there was none, or if it can't be loaded."""
    ungated: ScorecardRecord
    """Every idea taken."""

    def __iter__(self) -> Iterator[tuple[str, ScorecardRecord]]:
        """Role and card of those that there are."""
        cards = {"primary": self.primary, "before": self.before, "ungated": self.ungated}
        return iter([(role, card) for role, card in cards.items() if card is not None])


class LiveGain(Struct, frozen=True):
    """Annual Sharpe of the primary over the model before it."""

    predicted: float | None = None
    """Gain to expect: the measured one, shrunk since a large one is why the primary was promoted. Format 1 didn't."""
    predicted_error: float | None = None
    """Standard error of that."""
    realised: float | None = None
    """Gain on the live ideas."""
    realised_error: float | None = None
    """Standard error of that."""
    surprise: float | None = None
    """Realised against measured gain as a standard normal, given that only larger gains than `least` are promoted;
    in format 1 (realised - predicted) in standard errors. Negative: less was realised."""
    measured: float | None = None
    """Gain as its evaluation measured it."""
    measured_error: float | None = None
    """Standard error of that."""
    least: float | None = None
    """Gain that the rule asked for with this error; null if the rule did not promote it, and in format 1."""


class Breaker(Struct, frozen=True):
    """Circuit breaker: the live drawdown next to the bound from the backtest's own days."""

    tripped: bool
    """Whether the drawdown is deeper than the bound."""
    drawdown: float
    """Deepest fall since the promotion, as a part of the initial capital."""
    bound: float | None
    """Quantile of the draws; null if the days can't tell, and then it never trips."""
    p: float | None
    """Share of the drawn years that reach as deep a drawdown for its day. In format 1, of draws of as many days."""
    level: float
    """Share of the drawn years that stay within the bound on every day, 0 to 1. In format 1, on the last day."""
    days: int
    """Live market days."""
    backtest_days: int
    """Market days of the backtest."""
    block: int | None
    """Mean length of the bootstrap's blocks, in market days."""
    text: str
    """The same in words."""
    horizon: int | None = None
    """Market days of daily checks that the level holds for: whole years. Null in format 1, and without a bound."""
    compared: int | None = None
    """Models that the backtest was the best of. Null as `horizon`."""
    alike: float | None = None
    """Correlation of their returns, -1 to 1. Null as `horizon`."""


class Shift(Struct, frozen=True):
    """Shift of one column. All null for a constant column, which can't drift."""

    name: str
    """Feature, or `score`."""
    distance: float | None
    """Largest distance of the two distribution functions, 0 to 1."""
    bound: float | None
    """Distance from which on it counts as drift; null also if too few ideas are independent."""
    drifted: bool | None
    """Whether the distance is over the bound."""
    independent: float | None = None
    """Independent ideas that the live ones are worth in this column. Null in format 1."""


class Drift(Struct, frozen=True):
    """Drift of the live ideas from those of the evaluation."""

    ideas: int
    """Live ideas that were compared."""
    reference: int
    """Ideas of the evaluation."""
    level: float
    """Confidence of the bounds for all columns together, 0 to 1."""
    shifts: tuple[Shift, ...]
    """Every column; empty if there is too little to compare."""
    text: str
    """The same in words."""
    drifted: tuple[str, ...] = ()
    """Names of the columns that moved beyond their bound."""


class ShadowModel(Struct, frozen=True):
    """A standby model on the ideas since it exists: what it would have made. Errors count days as independent."""

    model: CheckedModel
    """The model."""
    since: datetime
    """From when on ideas count: on logged ideas its registration, on replayed ones its weekly run's as-of."""
    ideas: int
    """Ideas since, old enough and with a known outcome."""
    days: int
    """Market days since."""
    approved: int
    """Ideas that it approves."""
    total_return: float
    """What they made."""
    total_return_error: float | None
    """Standard error of that."""
    max_drawdown: float
    """Its deepest fall."""
    sharpe: float | None
    """Sharpe ratio; null with too few ideas."""
    sharpe_error: float | None
    """Standard error of that (Mertens 2002)."""
    gain: float | None
    """Sharpe ratio over the primary's on the days since both exist; null with too few ideas."""
    gain_error: float | None
    """Standard error of that (Ledoit & Wolf 2008)."""
    gain_ideas: int
    """Ideas of that comparison."""


class Shadow(Struct, frozen=True):
    """The desk's standby models on live ideas: forward evidence, which no verdict uses."""

    models: tuple[ShadowModel, ...]
    """The newest first."""
    most: int
    """Largest number of models that are scored."""
    older: int
    """Models beyond that number, which were not scored."""
    left_out: dict[str, str]
    """Models that could not be scored, by version, and why."""
    text: str
    """The same in words."""


class ServerAnswers(Struct, frozen=True):
    """Models that answered the logged ideas."""

    answered: int
    """Answers since the promotion."""
    by_primary: int
    """Ideas answered by the primary's bytes."""
    degraded: int
    """Ideas answered by a model other than the primary of that moment."""
    by_none: int
    """Ideas that no model could answer."""
    largest_difference: float | None
    """Largest difference of the primary's scores there and here; null without any."""


class CheckDocument(Struct, frozen=True):
    """One check."""

    format: int
    """Format of the document: 2. One of format 1 becomes one of 2 as it is read."""
    as_of: datetime
    """The instant that the check knows nothing beyond."""
    primary: CheckedModel
    """Primary."""
    before: CheckedModel | None
    """The model before it; null for the first primary."""
    promotion: PromotionRecord
    """Promotion of the primary."""
    evaluation: int | None
    """Id of the evaluation that speaks for it; null if there is none."""
    since: datetime
    """From when on ideas count: on logged ideas the promotion, on replayed ones its as-of."""
    source: str
    """`logged` or `replayed` ideas."""
    data: str
    """Name of the data source."""
    ideas: int
    """Ideas whose outcome is known."""
    days: int
    """Market days since."""
    enough: bool
    """Whether there are enough ideas and days for a meaningful Sharpe ratio."""
    floor: int
    """Fewest ideas for that."""
    market_days: list[str]
    """The market days, as ISO dates."""
    scorecards: LiveScorecards
    """Number of ideas that started at least the longest hold before the as-of."""
    gain: LiveGain
    """Predicted against realised."""
    breaker: Breaker
    """The circuit breaker."""
    drift: Drift | None
    """Null if there is nothing to compare with."""
    servers: ServerAnswers | None
    """Null on replayed ideas."""
    notes: list[str]
    """Comparisons that could not be made, and the reasons."""
    text: str
    """All of it in a few words."""
    shadow: Shadow | None = None
    """Null in format 1."""
    data_warnings: tuple[FindingRecord, ...] | None = None
    """What is new about the data since the newest weekly run. Null if nothing could be compared, and in older ones."""


def written(document: CheckDocument) -> str:
    """The document as the registry stores it. Raises DataError for a number that is not finite."""
    return serialization.written(document, "the check's document")


def read(content: str | bytes) -> CheckDocument:
    """The stored document. Raises DataError for one of another format, or a damaged one."""
    return serialization.read(content, CheckDocument, WHAT, FORMAT, {1: _of_format_1})


def as_object(document: CheckDocument) -> JsonObject:
    """The document as plain JSON."""
    return serialization.as_object(document)


def _of_format_1(value: JsonObject) -> JsonObject:
    """Its prediction was the gain as measured; all else that is new stays null. Raises ValueError."""
    gain = value.get("gain")
    if not isinstance(gain, dict):
        raise ValueError("Object missing required field `gain`")
    measured = {"measured": gain.get("predicted"), "measured_error": gain.get("predicted_error")}
    return {**value, "format": FORMAT, "gain": {**gain, **measured}}
