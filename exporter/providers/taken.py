"""The connection of an endless answer, taken over from the HTTP library once the head has been read.

The library handles each HTTP chunk by itself, which for a log of one chunk a line costs more than all that is done
with the line after it, and keeps some 20 KiB for each connection. What follows the head of a good answer in chunks is
therefore kept from it:

    bytes ─▶ HeadFirst ──── head ───▶ library ─▶ response        (any other answer: all of it)
                 └─ what follows ───▶ TakenBody ─▶ read()        (the connection is its own from `take()` on)
"""

from __future__ import annotations

import asyncio
import math
import re
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp.client_proto import ResponseHandler

from exporter.providers.chunked import ChunkDecoder, ChunkedError

if TYPE_CHECKING:
    from aiohttp.http_parser import RawResponseMessage
    from aiohttp.streams import StreamReader

READ_BYTES: Final = 128 * 1024
UNREAD_BYTES: Final = 64 * 1024
"""So much that nobody has read yet, and the connection is left alone."""

BULK_BYTES: Final = 32 * 1024
"""A read of so much is worth its cost, whatever comes after it."""

GATHER_SECONDS: Final = 0.1
"""So long streams are left alone after a read while there are many reads, and then all go on at once."""

MANY_READS: Final = 30
"""In so many seconds as streams are left alone; 100 lines a second are fewer."""

_HEAD_END = re.compile(rb"\n\r?\n")
_LONGEST_HEAD_BYTES: Final = 64 * 1024


class HeadFirst(ResponseHandler):
    """The library's protocol, which is given no more than the head of a good answer in chunks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop)
        self.rest: bytearray | None = None
        """What followed the head; None where the library has it."""
        self._head = b""
        self._for_library = False
        self._message: RawResponseMessage | None = None

    def data_received(self, data: bytes) -> None:
        """Part head and body, or pass on."""
        if self.rest is not None:
            self.rest += data
            self._leave_alone()
        elif self._for_library:
            super().data_received(data)
        else:
            self._read_head(self._head + data)

    def feed_data(self, data: tuple[RawResponseMessage, StreamReader], size: int = 0) -> None:
        """Note what the library has read."""
        self._message = data[0]
        super().feed_data(data, size)

    def let_go(self) -> asyncio.Transport | None:
        """Give the connection away: the library must not close it with the response; nor keep what it read with."""
        transport, self.transport = self.transport, None
        self._parser = self._payload = None
        self._buffer.clear()
        return transport

    def _read_head(self, data: bytes) -> None:
        end = _HEAD_END.search(data)
        if end is None:
            self._head = data
            if len(data) > _LONGEST_HEAD_BYTES:
                self._pass_on(data)
            return
        self._head = b""
        super().data_received(data[: end.end()])
        message, self._message = self._message, None
        rest = data[end.end() :]
        if message is not None and 100 <= message.code < 200 and message.code != 101:
            if rest:
                self._read_head(rest)
        elif message is not None and message.code == 200 and message.chunked and not message.compression:
            self.rest = bytearray(rest)
            self._leave_alone()
        else:
            self._pass_on(rest)

    def _pass_on(self, data: bytes) -> None:
        self._for_library = True
        if data:
            super().data_received(data)

    def _leave_alone(self) -> None:
        if self.transport is not None and self.rest:
            self.transport.pause_reading()


class HeadFirstConnector(aiohttp.TCPConnector):
    """Makes connections whose answers can be taken over."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        # There is no public way to say which protocol a connection has.
        self._factory = partial(HeadFirst, loop=asyncio.get_running_loop())  # type: ignore[assignment]


class Reception:
    """What the streams of one client share: the buffer that they receive into, and when they rest.

    A wake-up costs as much as some hundred lines. While there are many, streams are left alone after each read, until
    a moment that is the same for all: then each has many lines, and one wake-up serves them all.
    """

    def __init__(self) -> None:
        self.buffer = memoryview(bytearray(READ_BYTES))
        """One for all, as nothing comes between `get_buffer` and `buffer_updated`."""
        self._resting: list[TakenBody] = []
        self._window = -math.inf
        self._reads = 0
        self._many = False

    def rests(self, body: TakenBody) -> bool:
        """Note a read; return whether the stream rests after it. Then its `go_on` is called when that is over."""
        loop = asyncio.get_running_loop()
        now = loop.time()
        if now >= self._window + GATHER_SECONDS:
            self._many = self._reads > MANY_READS and now < self._window + 2 * GATHER_SECONDS
            self._window, self._reads = now, 0
        self._reads += 1
        if not self._many and self._reads <= MANY_READS:
            return False
        if not self._resting:
            loop.call_later(GATHER_SECONDS, self._go_on)
        self._resting.append(body)
        return True

    def _go_on(self) -> None:
        resting, self._resting = self._resting, []
        for body in resting:
            body.go_on()


class TakenBody(asyncio.BufferedProtocol):
    """The body of an answer in chunks, on a connection of its own.

    Reading stops while `UNREAD_BYTES` wait to be taken, and while the reception says that the stream rests.
    """

    __slots__ = ("_decoder", "_lost", "_reception", "_resting", "_transport", "_unread", "_waiter")

    def __init__(self, reception: Reception, rest: bytes) -> None:
        self._reception = reception
        self._decoder = ChunkDecoder()
        self._unread = rest
        self._waiter: asyncio.Future[None] | None = None
        self._transport: asyncio.Transport | None = None
        self._lost = True
        self._resting = False

    def take(self, transport: asyncio.Transport) -> None:
        """Take a connection over."""
        self._transport = transport
        self._lost = False
        transport.set_protocol(self)
        self._resume()

    @property
    def done(self) -> bool:
        """Whether the body has come to its end, and not only the connection."""
        return self._decoder.done

    async def read(self) -> bytes:
        """Return the next data as soon as there is any; b"" at the end, or where the connection was cut."""
        while not self._decoder.done:
            if not self._unread:
                if self._lost:
                    break
                await self._wait()
                continue
            unread, self._unread = self._unread, b""
            if len(unread) >= UNREAD_BYTES:
                self._resume()
            try:
                data = self._decoder.feed(unread)
            except ChunkedError as error:
                self.close()
                data = error.before
            if data:
                return data
        return b""

    def close(self) -> None:
        """Close the connection."""
        self._lost = True
        self._unread = b""
        if self._transport is not None:
            self._transport.close()

    def go_on(self) -> None:
        """Rest no longer."""
        self._resting = False
        self._resume()

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002  (the size is the buffer's)
        """Return where to receive."""
        return self._reception.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what was received."""
        received = self._reception.buffer[:nbytes]
        self._unread = b"".join((self._unread, received)) if self._unread else bytes(received)
        self._wake()
        self._resting = nbytes < BULK_BYTES and self._reception.rests(self)
        if self._transport is not None and (self._resting or len(self._unread) >= UNREAD_BYTES):
            self._transport.pause_reading()

    def eof_received(self) -> None:
        """Let the connection be closed."""

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  (a body that did not end was cut)
        """Note that nothing comes any more."""
        self._lost = True
        self._transport = None
        self._wake()

    def _resume(self) -> None:
        if self._transport is not None and not self._resting and len(self._unread) < UNREAD_BYTES:
            self._transport.resume_reading()

    async def _wait(self) -> None:
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    def _wake(self) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)


def take(response: aiohttp.ClientResponse, reception: Reception) -> TakenBody | None:
    """Take a response's connection over, if its body was kept for that; nothing more can be done with the response."""
    connection = response.connection
    protocol = connection.protocol if connection is not None else None
    if not isinstance(protocol, HeadFirst) or protocol.rest is None:
        return None
    body = TakenBody(reception, bytes(protocol.rest))
    transport = protocol.let_go()
    if transport is not None:
        body.take(transport)
    response.close()
    return body
