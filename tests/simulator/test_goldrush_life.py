"""GoldRush pipelines that live by chance."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest

from exporter.simulator import SimulatorOptions, run_simulator
from exporter.simulator.goldrush_life import lively_goldrush

if TYPE_CHECKING:
    from exporter.simulator.goldrush_world import GoldRushWorld

_NOW_US = 1_795_000_000_000_000


def _seen(world: GoldRushWorld) -> list[Any]:
    return [
        (one.document(), one.status_document(), one.metrics_document(), one.health_document(), one.logs_document())
        for one in world.listed()
    ]


@pytest.mark.parametrize("steps", [1, 600])
def test_the_same_seed_gives_the_same_lives(steps: int) -> None:
    """However often the clock is moved; another seed gives others."""
    world, other, third = (lively_goldrush(3, seed=seed, now_us=_NOW_US) for seed in (5, 5, 6))
    world.advance(600)
    for _ in range(steps):
        other.advance(600 / steps)

    assert _seen(world) == _seen(other)
    assert _seen(world) != _seen(third)


def test_all_that_can_happen_happens() -> None:
    """In some hours pipelines are seen in every phase and degraded, with problems, skipped records and other pods."""
    world = lively_goldrush(3, now_us=_NOW_US)
    seen: dict[str, set[Any]] = {"phase": set(), "degraded": set(), "error": set(), "skipped": set(), "pods": set()}
    for _ in range(2_500):
        world.advance(10)
        for pipeline in world.listed():
            worker = pipeline.worker
            seen["phase"].add(worker.phase)
            seen["degraded"].add(worker.phase == "RUNNING" and worker.ready < worker.replicas)
            seen["error"].add(pipeline.last_error is None)
            seen["skipped"].add(worker.metrics.normalization_errors > 0)
            seen["pods"].update(pod.name for pod in worker.pods)

    assert {"DEPLOYING", "RUNNING", "PAUSED", "FAILED", "STOPPING"} == seen["phase"]
    assert [{True, False}] * 3 == [seen[key] for key in ("degraded", "error", "skipped")]
    assert len(seen["pods"]) > 50


def test_two_pipelines_of_a_larger_world_have_one_name() -> None:
    """As the vendor allows; pipelines made later than the first eight have numbers behind their names."""
    names = [pipeline.name for pipeline in lively_goldrush(10, now_us=_NOW_US).listed()]

    assert (10, 9, ["eth-transfers-2", "base-swaps-2"]) == (len(names), len(set(names)), names[:2])


async def test_the_program_serves_lively_pipelines() -> None:
    """`--goldrush N` gives N pipelines on the simulator's address, and they print."""
    stop, ready = asyncio.Event(), asyncio.get_running_loop().create_future()
    options = SimulatorOptions(listen="127.0.0.1:0", feldera=0, goldrush=4)
    program = asyncio.create_task(run_simulator(options, ready=ready.set_result, stop=stop))
    base = f"{await ready}/platform/pipeline-api/"
    async with aiohttp.ClientSession() as session:
        async with session.get(base) as response:
            items = (await response.json())["data"]["items"]
        texts = []
        for item in items:
            async with session.get(f"{base}{item['pipeline_id']}/logs/") as response:
                texts += [pod["logs"] for pod in (await response.json())["data"]["pods"]]
    stop.set()
    await program

    assert 4 == len(items)
    assert any(text.endswith("\n") for text in texts)
