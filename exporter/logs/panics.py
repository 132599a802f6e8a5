"""Panics of a Rust program: a block of lines on stderr, with other lines in between."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exporter.logs.record import Attributes

MAX_HEADS: Final = 32
"""A panic is complete when so many other lines with a head have come since its last."""

_MAX_ATTRIBUTE_BYTES: Final = 16 * 1024
"""The body has everything; backends limit attributes (Loki: 64 KB a record)."""

_BEGINNING = re.compile(rb"thread '.*' (?:\([0-9]+\) )?panicked at ")
_BACKTRACE_LINE = re.compile(rb"\s+[0-9]+: |\s+at |stack backtrace:|note: |\s*\[\.\.\. ")
_BACKTRACE = re.compile(rb"\n(stack backtrace:(?:\n.*)?)\Z", re.DOTALL)
_OLD_MESSAGE = re.compile(rb"thread '.*' panicked at '(.*)', [^\n']+\Z", re.DOTALL)


def begins(text: bytes) -> bool:
    """Whether a line is the first of a panic."""
    return text.startswith(b"thread '") and _BEGINNING.match(text) is not None


def is_backtrace(text: bytes) -> bool:
    """Whether a line, alone, looks like a part of a backtrace."""
    return _BACKTRACE_LINE.match(text) is not None


def attributes(body: bytes) -> Attributes:
    """Return `exception.*` of a panic: its message, and its backtrace where it has one."""
    first, _, rest = body.partition(b"\n")
    backtrace = _BACKTRACE.search(b"\n" + rest)
    message = (b"\n" + rest)[: backtrace.start() if backtrace else None].partition(b"\nnote: ")[0].strip(b"\n")
    if old := _OLD_MESSAGE.match(first + b"\n" + message if message else first):
        message = old[1]
    said = [("exception.type", "panic"), ("exception.message", _short(message))]
    if backtrace:
        said.append(("exception.stacktrace", _short(backtrace[1])))
    return tuple(said)


def _short(text: bytes) -> str:
    return text[:_MAX_ATTRIBUTE_BYTES].decode(errors="ignore")
