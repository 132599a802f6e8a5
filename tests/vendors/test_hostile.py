"""The exporter among servers that answer anything: it lives on, says what is wrong, and keeps to its budgets."""

from __future__ import annotations

import signal
from typing import TYPE_CHECKING

import pytest
from aiohttp import web

from tests.integration.waiting import until
from tests.vendors.hostile import SERVERS
from tests.vendors.life import Exporter, Samples

if TYPE_CHECKING:
    from pathlib import Path

    from tests.vendors.hostile import Server

pytestmark = pytest.mark.integration

POLLS = 6
BUDGETS = {"apify": 10.0, "goldrush": 2.0}
SPAN_SECONDS = 10.0
_GROWING = ("_total", "_count", "_bucket")


def counts(samples: Samples) -> dict[tuple[object, ...], float]:
    """Return all that must never fall."""
    return {
        (name, *sorted(labels.items())): value
        for name, labels, value in samples.all
        if name.startswith("hosted_") and name.endswith(_GROWING)
    }


def most_within(times: list[float], span_seconds: float) -> int:
    """Return how many requests came at most within any span."""
    return max((sum(first <= one < first + span_seconds for one in times) for first in times), default=0)


async def test_hostile_vendors(tmp_path: Path) -> None:
    """No answer ends the service, lets a count fall, or makes it ask more than it may; each trouble is told by its log."""
    servers = {one.__name__.lower(): one() for one in SERVERS}
    runners = [await _serve(server) for server in servers.values()]
    sources = [
        {"name": name, "provider": server.provider, "url": server.url, "api_key": "k", "interval": "1s"}
        for name, server in servers.items()
    ]
    # Some of them let a first look last long: the service is there all the same.
    exporter = Exporter(
        tmp_path, "/-/healthy", sources=sources, otlp={"protocol": "file", "endpoint": str(tmp_path / "logs")}
    )
    known: dict[tuple[object, ...], float] = {}

    async def polled() -> dict[str, float]:
        samples = await exporter.metrics()
        now = counts(samples)
        assert [] == [key for key, value in known.items() if now.get(key, value) < value]
        known.update(now)
        return {name: samples.sum("pipeline_exporter_polls_total", source=name) for name in servers}

    try:
        await exporter.start()
        slow = {"runswithoutend", "toomanyrequests"}
        await until("polls", polled, lambda found: all(found[one] >= POLLS for one in servers.keys() - slow))
        await until("slow polls", polled, lambda found: all(found[one] >= 1 for one in slow))
        samples = await exporter.metrics()
        assert {name: server.up for name, server in servers.items()} == {
            name: samples.sum("hosted_pipeline_source_up", source=name) for name in servers
        }
        log = await exporter.logged()
        assert [] == [name for name, server in servers.items() if not _told(log, name, server.says)]
        for name, server in servers.items():
            budget = BUDGETS[server.provider]
            assert most_within(server.times, SPAN_SECONDS) <= budget * (SPAN_SECONDS + 1), name
        exporter.send(signal.SIGTERM)
        assert 0 == await exporter.ended(15)
        assert [] == exporter.signs_of_trouble()
    finally:
        await exporter.stop()
        for runner in runners:
            await runner.cleanup()


async def _serve(server: Server) -> web.AppRunner:
    application = web.Application()
    application.router.add_get("/{path:.*}", server.handle)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    return runner


def _told(log: str, source: str, said: str) -> bool:
    return any(said in line for line in log.splitlines() if f"source {source}" in line)
