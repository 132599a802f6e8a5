"""Versions of the simulated server."""

from __future__ import annotations

import re
from functools import cache

CURSORS = (0, 350)
"""Log streams can be resumed by a cursor."""
NEWEST = (0, 375)
"""`follow=false`, and `stale` in the health."""


@cache
def version_numbers(text: str) -> tuple[int, ...]:
    """Return a version as numbers; what is no number ends it."""
    return tuple(int(part) for part in re.findall(r"^\d+|(?<=\.)\d+", text)[:3])
