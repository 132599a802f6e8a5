"""A log for connections that keeps what strangers send out of the operator's way."""

from __future__ import annotations

import logging

from aiohttp.http_exceptions import HttpProcessingError


class _OneDebugLine(logging.Filter):
    """Turns the traceback of a request that is no HTTP into one line at debug level: a port scan is no error."""

    def __init__(self, log: logging.Logger) -> None:
        super().__init__()
        self._log = log

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if not isinstance(error, HttpProcessingError):
            return True
        record.levelno, record.levelname = logging.DEBUG, "DEBUG"
        record.msg, record.args = "bad request: %r", (error.message[:200],)
        record.exc_info = record.exc_text = None
        return self._log.isEnabledFor(logging.DEBUG)


log = logging.getLogger(__name__)
log.addFilter(_OneDebugLine(log))
