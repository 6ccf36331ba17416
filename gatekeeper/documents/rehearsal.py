"""Rehearsal document: every weekly run of every policy in a walk-forward simulation, and what each would have made.

Returns and drawdowns are parts of the initial capital, Sharpe ratios annual; null is undefined, or not known. Standard
errors are those of the paired bootstrap that `resampling` describes; documents of format 1 had none.
"""

from datetime import datetime

from msgspec import Struct

from gatekeeper.documents import older_rehearsal, serialization
from gatekeeper.documents.ageing import Ageing
from gatekeeper.documents.evaluation import SizingRecord
from gatekeeper.documents.evidence import PooledHistory
from gatekeeper.documents.promotion_tally import PromotionTally
from gatekeeper.documents.serialization import JsonObject
from gatekeeper.documents.start_dates import StartDates
from gatekeeper.documents.stream_pairs import PairResult, Resampling

FORMAT = 2
OLDER = {1: older_rehearsal.of_format_1}
"""Older formats, each with what reads it."""
FLOORS = ("comparable", "enough", "defined")
REFUSED = "refused"


class Look(Struct, frozen=True):
    """One simulated weekly run."""

    as_of: datetime
    """The Monday."""
    answer: str
    """Answer of the verdict; `refused` if no challenger could be made."""
    kind: str
    """weekly or bootstrap."""
    decided_by: str
    """The gate that decided."""
    message: str
    """The verdict in words."""
    gain: float | None = None
    """Annual Sharpe over the primary's."""
    bound: float | None = None
    """Lower confidence bound of the gain."""
    promoted: bool = False
    """Whether the challenger became the primary."""

    @property
    def under_the_floors(self) -> bool:
        """Whether there were too few data to judge."""
        return self.answer == REFUSED or (self.answer == "undecided" and self.decided_by in FLOORS)


class ReignRecord(Struct, frozen=True):
    """From one promotion to the next."""

    since: datetime
    """The Monday of the promotion."""
    made: float
    """Return of the new model."""
    before: float
    """Return that the replaced model would have made."""


class StreamResult(Struct, frozen=True, kw_only=True):
    """One way to choose the live model, and what it would have made."""

    name: str
    """Name of the policy or of the reference."""
    ideas: int
    """Ideas that came."""
    kept_trades: int
    """Ideas that the live model approved."""
    passed_over: int
    """Approved ideas that were not entered, because as many positions were open as may be."""
    sharpe: float | None
    """Annual Sharpe ratio."""
    total_return: float
    """Sum of the daily returns."""
    max_drawdown: float
    """Deepest fall from a peak."""
    age_days: float | None
    """Mean age of the live model's data on Mondays, in days."""
    daily: list[float]
    """Return of each market day."""
    exposed: list[float] = []
    """Part of the initial capital in open positions in the night before each of these days; empty in format 1."""
    sharpe_error: float | None = None
    """Standard error of the Sharpe ratio."""
    return_error: float | None = None
    """Standard error of the total return."""
    drawdown_error: float | None = None
    """Standard error of the drawdown."""


class BudgetSpent(Struct, frozen=True):
    """What the challengers of a policy's tests would spend of its budget, if each were just bad enough."""

    budget: float
    """Most false promotions a year, on average."""
    z: float
    """Standard errors between a gain and its lower bound, which keep to that."""
    challengers: int
    """Challengers that were compared with a champion."""
    correlation: float
    """Mean correlation of their gains over the champion: 0.5 if they share nothing but the champion, 1 if the same."""
    expected: float
    """Promotions a year of models that are just bad enough, by simulation, give or take 0.05."""


class PolicyResult(StreamResult, frozen=True, kw_only=True):
    """One policy."""

    looks: list[Look]
    """Every Monday."""
    answers: dict[str, int]
    """Weekly runs by answer."""
    promotions: int
    """Promotions after the first."""
    weeks_without: int
    """Weeks from the first model on in which it deployed none: they made 0, and count."""
    weeks_not_alike: int
    """Weeks that the gate `alike` decided."""
    weeks_under_the_floors: int
    """Weeks with too little to judge by."""
    reigns: list[ReignRecord]
    """Every promotion after the first."""
    tally: PromotionTally
    """Promotions after the first, as won, tied and lost."""
    waiting_cost: float | None = None
    """Annual Sharpe that always the newest model had more."""
    waiting_cost_error: float | None = None
    """Standard error of that."""
    refit_gain: float | None = None
    """Annual Sharpe of deployed refits over judged models; null unless both were rehearsed."""
    refit_gain_error: float | None = None
    """Standard error of that."""
    judged_made: float | None = None
    """Return with judged models; null unless both were rehearsed."""
    spent: BudgetSpent | None = None
    """What its challengers spend of the budget; null for `better`, for fewer than 8 of them, and in format 1."""


class HoldoutResult(Struct, frozen=True):
    """All policies with one holdout."""

    begins: datetime
    """The first Monday with a model that could be deployed."""
    days: list[str]
    """Market days from then on, as ISO dates."""
    policies: dict[str, PolicyResult]
    """By policy; `, refit` behind the name if refits are deployed."""
    references: list[StreamResult]
    """Always the newest, never retrained, ungated; with refits also the newest refit."""
    weeks: int | None = None
    """Mondays from then on."""
    pairs: list[PairResult] = []
    """Streams against each other; empty for fewer than 5 market days."""
    resampling: Resampling | None = None
    """The bootstrap behind the errors; null if there is none."""
    starts: StartDates | None = None
    """The same from later start dates; null if the weeks leave a year from one date only."""


class RehearsalData(Struct, frozen=True):
    """Source of the ideas."""

    source: str
    """Name of the source and its file."""
    fingerprint: str
    """sha256 over all ideas."""
    notes: list[str]
    """Notes of the source on its data."""


class RehearsalRules(Struct, frozen=True, omit_defaults=True):
    """Rules of the rehearsal."""

    recipe: str
    """Name of the recipe."""
    threshold: float
    """Score from which on an idea is approved, 0 to 1."""
    fraction: float
    """Part of the initial capital in each trade."""
    sizing: SizingRecord
    """Sizing rule of trades."""
    periods_per_year: int
    """Market days in a year."""
    tolerance: float
    """Tolerance of the policy `safe`, in annual Sharpe."""
    deploys: list[str]
    """`judged`, `refit` or both."""
    refit_disagreement: float
    """Largest share of ideas that a refit may decide differently, 0 to 1."""
    z: dict[str, float] = {}
    """By policy with a bound: standard errors between a gain and its lower bound."""
    tests_a_year: int | None = None
    """Weekly runs a year, by the desk's schedule, which z is for."""
    alpha: float | None = None
    """Of older documents, which have no z: the chance of a false promotion of one test."""


class RehearsalDocument(Struct, frozen=True):
    """One rehearsal."""

    format: int
    """Format of the document: 2."""
    first: datetime
    """The first Monday."""
    last: datetime
    """The last Monday."""
    mondays: int
    """Number of Mondays."""
    data: RehearsalData
    """Source of the ideas."""
    rules: RehearsalRules
    """Rules of the rehearsal."""
    holdouts: dict[str, HoldoutResult]
    """By holdout, in days."""
    failures: dict[str, str] = {}
    """By holdout that could not be simulated, in days: the error."""
    ageing: Ageing | None = None
    """Ageing of the models; null unless it was asked for."""


class RefitFile(Struct, frozen=True, omit_defaults=True):
    """The refit of one Monday; or why there is none."""

    refusal: str | None = None
    """Why there is none."""
    model: str | None = None
    """Digest of its ONNX file."""
    trained_to: datetime | None = None
    """When the last outcome that it was trained on became known."""


class WeekFile(RefitFile, frozen=True, omit_defaults=True):
    """Stored week of a rehearsal, so that a stopped one continues: its challenger, or the reason that it has none."""

    ideas: str | None = None
    """Digest of the file of the ideas that judge it."""
    refit: RefitFile | None = None
    """Its refit; left out if none was asked for."""
    pool: PooledHistory | None = None
    """The ideas that were known before its window, which `ideas` lacks; left out if there are too few."""


def as_object(document: RehearsalDocument) -> JsonObject:
    """The document as plain JSON, for `--json`. Raises DataError for a number that is not finite."""
    return serialization.as_object(document)


def read(content: str | bytes) -> RehearsalDocument:
    """The document of `gatekeeper rehearse --json`. Raises DataError for another format, or a damaged one."""
    return serialization.read(content, RehearsalDocument, "rehearsal document", FORMAT, OLDER)


def week_written(week: WeekFile) -> bytes:
    """The file of one Monday."""
    return serialization.written(week, "the rehearsed week").encode()


def week_read(content: str | bytes) -> WeekFile:
    """What `week_written` wrote. Raises DataError for a damaged file."""
    return serialization.read(content, WeekFile, "rehearsed week")
