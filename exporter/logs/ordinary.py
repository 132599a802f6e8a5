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
    from collections.abc import Sequence

_KEEP_TARGETS: Final = 4096

_COLOURS: Final = {b"ERROR": 31, b" WARN": 33, b" INFO": 32, b"DEBUG": 34, b"TRACE": 35}

_PREFIX = re.compile(rb"(?:\A|\n)(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )(\x1b\[2m)?(?=[0-9]{4}-)")


class _Targets(dict[bytes, bytes]):
    """Texts that are targets, each to itself; KeyError for others."""

    def __missing__(self, text: bytes) -> bytes:
        if heads.TARGET_SHAPE.fullmatch(text) is None:
            raise KeyError(text)
        if len(self) >= _KEEP_TARGETS:
            self.clear()
        self[text] = text
        return text


class Layout(NamedTuple):
    """Where the parts of a head stand after the prefix, and what is between them."""

    prefix: bytes
    """The newline before a line, and the beginning of the line."""
    parts: struct.Struct
    """Second, millisecond with its point, microsecond, and all from there to the target."""
    levels: dict[bytes, tuple[str, bytes]]
    """That last part, by level."""
    separator: bytes
    """Between target and message."""


_PLAIN_LEVELS: Final = {
    b"Z %b " % level: (heads.SEVERITIES[level.strip()], level.strip()) for level in _COLOURS
}
_COLOURED_LEVELS: Final = {
    b"Z\x1b[0m \x1b[%dm%b\x1b[0m \x1b[2m" % (colour, level): (heads.SEVERITIES[level.strip()], level.strip())
    for level, colour in _COLOURS.items()
}
_PLAIN = Layout(b"", struct.Struct("19s4s3s8s"), _PLAIN_LEVELS, b":  ")
_COLOURED = Layout(b"", struct.Struct("19s4s3s25s"), _COLOURED_LEVELS, b"\x1b[0m\x1b[2m:\x1b[0m  ")

_targets: Final = _Targets()


def learn(block: bytes) -> Layout | None:
    """Return the layout of the first line in a block that is a pipeline's; None where there is none."""
    for match in _PREFIX.finditer(block):
        name, colour = match.groups(b"")
        if colour or name != heads.RUNNER:
            return (_COLOURED if colour else _PLAIN)._replace(prefix=b"\n" + name + colour)
    return None


def read(
    pieces: Sequence[bytes], start: int, layout: Layout, observed_ns: int, number: int, max_bytes: int
) -> list[Record]:
    """Return a record for each of the pieces from `start` on, up to the first that is not one ordinary line."""
    unpack = layout.parts.unpack_from
    text_starts, separator, levels = layout.parts.size, layout.separator, layout.levels
    seconds, milliseconds, microseconds, targets = SECONDS, MILLISECONDS, MICROSECONDS, _targets
    new, strip = tuple.__new__, ansi.strip
    records: list[Record] = []
    add = records.append
    try:
        for piece in pieces[start:] if start else pieces:
            second, millisecond, microsecond, level = unpack(piece)
            target, _, body = piece[text_starts:].partition(separator)
            time_ns = seconds[second] + milliseconds[millisecond] + microseconds[microsecond]
            severity, severity_text = levels[level]
            target = targets[target]
            if b"\n" in body or len(body) > max_bytes:
                break
            if b"\x1b" in body:
                body = strip(body)
            add(new(Record, (time_ns, observed_ns, severity, severity_text, body, target, b"", 0, (), number)))
            number += 1
    except (KeyError, struct.error):
        pass  # this piece is not ordinary
    return records
