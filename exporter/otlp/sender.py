"""Send what waits in the outbox: one request in flight a lane, in order, until it is accepted or put aside for good.

accepted          ─▶ deleted from the journal, the next batch
may pass          ─▶ again, later each time; Retry-After holds the whole destination
about the data    ─▶ split by pipeline, then by half, until the bad record is alone: it goes to the dead letters
about the destination ─▶ held: a new attempt at most every minute
anything else     ─▶ again, later; as one about the data when refused for 10 minutes while other lanes pass
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from exporter.journal import Group, JournalError
from exporter.otlp.encode import export_request
from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination, Retry

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from exporter.otlp.dead_letters import DeadLetters
    from exporter.otlp.outbox import Outbox
    from exporter.otlp.transport import Outcome, Transport

FIRST_BACKOFF_SECONDS: Final = 0.5
MAX_BACKOFF_SECONDS: Final = 30.0
HOLD_SECONDS: Final = 60.0
"""A destination that refuses to be used is tried again at most so often."""

STUBBORN_SECONDS: Final = 600.0
"""A batch that was refused for so long while other lanes pass is handled as one with bad data."""

_JOURNAL_SECONDS = 1.0

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Counts(Protocol):
    """Where the sender counts: the metrics of sending."""

    def records(self, outcome: str, count: int) -> None:
        """Count records that were `sent`, `rejected`, `dead_lettered` or `dropped`."""

    def request(self, code: str, seconds: float) -> None:
        """Count a request by the answer's code, and how long it took."""

    def latency(self, seconds: float) -> None:
        """Count the time from reading to acceptance."""


@dataclass(slots=True)
class Destination:
    """What all lanes share: whether the destination wants to be left alone, and when it last accepted anything."""

    transport: Transport
    held_until: float = 0.0
    accepted_at: float = 0.0
    accepted: int = 0
    problem: str | None = None
    """Why nothing is sent at the moment; None when all is well."""
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def wait(self) -> None:
        """Wait until the destination may be asked again."""
        while (left := self.held_until - time.monotonic()) > 0:
            await asyncio.sleep(left)

    def hold(self, seconds: float, problem: str) -> None:
        """Leave the destination alone for some seconds."""
        self.held_until = max(self.held_until, time.monotonic() + seconds)
        if self.problem != problem:
            _log.error("logs are held, nothing is lost: %s", problem)
        self.problem = problem

    def passed(self) -> None:
        """Note that something was accepted."""
        if self.problem is not None:
            _log.info("the destination of logs accepts again")
        self.problem, self.accepted_at = None, time.monotonic()
        self.accepted += 1


class Sender:
    """Runs the lanes of an outbox."""

    def __init__(
        self,
        outbox: Outbox,
        destination: Destination,
        dead_letters: DeadLetters,
        counts: Counts,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._outbox = outbox
        self._destination = destination
        self._dead_letters = dead_letters
        self._counts = counts
        self._clock = clock

    async def run(self) -> None:
        """Send until cancelled."""
        async with asyncio.TaskGroup() as group:
            for lane in range(self._outbox.lanes):
                group.create_task(self._run_lane(lane), name=f"lane {lane}")

    async def _run_lane(self, lane: int) -> None:
        while True:
            taken = await self._outbox.take(lane)
            groups = await self._patiently(partial(self._outbox.groups, taken))
            if groups:
                await self._deliver(groups, [one.read_seconds for one in taken])
            await self._patiently(partial(self._outbox.done, lane, taken))

    async def _patiently(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Ask the journal until it answers: a full disk passes."""
        while True:
            try:
                return await ask()
            except JournalError as error:
                _log.error("%s", error)
                await asyncio.sleep(_JOURNAL_SECONDS)

    async def _deliver(self, groups: Sequence[Group], read_seconds: Sequence[float]) -> None:
        """Send records until each is accepted or among the dead letters."""
        if await self._send(groups) is None:
            for read in read_seconds:
                self._counts.latency(max(0.0, self._clock() - read))
            return
        streams: dict[str, list[Group]] = {}
        for group in groups:
            streams.setdefault(group.stream, []).append(group)
        while True:
            before = self._destination.accepted
            bad: list[tuple[Group, bytes, str]] = []
            for stream in streams.values():
                await self._split([(group, record) for group in stream for record in group.records], bad)
            everything = sum(len(group.records) for group in groups)
            if len(bad) < everything or self._destination.accepted != before:
                break
            self._destination.hold(HOLD_SECONDS, f"every record is refused: {bad[0][2]}")
        for group, record, reason in bad:
            await self._put_aside(group, record, reason)

    async def _split(self, records: Sequence[tuple[Group, bytes]], bad: list[tuple[Group, bytes, str]]) -> None:
        """Send records in ever smaller parts, in order; collect those that are refused alone."""
        refused = await self._send(_grouped(records))
        if refused is None:
            return
        if len(records) == 1:
            bad.append((*records[0], refused))
            return
        half = len(records) // 2
        await self._split(records[:half], bad)
        await self._split(records[half:], bad)

    async def _send(self, groups: Sequence[Group]) -> str | None:
        """Send until an answer is final: None for accepted, else why the data was refused."""
        request = export_request((group.resource, group.records) for group in groups)
        count = sum(len(group.records) for group in groups)
        began = time.monotonic()
        backoff = FIRST_BACKOFF_SECONDS
        while True:
            await self._destination.wait()
            outcome = await self._ask(request, count)
            if isinstance(outcome, Accepted):
                self._destination.passed()
                self._counts.records("sent", count - outcome.rejected)
                if outcome.rejected:
                    self._counts.records("rejected", outcome.rejected)
                    _log.warning(
                        "the destination rejected %d of %d records: %s", outcome.rejected, count, outcome.message
                    )
                return None
            if isinstance(outcome, RefusedData):
                return outcome.reason
            if isinstance(outcome, Refused) and self._is_stubborn(began):
                return outcome.reason
            backoff = await self._wait_after(outcome, backoff)

    async def _ask(self, request: bytes, count: int) -> Outcome:
        started = time.monotonic()
        outcome = await self._destination.transport.send(request, count)
        if outcome.code:
            self._counts.request(outcome.code, time.monotonic() - started)
        return outcome

    async def _wait_after(self, outcome: Retry | RefusedDestination | Refused, backoff: float) -> float:
        """Wait as the answer asks for; return the next backoff."""
        if isinstance(outcome, RefusedDestination):
            self._destination.hold(HOLD_SECONDS, outcome.reason)
            return FIRST_BACKOFF_SECONDS
        if isinstance(outcome, Retry) and outcome.after_seconds is not None:
            self._destination.hold(max(outcome.after_seconds, backoff), outcome.reason)
            return min(backoff * 2, MAX_BACKOFF_SECONDS)
        if backoff > FIRST_BACKOFF_SECONDS * 4 and self._destination.problem is None:
            self._destination.problem = outcome.reason
            _log.warning("logs are not accepted, nothing is lost: %s", outcome.reason)
        await asyncio.sleep(backoff * random.uniform(0.5, 1.5))  # noqa: S311  (jitter)
        return min(backoff * 2, MAX_BACKOFF_SECONDS)

    def _is_stubborn(self, began: float) -> bool:
        now = time.monotonic()
        return now - began > STUBBORN_SECONDS and now - self._destination.accepted_at < STUBBORN_SECONDS

    async def _put_aside(self, group: Group, record: bytes, reason: str) -> None:
        """Write a refused record to the dead letters; a file that is full or cannot be written holds the lane."""
        while not await self._dead_letters.write(export_request([(group.resource, [record])]), reason):
            await asyncio.sleep(HOLD_SECONDS)
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
