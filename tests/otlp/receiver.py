"""An OTLP destination that records what it is sent, decoded with opentelemetry-proto, and answers by script.

    async with http_receiver() as receiver:          # or grpc_receiver()
        receiver.replies += [Reply(503), Reply()]    # in this order; then the request is accepted
        receiver.answer = lambda received: Reply(…)  # or as the request has it

It takes logs; with `traces=True` spans too.

`code` is an HTTP status or the name of a gRPC status, as fits the receiver.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import grpc
from aiohttp import web
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsPartialSuccess,
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from exporter.otlp.wire import field_bytes, tag, varint

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
    from opentelemetry.proto.trace.v1.trace_pb2 import Span

_METHOD = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
_TRACES_METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_TRACES_PATH = "/v1/traces"


@dataclass(frozen=True)
class Received:
    """One request."""

    request: ExportLogsServiceRequest
    headers: Mapping[str, str]
    """The names in lower case."""
    path: str
    peer: str
    """The other end of the connection."""
    traces: ExportTraceServiceRequest = field(default_factory=ExportTraceServiceRequest)
    """What it says instead when it is about spans."""

    @property
    def records(self) -> list[LogRecord]:
        """All records in their order, whatever their resource."""
        return [
            record for one in self.request.resource_logs for scope in one.scope_logs for record in scope.log_records
        ]

    @property
    def spans(self) -> list[Span]:
        """All spans in their order, whatever their resource."""
        return [span for one in self.traces.resource_spans for scope in one.scope_spans for span in scope.spans]

    @property
    def bodies(self) -> list[str]:
        """What the records say."""
        return [record.body.string_value for record in self.records]


@dataclass(frozen=True)
class Reply:
    """An answer. Without a body a good one is empty, a bad one a google.rpc.Status."""

    code: int | str = "OK"
    body: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    """Or gRPC's trailing metadata."""
    message: str = ""
    retry_seconds: float | None = None
    """gRPC only: RetryInfo."""
    hang: bool = False
    """Never answer."""
    cut: bool = False
    """HTTP only: close the connection instead."""


def _received(content: bytes, headers: Mapping[str, str], path: str, peer: str) -> Received:
    if path in (_TRACES_PATH, _TRACES_METHOD):
        return Received(ExportLogsServiceRequest(), headers, path, peer, ExportTraceServiceRequest.FromString(content))
    return Received(ExportLogsServiceRequest.FromString(content), headers, path, peer)


def rejecting(rejected: int, message: str = "") -> Reply:
    """Return the answer that accepts all but some."""
    partial = ExportLogsPartialSuccess(rejected_log_records=rejected, error_message=message)
    return Reply(body=ExportLogsServiceResponse(partial_success=partial).SerializeToString())


def status_bytes(message: str, retry_seconds: float | None = None) -> bytes:
    """Return a google.rpc.Status. Its messages are not part of protobuf, so it is put together here."""
    status = tag(1, 0) + varint(8) + field_bytes(2, message.encode())
    if retry_seconds is None:
        return status
    delay = Duration()
    delay.FromNanoseconds(round(retry_seconds * 1e9))
    info = field_bytes(1, delay.SerializeToString())
    other = AnyMessage(type_url="type.googleapis.com/google.rpc.DebugInfo", value=b"x")
    detail = AnyMessage(type_url="type.googleapis.com/google.rpc.RetryInfo", value=info)
    return status + field_bytes(3, other.SerializeToString()) + field_bytes(3, detail.SerializeToString())


class Receiver:
    """What was received, and what is answered."""

    def __init__(self) -> None:
        self.url = ""
        self.requests: list[Received] = []
        self.replies: deque[Reply] = deque()
        self.answer: Callable[[Received], Reply] | None = None
        self.until: asyncio.Event | None = None
        """HTTP only: answers are given after it is set."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.closing = threading.Event()

    @property
    def bodies(self) -> list[str]:
        """What all records of all requests say, also of those that were refused."""
        return [body for received in self.requests for body in received.bodies]

    @property
    def spans(self) -> list[Span]:
        """All spans of all requests, also of those that were refused."""
        return [span for received in self.requests for span in received.spans]

    def take(self, received: Received) -> Reply:
        """Record a request and return its answer. May be called from any thread."""
        self.requests.append(received)
        reply = self.answer(received) if self.answer else self.replies.popleft() if self.replies else Reply()
        self._loop.call_soon_threadsafe(self._changed.set)
        return reply

    async def wait_for(self, enough: Callable[[Receiver], bool]) -> None:
        """Wait until enough was received."""
        while not enough(self):
            self._changed.clear()
            await self._changed.wait()


@asynccontextmanager
async def http_receiver(
    ssl_context: ssl.SSLContext | None = None, *, port: int = 0, path: str = "/v1/logs", traces: bool = False
) -> AsyncIterator[Receiver]:
    """Receive on loopback by HTTP/protobuf; other paths are answered with 404."""
    receiver = Receiver()
    closing = asyncio.Event()

    async def export(request: web.Request) -> web.StreamResponse:
        content = await request.read()  # aiohttp has decompressed it
        assert "application/x-protobuf" == request.headers["Content-Type"]
        headers = {name.lower(): value for name, value in request.headers.items()}
        assert request.transport is not None
        peer = str(request.transport.get_extra_info("peername"))
        reply = receiver.take(_received(content, headers, request.path, peer))
        if receiver.until is not None:
            await receiver.until.wait()
        if reply.hang:
            await closing.wait()
        if reply.cut or closing.is_set():
            request.transport.close()
        status = 200 if reply.code == "OK" else int(reply.code)
        body = (b"" if status < 300 else status_bytes(reply.message)) if reply.body is None else reply.body
        return web.Response(
            status=status, body=body, headers={"Content-Type": "application/x-protobuf", **reply.headers}
        )

    application = web.Application(client_max_size=64 * 1024 * 1024)
    application.router.add_post(path, export)
    if traces:
        application.router.add_post(_TRACES_PATH, export)
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port, ssl_context=ssl_context)
    await site.start()
    receiver.url = f"http{'s' if ssl_context else ''}://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield receiver
    finally:
        closing.set()
        await runner.cleanup()


class _Handler(grpc.GenericRpcHandler):
    """The methods, with bytes in and out."""

    def __init__(self, receiver: Receiver, *, traces: bool) -> None:
        self._receiver = receiver
        self._methods = (_METHOD, _TRACES_METHOD) if traces else (_METHOD,)

    def service(self, details: Any) -> Any:
        """Return the method's handler; others are not implemented."""
        if details.method not in self._methods:
            return None
        return grpc.unary_unary_rpc_method_handler(partial(self._export, details.method))

    def _export(self, method: str, content: bytes, context: Any) -> bytes:
        headers = {str(name): str(value) for name, value in context.invocation_metadata()}
        reply = self._receiver.take(_received(content, headers, method, context.peer()))
        if reply.hang:
            self._receiver.closing.wait()
        metadata: list[tuple[str, str | bytes]] = list(reply.headers.items())
        if reply.retry_seconds is not None:
            metadata.append(("grpc-status-details-bin", status_bytes(reply.message, reply.retry_seconds)))
        context.set_trailing_metadata(tuple(metadata))
        if reply.code != "OK":
            context.set_code(getattr(grpc.StatusCode, str(reply.code)))
            context.set_details(reply.message)
            return b""
        return reply.body or b""


@asynccontextmanager
async def grpc_receiver(
    credentials: grpc.ServerCredentials | None = None,
    *,
    port: int = 0,
    options: Sequence[tuple[str, Any]] = (),
    traces: bool = False,
) -> AsyncIterator[Receiver]:
    """Receive on loopback by gRPC."""
    receiver = Receiver()
    with ThreadPoolExecutor(8) as pool:
        server = grpc.server(pool, options=(("grpc.so_reuseport", 0), *options))
        server.add_generic_rpc_handlers((_Handler(receiver, traces=traces),))
        address = f"127.0.0.1:{port}"
        if credentials is None:
            bound = server.add_insecure_port(address)
        else:
            bound = server.add_secure_port(address, credentials)
        receiver.url = f"http{'s' if credentials else ''}://127.0.0.1:{bound}"
        server.start()
        try:
            yield receiver
        finally:
            receiver.closing.set()
            await asyncio.to_thread(lambda: server.stop(0).wait())
