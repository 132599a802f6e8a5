"""Send what waits in the outbox: one request in flight a lane, in order, until it is accepted or put aside for good.

accepted              ─▶ deleted from the journal, the next batch
may pass              ─▶ again, later each time; Retry-After holds the whole destination
about the data        ─▶ split by pipeline, then by half, until the bad record is alone: it goes to the dead letters
about the destination ─▶ held: a new attempt at most every minute
anything else         ─▶ again, later; as one about the data when refused for 10 minutes while other lanes pass

The parts of a split batch, one a pipeline, are sent side by side, so that one that has to wait holds its own pipeline
only; the lane's lock keeps one request in flight. When every record of a split batch is refused and nothing else was
accepted since, the batch stays where it is and the destination is held: after that the lane takes what has come behind
it too, so that one bad record alone does not hold what is good.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Protocol, TypeVar

from exporter.journal import Group, JournalError
from exporter.otlp.encode import export_request
from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination
from exporter.otlp.wire import split_fields

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exporter.journal import Waiting
    from exporter.otlp.dead_letters import DeadLetters
    from exporter.otlp.destination import Destination
    from exporter.otlp.outbox import Outbox
    from exporter.otlp.transport import Outcome, Retry

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what."""

    first_backoff_seconds: float = 0.5
    max_backoff_seconds: float = 30.0
    hold_seconds: float = 60.0
    """A destination that refuses to be used, and dead letters that cannot be written, are tried again so often."""
    stubborn_seconds: float = 600.0
    """A batch that was refused for so long while other lanes pass is handled as one with bad data."""
    alone_attempts: int = 3
    """In such a batch, a record alone is given up after so many refusals."""
    journal_seconds: float = 1.0


class Counts(Protocol):
    """Where the sender counts: the metrics of sending."""

    def records(self, outcome: str, count: int) -> None:
        """Count records that were `sent`, `rejected`, `dead_lettered` or `dropped`."""

    def request(self, code: str, seconds: float) -> None:
        """Count a request by the answer's code, and how long it took."""

    def latency(self, seconds: float) -> None:
        """Count the time from reading to acceptance."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    """Why a request is not sent again as it is. A `stubborn` one was no answer about the data, but lasts."""

    reason: str
    stubborn: bool


_Bad = tuple[Group, bytes, str]


@dataclass(slots=True)
class _Lane:
    """One lane: `sending` is held while a request is in flight; `hopeless` are batches of which all was refused."""

    number: int
    sending: asyncio.Lock = field(default_factory=asyncio.Lock)
    hopeless: frozenset[int] = frozenset()
    accepted_before: int = 0
    """How many requests the destination had accepted when they were found so."""


class Sender:
    """Runs the lanes of an outbox."""

    def __init__(
        self,
        outbox: Outbox,
        destination: Destination,
        dead_letters: DeadLetters,
        counts: Counts,
        clock: Callable[[], float] = time.time,
        patience: Patience | None = None,
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._dead_letters = dead_letters
        self._counts = counts
        self._clock = clock
        self._patience = patience or Patience()

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for number in range(self._outbox.lanes):
                group.create_task(self._run_lane(_Lane(number)), name=f"lane {number}")

    async def _run_lane(self, lane: _Lane) -> None:
        while True:
            taken = await self._outbox.take(lane.number)
            groups = await self._patiently(partial(self._outbox.groups, taken))
            if not groups or await self._deliver(lane, taken, groups):
                await self._patiently(partial(self._outbox.done, lane.number, taken))

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

    async def _deliver(self, lane: _Lane, taken: Sequence[Waiting], groups: Sequence[Group]) -> bool:
        """Send records until each is accepted or among the dead letters; False when the destination is to be held."""
        refusal = await self._send(lane, groups)
        if refusal is None:
            for one in taken:
                self._counts.latency(max(0.0, self._clock() - one.read_seconds))
            return True
        seqs = frozenset(one.seq for one in taken)
        before = lane.accepted_before if seqs & lane.hopeless else self._destination.accepted
        if seqs <= lane.hopeless and self._destination.accepted == before:
            self._doubt(refusal.reason)
            return False
        bad = await self._split_by_stream(lane, groups, stubborn=refusal.stubborn)
        if len(bad) == sum(group.count for group in groups) and self._destination.accepted == before:
            lane.hopeless, lane.accepted_before = seqs, before
            self._doubt(bad[0][2])
            return False
        for refused in bad:
            await self._put_aside(refused)
        return True

    def _doubt(self, reason: str) -> None:
        self._destination.doubt(self._patience.hold_seconds, f"every record is refused: {reason}")

    async def _split_by_stream(self, lane: _Lane, groups: Sequence[Group], *, stubborn: bool) -> list[_Bad]:
        """Send each pipeline's records apart; return those that are refused alone."""
        streams: dict[str, list[tuple[Group, bytes]]] = {}
        for group in groups:
            streams.setdefault(group.stream, []).extend(
                (group, record) for records in group.records for record in split_fields(records)
            )
        bad: list[_Bad] = []
        async with asyncio.TaskGroup() as parts:
            for records in streams.values():
                parts.create_task(self._split(lane, records, bad, stubborn=stubborn))
        return bad

    async def _split(
        self, lane: _Lane, records: Sequence[tuple[Group, bytes]], bad: list[_Bad], *, stubborn: bool
    ) -> None:
        """Send records in ever smaller parts, in order; collect those that are refused alone."""
        attempts = (1 if len(records) > 1 else self._patience.alone_attempts) if stubborn else None
        refusal = await self._send(lane, _grouped(records), attempts)
        if refusal is None:
            return
        if len(records) == 1:
            bad.append((*records[0], refusal.reason))
            return
        half = len(records) // 2
        await self._split(lane, records[:half], bad, stubborn=stubborn or refusal.stubborn)
        await self._split(lane, records[half:], bad, stubborn=stubborn or refusal.stubborn)

    async def _send(self, lane: _Lane, groups: Sequence[Group], attempts: int | None = None) -> _Refusal | None:
        """Send until an answer is final: None for accepted. `attempts`: so many other refusals are final too."""
        request = export_request((group.resource, group.records) for group in groups)
        count = sum(group.count for group in groups)
        backoff, refusals, refused_since = self._patience.first_backoff_seconds, 0, 0.0
        while True:
            async with lane.sending, self._destination.turn():
                outcome = await self._ask(request, count)
            if isinstance(outcome, Accepted):
                return None
            if isinstance(outcome, RefusedData):
                return _Refusal(outcome.reason, stubborn=False)
            if isinstance(outcome, Refused):
                refused_since = refused_since if refusals else time.monotonic()
                refusals += 1
                if refusals == attempts or self._is_stubborn(refused_since):
                    return _Refusal(outcome.reason, stubborn=True)
            if not isinstance(outcome, RefusedDestination):
                await self._wait_after(outcome, backoff)
                backoff = min(backoff * 2, self._patience.max_backoff_seconds)

    async def _ask(self, request: bytes, count: int) -> Outcome:
        """Send once; count the answer, and say it to all lanes."""
        started = time.monotonic()
        outcome = await self._destination.transport.send(request, count)
        if outcome.code:
            self._counts.request(outcome.code, time.monotonic() - started)
        if isinstance(outcome, Accepted):
            self._destination.passed()
            self._counts.records("sent", count - outcome.rejected)
            if outcome.rejected:
                self._counts.records("rejected", outcome.rejected)
                _log.warning("the destination rejected %d of %d records: %s", outcome.rejected, count, outcome.message)
        elif isinstance(outcome, RefusedDestination):
            self._destination.doubt(self._patience.hold_seconds, outcome.reason)
        return outcome

    async def _wait_after(self, outcome: Retry | Refused, backoff: float) -> None:
        """Wait as the answer asks for, or by the backoff."""
        if not isinstance(outcome, Refused) and outcome.after_seconds is not None:
            self._destination.quiet(outcome.after_seconds, outcome.reason)
            return
        if backoff > self._patience.first_backoff_seconds * 4 and self._destination.problem is None:
            self._destination.problem = outcome.reason
            _log.warning("logs are not accepted, nothing is lost: %s", outcome.reason)
        await asyncio.sleep(backoff * random.uniform(0.5, 1.5))  # noqa: S311  (jitter)

    def _is_stubborn(self, refused_since: float) -> bool:
        """Whether a batch has been refused for long while others were accepted, also of late."""
        now = time.monotonic()
        patience = self._patience.stubborn_seconds
        return now - refused_since > patience and now - self._destination.accepted_at < patience

    async def _put_aside(self, bad: _Bad) -> None:
        """Write a refused record to the dead letters; a file that is full or cannot be written holds the lane."""
        group, record, reason = bad
        request = export_request([(group.resource, [record])])
        while not await self._dead_letters.write(request, reason):  # noqa: ASYNC110  (nobody tells of room on a disk)
            await asyncio.sleep(self._patience.hold_seconds)
        self._counts.records("dead_lettered", 1)


def _grouped(records: Sequence[tuple[Group, bytes]]) -> list[Group]:
    """Put neighbouring records of one resource together again."""
    groups: list[Group] = []
    for group, record in records:
        if groups and groups[-1].resource == group.resource:
            groups[-1].records.append(record)
        else:
            groups.append(Group(group.stream, group.resource, [record]))
    return groups
