"""A collector with bad days: it goes down, refuses, hangs, forgets to answer, and comes back on the same port."""

from __future__ import annotations

import asyncio
import time
from enum import Enum
from typing import TYPE_CHECKING, Any

import grpc.aio
from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.chaos.script import POISON

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.chaos.oracle import Oracle, Ticket

_SERVICE = "opentelemetry.proto.collector.logs.v1.LogsService"

TIMEOUT_SECONDS = 15.0
"""So long the exporter waits for an answer."""

HEARD_SECONDS = 4.0
"""An answer that is given so soon is heard, however busy the machine is."""


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


class Verdict(Enum):
    """What becomes of one request."""

    TAKEN = "accepted"
    UNHEARD = "accepted, and the answer is lost"
    BUSY = "503 with Retry-After"
    BROKEN = "503"
    POISONED = "400"
    CUT = "no answer"


class Collector:
    """Hands what it accepts to the oracle, over HTTP or gRPC.

    `moment` is called between acceptance and answer, and after it.
    """

    def __init__(self, oracle: Oracle, port: int, grpc_port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.grpc_url = f"http://127.0.0.1:{grpc_port}"
        self.mood = Mood.WELL
        self.moment: Callable[[str], bool] = lambda _when: False
        """Told `before` an answer and `after` it; true when the exporter is no more."""
        self._oracle = oracle
        self._port = port
        self._grpc_port = grpc_port
        self._runner: web.AppRunner | None = None
        self._site: web.TCPSite | None = None
        self._server: Any = None
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
        before, self.mood = self.mood, mood
        self._oracle.note(f"the collector: {mood.value}")
        if (before is Mood.DOWN) != (mood is Mood.DOWN):
            if mood is Mood.DOWN:
                assert self._site is not None
                self._oracle.excuse()
                await self._site.stop()
                self._cut_all()
                await self._server.stop(0)
                self._oracle.excuse()
            else:
                await self._listen()
        for event in self._hanging:
            event.set()

    async def stop(self) -> None:
        """Close everything."""
        for event in self._hanging:
            event.set()
        if self._server is not None:
            await self._server.stop(0)
        if self._runner is not None:
            await self._runner.cleanup()

    async def _listen(self) -> None:
        assert self._runner is not None
        self._site = web.TCPSite(self._runner, "127.0.0.1", self._port, reuse_address=True)
        await self._site.start()
        self._server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1),))
        handler: Any = grpc.unary_unary_rpc_method_handler(self._call)
        self._server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),))
        self._server.add_insecure_port(f"127.0.0.1:{self._grpc_port}")
        await self._server.start()

    def _cut_all(self) -> None:
        assert self._runner is not None
        assert self._runner.server is not None
        for connection in self._runner.server.connections:
            if connection.transport is not None:
                connection.transport.abort()

    async def _judge(self, content: bytes, lives: Callable[[], bool]) -> tuple[Verdict, Ticket | None]:
        """Say what becomes of a request; what is accepted counts from then on, heard of or not."""
        mood = self.mood
        if mood in {Mood.BUSY, Mood.BROKEN}:
            return (Verdict.BUSY if mood is Mood.BUSY else Verdict.BROKEN), None
        if mood is Mood.HANGING:
            await self._hang()
        if mood in {Mood.HANGING, Mood.CUTTING, Mood.DOWN} or not lives():
            return Verdict.CUT, None
        resources = ExportLogsServiceRequest.FromString(content).resource_logs
        if POISON.encode() in content:
            self._oracle.refused(resources)
            return Verdict.POISONED, None
        ticket = self._oracle.accept(resources)
        if self.moment("before") or mood is Mood.FORGETFUL:
            return Verdict.UNHEARD, ticket
        if mood is Mood.SLOW:
            await asyncio.sleep(0.2)
        return Verdict.TAKEN, ticket

    async def _export(self, request: web.Request) -> web.StreamResponse:
        began = time.monotonic()
        content = await request.read()  # decompressed
        verdict, ticket = await self._judge(content, lambda: request.transport is not None)
        if verdict is Verdict.POISONED:
            return web.Response(status=400)
        if verdict in {Verdict.BUSY, Verdict.BROKEN}:
            return web.Response(status=503, headers={"Retry-After": "1"} if verdict is Verdict.BUSY else {})
        if ticket is None or verdict is not Verdict.TAKEN or request.transport is None:
            return _cut(request)
        response = web.Response(content_type="application/x-protobuf")
        await response.prepare(request)
        await response.write_eof()
        self._answered(ticket, began)
        return response

    async def _call(self, content: bytes, context: Any) -> bytes:
        began = time.monotonic()
        verdict, ticket = await self._judge(content, lambda: not context.done())
        if verdict is Verdict.POISONED:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, "it says so itself")
        if ticket is None or verdict is not Verdict.TAKEN:
            await context.abort(grpc.StatusCode.UNAVAILABLE, verdict.value)
        else:
            heard = ticket
            context.add_done_callback(lambda ended: None if ended.cancelled() else self._answered(heard, began))
        return b""

    def _answered(self, ticket: Ticket, began: float) -> None:
        if time.monotonic() - began < HEARD_SECONDS:
            self._oracle.answered(ticket)
        self.moment("after")

    async def _hang(self) -> None:
        event = asyncio.Event()
        self._hanging.add(event)
        try:
            await event.wait()
        finally:
            self._hanging.discard(event)


def _cut(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()
