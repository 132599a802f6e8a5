"""A web server on a loopback port, and clients for it."""

from __future__ import annotations

from contextlib import AsyncExitStack
from typing import TYPE_CHECKING, Any, Protocol

import aiohttp
import pytest

from exporter.web import WebServer
from tests.web.fake import FakeService

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

LOOPBACK = [("127.0.0.1", 0)]


class Start(Protocol):
    """Starts a server and gives a session whose base is its address."""

    async def __call__(
        self, service: FakeService, *, session: dict[str, Any] | None = None, **options: Any
    ) -> aiohttp.ClientSession:
        """Start a server; `session` goes to the client, the other options to the server."""
        ...


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Start servers that end with the test."""
    async with AsyncExitStack() as stack:

        async def run(
            service: FakeService, *, session: dict[str, Any] | None = None, **options: Any
        ) -> aiohttp.ClientSession:
            server = WebServer(service, **({"listen": LOOPBACK} | options))
            await server.start()
            stack.push_async_callback(server.stop, 1.0)
            plain: dict[str, Any] = {"auto_decompress": False, "skip_auto_headers": ["Accept-Encoding", "Accept"]}
            client = aiohttp.ClientSession(server.addresses[0], **(plain | (session or {})))
            return await stack.enter_async_context(client)

        yield run


@pytest.fixture
async def client(start: Start) -> aiohttp.ClientSession:
    """Give a session to a server with everything as default."""
    return await start(FakeService())
