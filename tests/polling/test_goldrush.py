"""A simulated GoldRush, polled: what is shown of phases, counters, names and failures."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import pytest

from exporter.simulator import serve
from exporter.simulator.goldrush import GOLDRUSH_FAULTS
from exporter.simulator.goldrush_world import GoldRushWorld
from tests.polling.harness import Harness

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

BASE = "/platform/pipeline-api/"
PREFIX = "hosted_pipeline_"


@asynccontextmanager
async def polling(folder: Path, world: GoldRushWorld) -> AsyncIterator[Harness]:
    """Serve a world and poll it."""
    async with serve(goldrush=world) as server:
        harness = Harness(folder, world, server, provider="goldrush")  # type: ignore[arg-type]  # a clock is all it uses
        await harness.start()
        try:
            yield harness
        finally:
            await harness.stop()


def shown(harness: Harness, name: str) -> dict[str, float]:
    """Return the samples of a metric that has no label but the pipeline."""
    return {labels[0]: value for labels, value in harness.samples(PREFIX + name).items()}


async def test_phases_are_counted_as_polled(tmp_path: Path) -> None:
    """A phase that a poll finds is one entry, at the time of the poll; what came between two polls is not known."""
    world = GoldRushWorld()
    pipeline = world.create("orders", phase="RUNNING")
    async with polling(tmp_path, world) as harness:
        for _ in range(3):
            assert "success" == await harness.poll()
        assert {} == harness.transitions("orders")
        pipeline.worker.set_status("PAUSED")
        pipeline.worker.set_status("FAILED")
        await harness.poll()
        at = harness.clock()
        await harness.poll()
        assert {("phase", "FAILED"): 1} == harness.transitions("orders")
        since = harness.samples(PREFIX + "status_since_timestamp_seconds")
        assert {("orders", "phase"): pytest.approx(at)} == since
        assert {"orders": 1} == shown(harness, "error")
        assert {("orders", "FAILED"): 1} == harness.samples(PREFIX + "error_info")


async def test_a_start_is_timed_from_the_wish_to_running(tmp_path: Path) -> None:
    """A paused pipeline that is resumed has a start duration, by the times of the polls."""
    world = GoldRushWorld()
    pipeline = world.create("orders", phase="PAUSED")
    async with polling(tmp_path, world) as harness:
        for _ in range(2):
            await harness.poll()
        pipeline.resume()
        for _ in range(4):
            await harness.poll(5)
        assert {("phase", "DEPLOYING"): 1, ("phase", "RUNNING"): 1} == harness.transitions("orders")
        assert {"orders": 1} == shown(harness, "start_duration_seconds_count")


async def test_counters_go_on_when_a_worker_starts_anew(tmp_path: Path) -> None:
    """They begin at the vendor's first value and only grow, also over a restart of the exporter."""
    world = GoldRushWorld()
    pipeline = world.create("orders", phase="RUNNING")
    pipeline.worker.metrics.records_per_second = 10
    world.advance(100)
    async with polling(tmp_path, world) as harness:
        await harness.poll(0)
        assert {"orders": 1000} == shown(harness, "records_total")
        await harness.poll(10)
        pipeline.worker.restart()
        await harness.poll(5)
        assert {"orders": 1150} == shown(harness, "records_total")
        await harness.restart()
        assert {"orders": 1150} == shown(harness, "records_total")
        await harness.poll(5)
        assert {"orders": 1200} == shown(harness, "records_total")


async def test_one_pipelines_failure_is_its_own(tmp_path: Path) -> None:
    """Its `up` is 0 and all else of it as last known; the source and the others are up."""
    world = GoldRushWorld()
    pipeline, _ = world.create("orders", phase="RUNNING"), world.create("clicks", phase="RUNNING")
    async with polling(tmp_path, world) as harness:
        await harness.poll()
        for part in ("status", "metrics", "destination-health"):
            harness.server.faults.next(9, f"{BASE}{pipeline.id}/{part}/", GOLDRUSH_FAULTS["error_in_200"])
            assert "error" == await harness.poll()
            assert {"orders": 0, "clicks": 1} == shown(harness, "up")
            assert {"orders": 1, "clicks": 1} == shown(harness, "replicas")
            assert {(): 1} == harness.samples(PREFIX + "source_up")
            harness.server.faults.clear()
            assert "success" == await harness.poll()
            assert {"orders": 1, "clicks": 1} == shown(harness, "up")
        assert {} == harness.transitions("orders")


async def test_a_list_that_fails_is_the_source_down(tmp_path: Path) -> None:
    """Without the first page nothing is known to be there now."""
    world = GoldRushWorld()
    world.create("orders", phase="RUNNING")
    async with polling(tmp_path, world) as harness:
        await harness.poll()
        harness.server.faults.next(1, BASE, GOLDRUSH_FAULTS["error_in_200"])
        assert "error" == await harness.poll()
        assert {(): 0} == harness.samples(PREFIX + "source_up")
        assert {"orders": 0} == shown(harness, "up")


async def test_pipelines_of_one_name_have_series_of_their_own(tmp_path: Path) -> None:
    """The oldest has the name; the others keep theirs over restarts, and when it is deleted."""
    world = GoldRushWorld()
    first = world.create("orders", phase="RUNNING")
    world.advance(5)
    second = world.create("orders", phase="PAUSED")
    async with polling(tmp_path, world) as harness:
        await harness.poll()
        assert {"orders", f"orders ({second.id})"} == set(shown(harness, "up"))
        world.delete(first)
        await harness.restart()
        await harness.poll()
        assert {f"orders ({second.id})": 1} == shown(harness, "up")
