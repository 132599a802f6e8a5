"""The lines on their way: given out and not covered yet (`Ledger`), or held until it is known which are new (`Held`)."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from exporter.logs.resume._position import DIGEST_BYTES, digests

if TYPE_CHECKING:
    from collections.abc import Iterable


class Ledger:
    """Lines given out, so that the position after any of them can be told.

        covered            given
           ▼                 ▼
    ───────┬────────┬────────┐
           │ block  │ block  │     digests are made when lines are covered, of the last `keep` only
    ───────┴────────┴────────┘

    Only blocks that are not covered yet are kept; in the steady state `add` counts newlines and nothing else.
    """

    __slots__ = ("_blocks", "_covered", "_forced", "_keep", "_recent", "given")

    def __init__(self, recent: bytes, keep: int) -> None:
        self._recent = recent
        self._keep = keep
        self._blocks: list[tuple[bytes, int]] = []  # mostly one or none; an empty deque is ten times as large
        self._covered = 0
        self._forced: list[int] = []
        self.given = 0

    def add(self, block: bytes, forced: int = 0) -> None:
        """Note a block that is given out, whose last `forced` newlines were not in the stream."""
        count = block.count(b"\n")
        self._blocks.append((block, count))
        self.given += count
        if forced:
            self._forced += range(self.given - forced + 1, self.given + 1)

    def mark(self, forced: Iterable[int]) -> None:
        """Note the numbers (from 1) of lines given out whose newline was not in the stream."""
        self._forced += forced

    def cover(self, lines: int) -> tuple[int, bytes]:
        """Return how many lines of the stream the first `lines` given out are, and the digests of the last of them.

        Lines in the middle of a line that was cut in pieces are not covered before its last piece is.
        """
        if not self._covered <= lines <= self.given:
            raise ValueError(
                f"{lines} lines cannot be covered: {self._covered} are already, {self.given} were given out"
            )
        if self._forced:
            while lines > self._covered and lines in self._forced:
                lines -= 1
        if lines > self._covered:
            self._recent = (self._recent + digests(self._take(lines)))[-self._keep * DIGEST_BYTES :]
            self._covered = lines
        return lines - bisect_right(self._forced, lines), self._recent

    def whole(self, line: int) -> tuple[int, int]:
        """Return how many whole lines stand before a line (from 0) given out, and how many pieces of its own."""
        before = bisect_right(self._forced, line)
        piece = 0
        while piece < before and self._forced[before - 1 - piece] == line - piece:
            piece += 1
        return line - before, piece

    def _take(self, lines: int) -> list[bytes]:
        """Drop the blocks up to line number `lines`, and return the last lines of them."""
        done: list[bytes] = []
        due = lines - self._covered
        while due:
            block, count = self._blocks.pop(0)
            if count > due:
                after = count - due
                parts = block.rsplit(b"\n", after + self._keep + 1)  # from the end: mostly but the last line is due
                self._blocks.insert(0, (b"\n".join(parts[-after - 1 :]), after))
                done += parts[1 if due > self._keep else 0 : -after - 1][-self._keep :]
                break
            due -= count
            if due < self._keep:
                done += block.rsplit(b"\n", self._keep + 1)[:-1][-self._keep :]
        return done[-self._keep :]


class Held:
    """The first lines of a connection, held until it is known which of them were read before."""

    __slots__ = ("_blocks", "_dropped", "_forced", "lines", "size_bytes")

    def __init__(self) -> None:
        self._blocks: list[bytes] = []
        self._dropped = 0
        self._forced: list[int] = []
        self.lines = 0
        """How many lines came, also those dropped since."""
        self.size_bytes = 0

    def add(self, block: bytes, forced: int = 0) -> int:
        """Hold a block; return how many lines it has."""
        count = block.count(b"\n")
        self._blocks.append(block)
        self.size_bytes += len(block)
        self.lines += count
        if forced:
            self._forced += range(self.lines - forced + 1, self.lines + 1)
        return count

    def between(self, start: int, stop: int) -> list[bytes]:
        """Return the lines from number `start` (from 0) up to, not including, number `stop`."""
        parts = b"".join(self._blocks).split(b"\n", max(stop - self._dropped, 0))
        return parts[max(start - self._dropped, 0) : max(stop - self._dropped, 0)]

    def drop(self, place: int) -> None:
        """Forget the first `place` lines: they were read before."""
        rest = b"".join(self._blocks).split(b"\n", place - self._dropped)[-1]
        self._blocks = [rest] if rest else []
        self._dropped = place
        self.size_bytes = len(rest)

    def release(self, place: int) -> tuple[bytes, list[int]]:
        """Return everything after the first `place` lines, and the numbers (from 1) of forced newlines in it."""
        self.drop(place)
        return b"".join(self._blocks), [line - place for line in self._forced if line > place]
