"""A poller over a simulated server, with a clock of its own, that can be killed and started again."""

from __future__ import annotations

from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

from exporter.config import Source
from exporter.journal import Journal
from exporter.providers.budget import Budget
from exporter.simulator import World, serve
from exporter.sources import make_poller, make_provider
from exporter.status.exposition import Exposition

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.polling.poller import Poller
    from exporter.simulator import SimulatorServer

LABELS = ("provider", "source")


class Harness:
    """One source, polled by hand. Time passes only in `advance`."""

    def __init__(self, folder: Path, world: World, server: SimulatorServer, **keys: object) -> None:
        self.world = world
        self.server = server
        self.codes: Counter[str] = Counter()
        self._folder = folder
        self._keys = {"name": "prod", "provider": "feldera", "url": server.url, "budget": "100000/s"} | keys
        self.journal: Journal
        self.poller: Poller
        self._exposition: Exposition

    def clock(self) -> float:
        """Return the world's time in seconds."""
        return self.world.now_us / 1e6

    def advance(self, seconds: float = 15.0) -> None:
        """Let time pass."""
        self.world.advance(seconds)

    async def start(self) -> None:
        """Start the exporter's part that polls, from what the journal holds."""
        source = _source(self._keys)
        budget = Budget(source.budget)
        self.journal = Journal(self._folder)
        await self.journal.open()
        provider = make_provider(source, budget, lambda code: self.codes.update([code]), self.clock)
        self.poller = make_poller(source, provider, budget, self.journal, self.clock, zeros=True)
        self.poller._monotonic = self.clock
        await self.poller.restore()
        self._exposition = Exposition(self.clock)
        self._exposition.set_sources([self.poller.source.series])

    async def stop(self) -> None:
        """Stop it; what was not committed is lost."""
        await self.poller.provider.close()
        await self.journal.close()

    async def restart(self) -> None:
        """Stop and start again."""
        await self.stop()
        await self.start()

    async def poll(self, seconds: float = 15.0) -> str:
        """Let an interval pass, then poll."""
        self.advance(seconds)
        return await self.poller.poll()

    def samples(self, name: str) -> dict[tuple[str, ...], float]:
        """Return the samples of a name by their label values, without those that are always the same."""
        lines = b"".join(self._exposition.parts(openmetrics=False)).decode().splitlines(keepends=True)
        text = "".join(line for line in lines if line.startswith((name, f"# TYPE {name} ")))
        return {
            tuple(value for label, value in sample.labels.items() if label not in LABELS): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == name
        }

    def transitions(self, pipeline: str) -> dict[tuple[str, str], int]:
        """Return a pipeline's transitions that are not zero, by facet and status."""
        found = self.samples("hosted_pipeline_status_transitions_total")
        return {
            (labels[1], labels[2]): int(value) for labels, value in found.items() if labels[0] == pipeline and value
        }


def _source(keys: dict[str, object]) -> Source:
    return Source(**keys)


@asynccontextmanager
async def polling(folder: Path, world: World | None = None, **keys: object) -> AsyncIterator[Harness]:
    """Serve a world and poll it."""
    world = world or World(chores=False)
    async with serve(world) as server:
        harness = Harness(folder, world, server, **keys)
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()
