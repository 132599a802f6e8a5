"""The simulator on a socket: sends the answers of the API, and the faults in between."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import hdrs, web

from exporter.simulator.faults import Faults
from exporter.simulator.feldera import FelderaApi

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.simulator.answer import Answer
    from exporter.simulator.world import World

KEEPALIVE_SECONDS = 4.8
_REMEMBERED_REQUESTS = 10_000
_IN_THREAD_BYTES = 256 * 1024


class SeenRequest(NamedTuple):
    """A request as it came."""

    method: str
    path_qs: str
    headers: Mapping[str, str]


class SimulatorServer:
    """One listening simulator. `requests` are the newest seen, `counts` all of them by path without query."""

    def __init__(self, world: World, *, api_key: str | None = None, faults: Faults | None = None) -> None:
        self.world = world
        self.faults = faults or Faults()
        self.requests: deque[SeenRequest] = deque(maxlen=_REMEMBERED_REQUESTS)
        self.counts: Counter[str] = Counter()
        self.url = ""
        self._api = FelderaApi(world, api_key=api_key)
        self._closing = asyncio.Event()
        self._arrived = asyncio.Event()
        self._runner: web.AppRunner | None = None

    async def start(self, host: str, port: int, keepalive_seconds: float) -> None:
        """Listen; port 0 takes a free one."""
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._handle)
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
        await web.TCPSite(self._runner, host, port).start()
        bound_port = self._runner.addresses[0][1]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{bound_port}"

    async def seen(self, count: int) -> None:
        """Wait until this many requests have come since the start."""
        while self.counts.total() < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._closing.set()
        if self._runner is not None:
            await self._runner.cleanup()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(SeenRequest(request.method, request.path_qs, request.headers))
        self.counts[request.path] += 1
        self._arrived.set()
        url = request.rel_url
        answer = self._api.answer(
            request.method, url.raw_path, url.raw_query_string, request.headers.get(hdrs.AUTHORIZATION)
        )
        fault = self.faults.pick(request.path)
        if fault is None:
            return await self._send(request, answer)
        if fault.silent or fault.delay_seconds:
            await self._wait(None if fault.silent else fault.delay_seconds)
        if fault.silent or fault.cut == "before":
            return _cut(request)
        if fault.cut == "middle":
            return await _send_half(request, answer)
        return await self._send(request, fault.bend(answer))

    async def _send(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.stream and request.method == hdrs.METH_GET:
            return await self._send_stream(request, answer)
        body = answer.body.raw
        gzipped = answer.compressible and body and "gzip" in request.headers.get(hdrs.ACCEPT_ENCODING, "")
        if gzipped:
            big = len(body) > _IN_THREAD_BYTES
            body = await asyncio.to_thread(answer.body.gzipped) if big else answer.body.gzipped()
        response = web.Response(status=answer.status, headers=_headers(answer), body=body)
        if gzipped:
            response.headers.add(hdrs.VARY, "accept-encoding")
            response.headers[hdrs.CONTENT_ENCODING] = "gzip"
            response.enable_chunked_encoding()
        return response

    async def _send_stream(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers=_headers(answer))
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(answer.body.raw)
        await self._wait(None)
        return response

    async def _wait(self, seconds: float | None) -> None:
        """Wait for the end of the server, at most so long."""
        try:
            async with asyncio.timeout(seconds):
                await self._closing.wait()
        except TimeoutError:
            return


@asynccontextmanager
async def serve(
    world: World,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    faults: Faults | None = None,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
) -> AsyncIterator[SimulatorServer]:
    """Serve a world in this event loop. Its clock stands still unless someone advances it."""
    server = SimulatorServer(world, api_key=api_key, faults=faults)
    try:
        await server.start(host, port, keepalive_seconds)
        yield server
    finally:
        await server.stop()


async def _like_the_real_one(_request: web.Request, response: web.StreamResponse) -> None:
    """Take away the headers that only this library adds."""
    response.headers.pop(hdrs.SERVER, None)
    if response.headers.get(hdrs.CONTENT_TYPE) == "application/octet-stream":
        del response.headers[hdrs.CONTENT_TYPE]


def _headers(answer: Answer) -> dict[str, str]:
    content_type = {} if answer.content_type is None else {"content-type": answer.content_type}
    return {**answer.headers, **content_type}


def _cut(request: web.Request) -> web.StreamResponse:
    """Close the connection at once, without a goodbye."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response()


async def _send_half(request: web.Request, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, headers=_headers(answer))
    # One byte more than there is at least, so that even an answer without a body is cut short.
    response.content_length = len(answer.body.raw) + 1
    await response.prepare(request)
    await response.write(answer.body.raw[: len(answer.body.raw) // 2])
    # A FIN leaves the client what was sent before it; a reset could swallow it.
    if request.transport is not None:
        request.transport.close()
    return response
