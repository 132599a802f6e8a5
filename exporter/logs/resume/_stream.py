"""One connection: its lines go in, the new ones come out, and the position after each of them can be told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from exporter.logs.resume._aligners import ByText, Found, choose
from exporter.logs.resume._ledger import Held, Ledger
from exporter.logs.resume._position import (
    OVERLAP_LINES,
    RECENT_LINES,
    CursorPosition,
    Fed,
    Gap,
    IndexPosition,
    OverlapPosition,
    digest,
)

if TYPE_CHECKING:
    from exporter.logs.resume._aligners import Aligner
    from exporter.logs.resume._position import Position

REPLAY_HOLD_BYTES = 2 << 20
"""Twice what Feldera's buffer holds."""
OVERLAP_HOLD_BYTES = 16 << 20
"""More than the 10 MiB that Apify stores of a log."""

_NOTICE = re.compile(rb'(?:\[[^\]]+\] .*?|\{.*?"line" ?: ?"|)(?:\.\.\. )?(\d+) prior log lines were discarded ')
_FRESH = b"Fresh start of pipeline logs"
_ENDED = b"Logs have ended\n"


class Stream:
    """One open connection. Feed it every block in order, once.

    - `feed` gives back what is new. Gaps come with the first answer after they are known (`feed(b"")` asks for them at
      once), before any new line: commit them with `covered(0)`, and none is ever reported again.
    - `settle` says that nothing has come for a while (10 s), or that the text is complete: what is held for alignment
      is then decided with the lines at hand. Without it, the lines of a new buffer could be held until the old number.
    - `end` says that the connection ended. Lines that are still undecided are not given out: they stay unread, and the
      next connection brings them again.
    - `covered(n)` is the position after the first n new lines of this connection; n never falls. Until it is known
      which lines are new it is what the stream was opened with.
    """

    def __init__(self, before: Position | None, hold_bytes: int, *, epoch: str | None = None) -> None:
        self._before = before
        self._hold_bytes = hold_bytes
        self._epoch = epoch
        self._reason: Literal["overflow", "restart", "window"] = "restart"
        self._follow = True
        self._cuts_lines = False
        self._numbered = True
        self._renewed = False
        self._start = 0
        """The number of the line before the first one of the connection, then before the first new one."""
        self._least = 0
        """At least so many lines are discarded from the buffer."""
        self._fresh = b""
        self._aligner: Aligner | None = None
        self._gaps: tuple[Gap, ...] = ()
        self._held: Held | None = Held()
        self._ledger = Ledger(b"", RECENT_LINES)

    def feed(self, block: bytes, forced: int = 0) -> Fed:
        """Take whole lines; `forced` says how many of the last newlines were not in the stream."""
        if self._held is None:
            if block:
                self._ledger.add(block, forced)
            return Fed(block, self._take_gaps()) if self._gaps else Fed(block)
        new = self._held.add(block, forced) if block else 0
        if self._aligner is None:
            choice = self._choose(self._held)
            if choice is None or isinstance(choice, Found):
                return self._decide(choice)
            self._aligner = choice
        return self._decide(self._aligner.look(self._held, new) if new else None)

    @property
    def undecided(self) -> bool:
        """Whether lines are held until it is known which of them are new."""
        return self._held is not None and self._held.lines > 0

    @property
    def said_end(self) -> bool:
        """Whether the vendor's own word that the log has ended was the last that came."""
        return False

    def settle(self) -> Fed:
        """Decide what is held with the lines at hand: for now, or for ever, no more are coming."""
        if self._held is None:
            return Fed(b"", self._take_gaps())
        return self._decide(self._aligner.settle(self._held) if self._aligner else None)

    def end(self) -> Fed:
        """Note the end of the connection; what is undecided stays unread."""
        return Fed(b"") if self._held else Fed(b"", self._take_gaps())

    def covered(self, lines: int) -> Position | None:
        """Return the position after the first `lines` new lines given out on this connection."""
        if self._held is not None:
            return self._before
        count, recent = self._ledger.cover(lines)
        number = self._start + count
        if not self._numbered:
            return OverlapPosition(number, recent)
        if self._epoch is None:
            return IndexPosition(number - 1, self._least, self._fresh, recent)
        return CursorPosition(self._epoch, number, self._least, self._fresh, recent)

    def number(self, line: int) -> tuple[int, int]:
        """Return the number (from 1) of a new line (from 0) in the buffer's life, and which piece of the line it is."""
        count, piece = self._ledger.whole(line)
        return self._start + count + 1, piece

    def resume(self, start: int, before: CursorPosition, gap: Gap | None, *, known: bool) -> None:
        """Go on in the same buffer without looking: the server knows the place. `known`: it is right after `before`."""
        self._start = start
        self._least = start if gap else before.discarded
        self._fresh = before.fresh
        self._gaps = (gap,) if gap else ()
        self._held = None
        self._ledger = Ledger(before.recent if known else b"", RECENT_LINES)

    def replay(self, discarded: int) -> None:
        """Expect the whole buffer, of which so many lines were discarded."""
        self._start = self._least = discarded

    def renew(self, discarded: int, gap: Gap) -> None:
        """Expect a buffer that is known to be another one."""
        self.replay(discarded)
        self._renewed = True
        self._gaps = (gap,)

    def overlap(
        self, reason: Literal["overflow", "restart", "window"], *, follow: bool, cuts_lines: bool = False
    ) -> None:
        """Expect text without numbers."""
        self._start = self._before.lines if self._before else 0
        self._reason = reason
        self._follow = follow
        self._cuts_lines = cuts_lines
        self._numbered = False

    def _choose(self, held: Held) -> Found | Aligner | None:
        """Say how to go on; None: not before the first line."""
        if self._numbered and self._start == 0:
            if not held.lines:
                return None
            self._fresh = digest(held.between(0, 1)[0])
        if self._before is None or self._renewed:
            return Found(0, same=False)
        if self._numbered:
            return choose(self._before, self._start, self._fresh, self._hold_bytes)
        return ByText(
            self._before,
            reason=self._reason,
            follow=self._follow,
            hold_bytes=self._hold_bytes,
            cuts_lines=self._cuts_lines,
        )

    def _decide(self, found: Found | None) -> Fed:
        """Give out what is after the place, once it is found."""
        if found is None or self._held is None:
            return Fed(b"")
        block, forced = self._held.release(found.place)
        self._held = self._aligner = None
        self._ledger = Ledger(
            self._before.recent if found.same and self._before else b"",
            RECENT_LINES if self._numbered else OVERLAP_LINES,
        )
        if block:
            self._ledger.add(block)
            self._ledger.mark(forced)
        if self._numbered:
            self._start += found.place
        if found.gap:
            self._gaps = (*self._gaps, found.gap)
        return Fed(block, self._take_gaps())

    def _take_gaps(self) -> tuple[Gap, ...]:
        gaps, self._gaps = self._gaps, ()
        return gaps


class ReplayStream(Stream):
    """Feldera without cursors: a notice may stand before the buffer, and a marker after the last line."""

    def __init__(self, before: Position | None, hold_bytes: int) -> None:
        super().__init__(before, hold_bytes)
        self._opened = False
        self._ended = b""
        """The marker while it is the last line that came: an ordinary line if more follow."""

    def feed(self, block: bytes, forced: int = 0) -> Fed:
        """Take whole lines; the notice is read and left out, the marker is left out if it is the last line."""
        if self._opened and not self._ended and not block.endswith(_ENDED):
            return super().feed(block, forced)
        if block and not self._opened:
            block = self._open(block)
        if block and self._ended:
            block, self._ended = self._ended + block, b""
        if block.endswith(_ENDED) and not forced and block[-len(_ENDED) - 1 : -len(_ENDED)] in {b"", b"\n"}:
            block, self._ended = block[: -len(_ENDED)], _ENDED
        return super().feed(block, forced)

    @property
    def said_end(self) -> bool:
        """Whether the marker was the last line that came."""
        return bool(self._ended)

    def settle(self) -> Fed:
        """Decide with the lines at hand; what looked like the marker is a line, as the stream has not ended."""
        block, self._ended = self._ended, b""
        first = super().feed(block)
        second = super().settle()
        return Fed(first.block + second.block, first.gaps + second.gaps)

    def _open(self, block: bytes) -> bytes:
        self._opened = True
        line, _, rest = block.partition(b"\n")
        if notice := _NOTICE.match(line):
            self.replay(int(notice[1]))
            return rest
        if _FRESH not in line:
            self.overlap("restart", follow=True)
        return block


def open_cursor(
    before: Position | None, epoch: str, seq: int, gap: int, *, hold_bytes: int = REPLAY_HOLD_BYTES
) -> Stream:
    """Open a stream that the three headers describe.

    It must have been asked for with the cursor of `before`, or with an empty one where that is no cursor position. At
    the first sight of a pipeline lines that were discarded before are no gap.
    """
    stream = Stream(before, hold_bytes, epoch=epoch)
    if not isinstance(before, CursorPosition):
        stream.replay(seq)
    elif before.epoch == epoch:
        lost = Gap("overflow", seq - before.seq) if seq > before.seq else None
        stream.resume(seq, before, lost, known=seq == before.seq)
    else:
        stream.renew(seq, Gap("restart", gap or None))
    return stream


def open_replay(before: Position | None, *, hold_bytes: int = REPLAY_HOLD_BYTES) -> Stream:
    """Open a stream that sends its whole buffer again, with a notice where lines were discarded."""
    return ReplayStream(before, hold_bytes)


def open_overlap(
    before: Position | None,
    *,
    reason: Literal["overflow", "window"] = "window",
    follow: bool = False,
    cuts_lines: bool = False,
    hold_bytes: int = OVERLAP_HOLD_BYTES,
) -> Stream:
    """Open a stream of which only the text tells what was read before.

    `follow`: the text goes on arriving; without it, call `settle()` once the whole of it was fed. `reason` is that of
    the gap where nothing fits. `cuts_lines`: the head of the text goes byte by byte, so that it may begin within a line.
    """
    stream = Stream(before, hold_bytes)
    stream.overlap(reason, follow=follow, cuts_lines=cuts_lines)
    return stream
