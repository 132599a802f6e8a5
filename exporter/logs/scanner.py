"""Where in a block something suspicious stands: many patterns at once, at the speed of memory.

Hyperscan reads a block in 0.05 µs a line, where `re` takes 30 and a search for each literal 3. Where the library has no
build for the machine, the literals do.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

from exporter.logs.secret_shapes import LITERALS, SUSPICIONS

if TYPE_CHECKING:
    from types import ModuleType

try:
    _library: ModuleType | None = import_module("hyperscan")
except ImportError:  # pragma: no cover - no build for this machine
    _library = None


class Scanner(Protocol):
    """Find the places in a block where a suspicion ends."""

    def ends(self, block: bytes) -> list[int]:
        """Return the offset after each suspicious place, in no order, some maybe more than once."""


class HyperscanScanner:
    """The library made for it."""

    def __init__(self, library: ModuleType) -> None:
        self._database = library.Database()
        caseless = library.HS_FLAG_CASELESS
        self._database.compile(
            expressions=[expression.encode() for expression, _ in SUSPICIONS],
            ids=list(range(len(SUSPICIONS))),
            elements=len(SUSPICIONS),
            flags=[caseless if ignore_case else 0 for _, ignore_case in SUSPICIONS],
        )

    def ends(self, block: bytes) -> list[int]:
        """Return the offset after each suspicious place."""
        found: list[int] = []
        self._database.scan(block, match_event_handler=_note, context=found)
        return found


class LiteralScanner:
    """What the suspicions have in common with plain text: more is found than need be, and slower."""

    def ends(self, block: bytes) -> list[int]:
        """Return the offset after each literal that every suspicion begins with or holds."""
        text = block.lower()
        found = []
        for literal in LITERALS:
            at = text.find(literal)
            while at >= 0:
                at += len(literal)
                found.append(at)
                at = text.find(literal, at)
        return found


@lru_cache(maxsize=1)
def scanner() -> Scanner:
    """Return the scanner of this process."""
    return LiteralScanner() if _library is None else HyperscanScanner(_library)


def _note(_id: int, _start: int, end: int, _flags: int, found: list[int]) -> None:
    found.append(end)
