"""The exporter in this process: all its parts but the socket and the clock, driven by hand."""

from __future__ import annotations

import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import yaml

from exporter.app import Exporter
from exporter.config import load
from exporter.providers.registry import provider_names
from tests.bench.child import Stopwatch

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.bench.child import Cost

INTERVAL_SECONDS = 15.0


class Measured:
    """An exporter with one source. Its clock moves on by an interval before each poll."""

    def __init__(self, folder: Path, url: str) -> None:
        # The interval ends a cycle and the sweep adds to it: here neither must. No poll is started by the scheduler.
        source = {"name": "prod", "provider": "feldera", "url": url, "interval": "1h", "sweep": "8760h"}
        path = folder / "bench.yaml"
        path.write_text(
            yaml.safe_dump(
                {"data_dir": str(folder / "data"), "sources": [source | {"budget": "100000/s", "timeout": "60s"}]}
            )
        )
        self._polls = 0
        self._exporter = Exporter(path, load(path, {}, provider_names()), clock=self._now)

    def _now(self) -> float:
        return time.time() + self._polls * INTERVAL_SECONDS

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[None]:
        """Open the journal and take up the source; close them in the end."""
        exporter = self._exporter
        await exporter.journal.open()
        try:
            await exporter._add_sources(exporter.config.sources, zeros=True)
            yield
        finally:
            await exporter._close()

    async def poll(self) -> Cost:
        """Do one cycle. AssertionError when it does not succeed."""
        self._polls += 1
        watch = Stopwatch()
        outcome = await self._exporter.pollers["prod"].poll()
        cost = watch.cost()
        assert outcome == "success", outcome
        return cost

    def scrape(self, *, openmetrics: bool, gzip: bool = False) -> tuple[Cost, bytes]:
        """Answer a scrape as the web server would have it answered."""
        render = self._exporter.exposition_gzip if gzip else self._exporter.exposition
        watch = Stopwatch()
        body = render(openmetrics=openmetrics, sources=None)
        return watch.cost(), body
