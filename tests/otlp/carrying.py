"""What tests of the way out share: a journal with an outbox, batches for it, and a sender to a receiver."""

from __future__ import annotations

import asyncio
import contextlib
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from exporter.journal import Journal
from exporter.otlp.dead_letters import DeadLetters
from exporter.otlp.destination import Destination
from exporter.otlp.encode import encode_record, resource_bytes
from exporter.otlp.outbox import Batch, Limits, Outbox
from exporter.otlp.sender import Patience, Sender
from tests.otlp.samples import record
from tests.otlp.sending import transport_to

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exporter.otlp.transport import Transport

MIB = 1024 * 1024
IMPATIENT = Patience(
    first_backoff_seconds=0.001,
    max_backoff_seconds=0.002,
    hold_seconds=0.02,
    room_seconds=0.02,
    stubborn_seconds=3600.0,
    journal_seconds=0.01,
)


async def until(true: Callable[[], object]) -> None:
    """Wait until something is so: the parts under test tell nobody when it becomes so."""
    while not true():  # noqa: ASYNC110  (for that reason)
        await asyncio.sleep(0)


def limits(**changes: float) -> Limits:
    """Return limits that nothing here reaches, with some changed."""
    usual = {
        "journal_bytes": 64 * MIB,
        "drop_oldest": False,
        "max_records": 5000,
        "max_bytes": 3 * MIB,
        "max_delay_seconds": 0.0,
    }
    return Limits(**(usual | changes))  # type: ignore[arg-type]  # as the caller has them


def batch(pipeline: str, *bodies: str, committed: Callable[[], None] = lambda: None) -> Batch:
    """Return records of a pipeline, with the last body as the position."""
    return Batch(
        key=("prod", pipeline),
        source="prod",
        stream=pipeline,
        resource=resource_bytes({"service.name": pipeline}),
        records=[encode_record(record(body=body.encode()), body.encode()[:200]) for body in bodies],
        position=bodies[-1].encode() if bodies else b"",
        read_seconds=1.0,
        committed=committed,
    )


@asynccontextmanager
async def open_journal(directory: Path) -> AsyncIterator[Journal]:
    """Open a journal and close it."""
    journal = Journal(directory)
    await journal.open()
    try:
        yield journal
    finally:
        await journal.close()


@dataclass
class Counted:
    """What the sender counted."""

    outcomes: Counter[str] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    latencies: list[float] = field(default_factory=list)

    def records(self, outcome: str, count: int) -> None:
        """Count records."""
        self.outcomes[outcome] += count

    def request(self, code: str, seconds: float) -> None:
        """Count a request."""
        assert seconds >= 0
        self.codes[code] += 1

    def latency(self, seconds: float) -> None:
        """Count the time from reading to acceptance."""
        self.latencies.append(seconds)


@dataclass
class Carrier:
    """An outbox with a sender that runs."""

    journal: Journal
    outbox: Outbox
    destination: Destination
    counted: Counted
    letters: DeadLetters
    sender: Sender
    task: asyncio.Task[None] | None

    async def stop(self, sender_seconds: float, then: Callable[[], None] = lambda: None) -> None:
        """Cancel the sender, do something, and let it hear answers for so long."""
        assert self.task is not None
        self.task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self.task
        then()
        await self.sender.finish(sender_seconds)

    async def hand_in(self, *batches: Batch) -> None:
        """Put batches and commit them together."""
        for one in batches:
            await self.outbox.put(one)
        await self.outbox.flush()

    async def drained(self) -> None:
        """Wait until nothing waits any more."""
        await until(lambda: not self.outbox.waiting_records)


@asynccontextmanager
async def carrier(directory: Path, url: str, protocol: str = "http/protobuf", **options: Any) -> AsyncIterator[Carrier]:
    """Send what is handed in to a receiver, until the end of the block; the options are those of `carrier_by`."""
    async with transport_to(url, protocol) as transport, carrier_by(directory, transport, **options) as one:
        yield one


@asynccontextmanager
async def carrier_by(
    directory: Path,
    transport: Transport,
    *,
    lanes: int = 4,
    patience: Patience = IMPATIENT,
    dead_letter_limit: int = MIB,
    start: bool = True,
    **limit_changes: float,
) -> AsyncIterator[Carrier]:
    """Send what is handed in, until the end of the block."""
    counted = Counted()
    async with open_journal(directory) as journal:
        outbox = Outbox(journal, limits(**limit_changes), lanes, lambda count: counted.records("dropped", count))
        await outbox.open()
        letters = DeadLetters(directory, dead_letter_limit)
        destination = Destination(transport)
        sender = Sender(outbox, destination, letters, counted, clock=lambda: 3.0, patience=patience)
        task = asyncio.create_task(sender.run()) if start else None
        try:
            yield Carrier(journal, outbox, destination, counted, letters, sender, task)
        finally:
            if task is not None:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task
            await sender.finish(0.0)  # as after a kill: nothing is heard any more
