"""Task failures: refusals fail at once, and only errors that may pass by themselves are retried."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

from gatekeeper.logs import logger

log = logger("gatekeeper")


@contextmanager
def final_faults() -> Iterator[None]:
    """Fail the task at once, without retries, on a refusal of Gatekeeper's; retry an unreachable store or database.

    Logs the message before Airflow's traceback; the refusal stays the failure's `__context__`.
    """
    from gatekeeper.errors import GatekeeperError, with_reason

    try:
        yield
    except GatekeeperError as fault:
        if fault.retryable:
            raise
        sentence = f"{type(fault).__name__}: {with_reason(fault)}"
        log.error("%s", sentence)
        raise AirflowFailException(sentence) from None
