"""RFC 3339 times of log lines, as nanoseconds since 1970. The seconds of recent times are kept: lines share them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

_KEEP: Final = 4096
END_NS: Final = 1 << 64
"""OTLP carries times as unsigned 64 bits."""

_SECOND = re.compile(rb"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}")
_TIME = re.compile(rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z")


class _Seconds(dict[bytes, int]):
    """`2026-11-21T07:40:12` to nanoseconds; KeyError where the text is no time that OTLP can carry."""

    def __missing__(self, text: bytes) -> int:
        if _SECOND.fullmatch(text) is None:
            raise KeyError(text)
        try:
            moment = datetime.fromisoformat(text.decode()).replace(tzinfo=UTC)
        except ValueError:
            raise KeyError(text) from None
        nanoseconds = int(moment.timestamp()) * 1_000_000_000
        if not 0 <= nanoseconds < END_NS - 1_000_000_000:
            raise KeyError(text)
        if len(self) >= _KEEP:
            self.clear()
        self[text] = nanoseconds
        return nanoseconds


SECONDS: Final = _Seconds()
MILLISECONDS: Final = {b".%03d" % number: number * 1_000_000 for number in range(1000)}
MICROSECONDS: Final = {b"%03d" % number: number * 1_000 for number in range(1000)}


def nanoseconds(text: bytes) -> int:
    """Return a time such as `2026-11-21T07:40:12.143983Z` in nanoseconds; 0 where it is none."""
    match = _TIME.fullmatch(text)
    if match is None:
        return 0
    second, fraction = match.groups(b"")
    try:
        return SECONDS[second] + int(fraction.ljust(9, b"0"))
    except KeyError:
        return 0
