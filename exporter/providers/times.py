"""Times as vendors write them."""

from __future__ import annotations

import re
from datetime import datetime
from functools import lru_cache

_RFC3339 = re.compile(r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d:\d\d)(?:\.(\d{1,9})\d*)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)

_END_SECONDS = 2**63 // 1_000_000_000


def parse_rfc3339_ns(text: str) -> int:
    """Return nanoseconds since the epoch of an RFC 3339 time with any number of fraction digits.

    Raises ValueError for anything else, and for times before 1970 or after 2261, which 64 bits do not hold: the journal
    could not keep them.
    """
    found = _RFC3339.fullmatch(text)
    if found is None:
        message = f"{text[:64]!r} is no RFC 3339 time"
        raise ValueError(message)
    day, clock, fraction, zone = found.groups()
    seconds = _seconds(f"{day}T{clock}", "+00:00" if zone in "Zz" else zone)
    if not 0 <= seconds < _END_SECONDS:
        message = f"{text[:64]!r} is not between 1970 and 2261"
        raise ValueError(message)
    return seconds * 1_000_000_000 + int((fraction or "").ljust(9, "0"))


@lru_cache(maxsize=4096)
def _seconds(moment: str, zone: str) -> int:
    if moment.endswith(":60"):  # a leap second counts as the one before it
        moment = moment[:-2] + "59"
    return int(datetime.fromisoformat(moment + zone).timestamp())
