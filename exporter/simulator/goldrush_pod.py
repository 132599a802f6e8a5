"""One pod of a GoldRush pipeline's worker: what it has printed, and the newest part of it that the API shows."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

FAILED_FETCH = "unable to upgrade connection: container not found"
_KEPT_LINES = 100_000
_REMEMBERED_ANSWERS = 100_000


@dataclass(frozen=True, slots=True)
class Window:
    """How much of a log an answer shows. The vendor does not say; None is without limit."""

    lines: int | None = 500
    """A last line without newline counts as one."""
    size_bytes: int | None = None
    """Cuts the first line where it falls, also within a character."""


class Shown(NamedTuple):
    """Which lines of a container's log an answer showed, so that a test knows where a reader must have missed some."""

    container: int
    """Which one of the pod, from 0."""
    first: int
    """The number of the first line shown, from 0 with each container; it may be cut."""
    end: int
    """The number behind the last line shown; one that is being written counts."""


class GoldRushPod:
    """One replica of a worker."""

    def __init__(self, name: str, *, ready: bool = False) -> None:
        self.name = name
        self.ready = ready
        self.readable = ready
        """Whether there is a container to fetch a log from: not before it is scheduled, nor after it has crashed."""
        self.written = 0
        """How many lines were ever ended, those of earlier containers too."""
        self.answers: deque[Shown | None] = deque(maxlen=_REMEMBERED_ANSWERS)
        """What each answer showed; None: an error in place of the log."""
        self._container = 0
        self._ended = 0
        """How many lines of this container were ended."""
        self._lines: deque[bytes] = deque(maxlen=_KEPT_LINES)
        self._open = b""
        self._failing: list[str] = []

    def write(self, text: bytes) -> None:
        """Print some bytes; what comes after the last newline is a line that is still being written."""
        *lines, self._open = (self._open + text).split(b"\n")
        self._lines.extend(lines)
        self.written += len(lines)
        self._ended += len(lines)

    def clear(self) -> None:
        """Begin with an empty log, as a container that was started again does."""
        self._lines.clear()
        self._open = b""
        self._ended = 0
        self._container += 1

    def fail_fetches(self, count: int = 1, text: str = FAILED_FETCH) -> None:
        """Let the next fetches of the log find an error in its place."""
        self._failing.extend([text] * count)

    def fetch(self, window: Window) -> str:
        """Return what the API shows as the pod's log."""
        if self._failing or not self.readable:
            self.answers.append(None)
            return self._failing.pop(0) if self._failing else FAILED_FETCH
        text = self.tail(window)
        end = self._ended + bool(self._open)
        self.answers.append(Shown(self._container, end - text.count(b"\n") - bool(self._open and text), end))
        return text.decode(errors="replace")

    def tail(self, window: Window) -> bytes:
        """Return the newest part of the log."""
        count = len(self._lines) + bool(self._open)
        shown = count if window.lines is None else min(window.lines, count)
        lines = islice(self._lines, count - shown, None) if shown else ()
        text = b"".join(line + b"\n" for line in lines)
        if shown:
            text += self._open
        if window.size_bytes is not None:
            text = text[max(0, len(text) - window.size_bytes) :]
        return text
