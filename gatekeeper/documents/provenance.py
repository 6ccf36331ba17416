"""Provenance records: data, training, tests spent and league behind one evaluation."""

from datetime import datetime

from msgspec import UNSET, Struct, UnsetType

from gatekeeper.documents.comparison import Answer, StreamFigures
from gatekeeper.documents.passport import Passport


class DataRecord(Struct, frozen=True, omit_defaults=True):
    """Source of the ideas."""

    source: str
    """Name of the source and its file."""
    newest: datetime
    """Close of the newest bar, or the newest that is known."""
    notes: list[str]
    """Notes of the source on its data, such as what was left out."""
    fingerprint: str
    """sha256 over all ideas of the dataset."""
    passport: Passport | None = None
    """Data passport. Older documents lack it."""


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
    """Chance of a false promotion of one test alone; null for a policy without a bound."""
    allowed: float | None
    """Most false promotions of so many tests, on average; null likewise."""


class Training(Struct, frozen=True, omit_defaults=True):
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
    train_years: float | None = None
    """Years before the cut-off that the ideas had to start in; left out if all were taken."""
    half_life_days: float | None = None
    """Days of age at the cut-off by which an idea's weight halves; left out if all weigh the same."""


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
    exposed: list[float] | UnsetType | None = UNSET
    """As of a scorecard; null like `daily`. Older documents lack it."""
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
