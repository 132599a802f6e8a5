"""Health, readiness, reload, and what holds for every path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.web.lifecycle import is_loopback, reload_refusal
from tests.web.fake import FakeService

if TYPE_CHECKING:
    import aiohttp

    from tests.web.conftest import Start


async def test_healthy(client: aiohttp.ClientSession) -> None:
    """A process that answers is healthy."""
    async with client.get("/-/healthy") as response:
        assert (200, "healthy\n") == (response.status, await response.text())


@pytest.mark.parametrize(("ready", "status"), [(True, 200), (False, 503)])
async def test_ready(start: Start, ready: bool, status: int) -> None:
    """Readiness is told by the status, with the text of the service."""
    client = await start(FakeService(ready=(ready, "prod not polled yet")))
    async with client.get("/-/ready") as response:
        assert (status, "prod not polled yet\n") == (response.status, await response.text())


@pytest.mark.parametrize(
    ("method", "path", "status", "allow"),
    [
        ("GET", "/nothing", 404, None),
        ("GET", "/metrics/", 404, None),
        ("GET", "/../etc/passwd", 404, None),
        ("POST", "/metrics", 405, "GET,HEAD"),
        ("DELETE", "/", 405, "GET,HEAD"),
        ("GET", "/-/reload", 405, "POST"),
        ("HEAD", "/-/reload", 405, "POST"),
        ("HEAD", "/", 200, None),
        ("HEAD", "/-/ready", 200, None),
    ],
)
async def test_methods(client: aiohttp.ClientSession, method: str, path: str, status: int, allow: str | None) -> None:
    """Unknown paths and wrong methods are refused as plain text, with the methods that are right."""
    async with client.request(method, path) as response:
        assert (status, allow) == (response.status, response.headers.get("Allow"))
        assert path == "/" or response.headers["Content-Type"] == "text/plain; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/metrics", "/nothing", "/-/healthy"])
async def test_security_headers(client: aiohttp.ClientSession, path: str) -> None:
    """Every answer forbids framing, sniffing and foreign content, and names no versions."""
    async with client.get(path) as response:
        assert "default-src 'none'" == response.headers["Content-Security-Policy"].partition(";")[0]
        assert "nosniff" == response.headers["X-Content-Type-Options"]
        assert "DENY" == response.headers["X-Frame-Options"]
        assert "pipeline-exporter" == response.headers["Server"]


async def test_own_headers(start: Start) -> None:
    """Headers of the web configuration are set on every answer and win over the built-in ones."""
    client = await start(FakeService(), headers={"X-Frame-Options": "SAMEORIGIN", "Strict-Transport-Security": "a"})
    async with client.get("/nothing") as response:
        assert ["SAMEORIGIN"] == response.headers.getall("X-Frame-Options")
        assert "a" == response.headers["Strict-Transport-Security"]


async def test_large_body(client: aiohttp.ClientSession) -> None:
    """A body that announces itself as large is refused."""
    async with client.post("/-/reload", data=b"x" * 100_000) as response:
        assert 413 == response.status


async def test_long_header(client: aiohttp.ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    """A header beyond the limit is refused, without noise in the log and without a traceback for the client."""
    async with client.get("/metrics", headers={"X-Long": "x" * 10_000}) as response:
        assert 400 == response.status
        assert "Traceback" not in await response.text()
    assert [] == [record.message for record in caplog.records if record.name.startswith("exporter")]


async def test_reload(start: Start) -> None:
    """A reload on loopback is done."""
    service = FakeService()
    client = await start(service)
    async with client.post("/-/reload") as response:
        assert (200, "reloaded\n", 1) == (response.status, await response.text(), service.reloads)


async def test_reload_that_leaves_something_for_a_restart(start: Start) -> None:
    """The answer says what has changed and is not applied."""
    service = FakeService(take_restart=["listen", "data_dir"])
    client = await start(service)
    async with client.post("/-/reload") as response:
        expected = "reloaded; these have changed and take a restart: listen, data_dir\n"
        assert (200, expected) == (response.status, await response.text())


async def test_reload_refused_configuration(start: Start) -> None:
    """A bad configuration is refused with its error."""
    client = await start(FakeService(refusal="line 3: unknown key"))
    async with client.post("/-/reload") as response:
        assert (400, "not reloaded, the old configuration stays: line 3: unknown key\n") == (
            response.status,
            await response.text(),
        )


@pytest.mark.parametrize(
    "headers", [{"X-Forwarded-For": "8.8.8.8"}, {"Origin": "http://127.0.0.1"}, {"Sec-Fetch-Site": "cross-site"}]
)
async def test_reload_forbidden(start: Start, headers: dict[str, str]) -> None:
    """A reload through a proxy or from a web page is not done."""
    service = FakeService()
    client = await start(service)
    async with client.post("/-/reload", headers=headers) as response:
        assert (403, 0) == (response.status, service.reloads)


@pytest.mark.parametrize(
    ("peer", "headers", "lifecycle", "allowed"),
    [
        ("127.0.0.1", {}, False, True),
        ("::1", {}, False, True),
        ("::ffff:127.0.0.1", {}, False, True),
        ("10.0.0.1", {}, False, False),
        ("fe80::1%eth0", {}, False, False),
        (None, {}, False, False),
        ("10.0.0.1", {}, True, True),
        ("127.0.0.1", {"Forwarded": "for=10.0.0.1"}, False, False),
        ("127.0.0.1", {"Via": "1.1 proxy"}, False, False),
        ("127.0.0.1", {"X-Forwarded-For": "127.0.0.1"}, True, True),
        ("127.0.0.1", {"Origin": "null"}, True, False),
        ("127.0.0.1", {"Sec-Fetch-Site": "same-origin"}, False, False),
        ("127.0.0.1", {"Sec-Fetch-Site": "none"}, False, True),
    ],
)
def test_reload_rules(peer: str | None, headers: dict[str, str], lifecycle: bool, allowed: bool) -> None:
    """A reload needs a direct loopback peer or the lifecycle option, and never comes from a web page."""
    assert allowed == (reload_refusal(peer=peer, headers=headers, lifecycle=lifecycle) is None)


@pytest.mark.parametrize(("peer", "loopback"), [("127.1.2.3", True), ("junk", False), ("::ffff:8.8.8.8", False)])
def test_is_loopback(peer: str, loopback: bool) -> None:
    """The whole of 127.0.0.0/8 is this machine; what is no address is not."""
    assert loopback == is_loopback(peer)
