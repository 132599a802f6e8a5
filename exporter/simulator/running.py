"""The simulator as a program: worlds in real time on an address."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.simulator.apify import ApifyWorld, lively_apify
from exporter.simulator.faults import Faults
from exporter.simulator.goldrush_life import lively_goldrush
from exporter.simulator.goldrush_world import GoldRushWorld
from exporter.simulator.random_life import lively_world
from exporter.simulator.scenario import load_scenario, plan_scenario
from exporter.simulator.server import serve
from exporter.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from exporter.simulator.api import VendorWorld

_LONGEST_NAP_SECONDS = 0.25


@dataclass(frozen=True)
class SimulatorOptions:
    """What `pipeline-exporter simulator` can be told."""

    listen: str = "127.0.0.1:8080"
    feldera: int = 8
    """How many pipelines live at random; not used with a scenario, which makes its own."""
    apify: int = 0
    """How many Actors have runs and builds at random; not used with a scenario that has steps of Apify."""
    goldrush: int = 0
    """How many GoldRush pipelines live at random; not used with a scenario that makes its own."""
    seed: int = 0
    speed: float = 1.0
    """Waits are divided by it. Times that are written stay real ones."""
    faults: float = 0.0
    """The part of all requests that fail, from 0 to 1."""
    scenario: Path | None = None
    api_key: str | None = None
    version: str = "0.375.0"


async def run_simulator(options: SimulatorOptions, *, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve until `stop` is set; `ready` is called with the URL once it listens.

    Raises `ScenarioError` for a bad scenario file, `ValueError` for a bad option and `OSError` for an address that
    cannot be had.
    """
    host, port = _address(options.listen)
    world, others = _worlds(options)
    faults = Faults(options.faults, options.seed)
    async with serve(
        world,
        host=host,
        port=port,
        api_key=options.api_key,
        faults=faults,
        apify=others.get("apify"),
        goldrush=others.get("goldrush"),
    ) as server:
        ready(server.url)
        worlds: list[World | VendorWorld] = [world, *others.values()]
        while not stop.is_set():
            for one in worlds:
                one.advance_to(time.time_ns() // 1_000)
            await _nap(worlds, stop)


def _worlds(options: SimulatorOptions) -> tuple[World, dict[str, VendorWorld]]:
    if not options.speed > 0:
        raise ValueError(f"the speed is {options.speed}; give a number above 0")
    if options.feldera < 0:
        raise ValueError(f"the number of pipelines is {options.feldera}; give 0 or more")
    others = _others(options)
    if options.scenario is None:
        life = lively_world(options.feldera, seed=options.seed, speed=options.speed, version=options.version)
        return life, others
    steps = load_scenario(options.scenario)
    world = World(seed=options.seed, speed=options.speed, version=options.version)
    goldrush = GoldRushWorld(seed=options.seed, speed=options.speed)
    apify = ApifyWorld(seed=options.seed, speed=options.speed)
    plan_scenario(world, steps, apify=apify, goldrush=goldrush)
    scripted: dict[str, VendorWorld] = {"apify": apify, "goldrush": goldrush}
    others |= {vendor: scripted[vendor] for vendor in scripted if any(step.vendor == vendor for step in steps)}
    return world, others


_LIVELY: dict[str, Callable[..., VendorWorld]] = {"apify": lively_apify, "goldrush": lively_goldrush}
"""Worlds beside Feldera's that live by chance: called with how many, `seed` and `speed`."""


def _others(options: SimulatorOptions) -> dict[str, VendorWorld]:
    counts = {"apify": options.apify, "goldrush": options.goldrush}
    # Also those of none: their paths answer as those of an empty account do.
    return {vendor: make(counts[vendor], seed=options.seed, speed=options.speed) for vendor, make in _LIVELY.items()}


async def _nap(worlds: Sequence[World | VendorWorld], stop: asyncio.Event) -> None:
    due_us = [world.next_action_us for world in worlds]
    seconds = _LONGEST_NAP_SECONDS
    if any(due_us):
        seconds = min(seconds, max(0.005, min(filter(None, due_us)) / 1_000_000 - time.time()))
    try:
        async with asyncio.timeout(seconds):
            await stop.wait()
    except TimeoutError:
        return


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    if not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{listen!r} is no address: give HOST:PORT, as in 127.0.0.1:8080")
    return host.strip("[]") or "127.0.0.1", int(port)
