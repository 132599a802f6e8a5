"""One run: pipelines that print, streams that are cut, a collector with moods, an exporter that is killed."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import aiohttp
import yaml

from exporter.simulator import End, World, serve
from tests.chaos.collector import TIMEOUT_SECONDS, Collector, Mood
from tests.chaos.oracle import Oracle
from tests.chaos.script import Script, Written
from tests.integration.programs import Program, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from exporter.simulator import Pipeline

SOURCE = "chaos"
CURSORS, REPLAYS = "0.375.0", "0.337.0"
_ROOT = Path(__file__).parents[2]
_TICK_SECONDS = 0.02
_BUFFER_BYTES = 600_000
"""No more than this is printed that was not accepted yet: the server's buffer of 1,000,000 bytes really loses none."""

_EARLY = 0.1
"""The part of the kills that come while the exporter starts, before it reads a log."""

_PROGRAM = ("Pending", "CompilingSql", "SqlCompiled", "CompilingRust", "Success")
_STOPS = 0.1
"""The part of the ends that are no kill but SIGTERM."""

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
        self._collector = Collector(self._oracle, free_port())
        self._scripts = [self._script(number) for number in range(options.pipelines)]
        self._log = folder / "exporter.log"
        self._settings = _Settings(folder, url, self._collector.url)
        self._exporter = self._settings.exporter()
        self._kills = 0
        self._dead = asyncio.Event()
        self._expected = 0
        self._kill_at = ""
        self._collector.moment = self._moment

    async def run(self) -> Report:
        """Kill as often as asked for, then let the last exporter bring everything home."""
        began = time.monotonic()
        await self._collector.start()
        tasks = [asyncio.create_task(one) for one in self._troubles()]
        printing = asyncio.create_task(self._print())
        try:
            while self._kills < self._options.kills:
                await self._live_and_die()
                if self._kills % 10 == 0:
                    found = " ".join(self._oracle.problems[-1:])
                    self._say(f"{self._kills} kills, {self._oracle.counts['lines']} lines {found}")
            await _end(tasks)
            await self._collector.change(Mood.WELL)
            self._kill_at = ""
            self._dead.clear()
            await self._exporter.launch()
            await asyncio.sleep(self._random.uniform(1, 3))
            await _end([printing])
            await self._drain()
            self._oracle.finish()
            await self._look_at_metrics()
        finally:
            await _end([*tasks, printing])
            await self._exporter.stop()
            await self._collector.stop()
        self._look_at_log()
        return Report(self._kills, time.monotonic() - began, dict(self._oracle.counts), self._oracle.problems)

    def _script(self, number: int) -> Script:
        pipeline = self._world.create(f"p{number}", compile_as=None)
        self._oracle.know(pipeline.id, pipeline.name)
        self._oracle.wrote(pipeline.id, [_first(pipeline)])
        return Script(pipeline, Random(f"{self._options.seed} {number}"))

    def _troubles(self) -> list[Coroutine[None, None, None]]:
        return [
            self._cut_streams(),
            self._change_modes(),
            self._change_moods(),
            self._reload(),
            self._rename(),
            self._change_statuses(),
        ]

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
                if self._oracle.waiting_bytes(pipeline.id) < _BUFFER_BYTES:
                    record = script.record()
                    self._oracle.wrote(pipeline.id, record)
                    pipeline.log_lines([written.line for written in record])

    async def _cut_streams(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(0.05, 1.0))
            self._random.choice(self._scripts).pipeline.end_streams(
                self._random.choice((End.GONE, End.CLEAN, End.CUT, End.RESET, End.KILLED)), b"half of a l"
            )

    async def _change_modes(self) -> None:
        """Upgrade the server, or roll it back: what is open goes on as it began."""
        while True:
            await asyncio.sleep(self._random.uniform(2, 12))
            self._world.version = self._random.choice(self._options.modes)

    async def _change_moods(self) -> None:
        while True:
            await self._collector.change(Mood.WELL)
            await asyncio.sleep(self._random.uniform(0.5, 5))
            await self._collector.change(self._random.choice(list(Mood)))
            await asyncio.sleep(self._random.uniform(0.2, 3))

    async def _rename(self) -> None:
        """Give a pipeline another name: its log goes on."""
        number = 0
        while True:
            await asyncio.sleep(self._random.uniform(3, 15))
            number += 1
            pipeline = self._random.choice(self._scripts).pipeline
            self._world.rename(pipeline, f"{pipeline.name.partition('-')[0]}-{number}")
            pipeline.touch()

    async def _change_statuses(self) -> None:
        """Change what the list says, in bursts quicker than it is asked. Counting starts with the first list."""
        while not self._oracle.counts["records"]:  # noqa: ASYNC110  (no event: it happens once, in the first seconds)
            await asyncio.sleep(0.1)
        while True:
            await asyncio.sleep(self._random.expovariate(2))
            pipeline = self._random.choice(self._scripts).pipeline
            for _ in range(self._random.randint(1, 3)):
                before = pipeline.state.program
                after = self._random.choice([word for word in _PROGRAM if word != before])
                pipeline.record(program=after)
                self._oracle.changed(pipeline.id, f"program: {before} → {after}")

    async def _reload(self) -> None:
        """Change the source's configuration while its logs are read: its tailers are replaced."""
        number = 0
        while True:
            await asyncio.sleep(self._random.uniform(1, 8))
            if self._reading and not self._dead.is_set():
                number += 1
                self._settings.write(f"{1000 + number % 2}ms")
                self._oracle.counts["reloads"] += 1
                self._exporter.send(signal.SIGHUP)

    async def _live_and_die(self) -> None:
        """Start the exporter and kill it at a random moment, or right at an acceptance."""
        self._dead.clear()
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
            return True
        if when == self._kill_at and self._random.random() < 1 / 4:
            self._kill()
        return self._dead.is_set()

    def _kill(self) -> None:
        """Kill it; now and then it is stopped as asked, which must lose no more."""
        stops = self._reading and self._random.random() < _STOPS
        self._kills += not stops
        self._oracle.counts["stops"] += stops
        self._expected = 0 if stops else -signal.SIGKILL
        self._exporter.send(signal.SIGTERM if stops else signal.SIGKILL)
        self._oracle.excuse()
        self._dead.set()

    async def _drain(self) -> None:
        """Wait until everything that was printed was accepted."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while self._oracle.waiting and time.monotonic() < deadline:  # noqa: ASYNC110  (no event: lines come by thousands)
            await asyncio.sleep(0.1)

    async def _look_at_metrics(self) -> None:
        """No gap may be told: the server's buffer lost nothing that was not read."""
        metrics = await _scrape(self._exporter.url)
        losses = [line for line in metrics.splitlines() if line.startswith(_LOSSES) and not line.endswith(" 0")]
        self._oracle.problems += [f"a loss is told that was none: {line}" for line in losses]

    def _look_at_log(self) -> None:
        text = self._log.read_text()
        for sign in ("Traceback", "CRITICAL", "corrupt"):
            if sign in text:
                at = text.index(sign)
                self._oracle.problems.append(f"the exporter's log has {sign!r}: …{text[max(0, at - 300) : at + 1500]}")


def _first(pipeline: Pipeline) -> Written:
    """Return the line that the runner wrote when the log began."""
    return Written(pipeline.logs.buffer.lines[0], "Fresh start of pipeline logs", begins=True)


class _Settings:
    """The exporter's configuration file."""

    def __init__(self, folder: Path, source_url: str, collector_url: str) -> None:
        self._folder = folder
        self._source_url = source_url
        self._collector_url = collector_url
        self._port = free_port()
        self._path = folder / "exporter.yaml"

    def write(self, interval: str = "1s") -> None:
        """Write it, whole at any moment."""
        source = {
            "name": SOURCE,
            "provider": "feldera",
            "url": self._source_url,
            "interval": interval,
            "budget": "1000/s",
        }
        settings = {
            "listen": f"127.0.0.1:{self._port}",
            "data_dir": str(self._folder / "data"),
            "sources": [source],
            "otlp": {"endpoint": self._collector_url, "timeout": f"{TIMEOUT_SECONDS:g}s"},
        }
        new = self._path.with_suffix(".new")
        new.write_text(yaml.safe_dump(settings))
        new.replace(self._path)

    def exporter(self) -> Program:
        """Return the exporter, not started yet."""
        self.write()
        # The tree that this file is in is the one that is tried, whatever is installed.
        os.environ["PYTHONPATH"] = str(_ROOT)
        command = (sys.executable, "-m", "exporter", "run", "--config", str(self._path))
        return Program(command, port=self._port, ready_path="/-/ready", log=self._folder / "exporter.log")


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
