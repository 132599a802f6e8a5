"""Where reading stands, as plain data that the journal keeps, and what a stream answers."""

from __future__ import annotations

from hashlib import blake2b
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable

DIGEST_BYTES = 8
RECENT_LINES = 32
"""How many last lines a numbered position remembers: they must all be found again where the numbers say."""
OVERLAP_LINES = 1000
"""How many last lines are remembered where there are no numbers."""


class CursorPosition(msgspec.Struct, frozen=True, array_like=True, tag="cursor"):
    """Every line up to and including number `seq` (from 1) of the buffer named `epoch` was read."""

    epoch: str
    seq: int
    discarded: int = 0
    """At least so many lines had been discarded from the buffer: a buffer with fewer is another one."""
    fresh: bytes = b""
    """The digest of the buffer's very first line, empty where it was not seen."""
    recent: bytes = b""
    """The digests of the last lines read without a gap, oldest first, 8 bytes each."""

    @property
    def lines(self) -> int:
        """How many lines of the buffer's life lie behind this position."""
        return self.seq


class IndexPosition(msgspec.Struct, frozen=True, array_like=True, tag="index"):
    """Every line up to and including the one with the absolute number `index` (from 0) was read."""

    index: int
    discarded: int = 0
    fresh: bytes = b""
    recent: bytes = b""

    @property
    def lines(self) -> int:
        """How many lines of the buffer's life lie behind this position."""
        return self.index + 1


class OverlapPosition(msgspec.Struct, frozen=True, array_like=True, tag="overlap"):
    """So many lines were read in all, and these were the last."""

    read: int
    recent: bytes = b""
    begun_bytes: int = 0
    """Of a moving tail: so much was read of the line after them, which has not ended yet."""
    begun: bytes = b""
    """The digest of that much."""
    cut: bool | None = None
    """Of a moving tail: whether it begins within a line; None while that is not known."""

    @property
    def lines(self) -> int:
        """How many lines were read."""
        return self.read


Position: TypeAlias = CursorPosition | IndexPosition | OverlapPosition


class Gap(NamedTuple):
    """Lines that will never be read, or may be missing."""

    reason: Literal["overflow", "restart", "window"]
    lines_lost: int | None
    """None where the number is not known."""


class Fed(NamedTuple):
    """What is new: whole lines (or nothing), and the gaps before them."""

    block: bytes
    gaps: tuple[Gap, ...] = ()


def digest(line: bytes) -> bytes:
    """Return what is remembered of a line (without its newline)."""
    return blake2b(line, digest_size=DIGEST_BYTES).digest()


def digests(lines: Iterable[bytes]) -> bytes:
    """Return the digests of lines, one after the other."""
    return b"".join([blake2b(line, digest_size=DIGEST_BYTES).digest() for line in lines])
