"""Scrapes over a real connection."""

from __future__ import annotations

import asyncio
import gzip
from typing import TYPE_CHECKING

from exporter.web import metrics
from exporter.web.negotiation import OPENMETRICS, TEXT
from tests.web.fake import FakeService

if TYPE_CHECKING:
    import aiohttp
    import pytest

    from tests.web.conftest import Start


async def test_text(client: aiohttp.ClientSession) -> None:
    """Without Accept the answer is text of all sources, uncompressed, with headers for caches."""
    async with client.get("/metrics") as response:
        assert (200, TEXT) == (response.status, response.headers["Content-Type"])
        assert "Accept, Accept-Encoding" == response.headers["Vary"]
        assert "Content-Encoding" not in response.headers
        assert b"openmetrics=False sources=None\n" == await response.read()


async def test_openmetrics_gzip(client: aiohttp.ClientSession) -> None:
    """OpenMetrics and gzip are given together, and the body unzips to what was rendered."""
    headers = {"Accept": "application/openmetrics-text;version=1.0.0", "Accept-Encoding": "gzip"}
    async with client.get("/metrics", headers=headers) as response:
        body = await response.read()
        assert (OPENMETRICS, "gzip") == (response.headers["Content-Type"], response.headers["Content-Encoding"])
        assert str(len(body)) == response.headers["Content-Length"]
        assert b"openmetrics=True sources=None\n" == gzip.decompress(body)


async def test_split_accept(client: aiohttp.ClientSession) -> None:
    """Several Accept headers count as one list."""
    headers = [("Accept", "text/plain;q=0.4"), ("Accept", "application/openmetrics-text;q=0.5")]
    async with client.get("/metrics", headers=headers) as response:
        assert OPENMETRICS == response.headers["Content-Type"]


async def test_sources(client: aiohttp.ClientSession) -> None:
    """The parameter `source` may be repeated; other parameters mean nothing."""
    async with client.get("/metrics?source=prod&x=1&source=staging&source=prod") as response:
        assert "openmetrics=False sources=['prod', 'staging']\n" == await response.text()


async def test_unknown_source(client: aiohttp.ClientSession) -> None:
    """An unknown source is named, with those that exist."""
    async with client.get("/metrics?source=prod&source=<b>") as response:
        assert (404, "text/plain; charset=utf-8") == (response.status, response.headers["Content-Type"])
        assert "no such source: '<b>'; configured: prod, staging\n" == await response.text()


async def test_head(client: aiohttp.ClientSession) -> None:
    """HEAD gives the headers of GET and no body."""
    async with client.head("/metrics") as response:
        assert (200, TEXT, "31") == (
            response.status,
            response.headers["Content-Type"],
            response.headers["Content-Length"],
        )
        assert b"" == await response.read()


async def test_large_body(start: Start) -> None:
    """A body of many pieces arrives whole."""
    service = FakeService(body=b"".join(b"line %d\n" % number for number in range(300_000)))
    client = await start(service)
    async with client.get("/metrics") as response:
        assert service.body == await response.read()


async def test_one_thread(start: Start) -> None:
    """All scrapes render in one thread, which is not the loop's; other requests pass meanwhile."""
    service = FakeService(blocks=True)
    client = await start(service)
    scrapes = [asyncio.create_task(client.get("/metrics")) for _ in range(4)]
    await asyncio.to_thread(service.entered.wait)
    async with client.get("/-/healthy") as response:
        assert 200 == response.status
    service.released.set()
    for answer in await asyncio.gather(*scrapes):
        assert b"openmetrics=False sources=None\n" == await answer.read()
    assert ["web-metrics_0"] == sorted(service.threads)


async def test_too_many(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A scrape beyond what may be held at once is told to come back."""
    monkeypatch.setattr(metrics, "MAX_SCRAPES", 1)
    monkeypatch.setattr(metrics, "WAIT_SECONDS", 0.0)
    service = FakeService(blocks=True)
    client = await start(service)
    first = asyncio.create_task(client.get("/metrics"))
    await asyncio.to_thread(service.entered.wait)
    async with client.get("/metrics") as response:
        assert (503, "10") == (response.status, response.headers["Retry-After"])
    service.released.set()
    async with await first as response:
        assert 200 == response.status


async def test_failure(start: Start, caplog: pytest.LogCaptureFixture) -> None:
    """An unexpected error is logged with its traceback, of which the client sees nothing."""
    client = await start(FakeService(failure=RuntimeError("a secret")))
    async with client.get("/metrics") as response:
        assert 500 == response.status
        assert "500 Internal Server Error: see the exporter's log\n" == await response.text()
    assert ["unexpected error while answering GET /metrics"] == [
        record.message for record in caplog.records if record.levelname == "ERROR"
    ]
    assert "a secret" in caplog.text
