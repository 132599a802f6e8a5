"""The lines that a server keeps of one pipeline: a ring with two limits, numbered from 1."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

LIMIT_BYTES = 1_000_000
LIMIT_LINES = 50_000


class Position(NamedTuple):
    """Where a reader who resumes begins."""

    seq: int
    """The number of the line before the first one that it gets."""
    gap: int
    """How many lines between its cursor and that one are lost."""


class LogBuffer:
    """The newest lines, `limit_bytes` (without line ends) or `limit_lines` at most, both inclusive."""

    __slots__ = ("_limit_bytes", "_limit_lines", "_size_bytes", "appended", "lines")

    def __init__(self, limit_bytes: int = LIMIT_BYTES, limit_lines: int = LIMIT_LINES) -> None:
        self.lines: deque[bytes] = deque()
        self.appended = 0
        self._size_bytes = 0
        self._limit_bytes = limit_bytes
        self._limit_lines = limit_lines

    @property
    def discarded(self) -> int:
        """How many lines were thrown away since the beginning."""
        return self.appended - len(self.lines)

    def append(self, line: bytes) -> None:
        """Add a line. One that is over the limit by itself empties the buffer and is not kept."""
        self.appended += 1
        if len(line) > self._limit_bytes:
            self.lines.clear()
            self._size_bytes = 0
            return
        self.lines.append(line)
        self._size_bytes += len(line)
        self._shrink()

    def extend(self, lines: Sequence[bytes]) -> None:
        """Add many lines at once, with the same result as one after the other."""
        if lines and max(map(len, lines)) > self._limit_bytes:
            for line in lines:
                self.append(line)
            return
        self.appended += len(lines)
        self.lines.extend(lines)
        self._size_bytes += sum(map(len, lines))
        self._shrink()

    def resume(self, after: int) -> Position:
        """Say where a reader begins who has seen the lines up to `after`; one beyond the end waits for the next line."""
        wanted = min(after, self.appended)
        seq = max(wanted, self.discarded)
        return Position(seq, seq - wanted)

    def _shrink(self) -> None:
        lines = self.lines
        while self._size_bytes > self._limit_bytes or len(lines) > self._limit_lines:
            self._size_bytes -= len(lines.popleft())
