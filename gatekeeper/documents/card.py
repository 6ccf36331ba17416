"""Facts of a model card: all that the registry has on record of one model; null if unknown."""

from datetime import datetime

from msgspec import Struct

from gatekeeper.documents import serialization
from gatekeeper.documents.serialization import JsonObject


class CardModel(Struct, frozen=True):
    """The model's row and its artifact."""

    id: int
    """Its id in the registry."""
    version: str | None
    """Its version; null or empty for a row without a name."""
    description: str | None
    """Note of whoever registered it."""
    created_at: datetime | None
    """When it was registered."""
    sha256: str | None
    """Digest of its bytes."""
    size: int | None
    """Bytes."""
    feature_schema: str | None
    """Id of its features."""
    threshold: float | None
    """Score from which on an idea is approved, 0 to 1."""
    trained_from: datetime | None
    """Start of the first training idea."""
    trained_to: datetime | None
    """When the last training outcome became known."""
    cutoff: datetime | None
    """Nothing later was allowed."""
    estimator: str | None
    """Name of its recipe."""
    fingerprint: str | None
    """sha256 over the training ideas."""
    code_version: str | None
    """Version of Gatekeeper that made it."""
    run_key: str | None
    """Weekly run, or other key, that registered it."""
    recognised: str | None
    """Way in which the score is read from its outputs."""


class CardState(Struct, frozen=True):
    """Current state of the model."""

    name: str
    """primary, standby, quarantined, unregistered, or no usable model."""
    since: datetime | None
    """Since when it is the primary; null for any other."""
    fault: str | None
    """Why its file is no usable model."""
    quarantined: bool
    """Whether its bytes are quarantined."""


class CardTraining(Struct, frozen=True, omit_defaults=True):
    """Training, as the run that made it wrote it into its evaluation."""

    seed: int | None
    """Seed of the training."""
    ideas: int | None
    """Ideas that it was trained on."""
    wins: int | None
    """Number of them that won."""
    parameters: dict[str, object] | None
    """Parameters of the fitted estimator."""
    source: str | None
    """Name of the data source."""
    notes: list[str] | None
    """Notes of the source on its data."""
    age_days: int | None
    """Days from the end of its data to the card."""
    train_years: float | None = None
    """Years before the end of the training that its ideas had to start in; left out if all were taken."""
    half_life_days: float | None = None
    """Days of age by which an idea's weight in the training halves; left out if all weigh the same."""


class CardEvaluation(Struct, frozen=True, kw_only=True):
    """One evaluation of it as a challenger. Sharpe figures are annual."""

    id: int
    """Id of the evaluation."""
    as_of: datetime
    """The instant that it knows nothing beyond."""
    kind: str
    """Kind of the weekly run."""
    champion: int | None
    """Id of the model that it was judged against; null if there was none."""
    verdict: str
    """promote, keep or undecided."""
    of_these_bytes: bool
    """Whether it was of the bytes that the row has now."""
    policy: str | None
    """Policy in force; null for a document of another make, and then all that follows."""
    decided_by: str | None
    """The gate that decided."""
    window_start: str | None
    """Start of the window, in ISO 8601."""
    window_days: int | None
    """Market days of the window."""
    ideas: int | None
    """Ideas that there were to take."""
    kept: int | None
    """Ideas that it approved."""
    win_rate: float | None
    """Share of the entered trades that won, 0 to 1."""
    sharpe: float | None
    """Sharpe ratio of the challenger."""
    champion_sharpe: float | None
    """Sharpe ratio of the champion."""
    ungated_sharpe: float | None
    """Sharpe ratio of every idea taken."""
    total_return: float | None
    """Return, as a part of the initial capital."""
    max_drawdown: float | None
    """Deepest fall from a peak, as a part of the initial capital."""
    gain: float | None
    """Sharpe over the champion's."""
    standard_error: float | None
    """Standard error of the gain."""
    bound: float | None
    """Lower confidence bound of the gain."""
    symbols: list[str] | None
    """Symbols of the window's ideas."""
    age_days: int | None
    """Days from the end of its data to the as-of."""


class CardChampion(Struct, frozen=True):
    """Evaluations of others against it."""

    count: int
    """Evaluations."""
    newest: datetime | None
    """As-of of the newest."""


class CardPromotion(Struct, frozen=True):
    """One promotion that it came in by, or left by."""

    generation: int
    """Number of the promotion."""
    from_id: int | None
    """Id of the model that was left."""
    to_id: int
    """Id of the model that became the primary."""
    kind: str
    """Kind of the promotion."""
    actor: str
    """Actor."""
    reason: str
    """Why."""
    evaluation_id: int | None
    """Id of the evaluation that it rests on."""
    as_of: datetime
    """As-of of the weekly run, or of the act."""
    at: datetime
    """When it was done."""
    sha256: str | None
    """Digest of the bytes that went in."""


class CardQuarantine(Struct, frozen=True):
    """One quarantine on its bytes."""

    sha256: str
    """Digest of the bytes."""
    model_id: int
    """Id of the model that was left."""
    actor: str
    """Actor of the rollback."""
    reason: str
    """Why."""
    at: datetime
    """When."""
    released_at: datetime | None
    """When it was cleared; null while it stands."""
    released_by: str | None
    """Actor of the release."""
    release_reason: str | None
    """Why."""


class CardFigure(Struct, frozen=True):
    """One figure of every stream of an evaluation, as its report shows it."""

    name: str
    """Name of the figure."""
    meaning: str
    """What it means."""
    cells: list[str]
    """The figure of each stream; an undefined one says why."""


class CardFigures(Struct, frozen=True):
    """What traders look for, of the newest evaluation."""

    evaluation: int
    """Id of the evaluation."""
    streams: list[str]
    """The streams compared, and buy and hold if the source has bars."""
    figures: list[CardFigure]
    """The figures, each with a cell for every stream."""
    notes: list[str]
    """Sentences on what no cell shows."""


class CardFacts(Struct, frozen=True):
    """All that a model card says."""

    made_at: datetime
    """When the card was made."""
    made_by: str
    """Version of Gatekeeper that made it."""
    model: CardModel
    """The model's row."""
    state: CardState
    """Current state."""
    features: list[str] | None
    """Names of its features, if its schema is known to this version."""
    twin: int | None
    """Id of the model that was judged in its stead."""
    training: CardTraining
    """Training."""
    evaluations: list[CardEvaluation]
    """Evaluations as a challenger, newest first."""
    as_champion: CardChampion
    """Evaluations of others against it."""
    promotions: list[CardPromotion]
    """Newest first."""
    quarantines: list[CardQuarantine]
    """Newest first."""
    figures: CardFigures | None = None
    """Null without an evaluation whose document can be read."""


def as_object(facts: CardFacts) -> JsonObject:
    """The facts as plain JSON, for `--json`."""
    return serialization.as_object(facts)
