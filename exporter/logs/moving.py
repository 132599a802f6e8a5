"""A moving tail: each answer shows the newest part of one pod's log, and what is new in it has to be found.

    before     a b c d e f g│beg
    now            ~ d e f g│begun h i│unfin         ~ may be the end of c only
               read before ─┘└─ new ──┘└─ waits for its newline, the next answer or `settle`

Pure: no I/O and no clock. Two answers are joined by the rule of `open_overlap`, for which the first line of an answer
also equals a line that it is the end of: a tail that is limited by bytes begins anywhere. Where nothing fits there is a
gap, and the position after it remembers nothing of before: so that no gap is counted twice, whenever a kill comes.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.logs.resume import Gap, OverlapPosition, open_overlap
from exporter.logs.resume._position import DIGEST_BYTES, OVERLAP_LINES, digest, digests

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.logs.resume import Position

REMEMBERED_BYTES: Final = 1 << 20
"""An answer up to this size is kept until the next, to look for the beginning of a first line that was cut."""

SURE_BYTES: Final = 16
"""So much of a line in common tells that two answers touch, where no whole line does."""

SURE_LINES: Final = 3
"""So many whole lines in common tell that the one before them was cut, where nothing is known of it."""

_ROUND_LINES: Final = 100
_CUT_CHARACTER: Final = "\N{REPLACEMENT CHARACTER}".encode()
_CUT_CHARACTER_BYTES: Final = 16
"""Tails of equal size differ by so much, where the first character was cut."""


@dataclass(slots=True)
class Window:
    """How much of a log the vendor shows at most, as far as it was seen. One for all pods."""

    lines: int | None = None
    size_bytes: int | None = None

    def is_full(self, lines: int, size_bytes: int) -> bool:
        """Whether an answer shows as much as it can, so that lines may be missing before it.

        As long as nothing is known, a round number is taken for a limit.
        """
        if self.lines is None and self.size_bytes is None:
            return lines % _ROUND_LINES == 0 or size_bytes % 1000 == 0 or size_bytes % 1024 == 0
        return (self.lines is not None and lines >= self.lines) or self.is_full_of_bytes(size_bytes)

    def is_full_of_bytes(self, size_bytes: int) -> bool:
        """Whether an answer is cut where its bytes are too many."""
        return self.size_bytes is not None and abs(size_bytes - self.size_bytes) <= _CUT_CHARACTER_BYTES


class Look(NamedTuple):
    """What one answer adds: the end of what was before a gap, the gap, and new lines; each may be missing."""

    ended: bytes = b""
    """A line that had no newline yet when the gap came."""
    gap: Gap | None = None
    block: bytes = b""
    new: int = 0
    """How many of the lines shown are new."""
    shown: int = 0
    failed: bool = False
    """The answer before this one was no log: it could not be fetched."""


class _Begun(NamedTuple):
    """How much was given out of a line that has not ended, and its digest."""

    size_bytes: int = 0
    digest: bytes = b""

    def begins(self, line: bytes) -> bool:
        """Whether a line can be the one."""
        return len(line) >= self.size_bytes and (not self.size_bytes or digest(line[: self.size_bytes]) == self.digest)


class MovingTail:
    """One pod's log. `look` at every answer in order; lines given out are counted by their newlines, over all looks."""

    def __init__(self, before: Position | None, window: Window | None = None) -> None:
        position = before if isinstance(before, OverlapPosition) else OverlapPosition(0)
        self.given = 0
        """How many lines were given out."""
        self._read = position.read
        self._recent = position.recent
        self._cut = position.cut
        self._begun = _Begun(position.begun_bytes, position.begun)
        self._ledger = _Ledger(position)
        self._text: bytes | None = None
        self._lines: Sequence[bytes] = ()
        """The whole lines of the newest answer, as far as they are remembered; the last is the last one read."""
        self._unfinished = b""
        """The last line of the newest answer, with what was given out of it."""
        self._doubtful = b""
        self._window = Window() if window is None else window
        self._shown = 0
        """How many lines the newest answer had, with the unfinished one."""
        self._was_empty = False
        """The answer before was empty, and nothing was read before it."""

    @property
    def waiting_bytes(self) -> int:
        """How much waits of a line that has no newline yet."""
        return max(0, len(self._unfinished) - self._begun.size_bytes)

    @property
    def doubtful(self) -> bool:
        """Whether the newest answer was one line that goes on from nothing: a reason of its own, or a new log."""
        return bool(self._doubtful)

    def look(self, text: bytes) -> Look:
        """Take the next answer."""
        if text == self._text:
            return Look(shown=len(self._lines))
        self._text = text if len(text) <= REMEMBERED_BYTES else None
        *lines, rest = text.split(b"\n")
        if not lines:
            return self._look_at_one(rest)
        doubtful, self._doubtful = self._doubtful, b""
        shown = len(lines) + bool(rest)
        place = self._place(lines, shown, len(text))
        look = Look() if place is not None else self._break_off(lines[0])
        new = lines[place or 0 :]
        block = self._give(new, cut=place is None and self._is_cut(lines, len(text)))
        self._lines = lines if self._text is not None else ()
        self._shown, self._was_empty = shown, False
        self._finish(rest, new)
        failed = bool(doubtful) and not (place is None and lines[0].startswith(doubtful))
        return look._replace(block=block, new=len(new), shown=len(lines), failed=failed)

    def settle(self) -> bytes:
        """Give out what waits for its newline: nothing more has come for a while."""
        line = self._unfinished
        rest = line[self._begun.size_bytes :]
        if not rest:
            return b""
        self._begun = _Begun(len(line), digest(line))
        self._ledger.add(_Step(begun=self._begun))
        self.given += 1
        return rest + b"\n"

    def believe(self) -> Look:
        """Take a doubtful answer for the beginning of a new log."""
        line, self._doubtful = self._doubtful, b""
        look = self._break_off(line)
        self._unfinished = line
        return look

    def covered(self, lines: int, *, past_gap: bool = False) -> OverlapPosition:
        """Return the position after the first `lines` lines given out; `lines` never falls.

        `past_gap`: also after the gap that follows them, which is to be committed with it.
        """
        return self._ledger.cover(lines, past_gap=past_gap, cut=self._cut)

    def _look_at_one(self, line: bytes) -> Look:
        """Take an answer without any newline."""
        if not line:
            self._doubtful = b""
            self._was_empty = not (self._recent or self._unfinished or self._begun.size_bytes)
            return Look()
        if self._recent and not (self._unfinished and line.startswith(self._unfinished)):
            self._doubtful = line
            return Look()
        look = Look() if self._goes_on(line) else self._break_off(line)
        self._finish(line, ())
        return look

    def _place(self, lines: Sequence[bytes], shown: int, size_bytes: int) -> int | None:
        """Return how many of the lines were read before; None where it cannot be told."""
        if not self._recent:
            missing = self._was_empty and self._window.is_full(shown, size_bytes)
            return 0 if self._goes_on(lines[0]) and not missing else None
        place = self._overlap(lines)
        if place and self._lines and lines[0] != self._lines[0]:
            self._cut = False
            if shown == self._shown:
                self._window.lines = shown
        place = place or self._overlap_cut(lines, size_bytes)
        # A last line that had only no newline is a line in common too.
        return 0 if not place and lines[0] == self._unfinished != b"" else place or None

    def _overlap(self, lines: Sequence[bytes]) -> int:
        if not lines:
            return 0
        block = b"\n".join(lines) + b"\n"
        stream = open_overlap(OverlapPosition(self._read, self._recent), hold_bytes=len(block))
        first, second = stream.feed(block), stream.settle()
        if first.gaps or second.gaps:
            return 0
        return len(lines) - first.block.count(b"\n") - second.block.count(b"\n")

    def _overlap_cut(self, lines: Sequence[bytes], size_bytes: int) -> int:
        """Return the place that fits when the first line may be the end of one that was read before; 0 for none."""
        later = self._overlap(lines[1:])
        head = lines[0]
        while head.startswith(_CUT_CHARACTER):
            head = head.removeprefix(_CUT_CHARACTER)
        if not self._lines:  # of another process, or too much to be remembered
            sure = later if self._cut else later >= SURE_LINES and self._cut is None
            return later + 1 if sure else 0
        if later >= len(self._lines):
            return 0
        before = self._lines[-later - 1]
        if not before.endswith(head) or not (later or len(head) >= SURE_BYTES):
            return 0
        if lines[0] != before:
            self._cut, self._window.size_bytes = True, size_bytes
        return later + 1

    def _goes_on(self, line: bytes) -> bool:
        """Whether a line can be the one that was unfinished."""
        return line.startswith(self._unfinished) and self._begun.begins(line)

    def _break_off(self, line: bytes) -> Look:
        """Note a gap before a line: what was unfinished ends there, unless it is the beginning of that line."""
        ended = b"" if self._goes_on(line) else self._unfinished[self._begun.size_bytes :]
        if ended:
            self._ledger.add(_Step(begun=_Begun(len(self._unfinished), digest(self._unfinished))))
            self.given += 1
        self._ledger.add(_Step(gap=True))
        self._read, self._recent = 0, b""
        self._begun, self._unfinished, self._lines = _Begun(), b"", ()
        return Look(ended + b"\n" if ended else b"", Gap("window", None))

    def _is_cut(self, lines: Sequence[bytes], size_bytes: int) -> bool:
        """Whether the first line after a gap is known to be only the end of one."""
        full = self._window.is_full_of_bytes(size_bytes)
        return len(lines) > 1 and (full or lines[0].startswith(_CUT_CHARACTER))

    def _give(self, new: Sequence[bytes], *, cut: bool) -> bytes:
        """Give out whole lines: of the first maybe only the rest, or nothing where it is `cut`."""
        if not new:
            return b""
        first = new[0]
        if self._begun.size_bytes and self._begun.begins(first):
            first = first[self._begun.size_bytes :]
            silent = not first
        else:
            silent = cut
        hashed = digests(new)
        for at in range(0, len(hashed), DIGEST_BYTES):
            self._ledger.add(_Step(line=hashed[at : at + DIGEST_BYTES], silent=silent and not at))
        self._read += len(new)
        self._recent = (self._recent + hashed)[-OVERLAP_LINES * DIGEST_BYTES :]
        given = [*([] if silent else [first]), *new[1:]]
        self.given += len(given)
        return b"".join([line + b"\n" for line in given])

    def _finish(self, rest: bytes, new: Sequence[bytes]) -> None:
        """Note the unfinished line of an answer."""
        if new or (rest and not self._begun.begins(rest)):
            self._begun = _Begun()
        while rest.endswith(_CUT_CHARACTER):  # the rest of it is still to come, and then it is another character
            rest = rest.removesuffix(_CUT_CHARACTER)
        if new or rest:
            self._unfinished = rest


class _Step(NamedTuple):
    """One step of the position: a whole line, the beginning of one, or a gap."""

    line: bytes = b""
    silent: bool = False
    """The line, or the rest of it, was not given out."""
    begun: _Begun | None = None
    gap: bool = False


class _Ledger:
    """What was given out and is not covered yet, so that the position after any line can be told."""

    def __init__(self, position: OverlapPosition) -> None:
        self._read, self._recent = position.read, bytearray(position.recent)
        self._begun = _Begun(position.begun_bytes, position.begun)
        self._lines = 0
        self._steps: deque[_Step] = deque()

    def add(self, step: _Step) -> None:
        """Note a step."""
        self._steps.append(step)

    def cover(self, lines: int, *, past_gap: bool, cut: bool | None) -> OverlapPosition:
        """Go on to a line, and over what follows it and gives out nothing."""
        while self._steps:
            step = self._steps[0]
            gives = not step.gap and not step.silent
            if lines - self._lines < gives or (step.gap and lines == self._lines and not past_gap):
                break
            self._steps.popleft()
            self._lines += gives
            self._go(step)
        if lines > self._lines:
            raise ValueError(f"{lines} lines cannot be covered: only {self._lines} were given out")
        del self._recent[: -OVERLAP_LINES * DIGEST_BYTES]
        return OverlapPosition(self._read, bytes(self._recent), *self._begun, cut)

    def _go(self, step: _Step) -> None:
        if step.gap:
            self._read = 0
            self._recent.clear()
            self._begun = _Begun()
        elif step.begun is not None:
            self._begun = step.begun
        else:
            self._read += 1
            self._recent += step.line
            self._begun = _Begun()
