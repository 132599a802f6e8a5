"""The HTTP server: its sockets, its connections, its end."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.web import sockets
from exporter.web.application import application
from exporter.web.credentials import Credentials
from exporter.web.metrics import Metrics

if TYPE_CHECKING:
    import socket
    import ssl
    from collections.abc import Mapping, Sequence

    from exporter.web.service import Service

MAX_CONNECTIONS = 512
_TLS_HANDSHAKE_SECONDS = 10.0

_log = logging.getLogger(__name__)


class WebServer:
    """Serves metrics, health and the page from `start` to `stop`, once."""

    def __init__(
        self,
        service: Service,
        *,
        listen: Sequence[tuple[str | None, int]],
        lifecycle: bool = False,
        users: Mapping[str, bytes] | None = None,
        headers: Mapping[str, str] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        self._listen = listen
        self._ssl_context = ssl_context
        self._credentials = Credentials(users or {})
        self._metrics = Metrics(service)
        self._runner = web.AppRunner(
            application(
                service,
                metrics=self._metrics,
                credentials=self._credentials,
                lifecycle=lifecycle,
                headers=headers or {},
            ),
            shutdown_timeout=1.0,
        )
        self._servers: list[asyncio.Server] = []
        self.addresses: list[str] = []
        """Where to look, as URLs; known after `start`."""

    def replace_users(self, users: Mapping[str, bytes]) -> None:
        """Let other users in, from the next request on."""
        self._credentials.replace(users)

    async def start(self) -> None:
        """Listen to every address.

        Raises OSError, with the address in its text, when one cannot be had; then none is listened to.
        """
        await self._runner.setup()
        try:
            for host, port in self._listen:
                for sock in await sockets.listen(host, port):
                    await self._serve(sock)
        except BaseException:
            await self.stop(0.0)
            raise
        _log.info("listening on %s", " ".join(self.addresses))

    async def stop(self, timeout_seconds: float) -> None:
        """Listen no more, let running answers end for at most this long, and cut the rest."""
        for server in self._servers:
            server.close()
        self._servers.clear()
        if (protocols := self._runner.server) is not None:
            await asyncio.sleep(0)  # a request that has just arrived begins, and counts as running
            protocols.pre_shutdown()
            try:
                async with asyncio.timeout(timeout_seconds):
                    # Given twice by aiohttp: to the handler, and to its cancelled rest.
                    await protocols.shutdown(max(timeout_seconds, 0.01) / 2)
            except TimeoutError:
                _log.warning("cut %d connections at the end", len(protocols.connections))
                for connection in protocols.connections:
                    connection.force_close()
        await self._runner.cleanup()
        self._metrics.close()
        self._credentials.close()

    async def _serve(self, sock: socket.socket) -> None:
        tls = self._ssl_context is not None
        server = await asyncio.get_running_loop().create_server(
            self._protocol,
            sock=sock,
            ssl=self._ssl_context,
            backlog=128,
            ssl_handshake_timeout=_TLS_HANDSHAKE_SECONDS if tls else None,
        )
        self._servers.append(server)
        address = sockets.url(sock, tls=tls)
        if address not in self.addresses:
            self.addresses.append(address)

    def _protocol(self) -> asyncio.Protocol:
        protocols = self._runner.server
        if protocols is None or len(protocols.connections) >= MAX_CONNECTIONS:
            _log.debug("refused a connection: %d are open", MAX_CONNECTIONS)
            return _Refused()
        return protocols()


class _Refused(asyncio.Protocol):
    """Ends a connection that is one too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if isinstance(transport, asyncio.WriteTransport):
            transport.abort()
