"""The listening socket of a simulator, which can be closed and opened again on the same port."""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Listener:
    """Listens for HTTP, and keeps its port while it does not."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._host = ""
        self._port = 0

    async def start(self, host: str, port: int, keepalive_seconds: float) -> str:
        """Listen and return the URL; port 0 takes a free one. Raises OSError with the address in its text."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handler)
        app.on_response_prepare.append(_like_the_real_one)
        # Handlers of clients that left are cancelled: a silent fault would otherwise wait for ever.
        self._runner = web.AppRunner(
            app,
            access_log=None,
            handler_cancellation=True,
            keepalive_timeout=keepalive_seconds,
            shutdown_timeout=0.5,
        )
        await self._runner.setup()
        self._host, self._port = host, port
        try:
            await self.open()
        except OSError as error:
            raise OSError(f"cannot listen on {host}:{port}: {_reason(error)}") from error
        self._port = self._runner.addresses[0][1]
        return f"http://{f'[{host}]' if ':' in host else host}:{self._port}"

    async def open(self) -> None:
        """Listen, again after `close`."""
        if self._runner is not None and self._site is None:
            self._site = web.TCPSite(self._runner, self._host, self._port)
            await self._site.start()

    async def close(self) -> None:
        """Refuse new connections; those that are open go on."""
        site, self._site = self._site, None
        if site is not None:
            await site.stop()

    def abort(self) -> None:
        """Close every connection at once."""
        if self._runner is not None and self._runner.server is not None:
            for connection in self._runner.server.connections:
                if connection.transport is not None:
                    connection.transport.abort()

    async def stop(self) -> None:
        """End everything."""
        if self._runner is not None:
            await self._runner.cleanup()


def _reason(error: OSError) -> str:
    """Say why in the system's words; asyncio's own text names the address a second time."""
    if error.errno == errno.EADDRINUSE:
        return f"{os.strerror(error.errno)}; stop the process that has it, or choose another address with --listen"
    return os.strerror(error.errno) if error.errno and error.errno > 0 else str(error.strerror)


async def _like_the_real_one(_request: web.Request, response: web.StreamResponse) -> None:
    """Take away the headers that only this library adds."""
    response.headers.pop("server", None)
    if response.headers.get("content-type") == "application/octet-stream":
        del response.headers["content-type"]
