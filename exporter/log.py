"""The exporter's own log on stderr: lines for people or JSON lines. Times are UTC."""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    import asyncio

_log = logging.getLogger(__name__)


def set_up(level: str, form: Literal["text", "json"]) -> None:
    """Send the log of all parts to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _text())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # What it says of jobs is said by the scheduler's events, counted, and in terms of sources.
    logging.getLogger("apscheduler").setLevel(logging.CRITICAL)
    logging.getLogger("asyncio").setLevel(logging.WARNING)


def report_broken(task: asyncio.Task[None]) -> None:
    """Say that a part of the service broke in a way that nobody foresaw: what a task that ended is given to."""
    if not task.cancelled() and task.exception() is not None:
        _log.critical("%s broke: %r", task.get_name(), task.exception(), exc_info=task.exception())


def _text() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s: %(message)s", "%Y-%m-%dT%H:%M:%S")
    formatter.converter = time.gmtime
    return formatter


class _Json(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        moment = datetime.fromtimestamp(record.created, UTC)
        line = {
            "time": moment.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
