"""Records that the destination refuses for good: one request of one record a line, in OTLP JSON, to be sent again by hand.

The service appends while `replay` may take lines out: both lock the file, and both look whether it is still the one at
its path once they have the lock.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import logging
import os
import threading
from typing import TYPE_CHECKING, Final, Literal, Protocol

from exporter.otlp.encode import to_json_line
from exporter.otlp.wire import WireError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

FILE_NAME: Final = "dead-letter.jsonl"

_log = logging.getLogger(__name__)


class Aside(Protocol):
    """Where a record goes that the destination refuses for good."""

    async def write(self, request: bytes, reason: str) -> bool:
        """Take a request of one record; False when there is no room for it, then it is asked again."""


class DeadLetters:
    """The file of one data directory."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        self.path = directory / FILE_NAME
        self._limit_bytes = limit_bytes
        self.told = False
        """Whether the newest attempt failed."""
        self._writing = threading.Lock()
        """Lanes write from threads of their own."""

    async def write(self, request: bytes, reason: str) -> bool:
        """Append a request; False when the file is full or cannot be written, then nothing was written."""
        return await asyncio.to_thread(self._write, request, reason)

    def _write(self, request: bytes, reason: str) -> bool:
        with self._writing:
            try:
                problem = self._append(to_json_line(request, repair=True))
            except (OSError, WireError) as error:
                problem = f"cannot be written: {error}"
            if problem is None:
                _log.warning("a record was refused for good and is in %s: %s", self.path, reason)
            elif not self.told:
                _log.error("the dead letters %s: %s; what is refused waits, nothing is lost", self.path, problem)
            self.told = problem is not None
            return problem is None

    def _append(self, line: bytes) -> str | None:
        """Write a line to the disk; return why there is no room for it, None when it was written. Raises OSError."""
        with locked(self.path, "ab+") as file:
            size = file.seek(0, os.SEEK_END)
            if size and os.pread(file.fileno(), 1, size - 1) != b"\n":
                line = b"\n" + line  # a crash left half a line
            if size + len(line) > self._limit_bytes:
                return (
                    f"are full ({size} of {self._limit_bytes} bytes); send them again with `replay` or move them away"
                )
            try:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(size)  # half a line would make the rest unreadable
                raise
        if size == 0:
            sync_directory(self.path.parent)
        return None


@contextlib.contextmanager
def locked(path: Path, mode: Literal["rb", "ab+"]) -> Iterator[BinaryIO]:
    """Open the file that is at a path and lock it until it is closed. Raises OSError."""
    while True:
        with path.open(mode) as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            if _is_at(file, path):
                yield file
                return


def _is_at(file: BinaryIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def sync_directory(directory: Path) -> None:
    """Bring the names in a directory to the disk. Raises OSError."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
