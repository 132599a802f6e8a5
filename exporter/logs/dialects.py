"""How each vendor's lines begin: what is a head, and which lines belong to the record before them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.logs import any_lines, heads, times
from exporter.logs.heads import Head

if TYPE_CHECKING:
    from collections.abc import Callable


class Dialect(NamedTuple):
    """The lines of a vendor."""

    parse: Callable[[bytes, bytes], Head | None]
    """The head of a line, or None where it has none. The second argument is the line without terminal sequences."""
    firsts: frozenset[bytes] | None
    """The characters that a head can begin with; None: any."""
    ordinary: bool = False
    """Lines have the layout that `ordinary` reads many at a time."""
    plain_alone: bool = False
    """A line without head and indent, after another one without head, is a record of its own."""


_STAMPED = re.compile(
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z)(?: (.*))?", re.DOTALL
)


def _stamped(_line: bytes, text: bytes) -> Head | None:
    """Read a time, one space and the message, which is never asked for a level."""
    match = _STAMPED.fullmatch(text)
    time_ns = times.nanoseconds(match[1]) if match else 0
    return Head(time_ns, "none", b"", match[2] or b"") if match and time_ns else None


_DIGITS: Final = frozenset(b"%d" % digit for digit in range(10))

FELDERA: Final = Dialect(heads.parse, frozenset((b"[", b"{")), ordinary=True)
STAMPED: Final = Dialect(_stamped, _DIGITS)
"""Apify: each line begins with its time."""
ANY: Final = Dialect(any_lines.parse, None, plain_alone=True)
"""Where nothing is known: JSON, a time, a level, or plain text."""
