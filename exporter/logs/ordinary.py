"""The hot path: lines of a pipeline with an ordinary head, a whole block at a time.

    block ─▶ one expression ─▶ rows, as columns: seconds, microseconds, heads, bodies ─▶ Run

The expression takes lines apart and says little about what it found. That the parts are what they seem is proved
column by column: seconds and heads are looked up in tables of what was parsed before. Rows that do not stand the
proof, and lines that are no rows, are left to the assembler, which reads them line by line with `heads.parse` and
comes to the same result, only slower.
"""

from __future__ import annotations

import re
from itertools import compress
from operator import add
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.logs import ansi, heads
from exporter.logs.run import OrdinaryHead, Run
from exporter.logs.times import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEEP: Final = 4096
_SOME_TIME: Final = b"2026-01-01T00:00:00.000000"

_PREFIX = re.compile(rb"^(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )(\x1b\[2m)?(?=[0-9]{4}-)", re.MULTILINE)

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


class _Heads(dict[bytes, OrdinaryHead]):
    """What is said by all that stands from the time to the message; KeyError for what is no ordinary head."""

    def __init__(self, prefix: bytes, separator: bytes) -> None:
        self._prefix = prefix
        self._separator = separator

    def __missing__(self, text: bytes) -> OrdinaryHead:
        line = self._prefix + _SOME_TIME + text + self._separator
        head = None if ansi.ESC in text and ansi.ESC not in self._separator else heads.parse(line, ansi.strip(line))
        if head is None or not head.target or head.body or head.attributes or head.unfinished:
            raise KeyError(text)
        if len(self) >= _KEEP:
            self.clear()
        self[text] = OrdinaryHead(head.severity, head.severity_text, head.target, head.spans)
        return self[text]


class Layout(NamedTuple):
    """How the ordinary lines of a pipeline are built: prefix, time, head, separator, message."""

    prefix: bytes
    """What stands before the time."""
    separator: bytes
    row: re.Pattern[bytes]
    heads: _Heads


class Rows(NamedTuple):
    """Lines that look ordinary and follow each other, in columns of equal length."""

    seconds: list[bytes]
    microseconds: list[bytes]
    heads: list[bytes]
    """All from the time to the separator."""
    bodies: list[bytes]

    def part(self, begin: int, end: int) -> Rows:
        """Return the rows from number `begin` up to, not including, `end`."""
        return Rows(*(column[begin:end] for column in self))

    def lines(self, layout: Layout) -> bytes:
        """Return the lines that they were."""
        rows = zip(*self, strict=True)
        return b"".join(
            b"%b%b.%b%b%b%b\n" % (layout.prefix, second, microsecond, head, layout.separator, body)
            for second, microsecond, head, body in rows
        )


def learn(block: bytes) -> Layout | None:
    """Return the layout of the first line in a block that is a pipeline's; None where there is none."""
    for match in _PREFIX.finditer(block):
        name, colour = match.groups(b"")
        if colour or name not in heads.NOT_PIPELINES:
            end = b"\x1b[0m" if colour else b""
            prefix, separator = name + colour, b":" + end + b"  "
            row = re.compile(_ROW % (re.escape(prefix), re.escape(end), re.escape(end)))
            return Layout(prefix, separator, row, _Heads(prefix, separator))
    return None


def parts(block: bytes, layout: Layout) -> Iterator[Rows | bytes]:
    """Give the lines of a block in order: rows that look ordinary together, and as text those that do not."""
    flat = layout.row.split(block)
    rows = Rows(*(flat[column::_STRIDE] for column in range(1, _STRIDE)))
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
            text += rows.part(place, place + 1).lines(layout)
            begin = place + 1
    if text:
        yield text
    if begin < count:
        yield rows.part(begin, count) if begin else rows


def read(rows: Rows, layout: Layout, observed_ns: int, number: int, max_bytes: int) -> Run | None:
    """Return the records of rows whose first is line `number`; None when one of the rows is not ordinary."""
    seconds, microseconds, texts, bodies = rows
    if not b"".join(microseconds).isdigit():
        return None
    try:
        whole = list(map(_SECONDS_BEFORE.__getitem__, seconds))
        said = list(map(layout.heads.__getitem__, texts))
    except KeyError:
        return None
    text = b"\n".join(bodies)
    if len(text) > max_bytes and len(max(bodies, key=len)) > max_bytes:
        return None
    said_bodies = ansi.SEQUENCES.sub(b"", text).split(b"\n") if ansi.ESC in text else bodies
    # As JSON they are read at once. The 1 before each, a second too much, is there because no number begins with 0.
    fractions = _read_integers(b"[1" + b"000,1".join(microseconds) + b"000]")
    return Run(number, observed_ns, list(map(add, whole, fractions)), said, said_bodies)
