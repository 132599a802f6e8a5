"""Bytes as they come off a connection, cut into blocks of whole lines.

A block is `bytes` that end in a newline and hold one or more whole lines. Everything after this module works on
blocks, because a Python call a line would cost more than the rest of the work.
"""

from __future__ import annotations

from typing import Final

MAX_LINE_BYTES: Final = 2 * 1024 * 1024

_LONGEST_CHARACTER: Final = 4
"""Bytes of a character in UTF-8, at most."""


class LineBuffer:
    """Hold back the torn end of what was received, and give out blocks of whole lines.

    Lines end in a line feed and nowhere else. A line that grows over `max_line_bytes` is given out in pieces of at most
    that size, cut between characters; each is ended by a newline that was not in the stream and is counted in `forced`, so that positions can
    subtract it. The cuts do not depend on how the stream came in chunks.
    """

    def __init__(self, max_line_bytes: int = MAX_LINE_BYTES) -> None:
        self.forced = 0
        """Newlines given out so far that were not in the stream."""
        self.cuts: list[int] = []
        """Of the newest block: the numbers (from 0) of the lines whose newline was not in the stream."""
        self._max = max_line_bytes
        self._held: list[bytes] = []
        self._held_bytes = 0

    @property
    def torn(self) -> bytes:
        """The bytes held back: the beginning of a line whose end has not come."""
        return b"".join(self._held)

    def feed(self, data: bytes) -> bytes:
        """Take the next bytes of the stream and return the lines that are whole now; empty when none is."""
        end = data.rfind(b"\n") + 1
        if self.cuts:
            self.cuts = []
        if not end:
            self._hold(data)
            return self._cut() if self._held_bytes > self._max else b""
        if self._held:
            block = b"".join((*self._held, memoryview(data)[:end]))
            self.reset()
        else:
            block = data if end == len(data) else data[:end]
        if len(block) > self._max:
            block = self._cut_lines(block)
        if end < len(data):
            self._hold(data[end:])
            if self._held_bytes > self._max:
                block += self._cut(block.count(b"\n"))
        return block

    def reset(self) -> None:
        """Forget the torn end: the connection is gone and the line comes again, or never."""
        self._held.clear()
        self._held_bytes = 0

    def _hold(self, data: bytes) -> None:
        if data:
            self._held.append(data)
            self._held_bytes += len(data)

    def _cut(self, before: int = 0) -> bytes:
        """Give out the full pieces of the line held, behind so many lines, and hold the rest."""
        text = self.torn
        self.reset()
        pieces = self._pieces(text)
        self._hold(pieces.pop())
        self.forced += len(pieces)
        self.cuts += range(before, before + len(pieces))
        return b"".join(piece + b"\n" for piece in pieces)

    def _cut_lines(self, block: bytes) -> bytes:
        """Cut those lines of a block that are too long."""
        if all(len(line) <= self._max for line in block.split(b"\n")):
            return block
        lines: list[bytes] = []
        for line in block[:-1].split(b"\n"):
            pieces = self._pieces(line)
            self.forced += len(pieces) - 1
            self.cuts += range(len(lines), len(lines) + len(pieces) - 1)
            lines += pieces
        return b"\n".join(lines) + b"\n"

    def _pieces(self, line: bytes) -> list[bytes]:
        """Cut a line so that no piece is too long, and none is empty unless the line is."""
        pieces: list[bytes] = []
        start = 0
        while len(line) - start > self._max:
            end = _between_characters(line, start + self._max, start)
            pieces.append(line[start:end])
            start = end
        pieces.append(line[start:])
        return pieces


def _between_characters(line: bytes, end: int, start: int) -> int:
    """Return the last place up to `end` that is not inside a character; `end` where that is no UTF-8."""
    for place in range(end, max(end - _LONGEST_CHARACTER, start), -1):
        if line[place] & 0xC0 != 0x80:  # no continuation byte: a character begins here
            return place
    return end
