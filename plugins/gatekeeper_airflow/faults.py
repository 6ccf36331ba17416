"""Which faults may Airflow retry? Only those that time alone can cure."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException

log = logging.getLogger("gatekeeper")


@contextmanager
def final_faults() -> Iterator[None]:
    """A refusal of Gatekeeper's fails the task at once, without retries; an unreachable store or database retries.

    The log says it in a sentence, before Airflow's traceback; the fault stays the failure's `__context__`.
    """
    from gatekeeper.errors import GatekeeperError

    try:
        yield
    except GatekeeperError as fault:
        if fault.retryable:
            raise
        sentence = f"{type(fault).__name__}: {fault}"
        log.error("%s", sentence)
        raise AirflowFailException(sentence) from None
