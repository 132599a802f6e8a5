"""Follow one pipeline's log: connect, read, cut what was read before, make records, hand them on with their position.

    open ─▶ bytes ─▶ whole lines ─▶ resume ─▶ redact ─▶ records ─▶ encode ─▶ put (with the position that they cover)
      ▲                                                                        │
      └──────────── later each time, with the position kept ◀── end, cut, … ◀──┘

A position never covers lines of a record that is still open: after a kill they are read again.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import random
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol

import msgspec

from exporter.logs.lines import LineBuffer
from exporter.logs.records import Assembler
from exporter.logs.resume import Position

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exporter.logs.records import Record
    from exporter.logs.redact import Redactor
    from exporter.logs.resume import Fed, Gap, Stream
    from exporter.logs.stats import LogStats

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 30.0
SETTLE_SECONDS: Final = 10.0
"""After so much silence, what is held to find out whether it is new is decided with what is there."""

LASTING_SECONDS: Final = 10.0
"""A connection that lasted so long was a good one: the next is opened soon."""

REPLAY_SECONDS: Final = 2.0
"""With `start: end`, lines without a time are taken for old ones so long after the first connection."""

NS: Final = 1_000_000_000

_log = logging.getLogger(__name__)


class StreamState(msgspec.Struct):
    """What the journal keeps of a stream, committed with the records that it covers."""

    position: Position | None = None
    gaps: dict[str, int] = msgspec.field(default_factory=dict)
    lines_lost: int = 0


class StreamRefusedError(Exception):
    """A stream could not be opened; `reason` is the label of the reconnect."""

    def __init__(self, problem: str, *, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Connection(Protocol):
    """An open stream: its bytes, how they join what was read before, and what makes their records' ids."""

    resume: Stream

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""

    @property
    def end(self) -> str | None:
        """How it ended: `end` or `cut`; None while it lasts."""

    def uid(self, line: int) -> str | None:
        """Return the id of the record that begins with a new line of this number (from 0); None: give one."""

    async def close(self) -> None:
        """Close it cleanly."""


@dataclass(frozen=True, slots=True)
class TailSettings:
    """How logs are read."""

    multiline_bytes: int
    multiline_seconds: float
    skip_before_ns: int = 0
    """Records of before this moment are left out; 0: none are."""


class Tailer:
    """One pipeline's log. `run()` goes on until cancelled."""

    def __init__(
        self,
        name: str,
        open_stream: Callable[[Position | None, bool], Awaitable[Connection]],
        put: Callable[[Sequence[tuple[Record, str]], StreamState], Awaitable[None]],
        redactor: Redactor,
        settings: TailSettings,
        stats: LogStats,
        state: StreamState | None = None,
    ) -> None:
        self.name = name
        self._open_stream = open_stream
        self._put = put
        self._redactor = redactor
        self._settings = settings
        self._stats = stats
        self._state = state or StreamState()
        self._given = itertools.count()
        self._process = uuid.uuid4().hex
        self._skips_until = 0.0

    async def run(self) -> None:
        """Follow the log over all connections."""
        backoff = FIRST_BACKOFF_SECONDS
        again = False
        while True:
            opened = time.monotonic()
            retry_after = None
            try:
                reason = await self._connect(again=again)
            except StreamRefusedError as error:
                reason, retry_after = error.reason, error.retry_after_seconds
                _log.debug("log of %s: %s", self.name, error)
            again = True
            self._stats.reconnects[reason] += 1
            self._stats.version += 1
            if time.monotonic() - opened > LASTING_SECONDS:
                backoff = FIRST_BACKOFF_SECONDS
            delay = backoff * random.uniform(0.5, 1.5)  # noqa: S311  (jitter)
            await asyncio.sleep(delay if retry_after is None else max(delay, retry_after))
            backoff = min(backoff * 2, MAX_BACKOFF_SECONDS)

    async def _connect(self, *, again: bool) -> str:
        """Open the stream and follow it to its end; return how it ended. Raises StreamRefusedError."""
        connection = await self._open_stream(self._state.position, again)
        self._stats.connected = True
        self._stats.version += 1
        if not self._skips_until:
            self._skips_until = time.monotonic() + REPLAY_SECONDS
        try:
            return await _Following(self, connection).follow()
        finally:
            self._stats.connected = False
            self._stats.version += 1
            await connection.close()

    def redact(self, block: bytes) -> bytes:
        """Replace secrets, counted."""
        clean, count = self._redactor.redact(block)
        self._stats.redactions += count
        return clean

    def count(self, block: bytes) -> None:
        """Count what was read."""
        self._stats.bytes += len(block)
        self._stats.last_line_seconds = time.time()
        self._stats.version += 1

    def gaps(self, gaps: Sequence[Gap]) -> None:
        """Note what was lost; it shows once it is committed."""
        for gap in gaps:
            counts = Counter(self._state.gaps)
            counts[gap.reason] += 1
            self._state = msgspec.structs.replace(
                self._state, gaps=dict(counts), lines_lost=self._state.lines_lost + (gap.lines_lost or 0)
            )
            _log.warning(
                "log of %s: the vendor's buffer lost lines (%s, %s)",
                self.name,
                gap.reason,
                gap.lines_lost or "number unknown",
            )

    async def hand_on(
        self, connection: Connection, records: Sequence[Record], covered: int, position: Position | None
    ) -> None:
        """Give records an id and hand them on with the position that covers them: so many lines of the connection."""
        if position is None:
            return
        self._count_lines(records, covered)
        named = [
            (record, connection.uid(record.first_line) or f"{self._process}-{next(self._given)}")
            for record in self._wanted(records)
        ]
        self._state = msgspec.structs.replace(self._state, position=position)
        await self._put(
            [(record, f"{uid}-{record.part}" if record.part else uid) for record, uid in named], self._state
        )

    def _count_lines(self, records: Sequence[Record], covered: int) -> None:
        """Count the lines up to a number under the severities of the records that they belong to."""
        if records:
            ends = [*(record.first_line for record in records[1:]), covered]
            for record, end in zip(records, ends, strict=True):
                self._stats.lines[record.severity] += max(0, end - record.first_line)

    def _wanted(self, records: Sequence[Record]) -> Sequence[Record]:
        """Leave out what is older than the first sight of the pipeline, where that is wanted."""
        before_ns = self._settings.skip_before_ns
        if not before_ns:
            return records
        replayed = time.monotonic() < self._skips_until
        return [record for record in records if record.time_ns >= before_ns or (record.time_ns == 0 and not replayed)]

    @property
    def is_new(self) -> bool:
        """Whether nothing is known yet of where reading stands."""
        return self._state.position is None

    @property
    def settings(self) -> TailSettings:
        """How logs are read."""
        return self._settings


class _Following:
    """One connection's way from bytes to records."""

    def __init__(self, tailer: Tailer, connection: Connection) -> None:
        self._tailer = tailer
        self._connection = connection
        self._lines = LineBuffer()
        self._forced = 0
        self._assembler = Assembler(tailer.settings.multiline_bytes)
        self._given_out = 0

    async def follow(self) -> str:
        """Read to the end; return how it ended."""
        await self._take(self._connection.resume.feed(b""))
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    data = await self._connection.read()
            except TimeoutError:
                await self._be_quiet()
                continue
            if not data:
                break
            block = self._lines.feed(data)
            if block:
                forced, self._forced = self._lines.forced - self._forced, self._lines.forced
                await self._take(self._connection.resume.feed(block, forced))
        await self._take(self._connection.resume.end())
        await self._hand_on(self._assembler.flush())
        return self._connection.end or "end"

    def _patience(self) -> float | None:
        """Return how long to wait for more of what is open or undecided; None while there is nothing."""
        if self._assembler.open_lines:
            return self._tailer.settings.multiline_seconds
        return SETTLE_SECONDS if self._connection.resume.undecided else None

    async def _be_quiet(self) -> None:
        """Give out what waited for more, as nothing came."""
        if self._connection.resume.undecided:
            await self._take(self._connection.resume.settle())
        await self._hand_on(self._assembler.flush())

    async def _take(self, fed: Fed) -> None:
        """Take in what is new: first the gaps and where it begins, with the position before it, then its lines."""
        if fed.gaps or self._tailer.is_new:
            position = self._connection.resume.covered(0)
            self._tailer.gaps(fed.gaps)
            await self._tailer.hand_on(self._connection, (), 0, position)
        if fed.block:
            self._tailer.count(fed.block)
            self._given_out += fed.block.count(b"\n")
            await self._hand_on(self._assembler.feed(self._tailer.redact(fed.block), time.time_ns()))

    async def _hand_on(self, records: Sequence[Record]) -> None:
        if records:
            covered = self._given_out - self._assembler.open_lines
            position = self._connection.resume.covered(covered)
            await self._tailer.hand_on(self._connection, records, covered, position)
