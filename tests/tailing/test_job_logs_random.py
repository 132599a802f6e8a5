"""Whatever happens to jobs, their streams and the exporter: each line of their logs is read once, in order."""

from __future__ import annotations

import asyncio
import random
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.tailing.job_logs import Reading, seen

if TYPE_CHECKING:
    from collections.abc import Callable

STEPS = 120
JOBS = 5
ROUNDS = 200
"""In so many rounds of lists and waits at most, all is read at the end."""


class Storm:
    """Jobs that log, end and run again, at random."""

    def __init__(self, seed: int, world: Reading) -> None:
        self._rng = random.Random(seed)
        self._world = world
        self._ends: dict[str, int] = defaultdict(int)
        self._number = 0

    async def spin(self, times: int = 20) -> None:
        """Let readers go on for a while."""
        for _ in range(times):
            await asyncio.sleep(0)

    def text(self) -> str:
        """Return new lines, each another one."""
        count = self._rng.randrange(4)
        self._number += count
        return "".join(f"2026-09-21T14:13:20.000Z line {self._number - one}\n" for one in reversed(range(count)))

    def log(self) -> None:
        """Let a job that runs log."""
        for key in list(self._world.vendor.running)[:2]:
            self._world.vendor.run(key, self.text())

    def begin(self) -> None:
        """Let a job begin, or one that has ended run again."""
        self._world.vendor.run(f"run:job{self._rng.randrange(JOBS)}", self.text())

    def finish(self) -> None:
        """Let a job end."""
        running = sorted(self._world.vendor.running)
        if running:
            key = self._rng.choice(running)
            self._ends[key] += 1
            self._world.vendor.finish(key, self.text())

    def look(self) -> None:
        """Have a list."""
        vendor = self._world.vendor
        shown = []
        for key in sorted(vendor.texts):
            number = int(key[-1])
            ended = key not in vendor.running
            shown.append(seen(key[4:], at=number, ended=ended, finished=1000 + self._ends[key]))
        self._world.look(*shown)

    def hide(self) -> None:
        """Have a list without the pipeline."""
        self._world.logs.sync({})

    async def step(self) -> None:
        """Let something happen."""
        steps: list[Callable[[], None]] = [self.log, self.log, self.begin, self.finish, self.look, self.look]
        steps += [self._world.wake, self._world.wake, self._world.vendor.cut, self.hide]
        step = self._rng.randrange(len(steps) + 1)
        if step == len(steps):
            await self._world.restart()
        else:
            steps[step]()
        await self.spin(self._rng.randrange(30))

    async def settle(self) -> None:
        """Let all jobs end, and be read."""
        while self._world.vendor.running:
            self.finish()
        for _ in range(ROUNDS):
            self.look()
            if not self._world.logs.open:
                return
            await self.spin()
            self._world.wake()
            await self.spin()


@pytest.mark.parametrize("seed", range(40))
async def test_each_line_is_read_once(seed: int) -> None:
    """With few places, cut streams, restarts, resurrections that no list shows, and lists without the pipeline."""
    world = Reading(max_streams=1 + seed % 3)
    await world.start()
    storm = Storm(seed, world)
    for _ in range(STEPS):
        await storm.step()
    await storm.settle()
    await world.logs.stop()
    texts = {key: [line.partition(" ")[2] for line in text.splitlines()] for key, text in world.vendor.texts.items()}
    owner = {line: key for key, found in texts.items() for line in found}
    read: dict[str, list[str]] = {key: [] for key in texts}
    for body in world.bodies:
        read[owner[body]].append(body)

    assert texts == read
    assert 0 == world.gaps
