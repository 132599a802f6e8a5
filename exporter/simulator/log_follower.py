"""One reader of a log: the lines that wait for it, and how its stream ends."""

from __future__ import annotations

from collections import deque
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

QUEUE_LINES = 100_000


class End(Enum):
    """How a stream ends. All but `RESET` and `KILLED` send what is queued first."""

    GONE = "the marker `Logs have ended` without a cursor, then a clean end: deletion, slow reader"
    CLEAN = "a clean end without marker: the runner's side closed its connection"
    CUT = "the connection closed without the last chunk"
    RESET = "the connection reset at once"
    KILLED = "the connection closed at once, in the middle of a line where a torn one is given"


class Follower:
    """A queue of lines between the runner and one connection, which may hold `QUEUE_LINES`."""

    __slots__ = ("_queue", "end", "marked", "on_ready", "torn")

    def __init__(self, *, marked: bool) -> None:
        self.marked = marked
        """Whether an end of the log is told in the body."""
        self.end: End | None = None
        self.torn = b""
        """What a killed server had begun to send."""
        self.on_ready: Callable[[], None] | None = None
        self._queue: deque[bytes] = deque()

    @property
    def queued(self) -> int:
        """How many lines wait."""
        return len(self._queue)

    def replay(self, lines: Iterable[bytes]) -> None:
        """Queue what the buffer holds, which always fits."""
        self._queue.extend(lines)

    def offer(self, lines: Sequence[bytes]) -> None:
        """Queue new lines. A reader for whom they are too many gets those that fit, and then the end."""
        if self.end is not None:
            return
        room = QUEUE_LINES - len(self._queue)
        if len(lines) > room:
            self._queue.extend(lines[:room])
            self.finish(End.GONE)
            return
        self._queue.extend(lines)
        if self.on_ready is not None:
            self.on_ready()

    def finish(self, end: End, torn: bytes = b"") -> None:
        """End the stream; the first end counts."""
        if self.end is None:
            self.end = end
            self.torn = torn
        if end in {End.RESET, End.KILLED}:
            self._queue.clear()
            self.end = end
            self.torn = torn
        if self.on_ready is not None:
            self.on_ready()

    def take(self, most: int = 1_000) -> list[bytes]:
        """Take the next lines out of the queue."""
        queue = self._queue
        if len(queue) <= most:
            lines = list(queue)
            queue.clear()
            return lines
        return [queue.popleft() for _ in range(most)]
