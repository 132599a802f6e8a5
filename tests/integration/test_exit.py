"""How the process ends: as asked, at once if asked twice, and with a status that says why."""

from __future__ import annotations

import asyncio
import signal
import socket
from typing import TYPE_CHECKING

import pytest

from tests.integration.exporter import COMMAND
from tests.integration.programs import output_of
from tests.integration.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.simulator.server import SimulatorServer
    from exporter.simulator.world import World
    from tests.integration.exporter import Exporter

pytestmark = pytest.mark.integration

MORE_THAN_BUFFERS_BYTES = 9 << 20
"""Well above the 4 MiB that a usual Linux takes from a sender whose reader does not read."""


@pytest.mark.parametrize("asked_by", [signal.SIGTERM, signal.SIGINT])
async def test_stops_when_asked(exporter: Exporter, asked_by: signal.Signals) -> None:
    """One signal stops the exporter in bounded time, with status 0 and no traceback in its log."""
    await exporter.start()
    exporter.send(asked_by)
    assert 0 == await exporter.ended()
    assert "Traceback" not in exporter.log.read_text()


async def test_stops_before_it_is_ready(exporter: Exporter, simulator: SimulatorServer) -> None:
    """A source that never answers does not keep the exporter from stopping."""
    simulator.faults.next(1000, "*", "silent")
    await exporter.launch()
    await until("a request hangs", lambda: injected(simulator), lambda count: count > 0)
    exporter.send(signal.SIGTERM)
    assert 0 == await exporter.ended()


async def injected(simulator: SimulatorServer) -> int:
    """Count the requests that had an ordered fault."""
    return simulator.faults.injected["ordered"]


async def test_wrong_configuration(tmp_path: Path) -> None:
    """A wrong configuration is status 2, with the line and what to do."""
    config = tmp_path / "wrong.yaml"
    config.write_text(
        "sources:\n  - name: prod\n    provider: feldera\n    url: http://127.0.0.1:1\n    intervall: 5s\n"
    )
    status, written = await output_of(COMMAND, "run", "--config", str(config))
    assert 2 == status
    assert "intervall" in written
    assert "5" in written
    assert "Traceback" not in written


async def test_missing_configuration(tmp_path: Path) -> None:
    """A configuration that is not there is status 2, with its name."""
    status, written = await output_of(COMMAND, "run", "--config", str(tmp_path / "none.yaml"))
    assert 2 == status
    assert "none.yaml" in written
    assert "Traceback" not in written


async def test_wrong_usage() -> None:
    """An unknown option is status 2."""
    status, written = await output_of(COMMAND, "run", "--no-such-option")
    assert 2 == status
    assert "--no-such-option" in written


async def test_second_signal(exporter: Exporter, world: World) -> None:
    """While an answer is still being read the exporter waits with its end; a second SIGTERM ends it at once."""
    for number in range(2000):
        world.create(f"many-{number}", compile_as=None)
    await exporter.start()
    await until("metrics are large", exporter.metrics, lambda answer: len(answer[1]) > MORE_THAN_BUFFERS_BYTES)
    reader = socket.socket()
    with reader:
        # A reader that takes nothing.
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        reader.connect(("127.0.0.1", exporter.port))
        reader.sendall(b"GET /metrics HTTP/1.1\r\nHost: exporter\r\n\r\n")
        assert b"HTTP/1.1 200" == await asyncio.to_thread(reader.recv, 12)
        exporter.send(signal.SIGTERM)
        await until("it is stopping", exporter.logged, lambda text: "stopping" in text)
        exporter.send(signal.SIGTERM)
        assert 0 == await exporter.ended()
    assert "stopped" not in await exporter.logged()
