"""Feldera's runner as a model: a ring buffer in memory, its two protocols, and who has read what in truth."""

from __future__ import annotations

import itertools
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple

from exporter.logs.resume import CursorPosition, Position, Stream, open_cursor, open_replay

MAX_BYTES = 60
MAX_LINES = 6

_serials = itertools.count()


class Line(NamedTuple):
    """A line with what it is in truth; no buffer: a notice or a marker, which nobody may see."""

    text: bytes
    buffer: int = -1
    number: int = 0


class Buffer:
    """What the runner keeps of a pipeline's log."""

    def __init__(self) -> None:
        self.serial = next(_serials)
        self.epoch = f"0199c3f1-2d0a-7e84-b711-{self.serial:012}"
        self.lines: deque[Line] = deque()
        self.appended = 0
        self.append(f"[manager] Fresh start of pipeline logs {self.serial}".encode())

    @property
    def discarded(self) -> int:
        """How many lines are gone."""
        return self.appended - len(self.lines)

    def append(self, text: bytes) -> Line:
        """Keep a line as the runner does: one over the byte limit empties the buffer and is not kept itself."""
        self.appended += 1
        line = Line(text, self.serial, self.appended)
        if len(text) > MAX_BYTES:
            self.lines.clear()
            return line
        while sum(len(kept.text) for kept in self.lines) + len(text) > MAX_BYTES or len(self.lines) >= MAX_LINES:
            self.lines.popleft()
        self.lines.append(line)
        return line

    def resume_from(self, epoch: str, seq: int) -> tuple[int, int]:
        """Return the sequence number before the first line to send, and the gap."""
        asked = min(seq if epoch == self.epoch else 0, self.appended)
        first = max(asked, self.discarded)
        return first, first - asked


@dataclass
class Wire:
    """One connection, with the reader's end of it."""

    stream: Stream
    buffer: int
    before_first: int
    """The number of the line before the first one sent."""
    due: deque[Line] = field(default_factory=deque)
    came: list[Line] = field(default_factory=list)
    offset: int = 0
    """How many bytes of the first line due have come."""
    given: bytes = b""

    def take(self, count: int) -> bytes:
        """Return the whole lines that the next bytes complete."""
        block = b""
        while count and self.due:
            rest = len(self.due[0].text) + 1 - self.offset
            if rest > count:
                self.offset += count
                break
            count -= rest
            self.offset = 0
            line = self.due.popleft()
            self.came.append(line)
            block += line.text + b"\n"
        return block


def connect(buffer: Buffer, position: Position | None, *, cursor: bool) -> Wire:
    """Open a connection as the server and the exporter do."""
    if cursor:
        asked = (position.epoch, position.seq) if isinstance(position, CursorPosition) else ("", 0)
        seq, gap = buffer.resume_from(*asked)
        wire = Wire(open_cursor(position, buffer.epoch, seq, gap), buffer.serial, seq)
        wire.due.extend(line for line in buffer.lines if line.number > seq)
        return wire
    wire = Wire(open_replay(position), buffer.serial, buffer.discarded)
    if buffer.discarded:
        text = f"[manager] now  WARN x: ... {buffer.discarded} prior log lines were discarded due to buffer constraints"
        wire.due.append(Line(text.encode()))
    wire.due.extend(buffer.lines)
    return wire
