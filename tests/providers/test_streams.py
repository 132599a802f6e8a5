"""Endless answers over real connections: what comes out, and how they end, whatever the server's way to send."""

from __future__ import annotations

import asyncio
import gzip
import ssl
from typing import TYPE_CHECKING

import pytest
import trustme

from exporter.providers.budget import Priority
from exporter.providers.errors import StatusError
from exporter.providers.taken import (
    MANY_READS,
    UNREAD_BYTES,
    Reception,
    TakenBody,
)
from tests.providers.loopback import Act, answer, asking, cut, loopback

if TYPE_CHECKING:
    from exporter.providers.streams import ByteStream

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n"
LIBRARYS_READ_BYTES = 256 * 1024
"""The first read, of the head, is the event loop's own."""
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
CHUNKS = b"4\r\none\n\r\n4;x=y\r\ntwo\n\r\n0\r\nTrailer: t\r\n\r\n"
ZIPPED = gzip.compress(b"one\ntwo\n", mtime=0)


def in_pieces(*pieces: bytes) -> Act:
    """Send pieces, each after the one before has left, and close the connection."""

    async def act(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0)

    return act


async def all_of(stream: ByteStream) -> tuple[bytes, str | None]:
    """Read a stream to its end; return its data and how it ended."""
    parts = []
    while data := await stream.read():
        parts.append(data)
    await stream.close()
    return b"".join(parts), stream.end


async def received(*pieces: bytes) -> tuple[bytes, str | None]:
    """Return what a client makes of an answer in these pieces."""
    async with loopback(in_pieces(*pieces)) as server, asking(server.url) as asked:
        return await all_of(await asked.client.stream("/", priority=Priority.OPEN))


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        (CHUNKED + CHUNKS, (b"one\ntwo\n", "end")),
        (CHUNKED + CHUNKS[:-1], (b"one\ntwo\n", "cut")),
        (CHUNKED + CHUNKS[:15], (b"one\n", "cut")),
        (CHUNKED + CHUNKS[:18], (b"one\ntw", "cut")),
        (CHUNKED + b"4\r\none\n\r\nnonsense\r\n4\r\ntwo\n\r\n", (b"one\n", "cut")),
        (CHUNKED, (b"", "cut")),
        (CHUNKED + b"0\r\n\r\n", (b"", "end")),
        (HEAD + b"Content-Length: 4\r\n\r\none\n", (b"one\n", "end")),
        (HEAD + b"Content-Length: 9\r\n\r\none\n", (b"one\n", "cut")),
        (HEAD + b"Connection: close\r\n\r\none\n", (b"one\n", "end")),
        (HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(ZIPPED) + ZIPPED, (b"one\ntwo\n", "end")),
        (
            HEAD
            + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n"
            % (len(ZIPPED), ZIPPED),
            (b"one\ntwo\n", "end"),
        ),
        (b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + CHUNKED + CHUNKS, (b"one\ntwo\n", "end")),
        ((CHUNKED + CHUNKS).replace(b"\r\n", b"\n"), (b"one\ntwo\n", "end")),
    ],
)
async def test_data_and_end_of_every_kind_of_answer(reply: bytes, expected: tuple[bytes, str]) -> None:
    """All data before the end or a cut is given out, and a cut is told from an end."""
    assert expected == await received(reply)


@pytest.mark.parametrize("at", range(1, len(CHUNKED + CHUNKS)))
async def test_the_answer_may_be_parted_anywhere(at: int) -> None:
    """Also within the head and within a chunk's size."""
    reply = CHUNKED + CHUNKS

    assert (b"one\ntwo\n", "end") == await received(reply[:at], reply[at:])


async def test_over_tls() -> None:
    """A connection over TLS is taken over as well."""
    authority = trustme.CA()
    theirs, ours = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(theirs)
    authority.configure_trust(ours)
    lines = b"".join(
        b"%x\r\n%b\r\n" % (len(line), line) for line in (b"line %d\n" % number for number in range(50_000))
    )
    act = in_pieces(CHUNKED, lines, b"0\r\n\r\n")
    async with loopback(act, tls=theirs) as server, asking(server.url, ssl_context=ours) as asked:
        data, end = await all_of(await asked.client.stream("/", priority=Priority.OPEN))

    assert (b"".join(b"line %d\n" % number for number in range(50_000)), "end") == (data, end)


async def test_through_a_proxy() -> None:
    """Through a proxy the stream is the same."""
    async with loopback(cut(CHUNKED + CHUNKS)) as proxy, asking("http://feldera.example", proxy=proxy.url) as asked:
        assert (b"one\ntwo\n", "end") == await all_of(await asked.client.stream("/", priority=Priority.OPEN))
        assert ["http://feldera.example/"] == [request.target for request in proxy.requests]


async def test_what_nobody_reads_stays_with_the_server() -> None:
    """A slow reader holds no more than is left unread and one read more; nothing of it is lost."""
    line = b"400\r\n" + b"x" * 1023 + b"\n\r\n"
    act = in_pieces(CHUNKED, *[line * 1024] * 20, b"0\r\n\r\n")
    async with loopback(act) as server, asking(server.url) as asked:
        stream = await asked.client.stream("/", priority=Priority.OPEN)
        body = stream._body
        assert isinstance(body, TakenBody)
        assert body._transport is not None
        while body._transport.is_reading():  # noqa: ASYNC110  (nobody tells)
            await asyncio.sleep(0)
        assert UNREAD_BYTES <= len(body._unread) < UNREAD_BYTES + LIBRARYS_READ_BYTES
        assert ((b"x" * 1023 + b"\n") * 1024 * 20, "end") == await all_of(stream)


async def test_a_status_that_is_none_is_counted_among_the_others() -> None:
    """A server that makes up statuses cannot make up labels, for streams no more than for other answers."""
    async with loopback(answer(b"{}", status="799 What")) as server, asking(server.url) as asked:
        with pytest.raises(StatusError):
            await asked.client.stream("/", priority=Priority.OPEN)
        assert {"other": 1} == asked.codes


async def test_a_client_that_closes_ends_its_streams() -> None:
    """A reader that waits hears of it, and the server too."""
    gone = asyncio.Event()

    async def act(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(CHUNKED)
        await reader.read()
        gone.set()

    async with loopback(act) as server, asking(server.url) as asked:
        stream = await asked.client.stream("/", priority=Priority.OPEN)
        reading = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        await asked.client.close()
        assert b"" == await reading
        assert "cut" == stream.end
        await gone.wait()


class Resting:
    """A stream that notes when it may go on."""

    def __init__(self) -> None:
        self.gone_on = asyncio.Event()

    def go_on(self) -> None:
        """Note it."""
        self.gone_on.set()


async def test_streams_rest_together_while_there_are_many_reads() -> None:
    """Few reads are all let through; then streams rest, and all go on at the same moment."""
    reception = Reception()
    few = [reception.rests(Resting()) for _ in range(MANY_READS)]  # type: ignore[arg-type]  # what is used of a body
    one, other = Resting(), Resting()
    many = [reception.rests(one), reception.rests(other)]  # type: ignore[arg-type]  # what is used of a body
    await one.gone_on.wait()

    assert [False] * MANY_READS == few
    assert [True, True] == many
    assert other.gone_on.is_set()
