"""One run: pipelines that print, streams that are cut, a collector with moods, an exporter that is killed."""

from __future__ import annotations

import asyncio
import signal
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

import aiohttp

from exporter.simulator import World, serve
from tests.chaos.collector import Collector, Mood
from tests.chaos.dead import read_dead_letters
from tests.chaos.oracle import Oracle
from tests.chaos.script import Script
from tests.chaos.settings import SOURCE, Settings
from tests.chaos.troubles import Troubles, know
from tests.integration.programs import free_port

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CURSORS, REPLAYS = "0.375.0", "0.337.0"
_TICK_SECONDS = 0.02
_BUFFER_BYTES = 600_000
"""No more than this is printed that was not accepted yet: the server's buffer of 1,000,000 bytes really loses none."""

_EARLY = 0.1
"""The part of the kills that come while the exporter starts, before it reads a log."""

_OTHER_WAY = 0.3
"""The part of the reloads that change how records are sent, too."""

_STOPS = 0.1
"""The part of the ends that are no kill but SIGTERM."""

_STOP_SECONDS = 2.0
"""A clean stop that takes longer may have given up an answer that came late."""

_LIFE_SECONDS = 4.0
_START_SECONDS = 60.0
_DRAIN_SECONDS = 120.0
_LOSSES = ("hosted_pipeline_log_gaps_total{", "hosted_pipeline_log_lines_lost_total{")


@dataclass(frozen=True)
class Options:
    """What a run can be told."""

    kills: int = 200
    seed: int = 0
    pipelines: int = 8
    records_per_second: int = 800
    modes: tuple[str, ...] = (CURSORS, REPLAYS)
    """The versions that the server changes between."""


@dataclass
class Report:
    """How a run went."""

    kills: int
    seconds: float
    counts: dict[str, int]
    problems: list[str]

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        lines = [f"{self.kills} kills in {self.seconds:.0f} s: {counts}", *self.problems]
        return "\n".join(lines)


async def storm(options: Options, folder: Path, say: Callable[[str], None] = lambda _text: None) -> Report:
    """Run it to its end; `say` is told now and then how far it is."""
    world = World(seed=options.seed, version=options.modes[0], chores=False)
    async with serve(world) as server:
        run = _Storm(options, folder, world, server.url, say)
        return await run.run()


class _Storm:
    def __init__(self, options: Options, folder: Path, world: World, url: str, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._random = Random(options.seed)
        self._world = world
        self._oracle = Oracle(SOURCE)
        self._collector = Collector(self._oracle, free_port(), free_port())
        self._scripts = [self._script(number) for number in range(options.pipelines)]
        self._log = folder / "exporter.log"
        self._settings = Settings(folder, url, self._collector, self._random)
        self._troubles = Troubles(
            world, self._oracle, self._collector, self._scripts, options.modes, Random(f"{options.seed} troubles")
        )
        self._exporter = self._settings.exporter()
        self._kills = 0
        self._dead = asyncio.Event()
        self._expected = 0
        self._asked_at = 0.0
        self._kill_at = ""
        self._collector.moment = self._moment

    async def run(self) -> Report:
        """Kill as often as asked for, then let the last exporter bring everything home."""
        began = time.monotonic()
        await self._collector.start()
        tasks = [asyncio.create_task(one) for one in (*self._troubles.all(), self._reload())]
        printing = asyncio.create_task(self._print())
        told = 0
        try:
            while self._kills < self._options.kills:
                await self._live_and_die()
                if self._kills % 10 == 0:
                    self._say(f"{self._kills} kills, {self._oracle.counts['lines']} lines")
                if self._oracle.problems and not told:
                    (self._log.parent / "trail.txt").write_text("\n".join(self._oracle.trail))
                for problem in self._oracle.problems[told:]:
                    self._say(f"after {self._kills} kills: {problem}")
                told = len(self._oracle.problems)
            await _end(tasks)
            await self._collector.change(Mood.WELL)
            self._kill_at = ""
            self._dead.clear()
            await self._exporter.launch()
            await asyncio.sleep(self._random.uniform(1, 3))
            await _end([printing])
            await self._drain()
            self._oracle.finish(read_dead_letters(self._settings.data))
            await self._look_at_metrics()
        finally:
            await _end([*tasks, printing])
            await self._exporter.stop()
            await self._collector.stop()
        self._look_at_log()
        return Report(self._kills, time.monotonic() - began, dict(self._oracle.counts), self._oracle.problems)

    def _script(self, number: int) -> Script:
        pipeline = self._world.create(f"p{number}", compile_as=None)
        know(self._oracle, pipeline)
        return Script(pipeline, Random(f"{self._options.seed} {number}"))

    async def _print(self) -> None:
        """Let the pipelines print, each at a pace of its own, as much as the server's buffer can hold for the exporter."""
        owed = 0.0
        while True:
            before = time.monotonic()
            await asyncio.sleep(_TICK_SECONDS)
            self._world.advance_to(time.time_ns() // 1_000)
            owed += (time.monotonic() - before) * self._options.records_per_second
            while owed >= 1:
                owed -= 1
                script = self._scripts[int(len(self._scripts) * self._random.random() ** 2)]
                pipeline = script.pipeline
                full = self._oracle.waiting_bytes(pipeline.id) >= _BUFFER_BYTES
                if not full and pipeline.id not in self._troubles.quiet:
                    record = script.record()
                    self._oracle.wrote(pipeline.id, record)
                    pipeline.log_lines([written.line for written in record])

    async def _reload(self) -> None:
        """Change the source's configuration while its logs are read: its tailers are replaced."""
        number = 0
        while True:
            await asyncio.sleep(self._random.uniform(1, 8))
            if self._reading and not self._dead.is_set():
                number += 1
                if self._random.random() < _OTHER_WAY:
                    self._settings.change()
                self._settings.write(f"{1000 + number % 2}ms")
                self._oracle.counts["reloads"] += 1
                self._exporter.send(signal.SIGHUP)
                self._oracle.note("SIGHUP")

    async def _live_and_die(self) -> None:
        """Start the exporter and kill it at a random moment, or right at an acceptance."""
        self._dead.clear()
        self._settings.change()
        self._settings.write()
        await self._exporter.launch()
        self._kill_at = self._random.choice(("", "", "", "before", "after"))
        early = self._random.random() < _EARLY
        if not early:
            await self._reads()
        try:
            await asyncio.wait_for(self._dead.wait(), self._random.uniform(0, 0.8 if early else _LIFE_SECONDS))
        except TimeoutError:
            self._kill()
        status = await self._exporter.ended()
        if self._expected or time.monotonic() - self._asked_at > _STOP_SECONDS:
            self._oracle.excuse()
        if status != self._expected:
            self._oracle.problems.append(f"the exporter ended by itself with status {status}")

    @property
    def _reading(self) -> bool:
        return any(script.pipeline.logs.followers for script in self._scripts)

    async def _reads(self) -> None:
        """Wait until the exporter reads a log again, however long it takes to start."""
        deadline = time.monotonic() + _START_SECONDS
        while not self._dead.is_set() and not self._reading:
            if time.monotonic() > deadline:
                raise AssertionError(
                    f"the exporter reads no log after {_START_SECONDS} s: {self._log.read_text()[-2000:]}"
                )
            await asyncio.sleep(0.02)

    def _moment(self, when: str) -> bool:
        if self._dead.is_set():
            return self._expected != 0
        if when == self._kill_at and self._random.random() < 1 / 4:
            self._kill()
        return self._dead.is_set() and self._expected != 0

    def _kill(self) -> None:
        """Kill it; now and then it is stopped as asked, which repeats only what was not answered."""
        stops = self._reading and self._random.random() < _STOPS
        self._kills += not stops
        self._oracle.counts["stops"] += stops
        self._expected = 0 if stops else -signal.SIGKILL
        self._exporter.send(signal.SIGTERM if stops else signal.SIGKILL)
        self._oracle.note("SIGTERM" if stops else "SIGKILL")
        self._asked_at = time.monotonic()
        if not stops:
            self._oracle.excuse()
        self._dead.set()

    async def _drain(self) -> None:
        """Wait until everything that was printed was accepted."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            if not self._oracle.waiting and not self._oracle.undelivered(read_dead_letters(self._settings.data)):
                return
            await asyncio.sleep(0.1)

    async def _look_at_metrics(self) -> None:
        """No gap may be told: the server's buffer lost nothing that was not read."""
        metrics = await _scrape(self._exporter.url)
        losses = [line for line in metrics.splitlines() if line.startswith(_LOSSES) and not line.endswith(" 0")]
        if self._oracle.counts["restarts of the runner"]:
            losses = [line for line in losses if 'reason="restart"' not in line]
        self._oracle.problems += [f"a loss is told that was none: {line}" for line in losses]

    def _look_at_log(self) -> None:
        text = self._log.read_text()
        for sign in ("Traceback", "CRITICAL", "corrupt"):
            if sign in text:
                at = text.index(sign)
                self._oracle.problems.append(f"the exporter's log has {sign!r}: …{text[max(0, at - 300) : at + 1500]}")


async def _scrape(url: str) -> str:
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as answer:
        return await answer.text()


async def _end(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    for result in results:
        if isinstance(result, Exception):
            raise result
