"""A collector in a process of its own that only counts: which lines came, how often, and whether they are whole."""

from __future__ import annotations

import asyncio
import zlib
from typing import TYPE_CHECKING, NamedTuple

from aiohttp import web
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from tests.bench.logs.lines import DIGITS

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_MAX_BYTES = 64 * 1024 * 1024


class Received(NamedTuple):
    """What has come: numbered lines, each counted once, those that came again, other records, the bodies' checksum."""

    lines: int
    repeated: int
    others: int
    checksum: int


class _Counter:
    def __init__(self, lines: int) -> None:
        self._seen = bytearray(lines)
        self._received = Received(0, 0, 0, 0)

    def take(self, body: bytes) -> None:
        lines, repeated, others, checksum = self._received
        request = ExportLogsServiceRequest.FromString(body)
        for record in (
            record for one in request.resource_logs for scope in one.scope_logs for record in scope.log_records
        ):
            text = record.body.string_value
            if text[-DIGITS - 3 : -DIGITS] != " n=":
                others += 1
                continue
            number = int(text[-DIGITS:])
            if self._seen[number]:
                repeated += 1
                continue
            self._seen[number] = 1
            lines += 1
            checksum += zlib.crc32(text.encode())
        self._received = Received(lines, repeated, others, checksum)

    @property
    def received(self) -> Received:
        return self._received


def main(connection: Connection, lines: int) -> None:
    """Receive lines with numbers below `lines`. Questions: `url`; `received`."""
    asyncio.run(_serve(connection, lines))


async def _serve(connection: Connection, lines: int) -> None:
    counter = _Counter(lines)

    async def receive(request: web.Request) -> web.Response:
        counter.take(await request.read())  # unzipped by the server
        return web.Response(content_type="application/x-protobuf")

    application = web.Application(client_max_size=_MAX_BYTES)
    application.router.add_post("/v1/logs", receive)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        while (question := await asyncio.to_thread(connection.recv)) is not None:
            if question == ("url",):
                connection.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
            else:
                connection.send(counter.received)
    finally:
        await runner.cleanup()
