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
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeAlias

import msgspec

from exporter.logs.backoff import Backoff
from exporter.logs.dialects import FELDERA
from exporter.logs.lines import LineBuffer
from exporter.logs.records import Assembler, Record, Run
from exporter.logs.resume import Position
from exporter.logs.run import singles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from exporter.logs.dialects import Dialect
    from exporter.logs.redact import Redactor
    from exporter.logs.resume import Fed, Gap, Stream
    from exporter.logs.stats import LogStats

Named: TypeAlias = tuple[Record | Run, str]
"""A record with its id; or a run with the id of its first record, which ends in a number: the others count up from it."""

SETTLE_SECONDS: Final = 10.0
"""After so much silence, what is held to find out whether it is new is decided with what is there."""

STALLED_SECONDS: Final = 60.0
"""A text that does not go on after its end is given up for now when nothing of it has come for so long."""

LASTING_SECONDS: Final = 10.0
"""A connection that lasted so long was a good one, like one that went on with new lines: the next is opened soon."""

REPLAY_SECONDS: Final = 2.0
"""With `start: end`, lines without a time that follow old ones are old themselves, so long after the first connection."""

_log = logging.getLogger(__name__)


class StreamState(msgspec.Struct):
    """What the journal keeps of a stream, committed with the records that it covers."""

    position: Position | None = None
    gaps: dict[str, int] = msgspec.field(default_factory=dict)
    lines_lost: int = 0
    skip_before_ns: int = 0
    """With `start: end`: records of before this moment, the first sight of the pipeline, are left out."""
    pipeline: str = ""
    """The id of the pipeline, where it is not that of the stream."""
    ends: int = 0
    """Of a job's log: after how many ends of the job it was read to its end."""


class StreamRefusedError(Exception):
    """A stream could not be opened; `reason` is the label of the reconnect."""

    def __init__(self, problem: str, *, reason: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(problem)
        self.reason = reason
        self.retry_after_seconds = retry_after_seconds


class Ids(Protocol):
    """What makes the ids of records."""

    def uid(self, line: int) -> str | None:
        """Return the id of the record that begins with a new line of this number (from 0); None: give one."""


class Connection(Ids, Protocol):
    """An open stream: its bytes, how they join what was read before, and what makes their records' ids."""

    resume: Stream
    complete: bool
    """The text does not go on after its end: what is undecided then is decided, and a last line needs no newline."""

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""

    @property
    def end(self) -> str | None:
        """How it ended: `end`, `told` (the vendor said that the log has ended) or `cut`; None while it lasts."""

    async def close(self) -> None:
        """Close it cleanly."""


@dataclass(frozen=True, slots=True)
class TailSettings:
    """How logs are read."""

    multiline_bytes: int
    multiline_seconds: float
    dialect: Dialect = FELDERA


class Channel:
    """One stream's way from blocks to records that are handed on with the position that covers them.

    `put` takes records and the state that covers them, both or neither. `confirm` asks whether the name that the stream
    was opened by belongs to the pipeline; it may raise StreamRefusedError.
    """

    def __init__(
        self,
        name: str,
        put: Callable[[Sequence[Named], StreamState], Awaitable[None]],
        redactor: Redactor,
        settings: TailSettings,
        stats: LogStats,
        state: StreamState | None = None,
        *,
        confirm: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        self.name = name
        self._put = put
        self._redactor = redactor
        self._settings = settings
        self._stats = stats
        self._state = state or StreamState()
        self._given = itertools.count()
        self._process = uuid.uuid4().hex
        self._confirm = confirm
        self._old = self._state.position is None and self._state.skip_before_ns > 0
        """Whether the newest record was one to leave out."""
        self._opened_at: float | None = None
        self._waited = False
        """Whether a stream has ended or been refused: the list that gave the pipeline its name may be out of date."""

    def redact(self, block: bytes) -> bytes:
        """Replace secrets, counted."""
        clean, count = self._redactor.redact(block)
        self._stats.redactions += count
        return clean

    def count(self, block: bytes, cuts: int) -> None:
        """Count what was read; so many of its newlines were not in the stream."""
        self._stats.bytes += len(block) - cuts
        self._stats.last_line_seconds = time.time()
        self._stats.version += 1

    async def lost(self, gaps: Sequence[Gap], position: Position | None) -> None:
        """Commit what was lost with the position before it; it shows once it is committed. Raises StreamRefusedError."""
        first = self.is_new and self._waited and position is not None
        if (gaps or first) and self._confirm is not None and not await self._confirm():
            # Another pipeline has the name now, and its log is read by that one's tailer.
            raise StreamRefusedError(f"{self.name} was deleted or renamed", reason="not_found")
        counts = Counter(self._state.gaps)
        lines_lost = self._state.lines_lost
        for gap in gaps:
            counts[gap.reason] += 1
            lines_lost += gap.lines_lost or 0
            number = gap.lines_lost or "number unknown"
            _log.warning("log of %s: the vendor's buffer lost lines (%s, %s)", self.name, gap.reason, number)
        await self._commit((), msgspec.structs.replace(self._state, gaps=dict(counts), lines_lost=lines_lost), position)

    async def hand_on(self, ids: Ids, records: Sequence[Record | Run], position: Position | None) -> None:
        """Give records an id and hand them on with the position that covers them."""
        named: list[Named] = []
        for one in self._wanted(records):
            if isinstance(one, Record):
                uid = ids.uid(one.first_line) or f"{self._process}-{next(self._given)}"
                named.append((one, f"{uid}-{one.part}" if one.part else uid))
            else:
                named += self._named_run(ids, one)
        await self._commit(named, self._state, position)

    def _named_run(self, ids: Ids, run: Run) -> Iterator[Named]:
        """Give a run its ids: they count up from the first, unless lines that were cut in pieces are among it."""
        first = ids.uid(run.first_line)
        if first is None:
            yield run, f"{self._process}-{next(self._given)}"
            self._given = itertools.count(next(self._given) + run.count - 1)
            return
        last = ids.uid(run.first_line + run.count - 1)
        if last is not None and _counts_up(first, last, run.count):
            yield run, first
            return
        for record in singles([run]):
            yield record, ids.uid(record.first_line) or first

    async def _commit(self, records: Sequence[Named], state: StreamState, position: Position | None) -> None:
        """Hand on, and only then go on from there: a tailer that broke meanwhile must not leave anything out."""
        if position is None:
            return
        state = msgspec.structs.replace(state, position=position)
        await self._put(records, state)
        self._state = state

    def _wanted(self, records: Sequence[Record | Run]) -> Sequence[Record | Run]:
        """Leave out what is older than the first sight of the pipeline, where that is wanted."""
        before_ns = self._state.skip_before_ns
        if not before_ns:
            return records
        if isinstance(records[-1], Run) and all(
            isinstance(one, Run) and min(one.times_ns) >= before_ns for one in records
        ):
            self._old = False
            return records
        replayed = self._opened_at is not None and time.monotonic() < self._opened_at + REPLAY_SECONDS
        wanted: list[Record | Run] = []
        for record in singles(records):
            if record.time_ns:
                self._old = record.time_ns < before_ns
            if not (self._old and (record.time_ns or replayed)):
                wanted.append(record)
        return wanted

    async def follow(self, connection: Connection) -> str:
        """Read an open stream to its end and close it; return how it ended. Raises StreamRefusedError."""
        self._stats.open_streams += 1
        self._stats.version += 1
        if self._opened_at is None:
            self._opened_at = time.monotonic()
        try:
            return await Following(self, connection).follow()
        finally:
            self._stats.open_streams -= 1
            self._stats.version += 1
            await connection.close()

    async def ends_here(self) -> bool:
        """Whether a complete text really has ended: then its last line needs no newline."""
        return True

    def broken_off(self, reason: str) -> None:
        """Count a stream that ended or could not be opened."""
        self._waited = True
        self._stats.reconnects[reason] += 1
        self._stats.version += 1

    @property
    def opened(self) -> bool:
        """Whether a stream has been open before."""
        return self._opened_at is not None

    @property
    def is_new(self) -> bool:
        """Whether nothing is known yet of where reading stands."""
        return self._state.position is None

    @property
    def settings(self) -> TailSettings:
        """How logs are read."""
        return self._settings

    @property
    def state(self) -> StreamState:
        """What was handed on last."""
        return self._state

    @property
    def lines(self) -> Counter[str]:
        """The lines read, by severity."""
        return self._stats.lines


class Tailer(Channel):
    """One log over all its connections. `run()` goes on until cancelled. `open_stream` may raise StreamRefusedError.

    `exists` asks whether the pipeline is still there, whatever its name is now.
    """

    def __init__(
        self,
        name: str,
        open_stream: Callable[[Position | None, bool], Awaitable[Connection]],
        put: Callable[[Sequence[Named], StreamState], Awaitable[None]],
        redactor: Redactor,
        settings: TailSettings,
        stats: LogStats,
        state: StreamState | None = None,
        *,
        confirm: Callable[[], Awaitable[bool]] | None = None,
        exists: Callable[[], Awaitable[bool]] | None = None,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        super().__init__(name, put, redactor, settings, stats, state, confirm=confirm)
        self._open_stream = open_stream
        self._exists = exists
        self._sleep = sleep

    async def run(self) -> None:
        """Follow the log over all connections."""
        backoff = Backoff()
        while True:
            opened = time.monotonic()
            bytes_read, gaps = self._stats.bytes, self._state.gaps
            retry_after = None
            try:
                reason = await self._connect()
            except StreamRefusedError as error:
                reason, retry_after = error.reason, error.retry_after_seconds
                _log.debug("log of %s: %s", self.name, error)
            self.broken_off(reason)
            went_on = self._stats.bytes > bytes_read and self._state.gaps == gaps
            if went_on or time.monotonic() - opened > LASTING_SECONDS:
                backoff.reset()
            await self._sleep(backoff.next_seconds(retry_after))

    async def _connect(self) -> str:
        """Open the stream and follow it to its end; return how it ended. Raises StreamRefusedError."""
        end = await self.follow(await self._open_stream(self._state.position, self.opened))
        return await self._dropped_or_deleted() if end == "told" else end

    async def _dropped_or_deleted(self) -> str:
        """Say why the vendor said that the log has ended: a slow reader hears the same as one of a deleted pipeline."""
        try:
            return "slow_reader" if self._exists is None or await self._exists() else "end"
        except StreamRefusedError:
            return "end"


def _counts_up(first: str, last: str, count: int) -> bool:
    """Whether the ids of so many lines in a row end in numbers that count up by one: none of them is a piece of a line."""
    begin, _, low = first.rpartition("-")
    same, _, high = last.rpartition("-")
    return begin == same and low.isdigit() and high.isdigit() and int(high) - int(low) == count - 1


class Following:
    """One connection's way from bytes to records."""

    def __init__(self, tailer: Channel, connection: Connection) -> None:
        self._tailer = tailer
        self._connection = connection
        self._lines = LineBuffer()
        self._assembler = Assembler(tailer.settings.multiline_bytes, tailer.settings.dialect)
        self._assembler.lines_by_severity = tailer.lines  # counted there, as it knows what belongs to which record

    async def follow(self) -> str:
        """Read to the end; return how it ended."""
        await self._take(self._connection.resume.feed(b""))
        while True:
            try:
                async with asyncio.timeout(self._patience()):
                    data = await self._connection.read()
            except TimeoutError:
                if self._connection.complete:
                    return "timeout"
                await self._be_quiet()
                continue
            if not data:
                break
            block = self._lines.feed(data)
            if self._lines.cuts:
                await self._take_cut(block, self._lines.cuts)
            elif block:
                await self._take(self._connection.resume.feed(block))
        if self._connection.complete and self._connection.end != "cut":
            await self._complete()
        await self._take(self._connection.resume.end())
        await self._hand_on(self._assembler.flush())
        return self._connection.end or "end"

    async def _complete(self) -> None:
        """Take in what only the end of a text decides: its last line, and which of its lines are new."""
        if (torn := self._lines.torn) and await self._tailer.ends_here():
            await self._take(self._connection.resume.feed(torn + b"\n"))
        await self._take(self._connection.resume.settle())

    def _patience(self) -> float | None:
        """Return how long to wait for more of what is open or undecided; None: for ever, as in a complete text."""
        if self._connection.complete:
            return STALLED_SECONDS
        if self._assembler.open_lines:
            return self._tailer.settings.multiline_seconds
        return SETTLE_SECONDS if self._connection.resume.undecided else None

    async def _be_quiet(self) -> None:
        """Give out what waited for more, as nothing came."""
        if self._connection.resume.undecided:
            await self._take(self._connection.resume.settle())
        await self._hand_on(self._assembler.flush())

    async def _take_cut(self, block: bytes, cuts: Sequence[int]) -> None:
        """Take in a block with lines that were too long, so that it is known which newlines were not in the stream."""
        for number, line in enumerate(block[:-1].split(b"\n")):
            forced = int(number in cuts)
            await self._take(self._connection.resume.feed(line + b"\n", forced), forced)

    async def _take(self, fed: Fed, cuts: int = 0) -> None:
        """Take in what is new: first the gaps and where it begins, with the position before it, then its lines."""
        if fed.gaps or self._tailer.is_new:
            await self._tailer.lost(fed.gaps, self._connection.resume.covered(0))
        if fed.block:
            records = self._assembler.feed(self._tailer.redact(fed.block), time.time_ns())
            self._tailer.count(fed.block, cuts)
            await self._hand_on(records)

    async def _hand_on(self, records: Sequence[Record | Run]) -> None:
        if records:
            position = self._connection.resume.covered(self._assembler.lines - self._assembler.open_lines)
            await self._tailer.hand_on(self._connection, records, position)
