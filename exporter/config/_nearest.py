"""The hint behind an unknown word."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str:
    """Return `, did you mean 'x'?`, or the known words where none is near."""
    known = list(known)
    matches = get_close_matches(word, known, n=1)
    if matches:
        return f", did you mean {matches[0]!r}?"
    return f"; known are {', '.join(sorted(known))}"
