"""What happens in the simulated Feldera of these tests, scripted. Its clock moves only where a story moves it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.simulator.world import World

if TYPE_CHECKING:
    from exporter.simulator.pipeline import Pipeline

BEGINS_SECONDS_AGO = 600
OUTCOMES = ("ok", "sql_error", "rust_error", "system_error")


def world_of(*names: str) -> World:
    """Make a world of compiled pipelines, some minutes ago, so that no story runs ahead of the real time."""
    world = World(now_us=time.time_ns() // 1_000 - BEGINS_SECONDS_AGO * 1_000_000, seed=3)
    for name in names:
        world.create(name)
    world.advance(20)
    return world


def named(world: World, name: str) -> Pipeline:
    """Look a pipeline up that must be there."""
    found = world.find(name)
    assert found is not None, f"no pipeline {name!r}"
    return found


def of_every_kind(world: World) -> None:
    """Add pipelines in many states: running, paused, failed in every way, stopped, under way."""
    for number, outcome in enumerate(OUTCOMES):
        world.create(f"compiled-{number}", compile_as=outcome)
    started = [world.create(name) for name in ("running", "paused", "crashed", "stopped", "flapped", "starting")]
    world.advance(20)
    for pipeline in started[:-1]:
        pipeline.start(paused=pipeline.name == "paused")
    world.advance(20)
    running, _, crashed, stopped, flapped, starting = started
    running.change_details(num_errors=7)
    crashed.crash()
    stopped.stop()
    flapped.flap(3)
    world.advance(20)
    starting.start()
    world.create("compiling")
    world.advance(1)


def eventful_life(world: World, pipeline: Pipeline) -> dict[tuple[str, str], float]:
    """Let a running pipeline stop, start, pause, go on, flap twice and crash; give the entries that it makes."""
    for seconds, operation in (
        (10, pipeline.stop),
        (10, pipeline.start),
        (1, pipeline.pause),
        (1, pipeline.resume),
        (10, lambda: pipeline.flap(2)),
        (10, pipeline.crash),
    ):
        operation()
        world.advance(seconds)
    return {
        ("resources", "Provisioned"): 1,
        ("resources", "Provisioning"): 1,
        ("resources", "Stopped"): 2,
        ("resources", "Stopping"): 2,
        ("runtime", "Initializing"): 1,
        ("runtime", "Paused"): 1,
        ("runtime", "Running"): 4,
        ("runtime", "Unavailable"): 2,
    }


def newest_start_seconds(pipeline: Pipeline) -> float:
    """Look up how long the newest start took, from asked-to-run to the first Running."""
    asked_us = running_us = 0
    wanted = running = False
    for event in pipeline.history.events:
        if event.state.resources_desired == "Provisioned" and not wanted:
            asked_us, running = event.recorded_us, False
        if event.state.runtime == "Running" and not running:
            running_us, running = event.recorded_us, True
        wanted = event.state.resources_desired == "Provisioned"
    return (running_us - asked_us) / 1_000_000
