"""Fixtures of real servers: Prometheus in both versions, the exporter as a process, the simulator in this one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration import servers as real_servers
from tests.integration.programs import free_port
from tests.integration.prometheus import Prometheus

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from tests.integration.servers import Servers


@pytest.fixture(scope="session")
def servers() -> Servers:
    """Where the real servers are; an error with the command that installs them when one is missing."""
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
    await program.start()
    yield program
    await program.stop()
