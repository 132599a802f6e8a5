"""The logs of jobs at a scripted vendor, read as the service does it, into memory; waits between streams are the test's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.config import Source
from exporter.logs.dialects import STAMPED
from exporter.logs.resume import open_overlap
from exporter.otlp.encode import export_request
from exporter.polling.tracked import TrackedSource
from exporter.providers.base import Provider
from exporter.providers.errors import NotFoundError
from exporter.status.exposition import SourceSeries
from exporter.status.families import LOG_GAPS
from exporter.status.jobs import Jobs
from exporter.status.model import JobSeen, PipelineNow, Vocabulary
from exporter.status.series import Context
from exporter.status.words import Words
from exporter.tailing import SourceLogs

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.logs.resume import Position
    from exporter.otlp.outbox import Batch
    from exporter.providers.base import LogStream
    from exporter.providers.budget import Priority

ACTOR = "actor"
START = 1_790_000_000
"""When the world begins, in seconds."""
WAIT_SECONDS = 30.0
"""So long a test waits for what must come; never for what must not."""

VOCABULARY = Vocabulary(
    facets={"run": ("RUNNING", "SUCCEEDED")}, desired={}, recorded=False, jobs={"run": ("RUNNING",)}
)


def lines(start: int, stop: int) -> str:
    """Return lines with times from the beginning of the world on, a second each."""
    return "".join(
        f"2026-09-21T14:{13 + (20 + one) // 60:02}:{(20 + one) % 60:02}.000Z line {one}\n" for one in range(start, stop)
    )


def bodies(start: int, stop: int) -> list[str]:
    """Return what these become."""
    return [f"line {one}" for one in range(start, stop)]


class Stream:
    """An open log: that of a job which runs goes on with what is added to its text."""

    def __init__(self, vendor: Vendor, key: str, before: Position | None, *, complete: bool) -> None:
        self.complete = complete
        self.end = "end"
        self.resume = open_overlap(before, reason="overflow", follow=not complete)
        self._vendor = vendor
        self._key = key
        self._read = 0
        self._cuts = vendor.cuts

    async def read(self) -> bytes:
        """Return what is there, b"" at the end."""
        while self._read == len(self._vendor.texts[self._key]) and self._key in self._vendor.running:
            if self.complete or self._is_cut():
                break
            await self._vendor.changed()
        if self._is_cut():
            return b""
        text = self._vendor.texts[self._key][self._read :]
        self._read += len(text)
        return text.encode()

    def _is_cut(self) -> bool:
        if self._cuts != self._vendor.cuts:
            self.end = "cut"
        return self.end == "cut"

    def uid(self, _line: int) -> None:
        """Leave the id to the channel."""

    async def close(self) -> None:
        """Note that it is closed."""
        self._vendor.opened.remove(self._key)
        self._vendor.tell()


class Vendor(Provider):
    """Runs of one actor: their texts, and which of them run."""

    vocabulary = VOCABULARY
    dialect = STAMPED
    logs = "jobs"

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.running: set[str] = set()
        self.opened: list[str] = []
        """Logs that are open."""
        self.asked: list[tuple[str, bool]] = []
        """Logs that were opened, and whether as a whole."""
        self.cuts = 0
        """How often all streams were cut."""
        self._changes = asyncio.Event()

    def cut(self) -> None:
        """Cut all streams."""
        self.cuts += 1
        self.tell()

    def tell(self) -> None:
        """Wake whoever waits for a change."""
        changes, self._changes = self._changes, asyncio.Event()
        changes.set()

    async def changed(self) -> None:
        """Wait for a change."""
        await self._changes.wait()

    def run(self, key: str, text: str = "") -> None:
        """Let a job run, and log more."""
        self.running.add(key)
        self.texts[key] = self.texts.get(key, "") + text
        self.tell()

    def finish(self, key: str, text: str = "") -> None:
        """Let a job end, with these last lines."""
        self.run(key, text)
        self.running.remove(key)
        self.tell()

    async def job(self, kind: str, job_id: str, priority: Priority) -> JobSeen:  # noqa: ARG002  (there is no budget)
        """Tell whether a job runs."""
        key = f"{kind}:{job_id}"
        if key not in self.texts:
            raise NotFoundError(key, "is not there", status=404)
        return seen(job_id, ended=key not in self.running)

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> Any:  # noqa: ARG002
        """Open a log."""
        assert log.job is not None
        complete = log.job.result != ""
        self.opened.append(log.id)
        self.asked.append((log.id, complete))
        self.tell()
        return Stream(self, log.id, before, complete=complete)


def seen(job_id: str, *, ended: bool = False, at: int = 0, finished: int = 1000) -> JobSeen:
    """Return a run as a list shows it, begun so many seconds after the beginning of the world."""
    began = (START + at) * 10**9
    if ended:
        return JobSeen("run", job_id, ACTOR, "SUCCEEDED", "success", began, (START + finished) * 10**9)
    return JobSeen("run", job_id, ACTOR, "RUNNING", "", began, 0)


class Reading:
    """The logs of one source, and what became of them. `positions` is what the journal has."""

    def __init__(self, **keys: object) -> None:
        self.source = Source(name="prod", provider="apify", url="http://127.0.0.1:1", logs=keys)
        self.vendor = Vendor()
        self.bodies: list[str] = []
        self.positions: dict[str, bytes] = {}
        self.slept: list[float] = []
        self.ledger = Jobs()
        self.now = float(START)
        self.partial = False
        """No list has shown all there is."""
        self.room = asyncio.Event()
        """Cleared, the journal is full."""
        self.room.set()
        self.logs: SourceLogs
        self.tracked: TrackedSource
        self._gates: list[asyncio.Future[None]] = []

    async def start(self) -> None:
        """Start from what the journal has, with the ledger as it is."""
        context = Context("apify", "prod", VOCABULARY, Words(VOCABULARY.facets))
        self.tracked = TrackedSource(context, "target", None, SourceSeries("apify", "prod", 75.0))  # type: ignore[arg-type]
        self.tracked.jobs = self.ledger
        self.tracked.known_target = "" if self.partial else "target"
        self.tracked.add(_now(), START, first_list=True)
        self.logs = SourceLogs(
            self.source,
            self.vendor,
            self,  # type: ignore[arg-type]  # the part of an outbox that is used
            self,  # type: ignore[arg-type]  # the part of a journal that is used
            self.tracked,
            lambda: self.now,
            jobs=lambda: self.ledger.by_key,
            sleep=self._sleep,
        )
        await self.logs.restore()

    async def restart(self) -> None:
        """Stop and start again."""
        await self.logs.stop()
        await self.start()

    def look(self, *jobs: JobSeen, first: bool = False) -> None:
        """Take in a list."""
        self.ledger.look(jobs, first=first, at_seconds=self.now, reads_logs=True, shown=[ACTOR])
        self.sync()

    def sync(self) -> None:
        """Tell which pipelines there are."""
        self.logs.sync({key: one.pipeline.name for key, one in self.tracked.by_id.items()})

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that comes true with a record, a stream or a sleep."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                await self.vendor.changed()

    async def asleep(self, count: int) -> None:
        """Wait until readers have gone to sleep so many times in all."""
        await self.until(lambda: len(self.slept) >= count)

    def wake(self) -> None:
        """Let the readers that sleep go on."""
        gates, self._gates = self._gates, []
        for gate in gates:
            if not gate.done():
                gate.set_result(None)

    async def read_to_the_end(self, count: int = 1) -> None:
        """Let so many readers wait for what comes late, and then end."""
        await self.until(lambda: len([gate for gate in self._gates if not gate.done()]) >= count)
        left = self.logs.open - count
        self.wake()
        await self.until(lambda: self.logs.open <= left and not self.vendor.opened)

    @property
    def gaps(self) -> int:
        """How many gaps are counted."""
        text = self.tracked.series.logs[ACTOR].lines(LOG_GAPS).text.decode()
        return sum(int(line.rpartition(" ")[2]) for line in text.splitlines())

    async def put(self, batch: Batch) -> None:
        """Take records in, as the outbox does."""
        await self.room.wait()
        request = ExportLogsServiceRequest.FromString(export_request([(batch.resource, batch.records)]))
        for resource in request.resource_logs:
            self.bodies += [record.body.string_value for record in resource.scope_logs[0].log_records]
        self.note(batch)

    def note(self, batch: Batch) -> None:
        """Commit positions at once."""
        for stream, position in ({batch.stream: batch.position} | dict(batch.further)).items():
            if position is None:
                self.positions.pop(stream, None)
            else:
                self.positions[stream] = position
        batch.committed()
        self.vendor.tell()

    async def flush(self) -> None:
        """Commit at once, as always."""

    async def read_positions(self, _source: str) -> dict[str, bytes]:
        """Return what was committed."""
        return dict(self.positions)

    async def _sleep(self, seconds: float) -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        self.slept.append(seconds)
        self.vendor.tell()
        await gate


def _now() -> PipelineNow:
    return PipelineNow(
        id=ACTOR,
        name="janedoe/shop",
        version="",
        digest=b"1",
        words={"run": None},
        since_seconds={},
        desired={},
        state="unknown",
        in_desired_state=None,
        error_code=None,
        error_message="",
        wanted=False,
        changed_ns=0,
        created_ns=0,
    )


@asynccontextmanager
async def reading(**keys: object) -> AsyncIterator[Reading]:
    """Read the logs of a scripted vendor's jobs; `keys` are those of `logs`."""
    one = Reading(**keys)
    await one.start()
    try:
        yield one
    finally:
        await one.logs.stop()
