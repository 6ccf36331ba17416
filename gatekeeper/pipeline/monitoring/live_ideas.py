"""Live ideas: the primary's ideas since its promotion, from the servers' log or replayed."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gatekeeper.errors import AsOfError, DataError
from gatekeeper.registry import Evaluation, Promotion
from gatekeeper.secret_urls import SecretUrl
from gatekeeper.serving.served_scores import Answers, answered
from gatekeeper.settings import Settings

if TYPE_CHECKING:
    from gatekeeper.market.data.passport.reading import Reading
    from gatekeeper.market.ideas import Dataset

LOGGED, REPLAYED = "logged", "replayed"
_LOG = "sql"


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The ideas since the promotion. features: (n, 7) of all of them, open ones included if they are known.

    since: for logged ideas the instant of the promotion, before which another model answered; for replayed ones its
    as-of. answers: the servers' answers since; None for replayed ideas.
    """

    dataset: "Dataset"
    since: datetime
    source: str
    features: NDArray[np.float32]
    answers: Answers | None
    notes: tuple[str, ...]


def seen(settings: Settings, promotion: Promotion, as_of: datetime, reading: "Reading | None" = None) -> Seen:
    """Logged ideas if one of them has ended since the promotion or there are no others; else those of `settings.data`.

    reading: notes what is read of these.

    Raises the source's errors: DataError, StaleData, AsOfError, ConfigError, Unavailable.
    """
    from gatekeeper.market import sources

    if logs_only(settings):
        return _logged(sources.load(settings.data, as_of, settings), settings.data, settings, promotion)
    notes: tuple[str, ...] = ()
    try:
        found = _logged(sources.load(f"{_LOG}:", as_of, settings), f"{_LOG}:", settings, promotion)
        if (found.dataset.ideas.time >= _instant(found.since)).any():
            return found
    except AsOfError:
        pass  # no server has logged anything yet
    except DataError as fault:
        notes = (f"the logged ideas can't be used: {fault}",)
    dataset = sources.load(settings.data, as_of, settings, reading)
    ideas = dataset.ideas.take(dataset.ideas.time >= _instant(promotion.as_of))
    return Seen(dataset, promotion.as_of, REPLAYED, ideas.features, None, notes)


def logs_only(settings: Settings) -> bool:
    """Whether the servers' log is the only data of this desk."""
    return str(settings.data).partition(":")[0] == _LOG


def reference(settings: Settings, evaluation: Evaluation) -> tuple[NDArray[np.float32] | None, str]:
    """(N, 7) features of the evaluation's ideas in the order of time; or None, and the reason."""
    from gatekeeper.market import sources
    from gatekeeper.market.data.passport.reading import Reading

    passport = evaluation.document.data.passport
    reading = Reading(without_last=() if passport is None else passport.without_last)
    try:
        dataset = sources.load(settings.data, evaluation.as_of, settings, reading)
    except (DataError, AsOfError) as fault:
        return None, f"the ideas of evaluation {evaluation.id} can no longer be read: {fault}"
    window = evaluation.document.window
    start, end = _instant(window.start), _instant(window.end)
    started = dataset.ideas.time
    note = ""
    if dataset.fingerprint() != evaluation.document.data.fingerprint:
        note = f"{dataset.source} has other ideas as of {evaluation.as_of:%Y-%m-%d} than evaluation {evaluation.id} had"
    return dataset.ideas.features[(started >= start) & (started <= end)], note


def _logged(dataset: "Dataset", uri: str | SecretUrl, settings: Settings, promotion: Promotion) -> Seen:
    answers = answered(uri, promotion.at, dataset.as_of, settings)
    return Seen(dataset, promotion.at, LOGGED, answers.features, answers, ())


def _instant(moment: datetime) -> np.datetime64:
    from gatekeeper.market.ideas import instant

    return instant(moment)
