"""A collector with bad days: it goes down, refuses, hangs, forgets to answer, and comes back on the same port."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.oracle import Oracle


TIMEOUT_SECONDS = 5.0
"""So long the exporter waits for an answer."""


class Mood(Enum):
    """How requests fare."""

    WELL = "accepted and answered"
    SLOW = "accepted, answered later"
    BUSY = "503 with Retry-After"
    BROKEN = "503"
    HANGING = "read and never answered"
    CUTTING = "the connection is closed before the request counts"
    FORGETFUL = "accepted, then the connection is closed without an answer"
    DOWN = "nobody listens"


class Collector:
    """Hands what it accepts to the oracle. `moment` is called between acceptance and answer, and after it."""

    def __init__(self, oracle: Oracle, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.mood = Mood.WELL
        self.moment: Callable[[str], bool] = lambda _when: False
        """Told `before` an answer and `after` it; true when the exporter is no more."""
        self._oracle = oracle
        self._port = port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._hanging: set[asyncio.Event] = set()

    async def start(self) -> None:
        """Listen."""
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/logs", self._export)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await self._listen()

    async def change(self, mood: Mood) -> None:
        """Fall into another mood."""
        if (self.mood is Mood.DOWN) != (mood is Mood.DOWN):
            if mood is Mood.DOWN:
                assert self._site is not None
                await self._site.stop()
                self._cut_all()
            else:
                await self._listen()
        self.mood = mood
        for event in self._hanging:
            event.set()

    async def stop(self) -> None:
        """Close everything."""
        for event in self._hanging:
            event.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()

    def _cut_all(self) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        self._oracle.excuse()
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _export(self, request: web.Request) -> web.StreamResponse:
        began = time.monotonic()
        content = await request.read()  # decompressed
        mood = self.mood
        if mood in {Mood.BUSY, Mood.BROKEN}:
            return web.Response(status=503, headers={"Retry-After": "1"} if mood is Mood.BUSY else {})
        if mood is Mood.HANGING:
            await self._hang()
        if mood in {Mood.HANGING, Mood.CUTTING, Mood.DOWN} or request.transport is None:
            return _cut(request)
        # From here on the request counts, whether or not the exporter hears of it.
        ticket = self._oracle.accept(ExportLogsServiceRequest.FromString(content).resource_logs)
        if self.moment("before") or mood is Mood.FORGETFUL:
            return _cut(request)
        if mood is Mood.SLOW:
            await asyncio.sleep(0.2)
        if request.transport is None:
            return web.Response()
        response = web.Response(content_type="application/x-protobuf")
        await response.prepare(request)
        await response.write_eof()
        if time.monotonic() - began < TIMEOUT_SECONDS / 2:  # else it may have given up on a machine that is busy
            self._oracle.answered(ticket)
        self.moment("after")
        return response

    async def _hang(self) -> None:
        event = asyncio.Event()
        self._hanging.add(event)
        await event.wait()
        self._hanging.discard(event)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
