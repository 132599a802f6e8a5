"""The lines of a run: coloured, as a Feldera pipeline prints them, each with a number of its own at its end."""

from __future__ import annotations

import re
import zlib
from itertools import islice

from exporter.simulator import log_lines

DIGITS = 9
_COLOUR = re.compile(rb"\x1b\[[0-9]*m")
_HEADS = 1_000
_FURTHER = re.compile(rb"\x1b\[[13]m")
_NESTED = re.compile(rb"\x1b\[1mstep")
"""Lines with a span in a span are left out: the simulator separates them otherwise than the real server does."""


def made(stream: int, count: int, *, mixed: bool = False) -> list[bytes]:
    """Return so many lines of a stream; their numbers go on from those of the stream before it.

    `mixed`: with spans or fields or both in half of them, which are read in the slower way.
    """
    left_out = _NESTED if mixed else _FURTHER
    lines = [line for line in islice(log_lines(stream, ["pipeline"]), _HEADS) if not left_out.search(line)]
    return [b"%b n=%09d" % (lines[nth % len(lines)], stream * count + nth) for nth in range(count)]


def checksum(lines: list[bytes]) -> int:
    """Return the sum of the checksums of the bodies, found in a simpler way than the exporter's."""
    return sum(zlib.crc32(_COLOUR.sub(b"", line).partition(b":  ")[2]) for line in lines)
