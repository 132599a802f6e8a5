"""The simulator's logs against those of a real server, byte for byte where no time or id is in them."""

from __future__ import annotations

import re
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import End, Pipeline, SimulatorServer, World, serve
from exporter.simulator.errors import runner_check_error, worker_panic
from tests.recordings import need_recordings
from tests.simulator.log_reader import LogReader, read_log
from tests.simulator.recordings import recording, stable_headers

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

need_recordings()

_OLD = "0.337.0"


def _stable(text: bytes) -> bytes:
    """Replace what differs from run to run: times, ids, ports, process ids."""
    text = re.sub(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", b"TIME", text)
    text = re.sub(rb"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", b"ID", text)
    return re.sub(rb"on port \d+", b"on port N", text)


def _numbers(text: bytes) -> bytes:
    return re.sub(rb"\.\.\. \d+ prior", b"... N prior", _stable(text))


@asynccontextmanager
async def _reading(
    name: str, query: str = "", version: str = "1.1"
) -> AsyncIterator[tuple[World, Pipeline, SimulatorServer, LogReader]]:
    world = World(version=_OLD)
    pipeline = world.create(name, compile_as=None)
    async with serve(world) as server, read_log(server.url, name, query, version=version) as reader:
        yield world, pipeline, server, reader


@pytest.mark.parametrize(
    ("name", "query", "version"),
    [
        ("03-logs-stopped", "", "1.1"),
        ("03-logs-cursor-empty", "?cursor=", "1.1"),
        ("03-logs-cursor-garbage", "?cursor=xyz", "1.1"),
        ("03-logs-gzip-requested", "", "1.1"),
        ("03-logs-http10", "", "1.0"),
        ("02-logs-race-0", "", "1.1"),
    ],
)
async def test_an_old_server_opens_as_recorded(name: str, query: str, version: str) -> None:
    """Headers and the first line are the real ones, with a cursor or without, also for HTTP/1.0."""
    expected = recording(name)

    async with _reading("badjar", query, version) as (_, _, _, reader):
        await reader.lines(1)

    assert (expected.status, expected.headers) == (reader.status, stable_headers(list(reader.headers.items())))
    assert _stable(expected.body) == _stable(reader.text)


async def test_a_clean_end_has_the_recorded_framing() -> None:
    """A stream that SIGTERM ended is, chunks and all, what was recorded."""
    expected = recording("03-logs-sigterm-raw").body.partition(b"\r\n\r\n")[2]

    async with _reading("evc") as (_, _, server, reader):
        await server.exit()
        assert "last chunk" == await reader.end()

    assert _stable(expected) == _stable(bytes(reader.raw))


@pytest.mark.parametrize(
    ("name", "end", "how"),
    [("03-logs-runner-hop-fin", End.CLEAN, "last chunk"), ("03-logs-runner-hop-rst", End.CUT, "cut")],
)
async def test_a_runner_that_dies_ends_with_the_recorded_bytes(name: str, end: End, how: str) -> None:
    """A FIN between API and runner ends the chunks, an RST does not."""
    expected = recording(name).body

    async with _reading("m-exit") as (world, _, _, reader):
        world.runner.stop(end)
        assert how == await reader.end()

    assert _stable(expected) == _stable(bytes(reader.raw))


async def test_a_deletion_ends_as_recorded() -> None:
    """The follower of a pipeline that is made anew sees the end of the old one."""
    expected = recording("02-reborn-logs-stream").body

    async with _reading("reborn") as (_, pipeline, _, reader):
        pipeline.recreate(None)
        assert "last chunk" == await reader.end()

    assert _stable(expected) == _stable(reader.text)


async def test_discarded_lines_are_told_as_recorded() -> None:
    """After 60,000 short lines a replay is the notice and the newest 50,000."""
    expected = recording("03-logs-catchup-discard-by-lines").body
    world = World(version=_OLD)
    pipeline = world.create("lg", compile_as=None)
    pipeline.log_lines([b"%d" % number for number in range(60_000)])

    async with serve(world) as server, read_log(server.url, "lg") as reader:
        lines = await reader.lines(50_001)

    assert _numbers(expected).split(b"\n")[:-1] == [_numbers(lines[0]), *lines[1:]]
    assert b" ... 10001 prior log lines were discarded" in lines[0]


async def test_a_giant_line_is_as_recorded() -> None:
    """Followers get it whole in chunks of 32,768 bytes; for later readers it is discarded with all before it."""
    live, after = recording("03-logs-giant-line-live").body, recording("03-logs-after-giant-line").body

    async with _reading("lg") as (_, pipeline, server, reader):
        for line in ("before the giant", "G" * 1_500_000, "after the giant"):
            pipeline.log(line)
        lines = await reader.lines(4)
        async with read_log(server.url, "lg") as later:
            await later.lines(2)

    shortened = b"\n".join(lines[1:]).replace(b"G" * 1_500_000, b"<1,500,000 x G>") + b"\n"
    assert live == shortened
    assert [32_768] * 45 == [len(chunk) for chunk in reader.chunks[2:47]]
    assert _numbers(after) == _numbers(later.text)


async def test_unfound_pipelines_answer_as_recorded() -> None:
    """Right after a start the answer is 404, chunked, empty, and without a type."""
    import aiohttp

    expected = recording("03-logs-404-right-after-manager-start")
    world = World(version=_OLD)
    world.create("evc", compile_as=None)
    world.runner.restart()

    async with (
        serve(world) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v0/pipelines/evc/logs") as response,
    ):
        actual = (response.status, stable_headers(list(response.headers.items())), await response.read())

    assert (expected.status, expected.headers, expected.body) == actual


@pytest.mark.parametrize(
    ("name", "fault"), [("03-logs-runner-down", "runner_down"), ("03-logs-runner-silent", "runner_silent")]
)
def test_an_unreachable_runner_answers_as_recorded(name: str, fault: str) -> None:
    """The 503 of a runner that is down or silent is the recorded one."""
    from exporter.simulator import LOG_FAULTS

    expected = recording(name)
    answer = LOG_FAULTS[fault].answer
    assert answer is not None

    headers = [*answer.headers.items(), ("content-type", answer.content_type or "")]
    assert (expected.status, expected.headers) == (answer.status, stable_headers(headers))
    assert expected.body == answer.body.raw


def _live(world: World, pipeline: Pipeline) -> None:
    """Do what was done to the recorded pipeline."""

    def start(*, paused: bool = False) -> None:
        pipeline.start(paused=paused)
        world.advance(10)

    world.advance(10)
    start()
    pipeline.pause()
    pipeline.resume()
    pipeline.change_details()
    pipeline.stop()
    world.advance(10)
    start(paused=True)
    for error in (
        runner_check_error(),
        runner_check_error("Pipeline process exited prematurely with signal: 9 (SIGKILL)"),
        runner_check_error("Pipeline process exited prematurely with exit status: 0"),
        worker_panic(),
    ):
        pipeline.crash(error)
        world.advance(10)
        if error["error_code"] == "RunnerCheckError":
            start()
    pipeline.clear_storage()
    world.advance(10)
    pipeline.delete()


def _streams(text: bytes) -> list[list[bytes]]:
    """Part the lines of the runner, of the process's stderr and of its stdout, whose order among them is chance."""
    lines = _stable(text).split(b"\n")
    heads = (b"[manager]", b"[life]")
    parts = [[line for line in lines if line.startswith(head)] for head in heads]
    return [*parts, [line for line in lines if not line.startswith(heads)]]


async def test_a_life_writes_the_log_of_a_real_one() -> None:
    """Five runs with a panic, a SIGKILL, an exit and a fatal error give the recorded lines, to the deletion."""
    expected = recording("04-life-logs-whole-stream").body
    world = World(version=_OLD)
    pipeline = world.create("life")

    async with serve(world) as server, read_log(server.url, "life") as reader:
        await reader.lines(1)
        _live(world, pipeline)
        assert "last chunk" == await reader.end()

    assert _streams(expected) == _streams(reader.text)


async def test_json_lines_are_as_recorded() -> None:
    """With `FELDERA_LOG_JSON` the lines of runner and process are the recorded objects; raw text stays raw."""
    expected = recording("03-logs-json-mode").body.split(b"\n")
    world = World(version=_OLD)
    pipeline = world.create("m-states")
    pipeline.style.json = True
    world.advance(10)
    pipeline.start()
    world.advance(10)
    pipeline.crash(runner_check_error("Pipeline process exited prematurely with exit status: 3"))
    world.advance(10)

    wanted = [_stable(line) for line in expected if line.startswith(b'{"')]
    assert wanted == [_stable(line) for line in pipeline.logs.buffer.lines if line.startswith(b'{"')]
