"""The hot path: lines of a pipeline with an ordinary head, a whole block at a time.

    block ─▶ one expression ─▶ rows ─▶ columns: times, heads, bodies ─▶ Run

The expression takes lines apart and says little about what it found. That the parts are what they seem is proved
column by column: seconds and heads are looked up in tables of what was parsed before. Rows that do not stand the
proof, and lines that are no rows, are left to the assembler, which reads them line by line with `heads.parse` and
comes to the same result, only slower.
"""

from __future__ import annotations

import re
from itertools import compress
from operator import add, itemgetter
from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.logs import ansi, heads
from exporter.logs.run import OrdinaryHead, Run
from exporter.logs.times import SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Row = tuple[bytes, bytes, bytes, bytes, bytes]
"""Second, microsecond, the rest of the head, message; or, where a line is none of the pipeline's, the line at the end."""

_KEEP: Final = 4096
_SOME_TIME: Final = b"2026-01-01T00:00:00.000000"

_PREFIX = re.compile(rb"^(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )(\x1b\[2m)?(?=[0-9]{4}-)", re.MULTILINE)

# A head goes on over `::` and over `: ` (of spans), up to the first of what separates it from the message. All is
# possessive, and nothing is said of newlines but at the end, as that is twice as fast: a head with one is none.
_HEAD: Final = rb"[^:]*+(?:::[^:]*+)*+"
_ROW: Final = rb"%b(.{19})\.(.{6})(Z" + _HEAD + rb"(?::%b (?! )" + _HEAD + rb")*+):%b  ([^\n]*+)\n|(.*\n)"


class _SecondsBefore(dict[bytes, int]):
    """The nanoseconds of the second before the one that is written; KeyError where it is no time."""

    def __missing__(self, text: bytes) -> int:
        if len(self) >= _KEEP:
            self.clear()
        self[text] = SECONDS[text] - 1_000_000_000
        return self[text]


_SECONDS_BEFORE: Final = _SecondsBefore()
_read_integers: Final = msgspec.json.Decoder(list[int]).decode
_line: Final = itemgetter(4)


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

    def line(self, row: Row) -> bytes:
        """Return the line that a row was, with its newline."""
        second, microsecond, head, body, line = row
        return line or b"%b%b.%b%b%b%b\n" % (self.prefix, second, microsecond, head, self.separator, body)


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


def parts(block: bytes, layout: Layout) -> Iterator[list[Row] | bytes]:
    """Give the lines of a block in order: rows that look ordinary together, and as text those that do not."""
    rows: list[Row] = layout.row.findall(block)
    others = list(map(_line, rows))
    text: list[bytes] = []
    begin = 0
    for place in compress(range(len(rows)), others):
        if place > begin:
            if text:
                yield b"".join(text)
                text = []
            yield rows[begin:place]
        text.append(others[place])
        begin = place + 1
    if text:
        yield b"".join(text)
    if begin < len(rows):
        yield rows[begin:]


def read(rows: Sequence[Row], layout: Layout, observed_ns: int, number: int, max_bytes: int) -> Run | None:
    """Return the records of rows whose first is line `number`; None when one of the rows is not ordinary."""
    seconds, microseconds, texts, bodies, _ = zip(*rows, strict=True)
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
