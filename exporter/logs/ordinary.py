"""The hot path: lines of a pipeline with an ordinary head, many at a time.

    block ─▶ Reader ─┬─▶ Columns: times, heads, bodies     (ordinary lines that follow each other)
                     └─▶ bytes                             (lines that are not ordinary)

Lines that are not ordinary are left to the assembler, which reads them one by one with `heads.parse`, and would come to
the same result for the others, only slower. The reader is compiled where a compiler was found when this was installed;
everywhere else a regular expression does the same.
"""

from __future__ import annotations

from functools import lru_cache, partial
from typing import TYPE_CHECKING, Protocol

from exporter.logs import ansi
from exporter.logs.expression import Expression
from exporter.logs.layout import heads_of, learn
from exporter.logs.run import Columns
from exporter.logs.times import SECONDS

try:
    from exporter.logs import _rows
except ImportError:  # pragma: no cover - no compiler at the installation
    _COMPILED = False
else:
    _COMPILED = True

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.logs.layout import Layout

__all__ = ["Compiled", "Reader", "learn", "reader"]


class Reader(Protocol):
    """Reads lines of one layout."""

    layout: Layout

    def read(self, block: bytes, max_bytes: int) -> Iterator[Columns | bytes]:
        """Give the lines of a block in order: columns of ordinary ones, with bodies of at most `max_bytes`; and others."""


class Compiled:
    """The compiled reader."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self._heads = _heads_of(layout.end)

    def read(self, block: bytes, max_bytes: int) -> Iterator[Columns | bytes]:
        """Give the lines of a block in order: columns of ordinary ones, with bodies of at most `max_bytes`; and others."""
        prefix, end = self.layout
        at = 0
        while at < len(block):
            begin = at
            at, times, said, bodies, escaped = _rows.take(block, at, prefix, end, SECONDS, self._heads, max_bytes)
            if escaped:
                bodies = ansi.SEQUENCES.sub(b"", b"\n".join(bodies)).split(b"\n")
            if bodies:
                yield Columns(times, said, bodies, partial(_part, block, begin, at))
            if at < len(block):
                begin, at = at, block.find(b"\n" + prefix, at) + 1 or len(block)
                yield block[begin:at]


def _part(block: bytes, begin: int, end: int) -> bytes:
    return block[begin:end]


@lru_cache(maxsize=4)
def _heads_of(end: bytes) -> _rows.Heads:
    return _rows.Heads(heads_of(end).__getitem__)


def reader(layout: Layout) -> Reader:
    """Return the fastest reader that there is."""
    return Compiled(layout) if _COMPILED else Expression(layout)
