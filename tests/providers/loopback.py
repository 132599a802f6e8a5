"""A server on loopback that sends the very bytes that a test gives it, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.providers.budget import Budget
from exporter.providers.feldera import Feldera
from exporter.providers.http import Connection, HttpClient

if TYPE_CHECKING:
    import ssl

Act = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Reply = bytes | Act
"""Bytes are sent and the connection is kept; anything else does as it likes, and the connection ends after it."""


@dataclass(frozen=True)
class Request:
    """What the server was asked."""

    method: str
    target: str
    headers: dict[str, str]
    connection: int
    """Which connection it came by, counted from 1."""


@dataclass
class Loopback:
    """A running server. Replies are used in their order; the last one is used again and again."""

    replies: list[Reply]
    url: str = ""
    connections: int = 0
    requests: list[Request] = field(default_factory=list)

    def next_reply(self) -> Reply:
        """Take the next reply."""
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


def answer(body: bytes = b"", *, status: str = "200 OK", headers: Sequence[str] = ()) -> bytes:
    """Return an HTTP answer with its length; `application/json` unless the headers say another type."""
    lines = [f"HTTP/1.1 {status}", *headers, f"Content-Length: {len(body)}"]
    if not any(line.lower().startswith("content-type") for line in headers):
        lines.append("Content-Type: application/json")
    return "\r\n".join([*lines, "", ""]).encode() + body


def zipped(body: bytes, *, keep: int | None = None) -> bytes:
    """Return an answer compressed with gzip, of which only `keep` bytes are sent as if they were all."""
    return answer(gzip.compress(body, mtime=0)[:keep], headers=["Content-Encoding: gzip"])


def cut(data: bytes = b"") -> Act:
    """Send some bytes, which may be none, and close the connection."""

    async def act(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()

    return act


async def never(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    """Keep the connection and say nothing until the client goes away."""
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Begin an answer and go on with it byte by byte, too slowly to ever end."""
    writer.write(answer(b"[]" + b" " * 1_000_000)[:-1_000_000])
    while not reader.at_eof():
        writer.write(b" ")
        await writer.drain()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(reader.read(), 0.01)


@contextlib.asynccontextmanager
async def loopback(*replies: Reply, tls: ssl.SSLContext | None = None) -> AsyncIterator[Loopback]:
    """Run a server with these replies on a free port."""
    state = Loopback(list(replies))
    talks: set[asyncio.Task[None]] = set()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        talks.add(task)
        state.connections += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await _talk(state, state.connections, reader, writer)
        writer.close()

    server = await asyncio.start_server(talk, "127.0.0.1", 0, ssl=tls)
    host = "127.0.0.1" if tls is None else "localhost"
    state.url = f"http{'s' if tls else ''}://{host}:{server.sockets[0].getsockname()[1]}"
    try:
        yield state
    finally:
        server.close()
        for task in talks:
            task.cancel()
        await asyncio.gather(*talks, return_exceptions=True)


async def _talk(state: Loopback, number: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while True:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").splitlines()
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines if line)
        state.requests.append(Request(method, target, headers, number))
        reply = state.next_reply()
        if not isinstance(reply, bytes):
            await reply(reader, writer)
            return
        writer.write(reply)
        await writer.drain()


@dataclass
class Asked:
    """A client, what it was told about its attempts, and its budget."""

    client: HttpClient
    codes: Counter[str]
    budget: Budget

    @property
    def feldera(self) -> Feldera:
        """The client as a provider, which lives in the year 2026."""
        return Feldera(self.client, {"tenant": None}, lambda: 1795246231.0)


@contextlib.asynccontextmanager
async def asking(
    url: str,
    *,
    token: Callable[[], str | None] = lambda: None,
    timeout_seconds: float = 5.0,
    proxy: str | None = None,
    ssl_context: ssl.SSLContext | None = None,
) -> AsyncIterator[Asked]:
    """Make a client of the server with a budget that never runs out."""
    codes: Counter[str] = Counter()
    budget = Budget(1e6)
    connection = Connection(url, timeout_seconds, {}, token, proxy, ssl_context)
    client = HttpClient(connection, budget, lambda code: codes.update([code]))
    try:
        yield Asked(client, codes, budget)
    finally:
        await client.close()
