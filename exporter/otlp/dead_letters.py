"""Records that the destination refuses for good: one request of one record a line, in OTLP JSON, to be sent again by hand."""

from __future__ import annotations

import asyncio
import logging
import os
from typing import TYPE_CHECKING, Final

from exporter.otlp.encode import to_json_line

if TYPE_CHECKING:
    from pathlib import Path

FILE_NAME: Final = "dead-letter.jsonl"

_log = logging.getLogger(__name__)


class DeadLetters:
    """The file of one data directory."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self.path = directory / FILE_NAME
        self._limit_bytes = limit_bytes
        self._told = False

    async def write(self, request: bytes, reason: str) -> bool:
        """Append a request; False when the file is full or cannot be written, then nothing was written."""
        return await asyncio.to_thread(self._write, to_json_line(request), reason)

    def _write(self, line: bytes, reason: str) -> bool:
        try:
            size = self.path.stat().st_size if self.path.exists() else 0
            if size + len(line) > self._limit_bytes:
                self._tell(f"is full ({size} bytes); send it again with `replay` or move it away")
                return False
            with self.path.open("ab") as file:
                try:
                    file.write(line)
                    file.flush()
                    os.fsync(file.fileno())
                except OSError:
                    file.truncate(size)  # half a line would make the rest unreadable
                    raise
        except OSError as error:
            self._tell(f"cannot be written: {error}")
            return False
        self._told = False
        _log.warning("a record was refused for good and is in %s: %s", self.path, reason)
        return True

    def _tell(self, problem: str) -> None:
        if not self._told:
            _log.error("the dead letters %s: %s; the lane waits", self.path, problem)
        self._told = True
