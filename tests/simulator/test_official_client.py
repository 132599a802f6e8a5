"""The official client, unchanged, against the simulator."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from exporter.simulator import lively_world, serve

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
