"""Where logs and spans go: hands what it accepts to the oracle, and has bad moments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from tests.vendors.oracle import Oracle

_REFUSED = 0.03
"""The part of the requests that are told to come again."""


class Receiver:
    """An OTLP destination over HTTP. `moment` is called around an acceptance; true when the exporter is no more."""

    def __init__(self, oracle: Oracle, random: Random) -> None:
        self.url = ""
        self.moment: Callable[[], bool] = lambda: False
        self._oracle = oracle
        self._random = random
        application = web.Application(client_max_size=64 * 1024 * 1024)
        application.router.add_post("/v1/logs", self._logs)
        application.router.add_post("/v1/traces", self._traces)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)

    async def start(self) -> None:
        """Listen."""
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"

    async def stop(self) -> None:
        """Close everything."""
        await self._runner.cleanup()

    async def _logs(self, request: web.Request) -> web.Response:
        content = await request.read()
        if self._random.random() < _REFUSED:
            return web.Response(status=503)
        self._oracle.accept(ExportLogsServiceRequest.FromString(content).resource_logs)
        return self._answer(request)

    async def _traces(self, request: web.Request) -> web.Response:
        content = await request.read()
        self._oracle.accept_spans(ExportTraceServiceRequest.FromString(content).resource_spans)
        return self._answer(request)

    def _answer(self, request: web.Request) -> web.Response:
        if self.moment() and request.transport is not None:
            request.transport.abort()
        return web.Response(content_type="application/x-protobuf")
