"""Everything between the end of a job and the acceptance of its span. Logs know nothing of it: what holds spans holds no log."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING, Final

from exporter.delivery import ANSWER_SECONDS, write_again
from exporter.journal import SPANS
from exporter.log import report_broken
from exporter.otlp.destination import Destination
from exporter.otlp.encode import resource_attributes, resource_bytes
from exporter.otlp.outbox import RESERVE, Limits, Outbox
from exporter.otlp.sender import Sender
from exporter.otlp.spans import encode_span
from exporter.otlp.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.journal import Journal, LogBatch, Waiting
    from exporter.otlp.sender import Patience
    from exporter.otlp.settings import Settings
    from exporter.status.model import EndedJob
    from exporter.telemetry import Telemetry

JOURNAL_PART: Final = 0.05
"""Spans that wait may take so much of the journal's limit, beyond what is there for log records."""

LANES: Final = 2
"""Spans have no order to keep. The second lane is there for what a span that the destination chokes on leaves behind."""

_log = logging.getLogger(__name__)


class Tracing:
    """One destination of spans."""

    def __init__(
        self,
        settings: Settings,
        limit_bytes: int,
        journal: Journal,
        telemetry: Telemetry,
        patience: Patience | None = None,
    ) -> None:
        counts = _Counts(telemetry)
        journal_bytes = int(limit_bytes * JOURNAL_PART / (1 + RESERVE))  # the outbox adds the reserve again
        limits = Limits(
            journal_bytes=journal_bytes,
            drop_oldest=False,
            max_records=settings.batch.max_records,
            # What is in flight is not dropped: it leaves room for what is newer.
            max_bytes=min(settings.batch.max_bytes, journal_bytes // (2 * LANES)),
            max_delay_seconds=settings.batch.max_delay,
        )
        self.outbox = Outbox(journal, limits, LANES, counts.beyond_limit, SPANS)
        self.destination = Destination(open_transport(settings), "spans")
        self._sender = Sender(self.outbox, self.destination, _NoLetters(), counts, patience=patience)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what waits and begin to send. Raises JournalError."""
        await self.outbox.open()
        self._tasks.append(asyncio.create_task(self._sender.run(), name="sender of spans"))
        self._tasks[0].add_done_callback(report_broken)

    async def stop(self) -> None:
        """Stop; what waits is sent after the next start."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._sender.finish(ANSWER_SECONDS)
        await self.destination.transport.close()

    def write_again(self) -> None:
        """Write what waits, as far as it is in memory, to a journal that has begun anew."""
        self._tasks.append(asyncio.create_task(write_again(self.outbox), name="journal of spans"))

    def problem(self) -> str | None:
        """Say why no span is sent at the moment; None when all is well."""
        if self.destination.problem is None:
            return None
        waiting = self.outbox.waiting_records
        return f"spans are held, {waiting} wait (`otlp.traces: false` turns them off): {self.destination.problem}"


class SourceSpans:
    """The spans of one source's ended jobs, committed with what settles these."""

    def __init__(self, tracing: Tracing, provider: str, source: str, attributes: Mapping[str, str]) -> None:
        self._outbox = tracing.outbox
        self._provider = provider
        self._source = source
        self._attributes = attributes

    async def batches(self, jobs: Sequence[EndedJob]) -> list[LogBatch]:
        """Encode ends of jobs. Raises JournalError when room cannot be made for them."""
        result: list[LogBatch] = []
        for job in jobs:
            resource = resource_attributes(
                name=job.pipeline,
                source=self._source,
                pipeline_id=job.pipeline_id,
                provider=self._provider,
                further=self._attributes,
                run_id=job.id,
            )
            key = (self._source, job.pipeline_id)
            result += self._outbox.events(key, resource_bytes(resource), [encode_span(job)], time.time())
        await self._outbox.make_room_for_events(sum(batch.bytes for batch in result))
        return result

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Send what was committed."""
        self._outbox.committed(waiting, batches)

    def dropped(self, count: int) -> None:
        """Count what was dropped, as the journal could not be written for too long."""
        self._outbox.count_dropped(count)


class _Counts:
    """Counts spans apart from records, and their requests with all others."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry

    def records(self, outcome: str, count: int) -> None:
        """Count spans: there are no dead letters for them."""
        self._telemetry.spans("dropped" if outcome == "dead_lettered" else outcome, count)

    def beyond_limit(self, count: int) -> None:
        """Count spans that were dropped for newer ones."""
        _log.warning("%d spans were dropped: more wait than their part of the journal's limit holds", count)
        self._telemetry.spans("dropped", count)

    def request(self, code: str, seconds: float) -> None:
        """Count a request by the answer's code, and how long it took."""
        self._telemetry.request(code, seconds)

    def latency(self, seconds: float) -> None:
        """Nothing: that metric is of logs."""


class _NoLetters:
    """Dead letters are for logs: a span tells again what the vendor keeps and the logs say."""

    async def write(self, request: bytes, reason: str) -> bool:  # noqa: ARG002  (as dead letters are given)
        """Let a span go."""
        _log.warning("a span was refused for good and is dropped: %s", reason)
        return True
