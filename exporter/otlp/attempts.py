"""One request, sent until its answer is final.

accepted              ─▶ settled: deleted from the journal, before the lane sends anything else
may pass              ─▶ again, later each time; Retry-After holds the whole destination
about the destination ─▶ held: a new attempt at most every minute
about the data        ─▶ final, for whoever sent it
anything else         ─▶ again, later; final when refused for 10 minutes while other lanes pass
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from exporter.otlp.encode import export_request
from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Coroutine, Sequence

    from exporter.journal import Group
    from exporter.otlp.destination import Destination
    from exporter.otlp.transport import Outcome, Retry

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long is waited for what."""

    first_backoff_seconds: float = 0.5
    max_backoff_seconds: float = 30.0
    hold_seconds: float = 60.0
    """A destination that refuses to be used is tried again so often."""
    room_seconds: float = 1.0
    """Dead letters that cannot be written are tried again so often: to look at a file costs nobody anything."""
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
class Refusal:
    """Why a request is not sent again as it is. A `stubborn` one was no answer about the data, but lasts."""

    reason: str
    stubborn: bool


class Attempts:
    """Sends requests of any lane. What has begun to be sent is brought to its end when the lanes are cancelled."""

    def __init__(self, destination: Destination, counts: Counts, patience: Patience) -> None:
        self._destination = destination
        self._counts = counts
        self._patience = patience
        self._flying: set[asyncio.Task[Any]] = set()

    async def send(
        self,
        sending: asyncio.Lock,
        groups: Sequence[Group],
        settle: Callable[[], Awaitable[None]],
        *,
        attempts: int | None = None,
        waits: Callable[[], None] = lambda: None,
    ) -> Refusal | None:
        """Send until an answer is final: None for accepted and settled.

        `sending` is held while a request is in flight and until it is settled. `attempts`: so many other refusals are
        final too. `waits` is called when an answer is not final.
        """
        request = export_request((group.resource, group.records) for group in groups)
        count = sum(group.count for group in groups)
        backoff, refusals, refused_since = self._patience.first_backoff_seconds, 0, 0.0
        while True:
            async with sending, self._destination.turn():
                outcome = await self.unbroken(self._ask(request, count, settle))
            if isinstance(outcome, Accepted):
                return None
            if isinstance(outcome, RefusedData):
                return Refusal(outcome.reason, stubborn=False)
            if isinstance(outcome, Refused):
                refused_since = refused_since if refusals else time.monotonic()
                refusals += 1
                if refusals == attempts or self._is_stubborn(refused_since):
                    return Refusal(outcome.reason, stubborn=True)
            waits()
            if not isinstance(outcome, RefusedDestination):
                await self._wait_after(outcome, backoff)
                backoff = min(backoff * 2, self._patience.max_backoff_seconds)

    async def unbroken(self, work: Coroutine[Any, Any, T]) -> T:
        """Do work that goes on when its caller is cancelled, until `finish`."""
        task = asyncio.create_task(work)
        self._flying.add(task)
        task.add_done_callback(self._flying.discard)
        return await asyncio.shield(task)

    async def finish(self, seconds: float) -> None:
        """Wait so long for what is under way: an answer that is heard need not be asked for again."""
        if not self._flying:
            return
        _, late = await asyncio.wait(self._flying, timeout=seconds)
        for task in late:
            task.cancel()
        await asyncio.gather(*late, return_exceptions=True)

    async def _ask(self, request: bytes, count: int, settle: Callable[[], Awaitable[None]]) -> Outcome:
        """Send once; count the answer, say it to all lanes, and settle what was accepted."""
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
            elif outcome.message and outcome.message != self._destination.remark:
                self._destination.remark = outcome.message
                _log.warning(
                    "the destination accepted %s with a warning: %s", self._destination.carries, outcome.message
                )
            await settle()
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
            _log.warning("%s are not accepted, nothing is lost: %s", self._destination.carries, outcome.reason)
        await asyncio.sleep(backoff * random.uniform(0.5, 1.5))  # noqa: S311  (jitter)

    def _is_stubborn(self, refused_since: float) -> bool:
        """Whether a batch has been refused for long while others were accepted, also of late."""
        now = time.monotonic()
        patience = self._patience.stubborn_seconds
        return now - refused_since > patience and now - self._destination.accepted_at < patience
