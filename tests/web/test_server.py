"""Addresses, connections, the end."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import aiohttp
import pytest

from exporter.web import WebServer, sending, server, sockets
from tests.web.conftest import LOOPBACK
from tests.web.fake import FakeService

if TYPE_CHECKING:
    from tests.web.conftest import Start


async def _ask(address: str, path: str = "-/healthy") -> str:
    async with aiohttp.ClientSession() as session, session.get(address + path) as response:
        return await response.text()


async def test_every_address() -> None:
    """Without a host, the server answers on IPv4 and IPv6 with one port, and shows one address."""
    web = WebServer(FakeService(), listen=[(None, 0)])
    await web.start()
    port = web.addresses[0].rsplit(":", 1)[1]
    assert [f"http://localhost:{port}"] == web.addresses
    assert "healthy\n" == await _ask(f"http://127.0.0.1:{port}")
    if socket.has_ipv6:
        assert "healthy\n" == await _ask(f"http://[::1]:{port}")
    await web.stop(1.0)


async def test_several_addresses() -> None:
    """Each configured address is listened to."""
    web = WebServer(FakeService(), listen=[("127.0.0.1", 0), ("127.0.0.2", 0)])
    await web.start()
    assert ["healthy\n", "healthy\n"] == [await _ask(address) for address in web.addresses]
    await web.stop(1.0)


async def test_port_in_use() -> None:
    """A port that is taken is an error that names the address; what was bound before it is given back."""
    with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as free:
        port, other = taken.getsockname()[1], free.getsockname()[1]
        free.close()
        web = WebServer(FakeService(), listen=[("127.0.0.1", other), ("127.0.0.1", port)])
        with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use; stop the"):
            await web.start()
        socket.create_server(("127.0.0.1", other)).close()


async def test_port_in_use_somewhere() -> None:
    """A port that is taken on one address only is taken for all addresses too."""
    with socket.create_server(("0.0.0.0", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"cannot listen on :{port}: Address already in use"):
            await sockets.listen(None, port)


async def test_no_such_address() -> None:
    """An address of another machine is an error that names it."""
    with pytest.raises(OSError, match=r"cannot listen on 192\.0\.2\.1:1234: Cannot assign"):
        await sockets.listen("192.0.2.1", 1234)


async def test_slow_client(start: Start) -> None:
    """Clients that send half a request, or nothing, hold up nobody."""
    client = await start(FakeService())
    address = client._base_url
    assert address is not None
    idle = [await asyncio.open_connection(address.host, address.port) for _ in range(20)]
    for _, writer in idle:
        writer.write(b"GET /metrics HTTP/1.1\r\nHost:")
    async with client.get("/-/healthy") as response:
        assert 200 == response.status
    for _, writer in idle:
        writer.close()


async def test_slow_reader(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that does not take its answer is cut off in the end, and the log says so."""
    monkeypatch.setattr(sending, "SEND_TIMEOUT_SECONDS", 0.05)
    logged: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(sending._log, "warning", lambda text, *values: logged.put_nowait(text % values))
    client = await start(FakeService(body=b"x" * 30_000_000))
    address = client._base_url
    assert address is not None
    with socket.create_connection((str(address.host), address.port or 0)) as sock:
        sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n")
        assert "127.0.0.1 did not take the answer to /metrics in 0.05 s" == await logged.get()
        received = 0
        with suppress(ConnectionResetError):
            while piece := await asyncio.to_thread(sock.recv, 1 << 20):
                received += len(piece)
    assert received < 30_000_000


async def test_too_many_connections(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection beyond the limit is ended at once."""
    monkeypatch.setattr(server, "MAX_CONNECTIONS", 0)
    client = await start(FakeService())
    with pytest.raises(aiohttp.ClientConnectionError):
        await client.get("/-/healthy")


async def test_stop_lets_answers_end() -> None:
    """A scrape that runs when the server stops is answered; a new connection is not taken."""
    service = FakeService(blocks=True)
    web = WebServer(service, listen=LOOPBACK)
    await web.start()
    scrape = asyncio.create_task(_ask(web.addresses[0], "metrics"))
    await asyncio.to_thread(service.entered.wait)
    stopping = asyncio.create_task(web.stop(60.0))
    await asyncio.sleep(0)
    with pytest.raises(aiohttp.ClientConnectionError):
        await _ask(web.addresses[0])
    service.released.set()
    assert "openmetrics=False sources=None\n" == await scrape
    await stopping


async def test_stop_is_bounded() -> None:
    """A scrape that does not end is cut when the time is up."""
    service = FakeService(blocks=True)
    web = WebServer(service, listen=LOOPBACK)
    await web.start()
    scrape = asyncio.create_task(_ask(web.addresses[0], "metrics"))
    await asyncio.to_thread(service.entered.wait)
    await web.stop(0.05)
    with pytest.raises(aiohttp.ClientError):
        await scrape
    service.released.set()
