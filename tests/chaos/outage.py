"""A collector that is away for long: `python -m tests.chaos.outage --seconds 600`. Nothing may be lost, memory stays flat."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import aiohttp

from exporter.simulator import World, serve
from tests.chaos.collector import Collector, Mood
from tests.chaos.oracle import Oracle
from tests.chaos.script import Written
from tests.chaos.settings import SOURCE, Settings
from tests.chaos.troubles import know
from tests.integration.programs import free_port

if TYPE_CHECKING:
    from exporter.simulator import Pipeline
    from tests.integration.programs import Program

_PIPELINES = 4
_TICK_SECONDS = 0.1
_LOOK_SECONDS = 15.0
_MIB = 1024 * 1024
_MORE_MEMORY_BYTES = 24 * _MIB
"""Well under what waits in the end. What is kept in memory of it, 32 MiB, is full before memory is looked at."""


async def outage(seconds: float, lines_per_second: int, folder: Path) -> list[str]:
    """Let the collector be away for so long; return what was wrong."""
    oracle = Oracle(SOURCE)
    collector = Collector(oracle, free_port(), free_port())
    await collector.start()
    world = World(chores=False)
    pipelines = [world.create(f"p{number}", compile_as=None) for number in range(_PIPELINES)]
    for pipeline in pipelines:
        know(oracle, pipeline)
    async with serve(world) as server:
        settings = Settings(folder, server.url, collector, Random(0))
        settings.limit = "1GiB"
        exporter = settings.exporter()
        await exporter.start()
        printing = asyncio.create_task(_print(world, oracle, pipelines, lines_per_second))
        try:
            await asyncio.sleep(5)
            await collector.change(Mood.DOWN)
            memory = await _watch(exporter, seconds)
            began = time.monotonic()
            await collector.change(Mood.WELL)
            await asyncio.sleep(5)
            printing.cancel()
            while oracle.waiting and time.monotonic() < began + 300:  # noqa: ASYNC110  (lines come by thousands)
                await asyncio.sleep(0.5)
            _say(f"drained {time.monotonic() - began:.0f} s after the return, {dict(oracle.counts)}")
        finally:
            printing.cancel()
            await exporter.stop()
            await collector.stop()
    oracle.finish()
    half = memory[len(memory) // 2 :] or memory
    if max(half) - min(half) > _MORE_MEMORY_BYTES:
        oracle.problems.append(f"memory is not flat: {[size // _MIB for size in memory]} MiB")
    return oracle.problems


async def _print(world: World, oracle: Oracle, pipelines: list[Pipeline], lines_per_second: int) -> None:
    began, number = time.monotonic(), 0
    while True:
        due = int((time.monotonic() - began) * lines_per_second / len(pipelines))
        world.advance_to(time.time_ns() // 1_000)
        for pipeline in pipelines:
            texts = [f"{pipeline.name} says {one} ".ljust(120, ".") for one in range(number, due)]
            said = [
                Written(pipeline.style.process(world.now_us, "INFO", "a::b", one), one, begins=True) for one in texts
            ]
            oracle.wrote(pipeline.id, said)
            pipeline.log_lines([one.line for one in said])
        number = due
        await asyncio.sleep(_TICK_SECONDS)


async def _watch(exporter: Program, seconds: float) -> list[int]:
    """Look at the exporter's memory now and then."""
    memory = []
    for look in range(max(round(seconds / _LOOK_SECONDS), 1)):
        await asyncio.sleep(min(_LOOK_SECONDS, seconds))
        memory.append(await exporter.resident_bytes())
        async with aiohttp.ClientSession() as session, session.get(f"{exporter.url}/metrics") as answer:
            waiting = [
                line for line in (await answer.text()).splitlines() if line.startswith("pipeline_exporter_journal_")
            ]
        _say(f"{(look + 1) * _LOOK_SECONDS:.0f} s: {memory[-1] // _MIB} MiB, {waiting[:2]}")
    return memory


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")


def main() -> int:
    """Run it and tell how it went."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.outage", description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--lines-per-second", type=int, default=2000)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pipeline-exporter-outage-", dir=os.environ.get("TMPDIR")) as folder:
        problems = asyncio.run(outage(arguments.seconds, arguments.lines_per_second, Path(folder)))
    sys.stdout.write("\n".join(problems or ["nothing was lost, memory was flat"]) + "\n")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
