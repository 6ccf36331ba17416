"""Errors: one class for each remedy that a caller has.

Every message gives the value, the limit and the way out. `retryable`: whether the same call may succeed later without
any change; Airflow retries only those.
"""

import re
from datetime import datetime

from gatekeeper.secret_urls import hide
from gatekeeper.texts import plain


def slug(kind: type[BaseException]) -> str:
    """The class's name as a slug, such as `stale_data`."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower()


def with_reason(fault: BaseException) -> str:
    """The message with its slug at the end, as logs and error lines show it: `... Fix the feed. [stale_data]`."""
    return f"{fault} [{fault.reason if isinstance(fault, GatekeeperError) else 'unexpected'}]"


class GatekeeperError(Exception):
    """Base class of all refusals. Its message is one line for an operator, without secrets and control characters.

    `reason`: a slug for logs, metrics and `gatekeeper explain-reason`: the class's name, unless it has one of its own.
    """

    retryable = False

    def __init__(self, message: str) -> None:
        super().__init__(plain(hide(message)))
        self.reason = slug(type(self))


class ConfigError(GatekeeperError):
    """A setting or parameter is unknown or out of range: set it right."""


class DataError(GatekeeperError):
    """The source is missing, empty, unreadable or inconsistent: repair the data.

    `mapping`: of a file of unknown shape, the `columns` of its desk to check and fill in, as TOML; else empty.
    """

    def __init__(self, message: str, mapping: str = "") -> None:
        super().__init__(message)
        self.mapping = mapping


class StaleData(DataError):
    """The newest data are too old for this as-of: repair the feed. `newest`: when they end, if that is known."""

    def __init__(self, message: str, newest: datetime | None = None) -> None:
        super().__init__(message)
        self.newest = newest


class AsOfError(GatekeeperError):
    """The as-of lies in the future, before the data, or beyond a replayed source: choose another."""


class TrainingRefused(GatekeeperError):
    """The ideas don't suffice to train a model (too few, one class, not finite): wait, or widen the source."""


class ExportRefused(GatekeeperError):
    """The ONNX file does not score as the estimator does: use another recipe."""


class ModelRefused(GatekeeperError):
    """A file is not a usable model. `reason`: a slug for logs and metrics, such as `sha256` or `operator`."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class UnknownModel(GatekeeperError):
    """No model (or evaluation) has this id: `gatekeeper list` shows the ids."""


class SchemaOutOfDate(GatekeeperError):
    """The registry's tables are missing or of another revision: run `gatekeeper db upgrade`."""


class ClaimsUnsettled(GatekeeperError):
    """Several rows are named as the primary, or a name is taken: run `gatekeeper migrate-naming`."""


class PromotionRefused(GatekeeperError):
    """The promotion is refused; nothing has changed."""


class Held(PromotionRefused):
    """A hold is in force: release it with `gatekeeper release`."""


class Quarantined(PromotionRefused):
    """The bytes are quarantined: clear that with `gatekeeper release --quarantine ID --reason ...`."""


class Unapproved(PromotionRefused):
    """No person has approved exactly this promotion: ask by clearing the task `approve`."""


class EvaluationOutdated(PromotionRefused):
    """The bytes are not the judged ones any more, or a later as-of was promoted: evaluate again."""


class GenerationMoved(PromotionRefused):
    """Another promotion came first: evaluate again against the new primary."""


class KeyUsed(GatekeeperError):
    """The run key was used for another act, which stands: give this act a key of its own, such as that of a new run."""


class ClockBehind(GatekeeperError):
    """The registry holds times ahead of the clock: set the clock right, or run `gatekeeper doctor --repair`."""


class NoModel(GatekeeperError):
    """No model may answer."""


class Unavailable(GatekeeperError):
    """The database or the model store can't be reached or written now; nothing has changed."""

    retryable = True


class RegistryReplaced(Unavailable):
    """The database is another one than this process began with, and nobody said so: stop the servers and restore."""


class StorageFailed(GatekeeperError):
    """The database is damaged, or its disk is full, failing or not writable: nothing has changed, a person must act."""
