"""Find the place in a connection's lines up to which they were read before, by number or by the text itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from exporter.logs.resume._position import DIGEST_BYTES, RECENT_LINES, Gap, OverlapPosition, digest, digests

if TYPE_CHECKING:
    from exporter.logs.resume._ledger import Held
    from exporter.logs.resume._position import Position

DRIFT_LINES = 256
"""Servers before 0.350 count a runner's message of several lines as one once it is discarded: numbers fall behind."""


SURE_LINES = 3
"""So many lines in common tell that the one before them was read too, where only its end is left."""


class Found(NamedTuple):
    """The first `place` lines of the connection were read before."""

    place: int
    same: bool
    """They go on from the lines remembered."""
    gap: Gap | None = None


class Aligner(Protocol):
    """Looks at the lines held until it knows."""

    def look(self, held: Held, new: int) -> Found | None:
        """Look at the lines held, of which the last `new` have just come."""

    def settle(self, held: Held) -> Found | None:
        """Decide with the lines held: for now no more are coming."""


def restart(discarded: int) -> Found:
    """Return that everything is new, in a buffer that has discarded lines already."""
    return Found(0, same=False, gap=Gap("restart", discarded or None))


def choose(before: Position, number: int, fresh: bytes, hold_bytes: int) -> Found | Aligner:
    """Say how to go on at a buffer that is sent from its beginning, `number` lines having been discarded from it.

    `fresh` is the digest of the very first line of the buffer, empty where it has been discarded.
    """
    if isinstance(before, OverlapPosition):
        return ByText(before, reason="restart", follow=True, hold_bytes=hold_bytes)
    place = before.lines - number
    known = bool(fresh and before.fresh)
    if number < before.discarded or (known and fresh != before.fresh):
        return restart(number)
    if place < 0:
        return Found(0, same=False, gap=Gap("overflow", -place))
    if place == 0:
        return Found(0, same=True)
    return ByNumber(place, before.recent, number, known=known, hold_bytes=hold_bytes)


class ByNumber:
    """The line that was the last one read must stand at its number, and the ones remembered before it."""

    def __init__(self, place: int, recent: bytes, discarded: int, *, known: bool, hold_bytes: int) -> None:
        self._place = place
        self._recent = recent
        self._discarded = discarded
        self._known = known
        self._hold_bytes = hold_bytes

    def look(self, held: Held, new: int) -> Found | None:  # noqa: ARG002 - the number alone tells where to look
        """Compare once the place is reached. More bytes than a buffer can hold before it: it is another buffer."""
        if held.lines >= self._place:
            compared = min(self._place, len(self._recent) // DIGEST_BYTES)
            found = digests(held.between(self._place - compared, self._place))
            if compared and self._recent.endswith(found):
                return Found(self._place, same=True)
            return self._drifted(held) or restart(self._discarded)
        return self.settle(held) if held.size_bytes > self._hold_bytes else None

    def settle(self, held: Held) -> Found | None:
        """Take a buffer that ends before the place for another one, unless its first line says that it is not."""
        if self._known or not held.lines:
            return None
        return self._drifted(held) or restart(self._discarded)

    def _drifted(self, held: Held) -> Found | None:
        """Look a little before the place: only the whole of what is remembered counts, and only if it is there once."""
        wanted = self._recent
        if len(wanted) < RECENT_LINES * DIGEST_BYTES:
            return None
        start = max(self._place - DRIFT_LINES - RECENT_LINES, 0)
        text = digests(held.between(start, min(self._place, held.lines)))
        places = [
            start + at // DIGEST_BYTES + RECENT_LINES
            for at in range(0, len(text) - len(wanted) + 1, DIGEST_BYTES)
            if text.startswith(wanted, at)
        ]
        return Found(places[0], same=True) if len(places) == 1 else None


def _failures(pattern: list[bytes]) -> list[int]:
    """Return, for each length of the pattern, its longest border: the table of Knuth, Morris and Pratt."""
    failures = [0, 0]
    border = 0
    for item in pattern[1:]:
        while border and pattern[border] != item:
            border = failures[border]
        border += pattern[border] == item
        failures.append(border)
    return failures


class ByText:
    """Go on after the largest place that fits.

    A place fits when all of the lines before it, as far as remembered, equal the last ones read, and it is not larger
    than the number of lines read. There are three kinds:

        remembered          … a b c d e f
        whole     ──── x y … a b c d e f │ new            found as the lines arrive
        in part                    d e f │ new            the head was cut within what is remembered
        in a line                ~ d e f │ new            the same with `cuts_lines`: ~ may be the end of c only

    A place of another kind is taken only once no whole one can come any more: `settle`, as many lines as were read,
    or `hold_bytes`; and one in a line only where nothing else fits, and where the lines in common are at least
    `SURE_LINES` or stand only once in what is remembered. With `follow`, a whole one is taken as soon as the next line does not repeat what is remembered,
    although the text may hold the same 1,000 lines once more; without it (the text is complete), the largest is taken.
    """

    def __init__(
        self, before: Position, *, reason: str, follow: bool, hold_bytes: int, cuts_lines: bool = False
    ) -> None:
        recent = before.recent
        self._wanted = [recent[at : at + DIGEST_BYTES] for at in range(0, len(recent), DIGEST_BYTES)]
        self._failures = _failures(self._wanted)
        self._read = before.lines
        self._gap = Gap("window" if reason == "window" else "restart" if reason == "restart" else "overflow", None)
        self._follow = follow
        self._hold_bytes = hold_bytes
        self._cuts_lines = cuts_lines
        self._head: list[bytes] = []
        self._matched = 0
        self._count = 0
        self._place = 0

    def look(self, held: Held, new: int) -> Found | None:
        """Go through the new lines one by one."""
        if not self._wanted:
            return Found(0, same=True)
        for line in held.between(held.lines - new, held.lines):
            self._step(digest(line))
            if self._count >= self._read:
                return self._decide()
            if self._follow and self._place and self._matched <= self._count - self._place:
                return self._decide()
        if self._place:
            held.drop(self._place)
        return self._decide() if held.size_bytes > self._hold_bytes else None

    def settle(self, held: Held) -> Found | None:
        """Take the largest place so far."""
        return self._decide() if held.lines else None

    def _step(self, item: bytes) -> None:
        self._count += 1
        if len(self._head) < len(self._wanted):
            self._head.append(item)
        if self._matched == len(self._wanted):
            self._matched = self._failures[self._matched]
        while self._matched and self._wanted[self._matched] != item:
            self._matched = self._failures[self._matched]
        self._matched += self._wanted[self._matched] == item
        if self._matched == len(self._wanted):
            self._place = self._count

    def _decide(self) -> Found:
        place = self._place or self._in_part(self._head)
        if not place and self._cuts_lines:
            place = self._in_a_line()
        if place:
            return Found(place, same=True)
        # What was remembered is forgotten with the gap: a kill before the first new line must not count it again.
        return Found(0, same=False, gap=self._gap)

    def _in_a_line(self) -> int:
        """Return how many of the first lines were read, taking the very first for the end of a line that was."""
        common = self._in_part(self._head[1:])
        return common + 1 if common >= SURE_LINES or self._stand_once(common) else 0

    def _stand_once(self, lines: int) -> bool:
        """Whether so many last lines stand nowhere else in what is remembered."""
        last = self._wanted[-lines:]
        return lines > 0 and sum(self._wanted[at : at + lines] == last for at in range(len(self._wanted))) == 1

    def _in_part(self, head: list[bytes]) -> int:
        """Return how many of these first lines are the last ones remembered."""
        if not head:
            return 0
        failures = _failures(head)
        matched = 0
        for item in self._wanted[-len(head) :]:
            if matched == len(head):
                matched = failures[matched]
            while matched and head[matched] != item:
                matched = failures[matched]
            matched += head[matched] == item
        return matched
