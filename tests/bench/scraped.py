"""A real Prometheus scrapes the exporter as users run it, and then the same bytes from a server that does nothing else."""

from __future__ import annotations

import gzip
import time
from contextlib import asynccontextmanager
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
import yaml

from tests.bench import fixed, simulated
from tests.bench.baseline import samples_in
from tests.bench.child import Stopwatch, child
from tests.bench.fixed import CONTENT_TYPE
from tests.integration.exporter import Exporter
from tests.integration.programs import Program, free_port
from tests.integration.waiting import until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

SCRAPES = 3
_INTERVAL_SECONDS = 15
_WAIT_SECONDS = 300


@dataclass(frozen=True)
class Scraped:
    """What a Prometheus saw; medians of SCRAPES scrapes."""

    version: str
    zeros: bool
    seconds: float
    """Its `scrape_duration_seconds` of the exporter."""
    fixed_seconds: float
    """The same of a fixed file."""
    answer_seconds: float
    """How long the exporter took for an answer, read without unpacking it."""
    samples: int


class _Prometheus(Program):
    """A server with one target and an interval for large scrapes."""

    def __init__(self, binary: Path, folder: Path, target: str) -> None:
        folder.mkdir()
        config = folder / "prometheus.yml"
        scrape = {"job_name": "exporter", "static_configs": [{"targets": [target]}]}
        interval = f"{_INTERVAL_SECONDS}s"
        config.write_text(
            yaml.safe_dump(
                {"global": {"scrape_interval": interval, "scrape_timeout": interval}, "scrape_configs": [scrape]}
            )
        )
        port = free_port()
        command = (
            str(binary),
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            "--log.level=warn",
        )
        super().__init__(command, port=port, ready_path="/-/ready", log=folder / "log.txt")

    async def durations(self, since_seconds: float, least_samples: int) -> list[float]:
        """Wait for SCRAPES scrapes after a moment that were whole and brought hardly a new series; return how long they took."""

        async def steady() -> list[float]:
            duration = await self._history("scrape_duration_seconds")
            samples = await self._history("scrape_samples_scraped")
            added = await self._history("scrape_series_added")
            return [
                duration[at]
                for at in sorted(duration.keys() & samples.keys() & added.keys())
                if at > since_seconds and samples[at] >= least_samples and added[at] < samples[at] / 100
            ]

        return await until("enough scrapes", steady, lambda found: len(found) >= SCRAPES, _WAIT_SECONDS)

    async def _history(self, metric: str) -> dict[float, float]:
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/api/v1/query", params={"query": f"{metric}[1h]"}) as answer,
        ):
            result = (await answer.json())["data"]["result"]
        return {at: float(value) for series in result for at, value in series["values"]}


async def measure_prometheus(
    version: str, binary: Path, pipelines: int, folder: Path, say: Callable[[str], None], *, zeros: bool = True
) -> Scraped:
    """Let a Prometheus scrape an exporter of so many pipelines, and then what the exporter last gave."""
    say(f"Prometheus {version}: scrapes the exporter")
    port = free_port()
    prometheus = _Prometheus(binary, folder / "prometheus", f"127.0.0.1:{port}")
    with child(simulated.main, pipelines) as simulator:
        source = {"name": "prod", "provider": "feldera", "url": simulator.ask("url"), "budget": "1000/s"}
        exporter = Exporter(folder / "exporter", port, [source])
        with exporter.config.open("a") as config:
            config.write(yaml.safe_dump({"metrics": {"zeros": zeros}}))
        async with _running(exporter):
            await until("all are shown", lambda: _answer(exporter), lambda found: found.samples > pipelines * 20, 120)
            async with _running(prometheus):
                durations = await prometheus.durations(0.0, pipelines * 20)
                answers = [await _answer(exporter) for _ in range(SCRAPES)]
                await exporter.stop()
                say(f"Prometheus {version}: scrapes the same bytes from a fixed file")
                file = folder / "body.gz"
                file.write_bytes(answers[-1].body)
                with child(fixed.main, port, file):
                    fixed_durations = await prometheus.durations(time.time(), pipelines * 20)
    return Scraped(
        version=version,
        zeros=zeros,
        seconds=median(durations[-SCRAPES:]),
        fixed_seconds=median(fixed_durations[-SCRAPES:]),
        answer_seconds=median(answer.seconds for answer in answers),
        samples=answers[-1].samples,
    )


class _Answer(NamedTuple):
    body: bytes
    seconds: float

    @property
    def samples(self) -> int:
        return samples_in(gzip.decompress(self.body))


async def _answer(exporter: Exporter) -> _Answer:
    """Scrape as Prometheus does, without unpacking the answer."""
    headers = {"Accept": CONTENT_TYPE, "Accept-Encoding": "gzip"}
    watch = Stopwatch()
    async with (
        aiohttp.ClientSession(auto_decompress=False) as session,
        session.get(f"{exporter.url}/metrics", headers=headers) as answer,
    ):
        body = await answer.read()
    return _Answer(body, watch.cost().wall_seconds)


@asynccontextmanager
async def _running(program: Program) -> AsyncIterator[None]:
    try:
        await program.start()
        yield
    finally:
        await program.stop()
