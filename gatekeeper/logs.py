"""Loggers: each line is one line of text, without secrets, whatever is logged."""

import logging
import traceback
from collections.abc import Callable
from typing import Any

from gatekeeper.secret_urls import hide, hide_all
from gatekeeper.texts import plain

OF_STORES = frozenset(
    {"adlfs", "aiobotocore", "aiohttp", "azure", "boto3", "botocore", "fsspec", "gcsfs", "google", "s3fs", "urllib3"}
)
"""Packages that are given the URLs of stores and data, and log them whole at DEBUG."""


class Clear(logging.Filter):
    """Rewrites each record before any handler has it."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Always True: the record is changed, none is dropped."""
        record.msg, record.args = plain(hide(record.getMessage())), None
        if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
            lines = "".join(traceback.format_exception(*record.exc_info)).rstrip("\n").split("\n")
            record.exc_text, record.exc_info = "\n".join(plain(hide(line)) for line in lines), None
        return True


def logger(name: str) -> logging.Logger:
    """The logger of this name."""
    log = logging.getLogger(name)
    if not any(isinstance(each, Clear) for each in log.filters):
        log.addFilter(Clear())
    return log


def clear_stores() -> None:
    """From now on, keep the secrets of URLs out of what the packages of stores log, whoever handles their records.

    A filter of a logger has nothing of its children's records, so each record is cleared as it is made.
    """
    if not isinstance(made := logging.getLogRecordFactory(), _Cleared):
        logging.setLogRecordFactory(_Cleared(made))


class _Cleared:
    """Makes records as `make` does; those of OF_STORES without secrets."""

    def __init__(self, make: Callable[..., logging.LogRecord]) -> None:
        self._make = make

    def __call__(self, name: str | None, *args: Any, **kwargs: Any) -> logging.LogRecord:
        record = self._make(name, *args, **kwargs)
        if name is not None and name.partition(".")[0] in OF_STORES:  # logging.makeLogRecord names none
            try:
                record.msg, record.args = hide_all(record.getMessage()), None
            except Exception:  # noqa: BLE001  # whatever their arguments' texts raise: logging fails no caller
                record.msg, record.args = "A message that can't be formatted", None
            if isinstance(record.exc_info, tuple) and record.exc_info[0] is not None:
                record.exc_text = hide_all("".join(traceback.format_exception(*record.exc_info)).rstrip("\n"))
                record.exc_info = None
        return record
