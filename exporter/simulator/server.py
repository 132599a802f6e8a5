"""The simulator on a socket: sends the answers of the API, and the faults in between."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter, deque
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import hdrs, web

from exporter.simulator.body import Body
from exporter.simulator.faults import Faults
from exporter.simulator.feldera import FelderaApi
from exporter.simulator.listening import Listener
from exporter.simulator.log_follower import End
from exporter.simulator.log_sending import LogSender
from exporter.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.simulator.answer import Answer
    from exporter.simulator.api import Api, Later, VendorWorld

_log = logging.getLogger(__name__)
KEEPALIVE_SECONDS = 4.8
_GRACE_SECONDS = 5.0
_REMEMBERED_REQUESTS = 10_000
_IN_THREAD_BYTES = 256 * 1024


class SeenRequest(NamedTuple):
    """A request as it came."""

    method: str
    path_qs: str
    headers: Mapping[str, str]


class SimulatorServer:
    """One listening simulator. `requests` are the newest seen, `counts` all of them by path without query."""

    def __init__(
        self,
        world: World | None = None,
        *,
        api_key: str | None = None,
        faults: Faults | None = None,
        log_chunk_bytes: int | None = None,
        apify: VendorWorld | None = None,
        goldrush: VendorWorld | None = None,
    ) -> None:
        self.world = world or World(chores=False)
        self.faults = faults or Faults()
        self.requests: deque[SeenRequest] = deque(maxlen=_REMEMBERED_REQUESTS)
        self.counts: Counter[str] = Counter()
        self.url = ""
        self._feldera = FelderaApi(self.world, api_key=api_key)
        others = {"v2": apify, "platform": goldrush}
        self._others = {place: vendor.api(api_key) for place, vendor in others.items() if vendor is not None}
        self._closing = asyncio.Event()
        self._arrived = asyncio.Event()
        self._leaving = False
        self._listener = Listener(self._handle)
        self._logs = LogSender(log_chunk_bytes)

    async def start(self, host: str, port: int, keepalive_seconds: float) -> None:
        """Listen; port 0 takes a free one."""
        self.url = await self._listener.start(host, port, keepalive_seconds)

    async def seen(self, count: int) -> None:
        """Wait until this many requests have come since the start."""
        while self.counts.total() < count:
            self._arrived.clear()
            await self._arrived.wait()

    async def streams(self, count: int) -> None:
        """Wait until so many log streams are open."""
        while self._logs.open_streams != count:
            self._logs.changed.clear()
            await self._logs.changed.wait()

    async def terminate(self) -> None:
        """Begin to stop, as after SIGTERM: nobody comes in any more, and open streams go on with their lines."""
        self._leaving = True
        await self._listener.close()

    async def exit(self, end: End = End.CLEAN) -> None:
        """Be gone: the streams that are still open end like that, and the logs are lost."""
        await self.terminate()
        self.world.runner.stop(end)
        self._end_streams(end)
        try:
            async with asyncio.timeout(_GRACE_SECONDS):
                await self.streams(0)
        except TimeoutError:
            _log.info("%s readers of logs did not read to the end and are cut", self._logs.open_streams)
        self._listener.abort()

    async def kill(self, torn: bytes = b"") -> None:
        """Be gone at once, as after SIGKILL: what was queued is lost, and where `torn` is given ends in that."""
        self._leaving = True
        await self._listener.close()
        self.world.runner.stop(End.KILLED, torn)
        self._end_streams(End.KILLED)
        await self.streams(0)
        self._listener.abort()

    async def restart(self, *, terminated: bool = False) -> None:
        """Come back on the same port with empty logs; for 2 s of the world's clock no pipeline has one."""
        await self._listener.open()
        self._leaving = False
        self.world.runner.start(terminated=terminated)

    async def stop(self) -> None:
        """Close every connection and stop listening."""
        self._closing.set()
        self._end_streams(End.CLEAN)
        await self._listener.stop()

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        self.requests.append(SeenRequest(request.method, request.path_qs, request.headers))
        self.counts[request.path] += 1
        self._arrived.set()
        if self._leaving:
            return _cut(request)
        url = request.rel_url
        api = self._api(url.raw_path)
        answer = api.answer(request.method, url.raw_path, url.raw_query_string, request.headers.get(hdrs.AUTHORIZATION))
        fault = self.faults.pick(request.path, api.faults)
        if answer.later is not None:
            answer = await _over(answer.later)
        if fault is None:
            return await self._send(request, answer)
        if answer.stream is not None and (fault.cut == "middle" or fault.keep_fraction is not None):
            answer = replace(answer, body=Body(answer.stream.replayed()), stream=None)
        if fault.silent or fault.delay_seconds:
            await self._wait(None if fault.silent else fault.delay_seconds)
        if fault.silent or fault.cut == "before":
            return _cut(request)
        if fault.cut == "middle":
            return await _send_half(request, answer)
        return await self._send(request, fault.bend(answer))

    def _api(self, raw_path: str) -> Api:
        """Return the API that a path is of: what is no other vendor's is Feldera's, as its web console takes all."""
        place = raw_path[1:].partition("/")[0]
        return self._others.get(place, self._feldera)

    def _end_streams(self, end: End) -> None:
        for api in (self._feldera, *self._others.values()):
            api.end_streams(end)

    async def _send(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        if answer.stream is not None:
            return await self._logs.send(request, answer, answer.stream)
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
        if answer.chunked:
            response.enable_chunked_encoding()
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
    world: World | None = None,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    api_key: str | None = None,
    faults: Faults | None = None,
    keepalive_seconds: float = KEEPALIVE_SECONDS,
    log_chunk_bytes: int | None = None,
    apify: VendorWorld | None = None,
    goldrush: VendorWorld | None = None,
) -> AsyncIterator[SimulatorServer]:
    """Serve worlds in this event loop, a vendor at its own paths. Their clocks stand still unless someone advances them.

    Logs are sent in one HTTP chunk a line, or with `log_chunk_bytes` in chunks of at most that many bytes.
    """
    server = SimulatorServer(
        world, api_key=api_key, faults=faults, log_chunk_bytes=log_chunk_bytes, apify=apify, goldrush=goldrush
    )
    try:
        await server.start(host, port, keepalive_seconds)
        yield server
    finally:
        await server.stop()


def _headers(answer: Answer) -> dict[str, str]:
    content_type = {} if answer.content_type is None else {"content-type": answer.content_type}
    return {**answer.headers, **content_type}


async def _over(later: Later) -> Answer:
    """Wait until an answer can be made, and return it."""
    over = asyncio.Event()
    later.on_over = over.set
    if not later.over:
        await over.wait()
    return later.make()


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
