"""OTLP JSON lines in a file."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING

from exporter.otlp.json_lines import to_json_line
from exporter.otlp.transport.outcome import Accepted, Outcome, RefusedData, Retry
from exporter.otlp.wire import WireError

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.otlp.names import Signal


class FileTransport:
    """Appends to one file, each request a line. Accepted means that it is on the disk."""

    def __init__(self, path: Path, signal: Signal = "logs") -> None:
        self._path = path
        self._signal: Signal = signal
        self._turn = asyncio.Lock()

    async def send(self, request: bytes, records: int) -> Outcome:  # noqa: ARG002  (what all transports are given)
        """Append a request. The file is opened each time, so it may be moved away."""
        async with self._turn:
            try:
                await asyncio.to_thread(self._append, request)
            except OSError as error:
                return Retry(None, "connect", f"{self._path} cannot be written: {error.strerror or error}")
            except WireError as error:
                return RefusedData("INVALID_ARGUMENT", f"{self._path}: {error}")
        return Accepted("OK")

    async def close(self) -> None:
        """Nothing is open between requests."""

    def _append(self, request: bytes) -> None:
        line = to_json_line(request, signal=self._signal)
        with self._path.open("ab+") as file:
            end = file.seek(0, os.SEEK_END)
            if end and os.pread(file.fileno(), 1, end - 1) != b"\n":
                line = b"\n" + line  # a crash left half a line
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
