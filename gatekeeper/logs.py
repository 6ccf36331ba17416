"""Loggers: each line is one line of text, without secrets, whatever is logged."""

import logging
import traceback

from gatekeeper.secret_urls import hide
from gatekeeper.texts import plain


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
