"""Reads a log over a bare socket, so that chunks and the way in which a stream ends can be seen."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@dataclass
class LogReader:
    """One open stream. `chunks` are those that came so far."""

    reader: asyncio.StreamReader
    status: int
    headers: dict[str, str]
    raw: bytearray = field(default_factory=bytearray)
    chunks: list[bytes] = field(default_factory=list)
    line_count: int = 0

    @property
    def text(self) -> bytes:
        """What the chunks hold."""
        return b"".join(self.chunks)

    @property
    def position(self) -> tuple[str | None, ...]:
        """Epoch, number and gap."""
        return tuple(self.headers.get(f"feldera-logs-{name}") for name in ("epoch", "seq", "gap"))

    async def lines(self, count: int) -> list[bytes]:
        """Read until there are so many lines, and return all of them."""
        while self.line_count < count:
            assert await self._chunk(), f"the stream ended: {self.text[-200:]!r}"
        return self.text.split(b"\n")[:-1]

    async def end(self) -> str:
        """Read on until the stream ends, and say how: `last chunk`, `cut` or `reset`."""
        try:
            while await self._chunk():
                pass
        except ConnectionResetError:
            return "reset"
        except asyncio.IncompleteReadError as error:
            self.raw += error.partial
            return "cut"
        return "last chunk"

    async def _chunk(self) -> bool:
        size = await self.reader.readuntil(b"\r\n")
        self.raw += size
        chunk = await self.reader.readexactly(int(size, 16) + 2)
        self.raw += chunk
        self.chunks.append(chunk[:-2])
        self.line_count += chunk.count(b"\n", 0, -2)
        return len(chunk) > 2


@asynccontextmanager
async def read_log(
    url: str, name: str, query: str = "", *, version: str = "1.1", limit: int = 2**16
) -> AsyncIterator[LogReader]:
    """Ask for a log; the stream is closed at the end."""
    address = urlsplit(url)
    reader, writer = await asyncio.open_connection(address.hostname, address.port, limit=limit)
    writer.write(f"GET /v0/pipelines/{name}/logs{query} HTTP/{version}\r\nHost: x\r\n\r\n".encode())
    first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode().splitlines()
    pairs = (line.split(": ", 1) for line in lines if line)
    headers = {key.lower(): value for key, value in pairs}
    try:
        yield LogReader(reader, int(first.split()[1]), headers)
    finally:
        writer.close()
