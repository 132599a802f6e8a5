"""A poller over a simulated Apify, with the world's clock, that can be killed and started again."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from exporter.simulator import serve
from exporter.simulator.apify import APIFY_FAULTS, ApifyWorld
from tests.polling.harness import Harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from exporter.journal import LogBatch, Waiting
    from exporter.simulator import SimulatorServer
    from exporter.status.model import EndedJob

START_US = 1_790_000_000_000_000
SHOP = "janedoe/shop"


class Spans:
    """Takes the spans of ended jobs."""

    def __init__(self) -> None:
        self.ended: list[EndedJob] = []

    async def batches(self, jobs: Sequence[EndedJob]) -> list[LogBatch]:
        """Note them; nothing is sent."""
        self.ended += jobs
        return []

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Do nothing."""

    def dropped(self, count: int) -> None:
        """Do nothing."""


class ApifyHarness(Harness):
    """One source of Apify, polled by hand. Time passes only in `advance`."""

    def __init__(self, folder: Path, apify: ApifyWorld, server: SimulatorServer, **keys: object) -> None:
        super().__init__(folder, apify, server, provider="apify", **keys)  # type: ignore[arg-type]
        self.apify = apify
        self.spans = Spans()

    async def start(self) -> None:
        """Start the exporter's part that polls, with somewhere for spans to go."""
        await super().start()
        self.poller.source.traces = self.spans

    def fail(self, path: str, fault: str = "server_error", count: int = 1) -> None:
        """Let the next requests to a path (a shell pattern) fail."""
        self.server.faults.next(count, path, APIFY_FAULTS[fault])

    def runs(self, pipeline: str = SHOP, kind: str = "run") -> dict[str, int]:
        """Return the ends counted, by result, without zeros."""
        found = self.samples("hosted_pipeline_runs_total")
        return {
            result: int(value)
            for (name, a_kind, result), value in found.items()
            if value and (name, a_kind) == (pipeline, kind)
        }

    def total(self, name: str) -> float:
        """Return the sum of all samples of a metric."""
        return sum(self.samples(name).values())

    def words(self, pipeline: str = SHOP) -> dict[str, str]:
        """Return the words of the facets that a pipeline has."""
        found = self.samples("hosted_pipeline_status")
        return {facet: word for (name, facet, word), value in found.items() if value and name == pipeline}

    def state(self, pipeline: str = SHOP) -> list[str]:
        """Return the states that a pipeline is in."""
        return [
            state
            for (name, state), value in self.samples("hosted_pipeline_state").items()
            if value and name == pipeline
        ]

    def active(self, pipeline: str = SHOP) -> dict[tuple[str, str], int]:
        """Return how many jobs have not ended, by kind and status, without zeros."""
        found = self.samples("hosted_pipeline_runs_active")
        return {labels[1:]: int(value) for labels, value in found.items() if value and labels[0] == pipeline}  # type: ignore[misc]


@asynccontextmanager
async def polling_apify(folder: Path, world: ApifyWorld | None = None, **keys: object) -> AsyncIterator[ApifyHarness]:
    """Serve a world and poll it."""
    world = world or ApifyWorld(now_us=START_US)
    async with serve(apify=world) as server:
        harness = ApifyHarness(folder, world, server, **keys)
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()
