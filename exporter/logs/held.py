"""A record that is still open: the lines that it has so far, and no more of them than its size allows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.logs.record import Record

if TYPE_CHECKING:
    from exporter.logs.heads import Head


class Held:
    """One open record, held back until the next head, a silence, or its size end it.

    It is given out in parts when it is too long. A part ends between lines, and a line that is itself too long is
    given out whole at once, in pieces cut between characters: so what is held always begins with a whole line.
    """

    __slots__ = (
        "_blanks",
        "_first_line",
        "_lines",
        "_max",
        "_part_number",
        "_record",
        "_size",
        "only_begun",
        "unfinished",
    )

    def __init__(self, record: Record, max_bytes: int, *, lines: list[bytes] | None = None) -> None:
        self.unfinished = False
        """Of the runner, and its closing fields are still to come."""
        self.only_begun = True
        """No line came after the first."""
        self._record = record
        """The head; body, number of the part and first line stand below."""
        self._part_number = 0
        self._first_line = record.first_line
        self._lines: list[bytes] = [] if lines is None else lines
        self._size = sum(map(len, self._lines))
        self._blanks = 0
        self._max = max_bytes

    @classmethod
    def begin(cls, head: Head, observed_ns: int, number: int, max_bytes: int) -> tuple[Held, list[Record]]:
        """Open a record with the line that a head stands on; also return the parts that it is too long to hold."""
        time_ns, severity, text, body, target, spans, attributes, unfinished = head
        record = Record(time_ns, observed_ns, severity, text, b"", target, spans, 0, attributes, number)
        held = cls(record, max_bytes)
        held.unfinished = unfinished
        parts: list[Record] = []
        if body:
            parts = held.add(body, number)
            held.only_begun = True
        else:
            held._lines.append(b"")  # a head alone is a record too
        return held, parts

    @property
    def severity(self) -> str:
        """Of its head; continuation lines count under it."""
        return self._record.severity

    @property
    def headless(self) -> bool:
        """Whether its first line said neither a time nor a severity."""
        return not self._record.time_ns and self._record.severity == "none"

    @property
    def first_line(self) -> int | None:
        """The number of the first line held, or None when all that came has been given out."""
        return self._first_line if self._lines else None

    @property
    def size_bytes(self) -> int:
        """Of the text held."""
        return self._size

    def add(self, text: bytes, number: int) -> list[Record]:
        """Add a line, and return the parts that are complete with it."""
        self.only_begun = False
        if not text:
            self._blanks += 1  # only kept when another line follows
            return []
        parts = []
        if self._lines:
            size = self._size + self._blanks + 1 + len(text)
            if size <= self._max:
                if self._blanks:
                    self._lines.append(b"\n" * (self._blanks - 1))
                    self._blanks = 0
                self._lines.append(text)
                self._size = size
                return []
            parts.append(self._part(b"\n".join(self._lines)))
            self._lines = []
        self._blanks = 0
        self._first_line = number
        if len(text) > self._max:
            parts += [self._part(piece) for piece in _pieces(text, self._max)]
            self._size = 0
        else:
            self._lines = [text]
            self._size = len(text)
        return parts

    def close(self) -> list[Record]:
        """Return what is held as the last part, if anything is."""
        return [self._part(b"\n".join(self._lines))] if self._lines else []

    def _part(self, body: bytes) -> Record:
        time_ns, observed_ns, severity, text, _, target, spans, _, attributes, _ = self._record
        part = self._part_number
        self._part_number = part + 1
        return Record(
            time_ns,
            observed_ns,
            severity,
            text,
            body,
            target,
            spans,
            part,
            () if part else attributes,
            self._first_line,
        )


def _pieces(text: bytes, size: int) -> list[bytes]:
    """Cut valid UTF-8 in pieces of at most `size` bytes (4 or more), never inside a character."""
    pieces = []
    start = 0
    while len(text) - start > size:
        end = start + size
        while text[end] & 0xC0 == 0x80:  # a continuation byte: the character began before
            end -= 1
        pieces.append(text[start:end])
        start = end
    pieces.append(text[start:])
    return pieces
