"""A gzip body from pieces that were compressed before: what has not changed since the last scrape costs a copy.

    group ─▶ batches of lines ─▶ raw deflate, each ending on a byte     kept for as long as its lines are the same
    body = header, piece, piece, …, the last block, CRC-32 and size     (RFC 1951, RFC 1952)

All pieces are in one member: RFC 1952 allows several, but many clients stop after the first.
"""

from __future__ import annotations

import zlib
from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable

LEVEL: Final = 1
BATCH: Final = 32
"""So many elements of a group are compressed together: more make the body smaller, fewer leave more of it as it was
when one pipeline in a hundred changes."""

_HEADER: Final = b"\x1f\x8b\x08\x00" + bytes(4) + b"\x04\xff"
"""Deflate, no flags, no time; fastest algorithm, unknown system."""
_LAST_BLOCK: Final = b"\x03\x00"

# CRC-32 as polynomials over GF(2), the highest power in the lowest bit, as in zlib's crc32_combine.
_POLYNOMIAL: Final = 0xEDB88320
_ONE: Final = 1 << 31
_TO_THE_8TH: Final = 1 << 23


class Group(NamedTuple):
    """Lines that belong together. `key` finds them again at the next scrape; None: they will have changed by then."""

    key: Hashable
    lines: list[bytes]


class Piece(NamedTuple):
    """Lines and what became of them. `shift` moves a CRC-32 on by their length."""

    lines: list[bytes]
    deflated: bytes
    crc: int
    size: int
    shift: int


class GzipCache:
    """Compresses bodies that are each much like the one before. Not for two threads at once."""

    def __init__(self) -> None:
        self._pieces: dict[Hashable, list[Piece]] = {}
        self._compressor = zlib.compressobj(LEVEL, wbits=-zlib.MAX_WBITS)

    def body(self, groups: Iterable[Group]) -> bytes:
        """Return the lines of all groups, gzipped."""
        parts = [_HEADER]
        crc = size = 0
        for group in groups:
            for piece in self._pieces_of(group):
                parts.append(piece.deflated)
                crc = multiply(piece.shift, crc) ^ piece.crc
                size += piece.size
        parts += [_LAST_BLOCK, crc.to_bytes(4, "little"), (size % 2**32).to_bytes(4, "little")]
        return b"".join(parts)

    def _pieces_of(self, group: Group) -> Iterable[Piece]:
        batches = (group.lines[start : start + BATCH] for start in range(0, len(group.lines), BATCH))
        if group.key is None:
            return map(self._deflate, batches)
        before = self._pieces.get(group.key, [])
        pieces = []
        for number, lines in enumerate(batches):
            # Unchanged lines are the same objects, which is seen without looking at their bytes.
            same = number < len(before) and before[number].lines == lines
            pieces.append(before[number] if same else self._deflate(lines))
        self._pieces[group.key] = pieces
        return pieces

    def _deflate(self, lines: list[bytes]) -> Piece:
        # A full flush ends on a byte, and nothing after it looks back: so the pieces can be put together in any order.
        # One compressor makes them all, since to make one costs more than to compress a small piece.
        data = b"".join(lines)
        deflated = self._compressor.compress(data) + self._compressor.flush(zlib.Z_FULL_FLUSH)
        return Piece(lines, deflated, zlib.crc32(data), len(data), power(len(data)))


def multiply(left: int, right: int) -> int:
    """Multiply two polynomials modulo that of CRC-32."""
    product = 0
    while left:
        if left & _ONE:
            product ^= right
        left = left << 1 & 0xFFFFFFFF
        right = right >> 1 ^ (_POLYNOMIAL if right & 1 else 0)
    return product


_SQUARES: Final = tuple(accumulate(range(40), lambda square, _: multiply(square, square), initial=_TO_THE_8TH))
"""x to the powers of 8, 16, 32, …: the bits of a length choose among them."""


def power(length: int) -> int:
    """Return x to the power of 8 * length: multiplied with it, a CRC-32 is moved on by so many bytes."""
    result = _ONE
    for bit in range(length.bit_length()):
        if length >> bit & 1:
            result = multiply(_SQUARES[bit], result)
    return result
