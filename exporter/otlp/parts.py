"""What becomes of a batch that is refused: each pipeline's part is brought to its end for itself.

    refused batch ─┬─▶ part of a: split by half until the bad record is alone ─▶ verdict ─▶ dead letters ─▶ catch up
                   └─▶ part of b: …

The lane goes on as soon as every part is done or has to wait: for the destination, or for room in the dead letters. What
it then finds of a pipeline whose part is not done it leaves in the journal, and the part takes it up at its end, in order.
Whatever is accepted or put aside leaves the journal at once, so that a kill repeats one request.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exporter.journal import Group
from exporter.otlp.attempts import Refusal
from exporter.otlp.encode import export_request
from exporter.otlp.packing import GROUP_BYTES, is_judge
from exporter.otlp.wire import split_fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Sequence

    from exporter.journal import Waiting
    from exporter.otlp.attempts import Attempts, Counts, Patience
    from exporter.otlp.dead_letters import Aside
    from exporter.otlp.destination import Destination
    from exporter.otlp.packing import Limits

TOO_LARGE: Final = Refusal("more than a request may have", stubborn=False)
"""What is not sent as it is."""

One = tuple[Group, bytes]
"""A record, and what it is of: a group without records."""


@dataclass(slots=True)
class Lane:
    """One lane: `sending` is held while a request is in flight; `hopeless` are batches of which all was refused."""

    number: int
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    hopeless: frozenset[int] = frozenset()
    accepted_before: int = 0
    """How many requests the destination had accepted when they were found so."""
    held: dict[str, Part] = field(default_factory=dict)
    """Parts that are not done, by pipeline: nothing of these pipelines may overtake."""
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a part is split, waits or is done."""
    ended: int = 0
    """So many parts are done, and have taken what was theirs out of the journal."""


@dataclass(slots=True)
class Part:
    """A pipeline's part of a refused batch, and what came behind it."""

    stream: str
    taken: Sequence[Waiting]
    """The batches that hold its records."""
    records: list[One]
    accepted_before: int
    bad: list[tuple[One, str]] = field(default_factory=list)
    """Records that were refused alone, and why."""
    is_split: bool = False
    waits: bool = False
    """Whether something made it wait: the lane need not wait with it."""
    verdict: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when what is bad is to be put aside: the destination has accepted something else."""
    behind: dict[int, Waiting] = field(default_factory=dict)
    """Later batches with records of this pipeline, by their numbers."""


class Parts:
    """Brings parts to their end. `remove` deletes records of a pipeline from batches in the journal; None: all of them."""

    def __init__(
        self,
        attempts: Attempts,
        destination: Destination,
        dead_letters: Aside,
        counts: Counts,
        patience: Patience,
        read: Callable[[Waiting], Awaitable[list[Group]]],
        remove: Callable[[int, Sequence[Waiting], str, Collection[bytes] | None], Awaitable[None]],
        limits: Limits,
    ) -> None:
        self._attempts = attempts
        self._destination = destination
        self._dead_letters = dead_letters
        self._counts = counts
        self._patience = patience
        self._read = read
        self._remove = remove
        self._limits = limits

    async def work(self, lane: Lane, part: Part, *, stubborn: bool) -> None:
        """Bring a part to its end, and what has come behind it meanwhile."""
        await self._split(lane, part, part.records, stubborn=stubborn)
        part.is_split, part.records = True, []
        lane.changed.set()
        await part.verdict.wait()
        await self._put_aside(lane, part)
        while part.behind:
            await self._catch_up(lane, part)
        del lane.held[part.stream]
        lane.ended += 1
        lane.changed.set()

    async def _split(self, lane: Lane, part: Part, records: Sequence[One], *, stubborn: bool) -> None:
        """Send records in ever smaller parts, in order; collect those that are refused alone."""

        async def settle() -> None:
            await self._remove(lane.number, part.taken, part.stream, {record for _, record in records})

        def waits() -> None:
            part.waits = True
            lane.changed.set()

        attempts = (1 if len(records) > 1 else self._patience.alone_attempts) if stubborn else None
        groups = grouped(records)
        if len(records) == 1 or self._limits.allow(len(records), size_of(groups)):
            refusal = await self._attempts.send(lane.sending, groups, settle, attempts=attempts, waits=waits)
        else:
            refusal = TOO_LARGE
        if refusal is None:
            return
        if len(records) == 1:
            part.bad.append((records[0], refusal.reason))
            return
        half = len(records) // 2
        await self._split(lane, part, records[:half], stubborn=stubborn or refusal.stubborn)
        await self._split(lane, part, records[half:], stubborn=stubborn or refusal.stubborn)

    async def _put_aside(self, lane: Lane, part: Part) -> None:
        """Write what is bad to the dead letters; a file that is full or cannot be written holds the pipeline."""
        while part.bad:
            (group, record), reason = part.bad[0]
            if await self._attempts.unbroken(self._written(lane, part, group, record, reason)):
                part.bad.pop(0)
            else:
                part.waits = True
                lane.changed.set()
                await asyncio.sleep(self._patience.room_seconds)

    async def _written(self, lane: Lane, part: Part, group: Group, record: bytes, reason: str) -> bool:
        if not await self._dead_letters.write(export_request([(group.resource, [record])]), reason):
            return False
        self._counts.records("dead_lettered", 1)
        await self._remove(lane.number, part.taken, part.stream, {record})
        return True

    async def _catch_up(self, lane: Lane, part: Part) -> None:
        """Send what stands next of the pipeline; when all of it is refused, what is behind that too, as a lane does."""
        before = self._destination.accepted
        hopeless: set[int] = set()
        while True:
            seqs, records = await self._next(part, hopeless)
            part.taken = [part.behind[seq] for seq in seqs]
            if records:
                await self._split(lane, part, records, stubborn=False)
            if len(part.bad) < len(records) or not records or self._destination.accepted != before:
                break
            # As with a batch: all of it is refused and nothing else accepted since.
            self._destination.doubt(self._patience.hold_seconds, f"every record is refused: {part.bad[0][1]}")
            part.bad.clear()
            hopeless |= set(seqs)
        await self._put_aside(lane, part)
        for seq in seqs:
            del part.behind[seq]

    async def _next(self, part: Part, hopeless: Collection[int]) -> tuple[list[int], list[One]]:
        """Read what later batches have of the pipeline, as much as the outbox's `take` would; also return their numbers."""
        seqs: list[int] = []
        records: list[One] = []
        size = 0
        for seq, one in list(part.behind.items()):
            found = [more for more in parts_of(await self._read(one), [one], 0) if more.stream == part.stream]
            new = [record for more in found for record in more.records]
            size += size_of(grouped(new))
            fits = not seqs or self._limits.allow(len(records) + len(new), size)
            if fits or is_judge(seq, seqs, hopeless):
                seqs.append(seq)
                records += new
            if not fits:
                break
        return seqs, records


def parts_of(groups: Sequence[Group], taken: Sequence[Waiting], accepted_before: int) -> list[Part]:
    """Return the part of each pipeline."""
    streams: dict[str, list[One]] = {}
    for group in groups:
        kind = Group(
            group.stream, group.resource, []
        )  # without the records, which would be kept as long as one of them
        streams.setdefault(group.stream, []).extend(
            (kind, record) for item in group.records for record in split_fields(item)
        )
    return [Part(stream, taken, records, accepted_before) for stream, records in streams.items()]


def grouped(records: Sequence[One]) -> list[Group]:
    """Put neighbouring records of one resource together again."""
    groups: list[Group] = []
    for group, record in records:
        if groups and groups[-1].resource == group.resource:
            groups[-1].records.append(record)
        else:
            groups.append(Group(group.stream, group.resource, [record]))
    return groups


def size_of(groups: Sequence[Group]) -> int:
    """Return how many bytes of a request records take at most."""
    return sum(GROUP_BYTES + len(group.resource) + sum(map(len, group.records)) for group in groups)
