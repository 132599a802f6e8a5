"""Send what waits in the outbox: one request in flight a lane, in order, until it is accepted or put aside for good.

    take ─▶ send ─▶ accepted: the next batch
             └────▶ refused for its data: a part for each pipeline ─┬─▶ all done, or waiting for themselves: the next batch
                                                                    └─▶ all refused, nothing else accepted: held

A part that waits holds its own pipeline only: the lane passes that pipeline's records by. When every record of a batch
is refused and nothing else was accepted since, the batch stays where it is and the destination is held: after that the
lane takes what stands behind it too, so that one bad record alone does not hold what is good.
"""

from __future__ import annotations

import asyncio
import logging
import time
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from exporter.journal import JournalError
from exporter.otlp.attempts import Attempts, Counts, Patience
from exporter.otlp.parts import TOO_LARGE, Lane, Parts, parts_of

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from exporter.journal import Group, Waiting
    from exporter.otlp.attempts import Refusal
    from exporter.otlp.dead_letters import Aside
    from exporter.otlp.destination import Destination
    from exporter.otlp.outbox import Outbox
    from exporter.otlp.parts import Part

__all__ = ["Counts", "Patience", "Sender"]

T = TypeVar("T")

MAX_HELD: Final = 8
"""A lane with so many pipelines that wait for themselves waits with them: each keeps its part in memory."""

_log = logging.getLogger(__name__)


class Sender:
    """Runs the lanes of an outbox."""

    def __init__(
        self,
        outbox: Outbox,
        destination: Destination,
        dead_letters: Aside,
        counts: Counts,
        clock: Callable[[], float] = time.time,
        patience: Patience | None = None,
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._counts = counts
        self._clock = clock
        self._patience = patience or Patience()
        self._attempts = Attempts(destination, counts, self._patience)
        self._parts = Parts(
            self._attempts,
            destination,
            dead_letters,
            counts,
            self._patience,
            self._read,
            self._remove,
            outbox.limits,
        )

    async def run(self) -> None:
        """Send until cancelled; then `finish`."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._outbox.lanes):
                group.create_task(self._run_lane(Lane(number)), name=f"lane {number}")

    async def finish(self, seconds: float) -> None:
        """Hear the answers to what is in flight, for at most so long: what was accepted is not sent again."""
        await self._attempts.finish(seconds)

    async def _run_lane(self, lane: Lane) -> None:
        async with asyncio.TaskGroup() as working:
            while True:
                taken = await self._outbox.take(lane.number, lane.hopeless)
                groups = await self._groups(lane, taken)
                for stream in {group.stream for group in groups} & lane.held.keys():
                    lane.held[stream].behind.update((one.seq, one) for one in taken)
                free = [group for group in groups if group.stream not in lane.held]
                if not groups:
                    await self._patiently(partial(self._outbox.done, lane.number, taken))
                elif not free or await self._deliver(lane, working, taken, free, whole=len(free) == len(groups)):
                    self._outbox.set_apart(taken)
                else:
                    await self._destination.rest()  # what comes meanwhile is taken along
                while len(lane.held) >= MAX_HELD:
                    await self._change(lane)

    async def _groups(self, lane: Lane, taken: Sequence[Waiting]) -> list[Group]:
        """Read the records of batches; again when a part has taken out its own meanwhile."""
        while True:
            ended = lane.ended
            groups = await self._patiently(partial(self._outbox.groups, taken))
            if ended == lane.ended:
                return groups

    async def _read(self, one: Waiting) -> list[Group]:
        return await self._patiently(partial(self._outbox.groups, [one]))

    async def _remove(
        self, lane: int, taken: Sequence[Waiting], stream: str, records: Collection[bytes] | None
    ) -> None:
        await self._patiently(partial(self._outbox.remove, lane, taken, {stream: records}))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the journal until it answers: a full disk passes."""
        told = False
        while True:
            try:
                return await ask()
            except JournalError as error:
                if not told:
                    _log.error("%s; tried again until it can", error)
                told = True
                await asyncio.sleep(self._patience.journal_seconds)

    async def _deliver(
        self, lane: Lane, working: asyncio.TaskGroup, taken: Sequence[Waiting], groups: Sequence[Group], *, whole: bool
    ) -> bool:
        """Send records until each is accepted, put aside, or held with its pipeline; False when the destination is held.

        `whole`: the batches hold nothing else.
        """

        async def settle() -> None:
            gone = dict.fromkeys(group.stream for group in groups)
            done = self._outbox.done if whole else partial(self._outbox.remove, gone=gone)
            await self._patiently(partial(done, lane.number, taken))

        if self._outbox.fits(taken):
            refusal = await self._attempts.send(lane.sending, groups, settle)
        else:
            refusal = TOO_LARGE
        if refusal is None:
            for one in taken:
                self._counts.latency(max(0.0, self._clock() - one.read_seconds))
            lane.hopeless = frozenset()
            return True
        seqs = frozenset(one.seq for one in taken)
        before = lane.accepted_before if seqs & lane.hopeless else self._destination.accepted
        if seqs <= lane.hopeless and self._destination.accepted == before:
            self._doubt(refusal.reason)
            return False
        if await self._in_parts(lane, working, parts_of(groups, taken, before), refusal):
            lane.hopeless = frozenset()
            return True
        lane.hopeless, lane.accepted_before = seqs, before
        return False

    def _doubt(self, reason: str) -> None:
        self._destination.doubt(self._patience.hold_seconds, f"every record is refused: {reason}")

    async def _in_parts(self, lane: Lane, working: asyncio.TaskGroup, parts: Sequence[Part], refusal: Refusal) -> bool:
        """Have each part brought to its end, and wait for those that need not wait; False when all is refused."""
        before = parts[0].accepted_before
        lane.held |= {part.stream: part for part in parts}
        tasks = [working.create_task(self._parts.work(lane, part, stubborn=refusal.stubborn)) for part in parts]
        while not (
            all(part.is_split for part in parts)
            or (self._destination.accepted != before and all(part.is_split or part.waits for part in parts))
        ):
            await self._change(lane)
        if self._destination.accepted == before:
            for part, task in zip(parts, tasks, strict=True):
                task.cancel()
                del lane.held[part.stream]
            self._doubt(parts[0].bad[0][1])
            return False
        for part in parts:
            part.waits = part.waits and not part.is_split
            part.verdict.set()
        while any(lane.held.get(part.stream) is part and not part.waits for part in parts):
            await self._change(lane)
        return True

    async def _change(self, lane: Lane) -> None:
        lane.changed.clear()
        await lane.changed.wait()
