"""Ordinary lines taken apart by one regular expression, where there is no compiled reader.

The expression takes lines apart and says little about what it found. That the parts are what they seem is proved
column by column: seconds and heads are looked up in tables of what was parsed before.
"""

from __future__ import annotations

import re
from functools import partial
from itertools import compress
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.logs import ansi
from exporter.logs.layout import heads_of
from exporter.logs.run import Columns
from exporter.logs.times import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.logs.layout import Layout

_KEEP: Final = 4096
_FEW: Final = 8
"""So many lines are left when one of them is not ordinary: they are not worth another try."""

# A head goes on over `::` and over `: ` (of spans), up to the first of what separates it from the message. All is
# possessive, and nothing is said of newlines but at the end, as that is twice as fast: a head with one is none.
_HEAD: Final = rb"[^:]*+(?:::[^:]*+)*+"
_ROW: Final = rb"%b(.{19})\.(.{6})(Z" + _HEAD + rb"(?::%b (?! )" + _HEAD + rb")*+):%b  ([^\n]*+)\n"
_STRIDE: Final = 5
"""What is split by it: the text before a row, four parts of the row, and so on."""


class _SecondsBefore(dict[bytes, int]):
    """The nanoseconds of the second before the one that is written; KeyError where it is no time."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _KEEP:
            self.clear()
        self[text] = SECONDS[text] - 1_000_000_000
        return self[text]


_SECONDS_BEFORE: Final = _SecondsBefore()
_read_integers: Final = msgspec.json.Decoder(list[int]).decode


class _Rows(NamedTuple):
    """Lines that look ordinary and follow each other, in columns of equal length."""

    seconds: list[bytes]
    microseconds: list[bytes]
    heads: list[bytes]
    """All from the time to the colon."""
    bodies: list[bytes]

    def part(self, begin: int, end: int) -> _Rows:
        """Return the rows from number `begin` up to, not including, `end`."""
        return _Rows(*(column[begin:end] for column in self))


class Expression:
    """Reads lines of one layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        end = re.escape(layout.end)
        self._row = re.compile(_ROW % (re.escape(layout.prefix), end, end))
        self._heads = heads_of(layout.end)

    def read(self, block: bytes, max_bytes: int) -> Iterator[Columns | bytes]:
        """Give the lines of a block in order: columns of ordinary ones, with bodies of at most `max_bytes`; and others."""
        for part in self._parts(block):
            if isinstance(part, bytes):
                yield part
            else:
                yield from self._read_rows(part, max_bytes)

    def _parts(self, block: bytes) -> Iterator[_Rows | bytes]:
        """Give rows that look ordinary together, and as text those that do not."""
        flat = self._row.split(block)
        rows = _Rows(*(flat[column::_STRIDE] for column in range(1, _STRIDE)))
        between = flat[::_STRIDE]
        count = len(rows.bodies)
        text = b""
        begin = 0
        for place in compress(range(count + 1), between):
            if place > begin:
                if text:
                    yield text
                yield rows.part(begin, place)
                text = b""
            text += between[place]
            begin = place
            if place < count and not text.endswith(b"\n"):  # what looks like a row stands within a line
                text += self._lines(rows.part(place, place + 1))
                begin = place + 1
        if text:
            yield text
        if begin < count:
            yield rows.part(begin, count) if begin else rows

    def _read_rows(self, rows: _Rows, max_bytes: int) -> Iterator[Columns | bytes]:
        columns = self._columns(rows, max_bytes)
        count = len(rows.bodies)
        if columns is not None:
            yield columns
        elif count > _FEW:
            yield from self._read_rows(rows.part(0, count // 2), max_bytes)
            yield from self._read_rows(rows.part(count // 2, count), max_bytes)
        else:
            yield self._lines(rows)

    def _columns(self, rows: _Rows, max_bytes: int) -> Columns | None:
        """Return what rows say; None when one of them is not ordinary."""
        seconds, microseconds, texts, bodies = rows
        if not b"".join(microseconds).isdigit():
            return None
        try:
            whole = list(map(_SECONDS_BEFORE.__getitem__, seconds))
            said = list(map(self._heads.__getitem__, texts))
        except KeyError:
            return None
        text = b"\n".join(bodies)
        if len(text) > max_bytes and len(max(bodies, key=len)) > max_bytes:
            return None
        said_bodies = ansi.SEQUENCES.sub(b"", text).split(b"\n") if ansi.ESC in text else bodies
        # As JSON they are read at once. The 1 before each, a second too much, is there as no number begins with 0.
        fractions = _read_integers(b"[1" + b"000,1".join(microseconds) + b"000]")
        return Columns(list(map(add, whole, fractions)), said, said_bodies, partial(self._lines, rows))

    def _lines(self, rows: _Rows) -> bytes:
        """Return the lines that rows were."""
        prefix, end = self.layout
        return b"".join(
            b"%b%b.%b%b:%b  %b\n" % (prefix, second, microsecond, head, end, body)
            for second, microsecond, head, body in zip(*rows, strict=True)
        )
