"""The protobuf wire format: writing and reading fields, without any schema."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

VARINT: Final = 0
FIXED64: Final = 1
BYTES: Final = 2
FIXED32: Final = 5

_LONGEST_VARINT = 10
_FIXED64 = struct.Struct("<Q")
_FIXED32 = struct.Struct("<I")


class WireError(ValueError):
    """Bytes that are no protobuf message."""


def varint(number: int) -> bytes:
    """Return an unsigned number, or a negative one as its two's complement of 64 bits."""
    number &= 0xFFFF_FFFF_FFFF_FFFF
    if number < 0x80:
        return number.to_bytes(1, "little")
    written = bytearray()
    while number >= 0x80:
        written.append(number & 0x7F | 0x80)
        number >>= 7
    written.append(number)
    return bytes(written)


def tag(field: int, wire_type: int) -> bytes:
    """Return what stands before a field's value."""
    return varint(field << 3 | wire_type)


def field_bytes(field: int, value: bytes) -> bytes:
    """Return a field of text, bytes or a message."""
    return tag(field, BYTES) + varint(len(value)) + value


def split_fields(fields: bytes) -> list[bytes]:
    """Part fields of type BYTES that stand one after the other, each with its tag and length. Raises WireError."""
    parts = []
    at = 0
    while at < len(fields):
        key, start = _read_varint(fields, at)
        size, start = _read_varint(fields, start)
        if key & 7 != BYTES or start + size > len(fields):
            raise WireError(f"no whole field of bytes begins at byte {at}")
        parts.append(fields[at : start + size])
        at = start + size
    return parts


def signed(number: int) -> int:
    """Return an int64 from the unsigned number that stands for it."""
    return number - (1 << 64) if number >= 1 << 63 else number


def read_fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Give field number, wire type and value of each field; fixed numbers are unsigned. Raises WireError."""
    at, end = 0, len(message)
    while at < end:
        key, at = _read_varint(message, at)
        field, wire_type = key >> 3, key & 7
        value: int | bytes
        if wire_type == VARINT:
            value, at = _read_varint(message, at)
        elif wire_type == BYTES:
            size, at = _read_varint(message, at)
            value, at = message[at : at + size], at + size
        elif wire_type in (FIXED64, FIXED32):
            layout = _FIXED64 if wire_type == FIXED64 else _FIXED32
            if at + layout.size > end:
                raise WireError(f"a field of {layout.size} bytes is cut off at byte {at}")
            value, at = layout.unpack_from(message, at)[0], at + layout.size
        else:
            raise WireError(f"unknown wire type {wire_type} before byte {at}")
        if at > end or field == 0:
            raise WireError(f"field {field} before byte {at} is cut off or has no number")
        yield field, wire_type, value


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    result = 0
    for index, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        result |= (byte & 0x7F) << 7 * index
        if byte < 0x80:
            return result & 0xFFFF_FFFF_FFFF_FFFF, at + index + 1
    raise WireError(f"a number at byte {at} is cut off or too long")
