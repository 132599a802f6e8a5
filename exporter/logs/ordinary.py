"""The hot path: lines of a pipeline with an ordinary head, many at a time.

A block is split at the beginning of the pipeline's own lines, so that a piece is one line, or one with others behind
it. The head of a piece has its parts at fixed places, down to the target: one `unpack` and a few lookups take it
apart and prove that it is what it seems. Whatever is not, is left to the assembler, which reads it line by line with
`heads.parse` and comes to the same result, only slower.
"""

from __future__ import annotations

import re
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.logs import ansi, heads
from exporter.logs.record import Record
from exporter.logs.times import MICROSECONDS, MILLISECONDS, SECONDS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_NEWLINE: Final = 0x0A

_KEEP: Final = 4096

_TIME: Final = struct.Struct("19s4s3s")
"""Second, millisecond with its point, microsecond."""

_COLOURS: Final = {b"ERROR": 31, b" WARN": 33, b" INFO": 32, b"DEBUG": 34, b"TRACE": 35}

_PREFIX = re.compile(rb"(?:\A|\n)(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )(\x1b\[2m)?(?=[0-9]{4}-)")


class _Heads(dict[bytes, tuple[str, bytes, bytes]]):
    """Severity, level and target, by all that stands from the time to the message; KeyError for what is no head."""

    def __init__(self, levels: Mapping[bytes, bytes]) -> None:
        self._levels = levels

    def __missing__(self, text: bytes) -> tuple[str, bytes, bytes]:
        for begin, level in self._levels.items():
            target = text[len(begin) :]
            if text.startswith(begin) and heads.TARGET_SHAPE.fullmatch(target):
                if len(self) >= _KEEP:
                    self.clear()
                self[text] = (heads.SEVERITIES[level], level, target)
                return self[text]
        raise KeyError(text)


class Layout(NamedTuple):
    """How the ordinary lines of a pipeline are built: prefix, time, head, separator, message."""

    prefix: bytes
    """The newline before a line, and the beginning of the line."""
    heads: _Heads
    separator: bytes


_PLAIN = Layout(b"", _Heads({b"Z %b " % level: level.strip() for level in _COLOURS}), b":  ")
_COLOURED = Layout(
    b"",
    _Heads({b"Z\x1b[0m \x1b[%dm%b\x1b[0m \x1b[2m" % (code, level): level.strip() for level, code in _COLOURS.items()}),
    b"\x1b[0m\x1b[2m:\x1b[0m  ",
)


def learn(block: bytes) -> Layout | None:
    """Return the layout of the first line in a block that is a pipeline's; None where there is none."""
    for match in _PREFIX.finditer(block):
        name, colour = match.groups(b"")
        if colour or name not in heads.NOT_PIPELINES:
            return (_COLOURED if colour else _PLAIN)._replace(prefix=b"\n" + name + colour)
    return None


def read(
    pieces: Iterator[bytes], layout: Layout, observed_ns: int, number: int, max_bytes: int
) -> tuple[list[Record], bytes]:
    """Return a record for each piece, up to the first that is not one ordinary line, and what that one holds besides.

    The second is the piece whole, or the lines after its first where that is ordinary; empty when all pieces are read.
    """
    _, known, separator = layout
    seconds, milliseconds, microseconds = SECONDS, MILLISECONDS, MICROSECONDS
    unpack, new, strip = _TIME.unpack_from, tuple.__new__, ansi.SEQUENCES.sub
    escape, newline = ansi.ESC, _NEWLINE
    records: list[Record] = []
    add = records.append
    piece = b""
    try:
        for piece in pieces:
            head, separated, body = piece.partition(separator)
            second, millisecond, microsecond = unpack(head)
            severity, text, target = known[head[26:]]
            time_ns = seconds[second] + milliseconds[millisecond] + microseconds[microsecond]
            if len(body) > max_bytes or not separated:
                break
            more = b""
            if newline in body:
                body, _, more = body.partition(b"\n")
                more += b"\n"
            if escape in body:
                body = strip(b"", body)
            add(new(Record, (time_ns, observed_ns, severity, text, body, target, b"", 0, (), number)))
            if more:
                return records, more
            number += 1
        else:
            return records, b""
    except (KeyError, struct.error):
        pass  # this piece is not ordinary
    return records, layout.prefix[1:] + piece + b"\n"
