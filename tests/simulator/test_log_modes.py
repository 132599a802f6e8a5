"""Reading logs with and without a cursor, from servers of every version."""

from __future__ import annotations

import aiohttp
import msgspec
import pytest
from yarl import URL

from exporter.simulator import Pipeline, World, serve
from tests.simulator.log_reader import read_log


def _world(version: str = "0.375.0") -> tuple[World, Pipeline]:
    world = World(version=version)
    pipeline = world.create("p", compile_as=None)
    return world, pipeline


async def _get(url: str, path: str) -> tuple[int, str | None, bytes]:
    async with aiohttp.ClientSession() as session, session.get(URL(url + path, encoded=True)) as response:
        return response.status, response.headers.get("content-type"), await response.read()


async def test_every_connection_replays_the_buffer_and_follows() -> None:
    """Without a cursor two readers get the same from the beginning, each chunk a line, and no position."""
    world, pipeline = _world()
    pipeline.log("one")
    async with serve(world) as server, read_log(server.url, "p") as first, read_log(server.url, "p") as second:
        pipeline.log("two\r\n\nthree\rhere")
        expected = [b"one", b"two", b"", b"three\rhere"]

        for reader in (first, second):
            lines = await reader.lines(5)
            assert b"Fresh start of pipeline logs" in lines[0]
            assert expected == lines[1:]
            assert [line + b"\n" for line in lines] == reader.chunks
            assert (None, None, None) == reader.position


async def test_a_cursor_goes_on_where_the_last_stream_ended() -> None:
    """An empty cursor begins with the first line, number 1; the next one after what was read; each line comes once."""
    world, pipeline = _world("0.350.0")
    epoch = pipeline.logs.epoch
    async with serve(world) as server:
        async with read_log(server.url, "p", "?cursor=") as reader:
            pipeline.log("one")
            assert 2 == len(await reader.lines(2))
            assert (epoch, "0", "0") == reader.position
        pipeline.log("two")
        async with read_log(server.url, "p", f"?cursor={epoch}:2") as reader:
            assert [b"two"] == await reader.lines(1)
            assert (epoch, "2", "0") == reader.position


async def test_a_gap_says_how_many_lines_are_gone() -> None:
    """An old position, an empty cursor and a stale epoch get what there is, and the number of lines lost to them."""
    world, pipeline = _world()
    epoch = pipeline.logs.epoch
    pipeline.log_lines([b"%d" % number for number in range(50_009)])
    stale = f"{epoch[:-1]}{'0' if epoch[-1] != '0' else '1'}"
    async with serve(world) as server:
        for cursor, gap in ((f"{epoch}:4", "6"), ("", "10"), (f"{stale}:49000", "10")):
            async with read_log(server.url, "p", f"?cursor={cursor}") as reader:
                assert [b"9"] == (await reader.lines(1))[:1]
                assert (epoch, "10", gap) == reader.position


async def test_a_cursor_beyond_the_end_waits_for_the_next_line() -> None:
    """Such a position is clamped to the end of the log."""
    world, pipeline = _world()
    epoch = pipeline.logs.epoch
    async with serve(world) as server, read_log(server.url, "p", f"?cursor={epoch}:99") as reader:
        assert (epoch, "1", "0") == reader.position
        pipeline.log("next")
        assert [b"next"] == await reader.lines(1)


@pytest.mark.parametrize(
    ("cursor", "error"),
    [
        ("41272", "expected the form <epoch>:<sequence>, got '41272'"),
        ("x:1", "epoch 'x' is not a valid UUID: invalid character"),
        ("0199c3f1-2d0a-7e84-b711-6f2c9a1d4e08:", "sequence '' is not a valid number: cannot parse integer from empty"),
        ("0199c3f1-2d0a-7e84-b711-6f2c9a1d4e08:-1", "sequence '-1' is not a valid number: invalid digit found"),
        ("0199c3f1-2d0a-7e84-b711-6f2c9a1d4e08:99999999999999999999", "is not a valid number: number too large"),
    ],
)
async def test_a_bad_cursor_is_refused(cursor: str, error: str) -> None:
    """What no server can have sent is 400 with a code of its own; an older server does not look at it."""
    world, _ = _world()
    async with serve(world) as server:
        status, _, body = await _get(server.url, f"/v0/pipelines/p/logs?cursor={cursor}")
        world.version = "0.349.9"
        async with read_log(server.url, "p", f"?cursor={cursor}") as reader:
            assert (200, (None, None, None)) == (reader.status, reader.position)
    answer = msgspec.json.decode(body)

    assert (400, "InvalidLogCursorParam", cursor) == (status, answer["error_code"], answer["details"]["value"])
    assert error in answer["details"]["error"]


async def test_a_server_is_upgraded_and_rolled_back() -> None:
    """The same request is answered as the version of the moment does, while older streams go on as they began."""
    world, pipeline = _world("0.337.0")
    async with serve(world) as server, read_log(server.url, "p", "?cursor=") as legacy:
        world.version = "0.350.0"
        async with read_log(server.url, "p", "?cursor=") as newer:
            world.version = "0.337.0"
            async with read_log(server.url, "p", "?cursor=") as older:
                pipeline.log("line")
                for reader in (legacy, newer, older):
                    assert b"line" == (await reader.lines(2))[1]

    assert [None, "0", None] == [reader.position[1] for reader in (legacy, newer, older)]


async def test_the_buffer_alone_can_be_asked_for() -> None:
    """`follow=false` ends after what there is; with a cursor it is refused, and older servers do not know it."""
    world, pipeline = _world()
    pipeline.log("one")
    async with serve(world) as server:
        async with read_log(server.url, "p", "?follow=false") as reader:
            assert "last chunk" == await reader.end()
            assert [b"one", b""] == reader.text.split(b"\n")[1:]
        status, _, body = await _get(server.url, f"/v0/pipelines/p/logs?cursor={pipeline.logs.epoch}:1&follow=false")
        empty, *_ = await _get(server.url, "/v0/pipelines/p/logs?cursor=&follow=false")
        bad = await _get(server.url, "/v0/pipelines/p/logs?follow=no")
        world.version = "0.369.0"
        async with read_log(server.url, "p", "?follow=false") as reader:
            pipeline.log("two")
            assert b"two" == (await reader.lines(3))[2]

    assert (400, "InvalidLogCursorParam") == (status, msgspec.json.decode(body)["error_code"])
    assert 400 == empty
    assert (400, "text/plain; charset=utf-8") == bad[:2]


async def test_a_dropped_reader_is_not_told_where_it_is() -> None:
    """Dropped before its first line, a reader gets 200 without position and an end: marked only without a cursor."""
    world, _ = _world()
    world.runner.drops = 2
    async with serve(world) as server:
        for query, expected in (("?cursor=", b""), ("", b"Logs have ended\n")):
            async with read_log(server.url, "p", query) as reader:
                assert (200, (None, None, None)) == (reader.status, reader.position)
                assert "last chunk" == await reader.end()
                assert expected == reader.text
        async with read_log(server.url, "p", "?cursor=") as reader:
            assert "0" == reader.position[1]


async def test_logs_are_kept_while_a_pipeline_stops_and_starts() -> None:
    """A stop and a start write their lines into the same log."""
    world = World()
    pipeline = world.create("p")
    world.advance(20)
    epoch = pipeline.logs.epoch
    for _ in range(2):
        pipeline.start()
        world.advance(20)
        pipeline.stop()
        world.advance(20)
    text = b"\n".join(pipeline.logs.buffer.lines)

    assert epoch == pipeline.logs.epoch
    assert 2 == text.count(b"Resources transition: stopping -> stopped (desired: stopped)")
    assert 2 == text.count(b"Pipeline configuration loaded successfully: {")


async def test_a_new_pipeline_has_no_log_for_a_moment() -> None:
    """Until the runner has found it, and for 2 s after the runner's start, a pipeline's log is 404 without a body."""
    world = World()
    world.runner.discovery_seconds = 0.02
    world.create("p", compile_as=None)
    async with serve(world) as server:
        path = "/v0/pipelines/p/logs"
        new = await _get(server.url, path)
        world.advance(0.02)
        async with read_log(server.url, "p") as reader:
            assert 200 == reader.status
        world.runner.restart()
        restarted = await _get(server.url, path)
        world.advance(2)
        async with read_log(server.url, "p") as reader:
            assert 200 == reader.status

    assert [(404, None, b"")] * 2 == [new, restarted]
