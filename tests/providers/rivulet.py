"""A small server of Rivulet, the vendor of the example, as the example's module describes it."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

KEPT_LINES = 10_000
KEY = "rivulet-key"


@dataclass(eq=False)
class Log:
    """The log of one flow."""

    lines: list[bytes] = field(default_factory=list)
    written: int = 0
    readers: set[web.StreamResponse] = field(default_factory=set)
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def write(self, *lines: str) -> None:
        """Write lines."""
        async with self.changed:
            self.lines = [*self.lines, *(line.encode() + b"\n" for line in lines)][-KEPT_LINES:]
            self.written += len(lines)
            self.changed.notify_all()

    async def cut(self) -> None:
        """Break every open connection."""
        async with self.changed:
            self.readers.clear()
            self.changed.notify_all()

    async def send(self, response: web.StreamResponse) -> bool:
        """Send what is kept and then what comes, until the connection is to be broken."""
        self.readers.add(response)
        sent = self.written - len(self.lines)
        while response in self.readers:
            await response.write(b"".join(self.lines[len(self.lines) - (self.written - sent) :]))
            sent = self.written
            async with self.changed:
                await self.changed.wait_for(lambda: self.written > sent or response not in self.readers)  # noqa: B023  (waited for at once)
        return False


class Rivulet:
    """What the server shows: flows by id, their logs, and what it was asked."""

    def __init__(self) -> None:
        self.flows: dict[str, dict[str, Any]] = {}
        self.logs: dict[str, Log] = {}
        self.key = KEY
        self.methods: set[str] = set()
        self.url = ""

    def add(self, flow_id: str, name: str, **keys: Any) -> Log:
        """Make a flow."""
        since = "2026-11-21T10:00:00Z"
        self.flows[flow_id] = {"id": flow_id, "name": name, "state": "flowing", "wanted": "flowing", "since": since}
        self.flows[flow_id] |= keys
        self.logs[flow_id] = Log()
        return self.logs[flow_id]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer one request."""
        self.methods.add(request.method)
        if request.path == "/v1/ping":
            return web.json_response({"version": "3.1"})
        if request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({"message": "no such key"}, status=401)
        if request.path == "/v1/flows":
            return web.json_response({"flows": list(self.flows.values())})
        log = self.logs.get(request.path.removeprefix("/v1/flows/").removesuffix("/log"))
        if log is None:
            return web.json_response({"message": "no such flow"}, status=404)
        response = web.StreamResponse(headers={"Content-Type": "text/plain"})
        await response.prepare(request)
        await log.send(response)
        if request.transport is not None:
            request.transport.abort()
        return response


@asynccontextmanager
async def rivulet() -> AsyncIterator[Rivulet]:
    """Run a server on a free port."""
    vendor = Rivulet()
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", vendor.handle)
    runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    vendor.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield vendor
    finally:
        for log in vendor.logs.values():
            await log.cut()
        await runner.cleanup()
