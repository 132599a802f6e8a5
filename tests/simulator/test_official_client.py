"""The official client, unchanged, against the simulator."""

from __future__ import annotations

import asyncio
from itertools import islice
from typing import Any

import pytest

from exporter.simulator import End, World, lively_world, serve

pytestmark = pytest.mark.integration


def _read(url: str) -> tuple[list[Any], list[dict[str, Any]], dict[str, Any], dict[str, Any]]:
    from feldera import FelderaClient

    client = FelderaClient(url)
    name = client.pipelines()[0].name
    events = client.get_pipeline_events(name)
    one = client.get_pipeline_event(name, events[-1]["event_id"], selector="all")
    return client.pipelines(), events, one, client.get_cluster_event("latest")


@pytest.mark.filterwarnings("default")  # the client's own dependencies warn as they like
async def test_the_official_client_reads_the_simulator() -> None:
    """It lists pipelines and events and reads a single event and the health of the cluster."""
    world = lively_world(8, version="0.369.0")
    async with serve(world) as server:
        pipelines, events, one, cluster = await asyncio.to_thread(_read, server.url)

    assert [pipeline.name for pipeline in world.pipelines.values()] == [pipeline.name for pipeline in pipelines]
    first = next(iter(world.pipelines.values()))
    assert [event.document("status") for event in reversed(first.history.events)] == events
    assert first.history.events[0].document("all") == one
    assert cluster["all_healthy"] is True


def _follow(url: str, cursor: str | None, count: int) -> tuple[list[str], str, int]:
    from feldera import FelderaClient

    with FelderaClient(url).resume_pipeline_logs("p", cursor) as stream:
        return list(islice(stream, count)), stream.cursor(), stream.position.gap


@pytest.mark.filterwarnings("default")
async def test_the_official_client_follows_and_resumes_logs() -> None:
    """It reads live lines, goes on by its cursor after a cut, is told of lost lines, and survives a new log."""
    world = World(version="0.369.0")
    pipeline = world.create("p", compile_as=None)
    async with serve(world) as server:
        reading = asyncio.create_task(asyncio.to_thread(_follow, server.url, None, 4))
        await server.streams(1)
        for line in ("one", "", "th\rree"):
            pipeline.log(line)
        lines, cursor, gap = await reading
        assert (["one", "", "th\rree"], f"{pipeline.logs.epoch}:4", 0) == (lines[1:], cursor, gap)

        await server.streams(0)
        reading = asyncio.create_task(asyncio.to_thread(_follow, server.url, cursor, 99))
        await server.streams(1)
        pipeline.log("five")
        pipeline.end_streams(End.CLEAN)
        assert (["five"], f"{pipeline.logs.epoch}:5", 0) == await reading

        pipeline.log_lines([b"more"] * 50_009)
        lines, _, gap = await asyncio.to_thread(_follow, server.url, f"{pipeline.logs.epoch}:5", 50_000)
        assert (["more"] * 50_000, 9) == (lines, gap)

        world.runner.restart()
        world.advance(2)
        lines, newer, gap = await asyncio.to_thread(_follow, server.url, cursor, 1)
        assert (True, True, 0) == ("Fresh start" in lines[0], newer != cursor, gap)
