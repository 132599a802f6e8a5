"""Times and ids as a Feldera server writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_HEX = set("0123456789abcdefABCDEF-")
_CANONICAL_GROUPS = (8, 4, 4, 4, 12)


class InvalidUuidError(ValueError):
    """A path parameter is no UUID; the message is the server's own."""


def rfc3339(at_us: int) -> str:
    """Write microseconds since the epoch in RFC 3339 with 0, 3 or 6 digits, as few as are exact."""
    precision = "microseconds" if at_us % 1_000 else "milliseconds" if at_us % 1_000_000 else "seconds"
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.replace(tzinfo=None).isoformat(timespec=precision) + "Z"


def rfc3339_micros(at_us: int) -> str:
    """Write microseconds since the epoch in RFC 3339 with 6 digits, as log lines have them."""
    moment = _EPOCH + timedelta(microseconds=at_us)
    return moment.replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


class IdSource:
    """Makes UUIDv7 that grow strictly, like those of a single writing process."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._last = 0

    def next(self, at_us: int) -> str:
        """Return the next id, for something written at `at_us`."""
        milliseconds, microseconds = divmod(at_us, 1_000)
        # 48 bits of time and 12 bits of order within the millisecond, with room for several ids a microsecond
        self._last = max(self._last + 1, milliseconds << 12 | microseconds << 2)
        high = self._last >> 12 << 16 | 0x7000 | self._last & 0xFFF
        low = 0b10 << 62 | self._random.getrandbits(62)
        text = f"{high:016x}{low:016x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def parse_uuid(text: str) -> str:
    """Return `text` as a lower-case UUID with dashes. Raises `InvalidUuidError` with the server's words."""
    rest = text.removeprefix("urn:uuid:")
    for place, character in enumerate(rest, start=1 + len(text) - len(rest)):
        if character not in _HEX:
            raise InvalidUuidError(
                "invalid character: expected an optional prefix of `urn:uuid:` followed by [0-9a-fA-F-], "
                f"found `{character}` at {place}"
            )
    groups = rest.split("-")
    digits = "".join(groups)
    if len(groups) == 1 and len(digits) != 32:
        raise InvalidUuidError(f"invalid length: expected length 32 for simple format, found {len(digits)}")
    if len(groups) not in {1, 5}:
        raise InvalidUuidError(f"invalid group count: expected 5, found {len(groups)}")
    for number, (group, length) in enumerate(zip(groups, _CANONICAL_GROUPS, strict=False)):
        if len(groups) == 5 and len(group) != length:
            raise InvalidUuidError(f"invalid group length in group {number}: expected {length}, found {len(group)}")
    return re.sub(r"(.{8})(.{4})(.{4})(.{4})(.{12})", r"\1-\2-\3-\4-\5", digits.lower())
