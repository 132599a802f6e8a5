"""Ids and times as Apify writes them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

# Without the letters and digits that people mix up.
_LETTERS = "23456789ABCDEFGHJKLMNPQRSTWXYZabcdefghijkmnopqrstuvwxyz"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_ANSI = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")
_BEGUN = re.compile(rb"\x1b(?:\[[0-?]*[ -/]*|\][^\x07\x1b]*\x1b?)?\Z")


def new_id(random: Random) -> str:
    """Return an id that is hard to guess: 17 letters and digits."""
    return "".join(random.choices(_LETTERS, k=17))


def time_text(at_us: int) -> str:
    """Write microseconds since the epoch as ISO 8601 with milliseconds and `Z`."""
    moment = _EPOCH + timedelta(milliseconds=at_us // 1_000)
    return moment.replace(tzinfo=None).isoformat(timespec="milliseconds") + "Z"


def date_text(at_us: int) -> str:
    """Write the day of a moment, in UTC."""
    return time_text(at_us)[:10]


def read_time(text: str) -> int:
    """Return the microseconds of an ISO 8601 time; one without zone is in UTC. Raises ValueError."""
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // timedelta(microseconds=1)


def without_ansi(text: bytes) -> bytes:
    """Take out the escape codes of terminals."""
    return _ANSI.sub(b"", text) if b"\x1b" in text else text


def begun_escape(text: bytes) -> bytes:
    """Return the escape code that the end of a text has begun and not finished."""
    found = _BEGUN.search(text)
    return b"" if found is None else found[0]
