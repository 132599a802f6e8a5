"""Everything between a record and its acceptance: outbox, sender, dead letters, and the events of status changes."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
import uuid
from typing import TYPE_CHECKING

from exporter.journal import JournalError
from exporter.log import report_broken
from exporter.otlp.dead_letters import DeadLetters
from exporter.otlp.destination import Destination
from exporter.otlp.encode import StatusChange, encode_event, resource_attributes, resource_bytes
from exporter.otlp.outbox import Limits, Outbox
from exporter.otlp.sender import Sender
from exporter.otlp.transport import open_transport

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config import Config
    from exporter.journal import Journal, LogBatch, Waiting
    from exporter.otlp.settings import Settings
    from exporter.polling.tracked import Change
    from exporter.telemetry import Telemetry

FLUSH_SECONDS = 2.0
"""At the end, what is pending gets so long to reach the journal."""

ANSWER_SECONDS = 3.0
"""At the end, answers to what is in flight are waited for so long: what was accepted is then not sent again."""

_log = logging.getLogger(__name__)


class Delivery:
    """One destination of records."""

    def __init__(self, settings: Settings, config: Config, journal: Journal, telemetry: Telemetry) -> None:
        batch = settings.batch
        limits = Limits(
            journal_bytes=config.journal.limit,
            drop_oldest=config.journal.when_full == "drop_oldest",
            max_records=batch.max_records,
            max_bytes=batch.max_bytes,
            max_delay_seconds=batch.max_delay,
        )
        self.outbox = Outbox(journal, limits, settings.lanes, lambda count: telemetry.records("dropped", count))
        self.destination = Destination(open_transport(settings))
        self._letters = DeadLetters(journal.path.parent, settings.dead_letter_limit_bytes)
        self._sender = Sender(self.outbox, self.destination, self._letters, telemetry)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Take up what waits and begin to send. Raises JournalError."""
        await self.outbox.open()
        self._tasks = [
            asyncio.create_task(self.outbox.run(), name="outbox"),
            asyncio.create_task(self._sender.run(), name="sender"),
        ]
        for task in self._tasks:
            task.add_done_callback(report_broken)

    async def stop(self) -> None:
        """Write what is pending and stop; what waits is sent after the next start."""
        for task in self._tasks:
            task.cancel()
        if self._tasks:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*self._tasks, return_exceptions=True), FLUSH_SECONDS)
            await self._sender.finish(ANSWER_SECONDS)
        await self.destination.transport.close()

    def write_again(self) -> None:
        """Write what waits, as far as it is in memory, to a journal that has begun anew."""
        self._tasks.append(asyncio.create_task(write_again(self.outbox), name="journal"))

    def problem(self) -> str | None:
        """Say why nothing is sent or read at the moment; None when all is well."""
        if self.destination.problem is not None:
            return f"logs are held, nothing is lost: {self.destination.problem}"
        if self._letters.told:
            return f"{self._letters.path} is full or cannot be written: what is refused waits, nothing is lost"
        if self.outbox.failing:
            return "reading logs pauses until the journal can be written"
        if self.outbox.full:
            return f"reading logs pauses: {self.outbox.waiting_bytes} bytes wait in the journal"
        return None


async def write_again(outbox: Outbox) -> None:
    """Write what waits in an outbox, as far as it is in memory, until the journal holds it."""
    while True:
        try:
            await outbox.write_again()
        except JournalError as error:
            _log.error("what waits to be sent is not in the journal: %s; tried again until it is", error)
            await asyncio.sleep(1)
        else:
            return


class StatusEvents:
    """The events of one source's status changes, committed with the counts that they tell of."""

    def __init__(self, delivery: Delivery, provider: str, source: str, attributes: Mapping[str, str]) -> None:
        self._outbox = delivery.outbox
        self._provider = provider
        self._source = source
        self._attributes = attributes

    async def batches(self, changes: Sequence[Change]) -> list[LogBatch]:
        """Encode changes, in their order by pipeline. Raises JournalError when room cannot be made for them."""
        by_pipeline: dict[tuple[str, str], list[bytes]] = {}
        for change in changes:
            event = StatusChange(
                change.at_ns,
                time.time_ns(),
                change.facet,
                change.before,
                change.word,
                error=change.has_error,
                error_type=change.error_code,
            )
            record = encode_event(event, uuid.uuid4().hex.encode())
            by_pipeline.setdefault((change.pipeline_id, change.pipeline), []).append(record)
        result: list[LogBatch] = []
        for (pipeline_id, name), records in by_pipeline.items():
            resource = resource_bytes(
                resource_attributes(
                    name=name,
                    source=self._source,
                    pipeline_id=pipeline_id,
                    provider=self._provider,
                    further=self._attributes,
                )
            )
            result += self._outbox.events((self._source, pipeline_id), resource, records, time.time())
        await self._outbox.make_room_for_events(sum(batch.bytes for batch in result))
        return result

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Send what was committed."""
        self._outbox.committed(waiting, batches)
