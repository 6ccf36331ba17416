"""Which faults may Airflow retry? Only those that time alone can cure."""

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException


@contextmanager
def final_faults() -> Iterator[None]:
    """A refusal of Gatekeeper's fails the task at once, without retries; an unreachable store or database retries."""
    from gatekeeper.errors import GatekeeperError

    try:
        yield
    except GatekeeperError as fault:
        if fault.retryable:
            raise
        raise AirflowFailException(f"{type(fault).__name__}: {fault}") from fault
