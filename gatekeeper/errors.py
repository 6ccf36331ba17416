"""What can go wrong, one class per thing that a caller can do differently?

Every message names the value, the limit and the way out. `retryable` says whether the same call may succeed later
without anyone changing anything: Airflow retries only those.
"""

import re


def mask(text: str) -> str:
    """`text` with the passwords, tokens and keys of every URL in it hidden."""
    text = re.sub(r"(://[^/\s:@]*:)[^/\s@]+@", r"\1***@", text)
    return re.sub(r"(?i)([?&;][^=&\s]*(?:password|passwd|token|secret|key|sig)[^=&\s]*=)[^&\s]+", r"\1***", text)


class GatekeeperError(Exception):
    """Anything that Gatekeeper refuses. The message is written for the person who reads it, and shows no secret."""

    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(mask(message))


class ConfigError(GatekeeperError):
    """A setting or parameter is unknown or out of range: set it right."""


class DataError(GatekeeperError):
    """The source is missing, empty, unreadable or contradicts itself: mend the data."""


class StaleData(DataError):
    """The newest data are too old for this as-of: mend the feed."""


class AsOfError(GatekeeperError):
    """The as-of lies in the future, before the data, or beyond a replayed source: choose another."""


class TrainingRefused(GatekeeperError):
    """The ideas can't carry a model (too few, one class, not finite): wait, or widen the source."""


class ExportRefused(GatekeeperError):
    """The ONNX file doesn't answer as the estimator does: use another recipe."""


class ModelRefused(GatekeeperError):
    """A file isn't a usable model. `reason` is a short slug for logs and metrics, such as `sha256` or `operator`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnknownModel(GatekeeperError):
    """No model (or evaluation) has this id: `gatekeeper list` shows the ids."""


class SchemaOutOfDate(GatekeeperError):
    """The registry's tables are missing or of another revision: run `gatekeeper db upgrade`."""


class ClaimsUnsettled(GatekeeperError):
    """More than one row claims to be active, or a name is taken: run `gatekeeper migrate-naming`."""


class PromotionRefused(GatekeeperError):
    """This promotion may not happen; nothing has changed."""


class Held(PromotionRefused):
    """A hold is on: `gatekeeper release` lifts it."""


class Quarantined(PromotionRefused):
    """These bytes were rolled back from: `gatekeeper release --quarantine ID --reason ...` lifts it."""


class EvaluationOutdated(PromotionRefused):
    """The bytes are no longer those that were judged, or a later as-of was promoted: evaluate again."""


class GenerationMoved(PromotionRefused):
    """Another promotion came between: judge again against the new primary."""


class NoModel(GatekeeperError):
    """There is no model that may answer."""


class Unavailable(GatekeeperError):
    """The database or the model store can't be reached or written just now; nothing has changed."""

    retryable = True
