"""Records on their way out: collected by lane, committed with the positions that cover them, handed to the lanes in order.

    put() ─▶ pending by lane ─▶ flush: one journal transaction ─▶ waiting by lane ─▶ take() ─▶ done()
      ▲                                                                                  │
      └── waits while the journal is full, the disk fails, or too much is pending ◀──────┘ space

Invariants: what is pending is not yet covered by a committed position; what waits is in the journal; a lane's batches
are taken in the order of their numbers, and the next ones only when the last ones are done. What waits keeps its lane, so
the number of lanes changes only at a start where nothing waits: otherwise new records could overtake.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import zlib
from collections import deque
from dataclasses import dataclass, field, replace
from itertools import repeat
from typing import TYPE_CHECKING, Final

from exporter.journal import LOGS, JournalError, LogBatch, LogCommit, PositionRow
from exporter.otlp.packing import Batch, Limits, Packing, is_judge
from exporter.otlp.wire import split_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from exporter.journal import Group, Journal, Table, Waiting

__all__ = ["CACHE_BYTES", "RESERVE", "Batch", "Limits", "Outbox"]

RESERVE: Final = 0.05
"""Part of the journal's limit by which status events may exceed it."""

CACHE_BYTES: Final = 32 * 1024 * 1024
"""Committed records that are kept in memory, so that they need not be read again to be sent."""

WAITING_SHARE: Final = 0.75
"""Of `max_delay` records wait so long for others; the rest is for the commit."""

ROOM_AGAIN: Final = 0.9
"""Reading that paused goes on when no more than this part of the journal's limit waits: not at every batch that leaves."""

_RETRY_SECONDS = 1.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Lane:
    """One lane."""

    pending: list[Batch] = field(default_factory=list)
    waiting: deque[Waiting] = field(default_factory=deque)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)


class Outbox:
    """All records between reading and acceptance. Belongs to one event loop."""

    def __init__(
        self, journal: Journal, limits: Limits, lanes: int, dropped: Callable[[int], None], table: Table = LOGS
    ) -> None:
        self._journal = journal
        self._table: Table = table
        self._limits = limits
        self._dropped = dropped
        self._lanes = [_Lane() for _ in range(lanes)]
        self._cached: dict[int, Sequence[Group]] = {}
        self._cached_bytes = 0
        self._taken: set[int] = set()
        self._leaving: set[int] = set()
        """Batches that are being dropped at this moment: nobody takes them any more."""
        self._apart: set[int] = set()
        """Batches of which only records of pipelines that are held are left: `take` passes them by."""
        self._lost: set[int] = set()
        """Batches that a journal which was corrupt does not have any more."""
        self._pending_bytes = 0
        self._wake = asyncio.Event()
        self._enough = asyncio.Event()
        """Set while there is enough for a whole request."""
        self._space = asyncio.Condition()
        self._flushing = asyncio.Lock()
        self._is_full = False
        self._is_failing = False
        self.waiting_bytes = 0
        self.waiting_records = 0

    @property
    def lanes(self) -> int:
        """How many lanes there are: as configured, or as many as the journal's records were committed for."""
        return len(self._lanes)

    @property
    def full(self) -> bool:
        """Whether reading is paused because the journal is full or cannot be written."""
        return self._is_full or self._is_failing

    @property
    def failing(self) -> bool:
        """Whether the journal could not be written of late."""
        return self._is_failing

    def lane_of(self, key: tuple[str, str]) -> int:
        """Return the lane of a pipeline, the same over restarts."""
        return zlib.crc32("\0".join(key).encode()) % len(self._lanes)

    @property
    def oldest_seconds(self) -> float | None:
        """When the oldest record that waits was read."""
        return min((lane.waiting[0].read_seconds for lane in self._lanes if lane.waiting), default=None)

    async def open(self) -> None:
        """Take up what waits in the journal. Raises JournalError."""
        lanes = await self._journal.settle_lanes(len(self._lanes), self._table)
        if lanes != len(self._lanes):
            _log.warning(
                "otlp.lanes is %d, but what waits in the journal was put into %d lanes: so many are used until a start "
                "where nothing waits",
                len(self._lanes),
                lanes,
            )
            self._lanes = [_Lane() for _ in range(lanes)]
        self._add(await self._journal.read_waiting(self._table))

    async def put(self, batch: Batch) -> None:
        """Take in records and the position that covers them; waits while there is no room for them."""
        size = sum(map(len, batch.records))
        async with self._space:
            await self._space.wait_for(self._has_room)
        self._pending_bytes += size
        lane = self._lanes[self.lane_of(batch.key)]
        lane.pending.append(batch)
        self._wake.set()
        if self._pending_bytes >= self._limits.max_bytes:
            self._enough.set()

    async def run(self) -> None:
        """Commit what is pending, again and again, until cancelled; then once more."""
        try:
            while True:
                await self._wake.wait()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), self._limits.max_delay_seconds * WAITING_SHARE)
                await self._flush_until_written()
        finally:
            with contextlib.suppress(JournalError):
                await self.flush()

    async def _flush_until_written(self) -> None:
        while True:
            try:
                await self.flush()
            except JournalError as error:
                if not self._is_failing:
                    _log.error("%s; reading logs pauses until it can", error)
                self._is_failing = True
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                if self._is_failing:
                    _log.info("the journal can be written again: reading logs goes on")
                    self._is_failing = False
                    await self._tell_space()
                return

    async def flush(self) -> None:
        """Commit what is pending in one transaction. Raises JournalError, then it is still pending.

        Once begun it goes on when its caller is cancelled: what the journal writes all the same must not stay pending.
        """
        await asyncio.shield(self._flush())

    async def _flush(self) -> None:
        async with self._flushing:
            taken = [lane.pending for lane in self._lanes]
            self._wake.clear()
            self._enough.clear()
            if not any(taken):
                return
            for lane in self._lanes:
                lane.pending = []
            size = sum(len(record) for pending in taken for batch in pending for record in batch.records)
            try:
                await self._drop_oldest(size)
                batches = [one for number, pending in enumerate(taken) for one in self._batches(number, pending)]
                positions: dict[tuple[str, str], bytes | None] = {}
                for one in (one for pending in taken for one in pending):
                    positions[one.source, one.stream] = one.position
                    positions |= {(one.source, stream): position for stream, position in one.further.items()}
                rows = [PositionRow(*stream, position) for stream, position in positions.items()]
                waiting = await self._journal.commit_logs(LogCommit(rows, batches))
            except asyncio.CancelledError:
                # The loop ends, and the journal may write all the same: pending once more, it would be written twice.
                raise
            except BaseException:
                for lane, pending in zip(self._lanes, taken, strict=True):
                    lane.pending[:0] = pending
                self._wake.set()
                self._enough.set()
                raise
            self._pending_bytes -= size
            self._add(waiting, batches)
            for one in (one for pending in taken for one in pending):
                one.committed()
            await self._tell_space()

    def events(
        self, key: tuple[str, str], resource: bytes, records: Sequence[bytes], at_seconds: float
    ) -> list[LogBatch]:
        """Make the batches of status events, to be committed with the counts that they tell of; then `committed()`."""
        batch = Batch(key, *key, resource, records, b"", at_seconds)
        return [replace(one, events=True) for one in self._batches(self.lane_of(key), [batch])]

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Take in batches that were committed elsewhere."""
        self._add(waiting, batches)

    def count_dropped(self, count: int) -> None:
        """Count records that were dropped before they came here."""
        self._dropped(count)

    async def make_room_for_events(self, size: int) -> None:
        """Drop the oldest events when those would exceed the reserve. Raises JournalError.

        Log records that exceed the limit, as when it was lowered, take nothing of the events' reserve.
        """
        limit = self._limits.journal_bytes
        excess = self.waiting_bytes + size - limit * (1 + RESERVE)
        if excess > 0:
            waiting = sum(one.bytes for lane in self._lanes for one in lane.waiting if one.events)
            await self._drop(lambda one: one.events, min(excess, waiting + size - limit * RESERVE))

    @property
    def limits(self) -> Limits:
        """How much may be pending, waiting and in one request."""
        return self._limits

    async def take(self, lane: int, hopeless: Collection[int] = ()) -> list[Waiting]:
        """Wait for batches of a lane and return as many of the oldest as fit one request. They stay until `done`.

        Where all of these are `hopeless`, by their numbers, one more comes with them that is not, although it does not fit.
        """
        queue = self._lanes[lane]
        while not (taken := self._oldest(queue, hopeless)):
            queue.arrived.clear()
            await queue.arrived.wait()
        self._taken.update(one.seq for one in taken)
        return taken

    def fits(self, taken: Sequence[Waiting]) -> bool:
        """Whether batches may be one request; one alone always is."""
        return len(taken) == 1 or self._limits.allow(sum(one.count for one in taken), sum(one.bytes for one in taken))

    def _oldest(self, queue: _Lane, hopeless: Collection[int]) -> list[Waiting]:
        taken: list[Waiting] = []
        records = size = 0
        for one in queue.waiting:
            if one.seq in self._leaving or one.seq in self._apart:
                continue
            records, size = records + one.count, size + one.bytes
            if taken and not self._limits.allow(records, size):
                if is_judge(one.seq, [before.seq for before in taken], hopeless):
                    taken.append(one)
                break
            taken.append(one)
        return taken

    async def groups(self, taken: Iterable[Waiting]) -> list[Group]:
        """Return the records of batches, from the journal where they are not in memory. Raises JournalError."""
        groups: list[Group] = []
        for one in taken:
            found = self._cached.get(one.seq)
            if found is None:
                found = await self._journal.read_groups(one.seq, self._table)
                if not found and one.seq in self._taken | self._apart and one.seq not in self._lost:
                    self._lost.add(one.seq)
                    self._dropped(one.count)
                    _log.error("%d records that waited are lost: the journal does not have them any more", one.count)
            groups += found
        return groups

    async def write_again(self) -> None:
        """Write what is in memory to a journal that was begun anew, with the same numbers. Raises JournalError."""
        waiting = [one for lane in self._lanes for one in lane.waiting if one.seq in self._cached]
        for one in waiting:
            if (groups := self._cached.get(one.seq)) is not None:
                batch = LogBatch(one.lane, one.events, one.count, one.bytes, one.read_seconds, groups, one.seq)
                await self._journal.write_again([batch], self._table)
                if one.seq not in self._cached:  # it was accepted meanwhile
                    await self._journal.delete_batches([one.seq], self._table)

    def note(self, batch: Batch) -> None:
        """Take in a position without records, whether there is room or not: it is written with the next commit."""
        self._lanes[self.lane_of(batch.key)].pending.append(batch)
        self._wake.set()

    async def done(self, lane: int, taken: Sequence[Waiting]) -> None:
        """Delete batches that were accepted or put aside. Raises JournalError, then they are still there."""
        await self._journal.delete_batches([one.seq for one in taken], self._table)
        gone = {one.seq for one in taken}
        self._remove(self._lanes[lane], gone)
        self._taken -= gone
        await self._tell_space()

    async def remove(self, lane: int, taken: Sequence[Waiting], gone: Mapping[str, Collection[bytes] | None]) -> None:
        """Delete some records of batches, by stream (None: all of it). Raises JournalError, then they are still there."""
        seqs = [one.seq for one in taken]
        left = {one.seq: one for one in await self._journal.remove_records(seqs, gone, split_fields, self._table)}
        queue = self._lanes[lane]
        self._remove(queue, {one.seq for one in taken} - left.keys())
        for place, one in enumerate(queue.waiting):
            if (less := left.get(one.seq)) is not None:
                queue.waiting[place] = less
                self.waiting_bytes -= one.bytes - less.bytes
                self.waiting_records -= one.count - less.count
                if self._cached.pop(one.seq, None) is not None:
                    self._cached_bytes -= one.bytes
        self._taken -= {one.seq for one in taken} - left.keys()
        await self._tell_space()

    def set_apart(self, taken: Sequence[Waiting]) -> None:
        """Leave batches to who works on what is left of them: the lane takes others. Those that are gone are done."""
        self._taken -= {one.seq for one in taken}
        self._apart |= {one.seq for one in taken} & {one.seq for lane in self._lanes for one in lane.waiting}

    def _has_room(self) -> bool:
        """Whether more may be read: memory for what is pending, and the journal for what waits."""
        if self._is_failing or self._pending_bytes >= 2 * self._limits.max_bytes:
            return False
        if self._limits.drop_oldest:
            return True
        used, limit = self.waiting_bytes + self._pending_bytes, self._limits.journal_bytes
        full = used > limit * ROOM_AGAIN if self._is_full else used >= limit
        if full != self._is_full:
            self._is_full = full
            if full:
                _log.warning("the journal is full, %d bytes wait to be sent: reading logs pauses", used)
            else:
                _log.info("the journal has room again: reading logs goes on")
        return not full

    async def _tell_space(self) -> None:
        """Wake who waits for room, if there is some."""
        if self._has_room():
            async with self._space:
                self._space.notify_all()

    def _batches(self, lane: int, pending: Sequence[Batch]) -> list[LogBatch]:
        """Put pending records together into batches that each fit one request."""
        packing = Packing(lane, self._limits)
        for one in pending:
            for data, count in zip(one.records, one.counts or repeat(1), strict=False):
                packing.add(one, data, count)
        packing.close()
        return packing.done

    def _add(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch] = ()) -> None:
        for one in waiting:
            lane = self._lanes[one.lane]
            lane.waiting.append(one)
            lane.arrived.set()
            self.waiting_bytes += one.bytes
            self.waiting_records += one.count
        for one, batch in zip(waiting, batches, strict=False):
            if self._cached_bytes + one.bytes <= CACHE_BYTES:
                self._cached[one.seq] = batch.groups
                self._cached_bytes += one.bytes

    def _remove(self, lane: _Lane, gone: set[int]) -> None:
        removed = []
        while lane.waiting and lane.waiting[0].seq in gone:
            removed.append(lane.waiting.popleft())
        if len(removed) < len(gone):  # what is dropped may stand behind what is in flight
            removed += [one for one in lane.waiting if one.seq in gone]
            lane.waiting = deque(one for one in lane.waiting if one.seq not in gone)
        self._apart -= gone
        self._lost -= gone
        for one in removed:
            self.waiting_bytes -= one.bytes
            self.waiting_records -= one.count
            if self._cached.pop(one.seq, None) is not None:
                self._cached_bytes -= one.bytes

    async def _drop_oldest(self, size: int) -> None:
        """With `drop_oldest`, make room for what is to be committed."""
        if self._limits.drop_oldest:
            await self._drop(lambda one: not one.events, self.waiting_bytes + size - self._limits.journal_bytes)

    async def _drop(self, may_go: Callable[[Waiting], bool], excess: float) -> None:
        """Drop the oldest that may go and are not in flight, until there is no excess. Raises JournalError."""
        if excess <= 0:
            return
        excess -= sum(one.bytes for lane in self._lanes for one in lane.waiting if one.seq in self._leaving)
        gone: list[Waiting] = []
        for one in sorted((one for lane in self._lanes for one in lane.waiting), key=lambda one: one.seq):
            if excess <= 0:
                break
            if may_go(one) and one.seq not in self._taken and one.seq not in self._leaving:
                gone.append(one)
                excess -= one.bytes
        if not gone:
            return
        seqs = {one.seq for one in gone}
        self._leaving |= seqs
        try:
            await self._journal.delete_batches(sorted(seqs), self._table)
            for number, lane in enumerate(self._lanes):
                self._remove(lane, {one.seq for one in gone if one.lane == number})
        finally:
            self._leaving -= seqs
            for lane in self._lanes:
                lane.arrived.set()  # what could not be dropped may be taken again
        self._dropped(sum(one.count for one in gone))
