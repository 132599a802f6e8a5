"""The simulated Apify on a socket, beside the other vendors."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import aiohttp
import pytest

from exporter.simulator import End, Faults, World, serve
from exporter.simulator.apify import APIFY_FAULTS, APIFY_REFUSALS, ApifyWorld

if TYPE_CHECKING:
    from exporter.simulator.apify import Job


def _run() -> Job:
    return ApifyWorld().add_actor("shop").start_run()


async def _get(url: str, path: str) -> tuple[int, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url + path) as response:
        return response.status, await response.read()


async def test_each_vendor_has_its_own_paths() -> None:
    """`/v2` is Apify's, `/v0` and what is no one else's Feldera's, and without a world of Apify so is `/v2`."""
    world = World()
    world.create("p")
    run = _run()
    async with serve(world, apify=run.world) as server:
        apify = await _get(server.url, f"/v2/actor-runs/{run.id}")
        feldera = await _get(server.url, "/v0/pipelines")
        health = await _get(server.url, "/healthz")
    async with serve(world) as server:
        console = await _get(server.url, "/v2/actor-runs")

    assert [200] * 4 == [status for status, _ in (apify, feldera, health, console)]
    assert run.id.encode() in apify[1]
    assert b'"name":"p"' in feldera[1]
    assert (True, True) == (b"healthy" in health[1], b"web console" in console[1])


async def test_a_stream_replays_follows_and_ends_with_its_job() -> None:
    """It begins with what the job wrote already, goes on as it writes, and ends cleanly when it ends."""
    run = _run()
    run.write(b"one\n")
    async with (
        serve(apify=run.world) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v2/actor-runs/{run.id}/log?stream=1") as response,
    ):
        first = await response.content.readline()
        run.write("tw\u00f6\n".encode())
        second = await response.content.readline()
        run.finish()
        rest = await response.content.read()
        await server.streams(0)

    assert (b"one\n", "tw\u00f6\n".encode(), b"") == (first, second, rest)
    assert ("text/plain; charset=utf-8", "chunked") == tuple(
        response.headers[name] for name in ("content-type", "transfer-encoding")
    )


async def test_chunks_can_end_inside_of_characters() -> None:
    """With a size of chunks given, a chunk ends anywhere."""
    run = _run()
    run.write("ž\n".encode() * 2)
    run.finish()
    chunks = []
    async with (
        serve(apify=run.world, log_chunk_bytes=1) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v2/logs/{run.id}?stream=1") as response,
    ):
        rest = b""
        async for data, is_end in response.content.iter_chunks():
            rest += data
            if is_end:
                chunks.append(rest)
                rest = b""

    assert [b"\xc5", b"\xbe", b"\n"] * 2 == chunks


@pytest.mark.parametrize("end", [End.CLEAN, End.CUT, End.RESET])
async def test_streams_of_running_jobs_are_cut(end: End) -> None:
    """A stream ends early in every way, and only a clean end looks like one; the job goes on."""
    run = _run()
    run.write(b"one\n")
    async with (
        serve(apify=run.world) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v2/logs/{run.id}?stream=1") as response,
    ):
        await response.content.readline()
        run.end_streams(end)
        broken = False
        try:
            await response.content.read()
        except aiohttp.ClientError:
            broken = True
        await server.streams(0)

    assert (end is not End.CLEAN, "RUNNING") == (broken, run.status)


async def test_a_client_waits_for_the_end_of_a_run() -> None:
    """`waitForFinish` holds the answer until the run has ended."""
    run = _run()
    async with serve(apify=run.world) as server:
        waiting = asyncio.create_task(_get(server.url, f"/v2/actor-runs/{run.id}?waitForFinish=60"))
        await server.seen(1)
        run.finish()
        status, body = await waiting

    assert (200, True) == (status, b'"status":"SUCCEEDED"' in body)


async def test_a_server_that_stops_lets_no_one_wait() -> None:
    """Streams and waiting clients are answered when the server stops."""
    run = _run()
    run.write(b"one\n")
    async with serve(apify=run.world) as server:
        waiting = asyncio.create_task(_get(server.url, f"/v2/actor-runs/{run.id}?waitForFinish=60"))
        reading = asyncio.create_task(_get(server.url, f"/v2/logs/{run.id}?stream=1"))
        await server.seen(2)
        await server.streams(1)
        await server.stop()

        assert [200, 200] == [status for status, _ in await asyncio.gather(waiting, reading)]


async def test_faults_are_ordered_in_the_words_of_apify() -> None:
    """A rate limit, and a refusal, have Apify's envelope; half of a stream looks like an end of it."""
    run = _run()
    run.write(b"one\ntwo\n")
    faults = Faults()
    path = f"/v2/logs/{run.id}"
    faults.next(1, path, APIFY_FAULTS["rate_limited_wait"])
    faults.next(1, path, APIFY_REFUSALS["unauthorized"])
    faults.next(1, path, APIFY_FAULTS["truncated"])
    async with serve(apify=run.world, faults=faults) as server:
        found = [await _get(server.url, f"{path}?stream=1") for _ in range(3)]

    assert [429, 401, 200] == [status for status, _ in found]
    assert (True, True, b"one\n") == (b"rate-limit-exceeded" in found[0][1], b"token" in found[1][1], found[2][1])


def test_faults_by_chance_are_those_of_the_vendor() -> None:
    """What goes wrong by chance at Apify's paths is out of Apify's own table, all of it."""
    faults = Faults(rate=1.0, seed=3)
    for _ in range(300):
        faults.pick("/v2/actors", _run().world.api(None).faults)

    assert set(APIFY_FAULTS) == set(faults.injected)
