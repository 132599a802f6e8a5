"""One pod's way from the answers of a moving tail to records that are handed on with the position that they cover."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

from exporter.logs.moving import MovingTail
from exporter.logs.records import Assembler
from exporter.logs.run import singles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from exporter.logs.moving import Look, Window
    from exporter.logs.record import Record
    from exporter.logs.run import Run
    from exporter.logs.tailer import Channel

DOUBT_SECONDS: Final = 60.0
"""An answer that may be no log at all is taken for one after so long."""

_LINES_AT_ONCE: Final = 1000


class MovingLog:
    """The log of one pod. A record stays open from one answer to the next, until a look finds that nothing follows it.

    `skips_old`: what the first answer shows was there before the first sight of the pipeline, and is not wanted.
    """

    def __init__(self, channel: Channel, monotonic: Callable[[], float], window: Window, *, skips_old: bool) -> None:
        self.channel = channel
        self.seen_seconds = monotonic()
        """When an answer last had the pod."""
        self._monotonic = monotonic
        self._tail = MovingTail(channel.state.position, window)
        self._assembler = Assembler(channel.settings.multiline_bytes, channel.settings.dialect)
        self._assembler.lines_by_severity = channel.lines
        self._fed = 0
        self._grew_seconds = self.seen_seconds
        self._doubted_seconds: float | None = None
        self._skips_old = skips_old

    @property
    def is_open(self) -> bool:
        """Whether something waits for more to come."""
        return self._tail.waiting_bytes > 0 or self._assembler.open_lines > 0

    @property
    def is_torn(self) -> bool:
        """Whether the next answer is waited for: to end a line, or to say what this one was."""
        return self._tail.waiting_bytes > 0 or self._tail.doubtful

    async def take(self, text: bytes) -> Look:
        """Take in an answer, and give out what it shows to be complete."""
        waited = self._tail.waiting_bytes
        look = self._tail.look(text)
        if self._tail.doubtful:
            look = self._doubt(look)
        else:
            self._doubted_seconds = None
        if look.new or look.gap or self._tail.waiting_bytes != waited:
            self._grew_seconds = self._monotonic()
        await self._take_gap(look)
        await self._give(look.block)
        if self._skips_old:
            await self.flush()
            self._skips_old = False
        return look

    async def rest(self) -> None:
        """Give out what is open, if so much time has passed since anything came."""
        if self.is_open and self._monotonic() - self._grew_seconds >= self.channel.settings.multiline_seconds:
            await self.flush()

    async def flush(self) -> None:
        """Give out what is open: nothing more has come for a while."""
        await self._give(self._tail.settle(), cuts=1)
        await self._hand_on(self._assembler.flush())

    def uid(self, _line: int) -> None:
        """Leave it to the channel to give ids: the vendor numbers nothing."""

    def _doubt(self, look: Look) -> Look:
        """Say whether an answer that may be no log has stayed so long that it must be one."""
        now = self._monotonic()
        if self._doubted_seconds is None:
            self._doubted_seconds = now
        return self._tail.believe() if now - self._doubted_seconds >= DOUBT_SECONDS else look

    async def _take_gap(self, look: Look) -> None:
        """Commit a gap, after all that came before it; also where reading begins."""
        if look.gap is not None:
            await self._give(look.ended, cuts=1)
            await self._hand_on(self._assembler.flush())
            await self.channel.lost((look.gap,), self._tail.covered(self._fed, past_gap=True))
        elif self.channel.is_new:
            await self.channel.lost((), self._tail.covered(self._fed))

    async def _give(self, block: bytes, *, cuts: int = 0) -> None:
        """Take in new lines, of which so many newlines were not in the log."""
        for part in _parts(block):
            self._fed += part.count(b"\n")
            records = self._assembler.feed(self.channel.redact(part), time.time_ns())
            self.channel.count(part, cuts)
            await self._hand_on(records)

    async def _hand_on(self, records: Sequence[Record | Run]) -> None:
        if records:
            position = self._tail.covered(self._fed - self._assembler.open_lines)
            wanted = self._wanted(records) if self._skips_old else records
            if wanted:
                await self.channel.hand_on(self, wanted, position)
            else:
                await self.channel.lost((), position)

    def _wanted(self, records: Sequence[Record | Run]) -> Sequence[Record | Run]:
        """Leave out the old records that have no time; those that have one are the channel's to judge."""
        old = True
        wanted: list[Record | Run] = []
        for record in singles(records):
            old = record.time_ns < self.channel.state.skip_before_ns if record.time_ns else old
            if record.time_ns or not old:
                wanted.append(record)
        return wanted


def _parts(block: bytes) -> Iterator[bytes]:
    """Part a block, so that no commit gets very large."""
    if not block:
        return
    lines = block[:-1].split(b"\n")
    for start in range(0, len(lines), _LINES_AT_ONCE):
        yield b"\n".join(lines[start : start + _LINES_AT_ONCE]) + b"\n"
