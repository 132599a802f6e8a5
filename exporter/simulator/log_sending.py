"""Sends the log to one reader: HTTP chunks as the real server cuts them, and every way for a stream to end."""

from __future__ import annotations

import asyncio
import socket
import struct
from functools import partial
from typing import TYPE_CHECKING

from aiohttp import HttpVersion10, hdrs, web

from exporter.simulator.log_follower import End

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.answer import Answer
    from exporter.simulator.api import Stream
    from exporter.simulator.log_follower import Follower

    Framing = Callable[[Sequence[bytes]], bytes]

LARGEST_CHUNK_BYTES = 32_768
MARKER = b"Logs have ended"
_LAST_CHUNK = b"0\r\n\r\n"
_CUTS = {End.CUT, End.KILLED}
_AT_ONCE = {End.RESET, End.KILLED}


def line_chunks(lines: Sequence[bytes], end: bytes = b"\n") -> bytes:
    """Return one HTTP chunk a line, and more for one that is over the largest."""
    longest = LARGEST_CHUNK_BYTES - len(end)
    if max(map(len, lines)) <= longest:
        return b"".join([b"%X\r\n%b%b\r\n" % (len(line) + len(end), line, end) for line in lines])
    return b"".join([big_chunks([line], LARGEST_CHUNK_BYTES, end) for line in lines])


def big_chunks(lines: Sequence[bytes], size_bytes: int, end: bytes = b"\n") -> bytes:
    """Return the lines in chunks of that size, which end anywhere in a line."""
    text = end.join(lines) + end
    parts = [text[start : start + size_bytes] for start in range(0, len(text), size_bytes)]
    return b"".join([b"%X\r\n%b\r\n" % (len(part), part) for part in parts])


class LogSender:
    """Sends streams, by default a chunk a line; with `chunk_bytes` what is there in chunks of at most that size."""

    def __init__(self, chunk_bytes: int | None = None) -> None:
        self.open_streams = 0
        self.changed = asyncio.Event()
        """Set when a stream begins or ends."""
        self._chunk_bytes = chunk_bytes

    async def send(self, request: web.Request, answer: Answer, stream: Stream) -> web.StreamResponse:
        """Send a stream to its end."""
        headers, follower = stream.open()
        response = web.StreamResponse(status=answer.status, headers={**answer.headers, **headers})
        response.headers[hdrs.CONTENT_TYPE] = answer.content_type or ""
        if request.version == HttpVersion10:
            # The real server sends chunks to such a client too; the library would not.
            response.headers[hdrs.TRANSFER_ENCODING] = "chunked"
        else:
            response.enable_chunked_encoding()
        framed = partial(self._framed, line_end=stream.line_end)
        self._count(1)
        try:
            await response.prepare(request)
            await _follow(request, follower, framed)
        finally:
            self._count(-1)
            stream.leave(follower)
        _end(request, follower, framed)
        return response

    def _count(self, more: int) -> None:
        self.open_streams += more
        self.changed.set()

    def _framed(self, lines: Sequence[bytes], line_end: bytes) -> bytes:
        if self._chunk_bytes is None:
            return line_chunks(lines, line_end)
        return big_chunks(lines, self._chunk_bytes, line_end)


async def _follow(request: web.Request, follower: Follower, framed: Framing) -> None:
    ready = asyncio.Event()

    def wake() -> None:
        ready.set()
        # Nothing wakes a writer whose reader does not read but the end of the connection.
        if follower.end in _AT_ONCE and writing:
            _abort(request, follower.end)

    writing = False
    follower.on_ready = wake
    while True:
        lines = follower.take()
        if lines:
            # All that came since the last turn of the loop is one write; the library's own would be one a chunk.
            _write(request, framed(lines))
            writing = True
            await request.writer.drain()
            writing = False
        elif follower.end is not None:
            return
        else:
            ready.clear()
            await ready.wait()


def _write(request: web.Request, data: bytes) -> None:
    transport = request.transport
    if transport is None or transport.is_closing():
        raise ConnectionResetError("the reader of a log has left")
    transport.write(data)


def _abort(request: web.Request, end: End) -> None:
    transport = request.transport
    if transport is None or transport.is_closing():
        return
    if end is End.RESET:
        # With this a close sends RST in place of FIN.
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    transport.abort()


def _end(request: web.Request, follower: Follower, framed: Framing) -> None:
    """End a stream as its follower says. A clean end is finished by the library, which sends the last chunk."""
    transport = request.transport
    if transport is None or transport.is_closing():
        return
    if follower.torn:
        # The chunk says one byte more than there is: its `\n` never comes.
        transport.write(b"%X\r\n%b" % (len(follower.torn) + 1, follower.torn))
    if follower.end is End.RESET:
        _abort(request, follower.end)
        return
    if follower.end in _CUTS:
        transport.close()
        return
    if follower.end is End.GONE and follower.marked:
        transport.write(framed([MARKER]))
    if request.version == HttpVersion10:
        transport.write(_LAST_CHUNK)
