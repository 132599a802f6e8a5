"""A log stream as it comes from the vendor: bytes for as long as the connection lasts, then the way in which it ended."""

from __future__ import annotations

import asyncio
import socket
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, Literal

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from exporter.providers.errors import MalformedError
from exporter.providers.taken import take

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.providers.taken import Reception, TakenBody

End = Literal["end", "cut"]

# A stream may be quiet for hours, so that only the network can tell a dead peer: after 60 s of silence it is asked
# every 15 s, and given up when it has not answered four times.
_KEEP_ALIVE: Final = (("TCP_KEEPIDLE", 60), ("TCP_KEEPINTVL", 15), ("TCP_KEEPCNT", 4))

_LOG_TYPES: Final = frozenset(("text/plain", "application/octet-stream", ""))
"""A log is text/plain; what stands between may take the type away, or say that it is bytes."""

_NONE: Final[Mapping[str, str]] = MappingProxyType({})


class ByteStream:
    """One open answer whose end is not known. Close it, or the server goes on holding its side."""

    __slots__ = ("__weakref__", "_body", "end", "headers", "url")

    def __init__(self, response: aiohttp.ClientResponse, reception: Reception) -> None:
        self.url = str(response.url)
        self.headers: Mapping[str, str] = response.headers
        """Until the first read: an idle stream is small."""
        self.end: End | None = None
        _watch_peer(response)
        self._body: TakenBody | _LibrarysBody = take(response, reception) or _LibrarysBody(response)

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; b"" at the end, and then `end` says which one."""
        self.headers = _NONE
        data = await self._body.read()
        if not data:
            self.end = "end" if self._body.done else "cut"
        return data

    async def close(self) -> None:
        """Close the connection."""
        self._body.close()


async def require_log(stream: ByteStream) -> None:
    """Close a stream that is no log, before the first read: a page for people would otherwise become records.

    Raises MalformedError for it.
    """
    content_type = stream.headers.get("Content-Type", "")
    if content_type.partition(";")[0].strip().lower() not in _LOG_TYPES:
        await stream.close()
        raise MalformedError(stream.url, f"answered with {content_type!r} in place of a log")


class _LibrarysBody:
    """A body that the library reads: with a length, to the end of the connection, or compressed."""

    def __init__(self, response: aiohttp.ClientResponse) -> None:
        self.done = False
        self._response = response

    async def read(self) -> bytes:
        """Return the next bytes as soon as there are any; b"" at the end, and then `done` says whether it is whole."""
        content = self._response.content
        try:
            data = await content.readany()
        except (aiohttp.ClientError, HttpProcessingError, OSError, asyncio.IncompleteReadError, RuntimeError):
            # aiohttp raises before it gives out what came before the cut; with a runner that died there is no other
            # copy. A RuntimeError is its word for a connection that was closed under a reader.
            return content._read_nowait(-1)  # noqa: SLF001  (there is no public way to it)
        self.done = not data
        return data

    def close(self) -> None:
        """Close the connection."""
        self._response.close()


def _watch_peer(response: aiohttp.ClientResponse) -> None:
    connection = response.connection
    transport = connection.transport if connection is not None else None
    sock = transport.get_extra_info("socket") if transport is not None else None
    if sock is None:
        return
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in _KEEP_ALIVE:
        if hasattr(socket, name):
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
