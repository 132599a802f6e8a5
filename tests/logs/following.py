"""The logs of a simulated server, followed as the service does it, into memory; waits between connections are the test's."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.config import Source
from exporter.otlp.encode import export_request
from exporter.simulator import World, serve
from exporter.simulator.process_lines import SERVER
from exporter.tailing import SourceLogs
from tests.polling.harness import Harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exporter.otlp.outbox import Batch
    from exporter.simulator import Faults, Pipeline, SimulatorServer

CURSORS = "0.375.0"
LEGACY = "0.349.0"
BOTH = (CURSORS, LEGACY)
WAIT_SECONDS = 30.0
"""So long a test waits for what must come; never for what must not."""


class Received(NamedTuple):
    """A record as it would be sent."""

    pipeline: str
    body: str
    uid: str
    severity: str
    attributes: dict[str, str]


class Follow:
    """One source's logs over a simulated server."""

    def __init__(self, folder: Path, world: World, server: SimulatorServer, keys: dict[str, object]) -> None:
        logs = {"multiline": {"timeout": "20ms"}} | keys.pop("logs", {})  # type: ignore[operator]
        self.source = Source(**({"name": "prod", "provider": "feldera", "url": server.url, "logs": logs} | keys))
        self.world = world
        self.server = server
        self.harness = Harness(folder, world, server, **keys)
        self.records: list[Received] = []
        self.slept: list[float] = []
        self.positions: dict[str, bytes] = {}
        self.commits = True
        """Whether what is put is also committed."""
        self.fail: Exception | None = None
        """Raised by the next put."""
        self.room = asyncio.Event()
        """Cleared, nothing is taken in."""
        self.room.set()
        self.full = asyncio.Event()
        """Somebody waits for room."""
        self.logs: SourceLogs
        self._gates: list[asyncio.Future[None]] = []
        self._changed = asyncio.Event()

    async def start(self) -> None:
        """Start to poll and follow, from what was committed before."""
        await self.restore()
        await self.harness.poll(0)

    async def restore(self) -> None:
        """Take up what was committed before."""
        await self.harness.start()
        source = self.harness.poller.source
        self.logs = SourceLogs(
            self.source,
            self.harness.poller.provider,
            self,  # type: ignore[arg-type]  # the part of an outbox that is used
            self,  # type: ignore[arg-type]  # the part of a journal that is used
            source,
            self.harness.clock,
            sleep=self._sleep,
        )
        await self.logs.restore()
        self.harness.poller.on_list = self.logs.sync

    async def stop(self) -> None:
        """Stop cleanly."""
        await self.logs.stop()
        await self.harness.stop()

    async def put(self, batch: Batch) -> None:
        """Take records in."""
        if not self.room.is_set():
            self.full.set()
            await self.room.wait()
        if self.fail is not None:
            failure, self.fail = self.fail, None
            raise failure
        request = ExportLogsServiceRequest.FromString(export_request([(batch.resource, batch.records)]))
        for resource in request.resource_logs:
            name = {one.key: one.value.string_value for one in resource.resource.attributes}["service.name"]
            for record in resource.scope_logs[0].log_records:
                attributes = {one.key: one.value.string_value for one in record.attributes}
                uid = attributes.pop("log.record.uid")
                self.records.append(Received(name, record.body.string_value, uid, record.severity_text, attributes))
        if self.commits:
            self.positions[batch.stream] = batch.position
            batch.committed()
        self._changed.set()

    async def flush(self) -> None:
        """Commit at once, as always."""

    async def read_positions(self, _source: str) -> dict[str, bytes]:
        """Return what was committed."""
        return dict(self.positions)

    async def bodies(self, count: int) -> list[str]:
        """Wait for so many records in all and return their bodies without the runner's first lines."""
        await self.until(lambda: len(self.records) >= count)
        return [record.body for record in self.records if "Fresh start" not in record.body]

    async def asleep(self, count: int) -> None:
        """Wait until tailers have gone to sleep so many times in all."""
        await self.until(lambda: len(self.slept) >= count)

    def wake(self) -> None:
        """Let the tailers that sleep go on."""
        gates, self._gates = self._gates, []
        for gate in gates:
            if not gate.done():
                gate.set_result(None)

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait for a condition that a record or a tailer's sleep makes true."""
        async with asyncio.timeout(WAIT_SECONDS):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    def count(self, name: str, pipeline: str = "p") -> dict[str, int]:
        """Return a log metric of a pipeline by its further label, without zeros."""
        found = self.harness.samples(f"hosted_pipeline_log_{name}")
        return {"".join(labels[1:]): int(value) for labels, value in found.items() if labels[0] == pipeline and value}

    async def _sleep(self, seconds: float) -> None:
        gate: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._gates.append(gate)
        self.slept.append(seconds)
        self._changed.set()
        await gate


def say(pipeline: Pipeline, *messages: str, level: str = "INFO") -> None:
    """Let a pipeline's process log messages."""
    now_us = pipeline.world.now_us
    pipeline.log_lines([pipeline.style.process(now_us, level, SERVER, message) for message in messages])


def one_pipeline(version: str = CURSORS, name: str = "p") -> tuple[World, Pipeline]:
    """Return a world in which nothing happens by itself, and its pipeline."""
    world = World(version=version, chores=False, logs=False)
    return world, world.create(name, compile_as=None)


@asynccontextmanager
async def following(
    folder: Path,
    world: World,
    *,
    faults: Faults | None = None,
    api_key: str | None = None,
    log_chunk_bytes: int | None = None,
    **keys: object,
) -> AsyncIterator[Follow]:
    """Serve a world and follow its logs."""
    async with serve(world, faults=faults, api_key=api_key, log_chunk_bytes=log_chunk_bytes) as server:
        follow = Follow(folder, world, server, keys)
        await follow.start()
        try:
            yield follow
        finally:
            await follow.stop()
