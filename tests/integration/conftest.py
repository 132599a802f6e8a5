"""Fixtures of real servers: Prometheus in both versions, the exporter as a process, the simulator in this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.simulator.server import SimulatorServer, serve
from tests.integration import servers as real_servers
from tests.integration.exporter import Exporter
from tests.integration.log_servers import Collector, Loki
from tests.integration.programs import free_port
from tests.integration.prometheus import Prometheus
from tests.integration.stories import world_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

    from exporter.simulator.world import World
    from tests.integration.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Servers:
    """Find the real servers; an error with the command that installs them when one is missing."""
    return real_servers.find()


@pytest.fixture
def exporter_port() -> int:
    """Choose the port of this test's exporter, known before it runs."""
    return free_port()


@pytest.fixture(params=["2.42", "3.15"])
async def prometheus(
    request: pytest.FixtureRequest, servers: Servers, exporter_port: int, tmp_path: Path
) -> AsyncIterator[Prometheus]:
    """Run a Prometheus that scrapes this test's exporter, once for each version."""
    binary = {"2.42": servers.prometheus2, "3.15": servers.prometheus3}[request.param]
    program = Prometheus(binary, tmp_path / "prometheus", f"127.0.0.1:{exporter_port}")
    try:
        await program.start()
        yield program
    finally:
        await program.stop()


@pytest.fixture
async def loki(servers: Servers, tmp_path: Path) -> AsyncIterator[Loki]:
    """Run a Loki."""
    program = Loki(servers.loki, tmp_path / "loki")
    try:
        await program.start()
        yield program
    finally:
        await program.stop()


@pytest.fixture
async def collector(servers: Servers, tmp_path: Path) -> AsyncIterator[Collector]:
    """Run a Collector that writes to a file alone."""
    program = Collector(servers.collector, tmp_path / "collector")
    try:
        await program.start()
        yield program
    finally:
        await program.stop()


@pytest.fixture
async def loki_collector(servers: Servers, loki: Loki, tmp_path: Path) -> AsyncIterator[Collector]:
    """Run a Collector that writes to a file and to Loki."""
    program = Collector(servers.collector, tmp_path / "loki-collector", loki)
    try:
        await program.start()
        yield program
    finally:
        await program.stop()


@pytest.fixture
def world() -> World:
    """Make the simulated Feldera: three compiled pipelines, a, b and c."""
    return world_of("a", "b", "c")


@pytest.fixture
async def simulator(world: World) -> AsyncIterator[SimulatorServer]:
    """Serve the simulated Feldera in this process."""
    async with serve(world) as server:
        yield server


@pytest.fixture
async def new_exporter(simulator: SimulatorServer, tmp_path: Path) -> AsyncIterator[Callable[[int], Exporter]]:
    """Make exporters that watch the simulator as source `prod`, not started yet; they are stopped in the end."""
    made: list[Exporter] = []

    def make(port: int) -> Exporter:
        # Slower than Prometheus scrapes, so that what a single poll shows is seen.
        source = {"name": "prod", "provider": "feldera", "url": simulator.url, "interval": "2s", "budget": "1000/s"}
        made.append(Exporter(tmp_path / f"exporter-{len(made)}", port, [source]))
        return made[-1]

    yield make
    for exporter in made:
        await exporter.stop()


@pytest.fixture
def exporter(new_exporter: Callable[[int], Exporter], exporter_port: int) -> Exporter:
    """Make the exporter that Prometheus scrapes, not started yet."""
    return new_exporter(exporter_port)
