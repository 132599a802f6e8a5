"""Every way for a log stream to end, and every way for none to begin."""

from __future__ import annotations

import asyncio

import aiohttp
import msgspec
import pytest

from exporter.simulator import End, Faults, Pipeline, SimulatorServer, World, serve
from exporter.simulator.log_follower import QUEUE_LINES
from tests.simulator.log_reader import read_log


def _world(version: str = "0.375.0") -> tuple[World, Pipeline]:
    world = World(version=version)
    pipeline = world.create("p", compile_as=None)
    return world, pipeline


async def _get(server: SimulatorServer, name: str = "p") -> tuple[int, str | None, bytes]:
    async with aiohttp.ClientSession() as session, session.get(f"{server.url}/v0/pipelines/{name}/logs") as response:
        return response.status, response.headers.get("retry-after"), await response.read()


@pytest.mark.parametrize(("query", "marker"), [("", [b"Logs have ended"]), ("?cursor=", [])])
async def test_a_deletion_is_told_where_there_is_no_cursor(query: str, marker: list[bytes]) -> None:
    """Deletion ends the stream cleanly after what was written; then the name is unknown, or another log's."""
    world, pipeline = _world()
    async with serve(world) as server, read_log(server.url, "p", query) as reader:
        await reader.lines(1)
        pipeline.log("last")
        other = pipeline.recreate(None)
        assert "last chunk" == await reader.end()
        assert [b"last", *marker, b""] == reader.text.split(b"\n")[1:]
        async with read_log(server.url, "p", "?cursor=") as again:
            assert [other.logs.epoch, "0", "0"] == [*again.position]
            assert other.id.encode() in (await again.lines(1))[0]
        other.delete()
        status, _, body = await _get(server)

    assert (404, "UnknownPipelineName") == (status, msgspec.json.decode(body)["error_code"])


async def test_an_open_stream_survives_a_rename() -> None:
    """Lines after a rename come with the new name, and new readers must ask for that."""
    world, pipeline = _world()
    pipeline.compile()
    world.advance(20)
    async with serve(world) as server, read_log(server.url, "p") as reader:
        pipeline.rename("renamed")
        pipeline.start()
        world.advance(1)
        assert b'pipeline-name="renamed"' in (await reader.lines(2))[1]
        assert 404 == (await _get(server))[0]


@pytest.mark.parametrize(
    ("end", "expected"), [(End.CLEAN, "last chunk"), (End.CUT, "cut"), (End.RESET, "reset"), (End.KILLED, "cut")]
)
async def test_a_runner_that_dies_ends_streams_without_a_marker(end: End, expected: str) -> None:
    """The stream ends cleanly or cut; the API says 503 until the runner is back, with a new log."""
    world, pipeline = _world()
    async with serve(world) as server:
        async with read_log(server.url, "p", "?cursor=") as reader:
            await reader.lines(1)
            world.runner.stop(end)
            assert expected == await reader.end()
            assert 1 == reader.text.count(b"\n")
        status, retry_after, body = await _get(server)
        assert (503, "5", "RunnerInteractionUnreachable") == (
            status,
            retry_after,
            msgspec.json.decode(body)["error_code"],
        )
        pipeline.log("nobody hears this")
        world.runner.start()
        world.advance(2)
        async with read_log(server.url, "p", f"?cursor={reader.position[0]}:1") as again:
            assert b"Fresh start" in (await again.lines(1))[0]
            assert (True, "0", "0") == (again.position[0] != reader.position[0], *again.position[1:])


@pytest.mark.parametrize(("end", "expected"), [(End.CLEAN, "last chunk"), (End.CUT, "cut")])
async def test_lines_go_on_after_sigterm(end: End, expected: str) -> None:
    """Nobody comes in any more, open streams go on and then end, cleanly or not, with all that was written."""
    world, pipeline = _world()
    async with serve(world) as server:
        async with read_log(server.url, "p") as reader:
            await reader.lines(1)
            await server.terminate()
            pipeline.log("while it stops")
            assert b"while it stops" == (await reader.lines(2))[1]
            with pytest.raises(aiohttp.ClientConnectorError):
                await _get(server)
            pipeline.log("at last")
            await server.exit(end)
            assert expected == await reader.end()
            assert b"at last\n" == reader.chunks[2]
        await server.restart()
        assert (404, None, b"") == await _get(server)
        world.advance(2)
        async with read_log(server.url, "p") as reader:
            assert b"Fresh start" in (await reader.lines(1))[0]


async def test_a_killed_manager_cuts_in_the_middle_of_a_line() -> None:
    """What the server had begun to send ends without its end, and pipelines that ran can fail with it."""
    world, pipeline = _world()
    pipeline.compile()
    world.advance(20)
    pipeline.start()
    world.advance(20)
    async with serve(world) as server:
        async with read_log(server.url, "p") as reader:
            await reader.lines(2)
            await server.kill(torn=b"half of a li")
            assert "cut" == await reader.end()
            assert reader.raw.endswith(b"\r\nD\r\nhalf of a li")
        with pytest.raises(aiohttp.ClientConnectorError):
            await _get(server)
        await server.restart(terminated=True)
        world.advance(2)
        async with read_log(server.url, "p") as reader:
            lines = await reader.lines(5)

    assert b"The pipeline-manager and this pipeline were previously terminated. Start the pipeline again." in lines[1]
    assert b"Resources transition: stopping -> stopped (desired: stopped)" in lines[4]


@pytest.mark.parametrize(("query", "marker"), [("", b"Logs have ended\n"), ("?cursor=", b"")])
async def test_a_slow_reader_is_dropped_with_what_looks_like_a_normal_end(query: str, marker: bytes) -> None:
    """Whose queue is full gets what is in it, and then an end as after a deletion, with lines missing."""
    world, pipeline = _world()
    async with serve(world) as server, read_log(server.url, "p", query) as reader:
        await reader.lines(1)
        (follower,) = pipeline.logs.followers
        pipeline.log_lines([b"%d" % number for number in range(QUEUE_LINES)])
        assert (None, QUEUE_LINES) == (follower.end, follower.queued)
        pipeline.log("one too many")
        assert 0 == len(pipeline.logs.followers)
        assert "last chunk" == await reader.end()

    assert (QUEUE_LINES + 1, True) == (
        reader.text.removesuffix(marker).count(b"\n"),
        reader.text.endswith(b"\n%d\n" % (QUEUE_LINES - 1) + marker),
    )


async def test_a_reader_that_does_not_read_fills_its_queue_and_not_the_memory() -> None:
    """The server writes no faster than is read, and even then can be killed at once."""
    world, pipeline = _world()
    async with serve(world) as server, read_log(server.url, "p") as reader:
        await reader.lines(1)
        (follower,) = pipeline.logs.followers
        while follower.queued < 10_000:
            pipeline.log_lines([b"x" * 1_000] * 1_000)
            await asyncio.sleep(0)
        await server.kill()
        assert "last chunk" != await reader.end()


async def test_one_stream_can_be_cut_alone() -> None:
    """A test cuts the streams of a pipeline while its log and the server go on."""
    world, pipeline = _world()
    async with serve(world) as server:
        async with read_log(server.url, "p", "?cursor=") as reader:
            pipeline.log("before")
            await reader.lines(2)
            pipeline.end_streams(End.RESET)
            assert "reset" == await reader.end()
        pipeline.log("after")
        async with read_log(server.url, "p", f"?cursor={reader.position[0]}:2") as again:
            assert [b"after"] == await again.lines(1)


@pytest.mark.parametrize(
    ("fault", "status", "retry_after", "code"),
    [
        ("runner_down", 503, "5", "RunnerInteractionUnreachable"),
        ("runner_silent", 503, "5", "RunnerInteractionUnreachable"),
        ("channel_full", 503, "5", "RunnerInteractionLogFollowRequestChannelFull"),
        ("channel_closed", 500, None, "RunnerInteractionLogFollowRequestChannelClosed"),
    ],
)
async def test_faults_between_api_and_runner(fault: str, status: int, retry_after: str | None, code: str) -> None:
    """Each is an error with its code, once; nobody follows by it."""
    world, pipeline = _world()
    faults = Faults()
    faults.next(1, "/v0/pipelines/*/logs", fault)
    async with serve(world, faults=faults) as server:
        actual = await _get(server)
        assert 0 == len(pipeline.logs.followers)
        async with read_log(server.url, "p") as reader:
            assert 200 == reader.status

    assert (status, retry_after, code) == (*actual[:2], msgspec.json.decode(actual[2])["error_code"])


async def test_a_reader_that_leaves_is_forgotten() -> None:
    """When a connection is closed its queue goes with it."""
    world, pipeline = _world()
    async with serve(world) as server:
        async with read_log(server.url, "p") as reader:
            await reader.lines(1)
            assert 1 == len(pipeline.logs.followers)
        await server.streams(0)

    assert 0 == len(pipeline.logs.followers)


@pytest.mark.parametrize("fault", ["cut_middle", "truncated", "database_down"])
async def test_faults_of_every_request_hit_logs_too(fault: str) -> None:
    """A log can be cut, short or an error like any other answer, and nobody follows by it."""
    world, pipeline = _world()
    faults = Faults()
    faults.next(1, "*", fault)
    async with (
        serve(world, faults=faults) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v0/pipelines/p/logs") as response,
    ):
        if fault == "cut_middle":
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        else:
            assert b"N/A" not in await response.read()

    assert 0 == len(pipeline.logs.followers)


async def test_a_log_that_is_lost_while_it_is_asked_for_ends_at_once() -> None:
    """Who comes to a log that has just ended gets what it held and the end."""
    world, pipeline = _world()
    logs = pipeline.logs
    world.runner.restart(End.CUT)
    follower = logs.follow()

    assert (1, End.CUT) == (follower.queued, follower.end)
