"""Tails that move at changing speeds, pods that are replaced, fetches that fail, an exporter that is killed."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from exporter.simulator import Faults, serve
from exporter.simulator.faults import FAULTS, Fault
from exporter.simulator.goldrush_world import GoldRushWorld
from exporter.simulator.identifiers import rfc3339_micros
from tests.vendors.life import Exporter
from tests.vendors.oracle import Oracle
from tests.vendors.receiver import Receiver
from tests.vendors.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from exporter.simulator.goldrush_pipeline import GoldRushPipeline
    from exporter.simulator.goldrush_pod import GoldRushPod, Shown

SOURCE = "storm"
_TICK_SECONDS = 0.02
_UNSURE_ANSWERS = 2
_WINDOW_LINES = 500


@dataclass(frozen=True)
class Options:
    """What a run can be told."""

    seed: int = 1
    seconds: float = 60.0
    pipelines: int = 1
    replicas: int = 1
    rates: tuple[float, ...] = (0.0, 1.0, 20.0, 120.0, 400.0)
    """Lines a second of a pipeline; another one is chosen now and then."""
    rate_seconds: tuple[float, float] = (2.0, 10.0)
    budget: str = ""
    """As in the configuration; empty: the vendor's default."""
    kills: int = 0
    down_seconds: tuple[float, float] = (0.0, 1.0)
    linger_seconds: float = 0.0
    """So long a pod that was replaced can be read; then nothing of it may be missing, whatever was killed."""
    replace_seconds: tuple[float, float] = (5.0, 15.0)
    faults: float = 0.02
    torn: bool = True
    """Whether answers may end within a line. Then open records wait longer, so that no half is a record of its own."""


class Expected(NamedTuple):
    """What must be given back of a pod's log."""

    lines: set[int]
    """By number from 0."""
    gaps: int
    """How often two answers did not overlap."""


class Log:
    """What one pod printed, and what the answers showed of it."""

    def __init__(self, pod: GoldRushPod) -> None:
        self._pod = pod
        self._unsure: set[int] = set()
        """The answers that a kill may have met before what they showed was committed."""

    def kill(self) -> None:
        """Note a kill."""
        self._unsure |= set(range(len(self._pod.answers) - _UNSURE_ANSWERS, len(self._pod.answers)))

    def expected(self, *, sure: bool) -> Expected:
        """Return what the answers showed; with `sure` only those that no kill can have met."""
        shown: set[int] = set()
        gaps = 0
        before: Shown | None = None
        was_empty = False
        for number, answer in enumerate(self._pod.answers):
            if answer is None or (sure and number in self._unsure):
                continue
            if answer.end == answer.first:
                was_empty = True
                continue
            # After an empty answer a full one may have lost lines before it.
            gaps += (
                (was_empty and answer.end - answer.first >= _WINDOW_LINES)
                if before is None
                else answer.first >= before.end
            )
            shown.update(range(answer.first, answer.end))
            before = answer
        return Expected(shown, gaps)


class LostAnswers(Faults):
    """Faults of which it is known which answers never arrived."""

    def __init__(self, world: GoldRushWorld, rate: float, seed: int) -> None:
        super().__init__(rate, seed)
        self._world = world

    def pick(self, path: str, drawn: Mapping[str, Fault] = FAULTS) -> Fault | None:
        """Return the fault of a request of which the answer has just been made."""
        fault = super().pick(path, drawn)
        pipeline = self._world.pipelines.get(path.rstrip("/").split("/")[-2])
        if fault is not None and fault != FAULTS["slow"] and pipeline is not None and path.endswith("/logs/"):
            for pod in (*pipeline.worker.pods, *pipeline.worker.leaving):
                pod.answers[-1] = None
        return fault


class _Storm:
    def __init__(
        self, options: Options, folder: Path, world: GoldRushWorld, url: str, say: Callable[[str], None]
    ) -> None:
        self._options = options
        self._say = say
        self._random = Random(options.seed)
        self._world = world
        self._oracle = Oracle(SOURCE)
        self._receiver = Receiver(self._oracle, Random(f"{options.seed} receiver"))
        self._pipelines: list[GoldRushPipeline] = []
        self._logs: dict[str, Log] = {}
        self._folder = folder
        self._url = url
        self._restarts = 0
        self._most_records = 0.0
        self._rates: dict[GoldRushPipeline, float] = {}
        """Lines a second."""
        self._starting = False
        """Whether the exporter has been killed and is not ready yet."""

    async def run(self) -> Report:
        """Let the tails move, then let the exporter bring everything home."""
        began = time.monotonic()
        options = self._options
        await self._receiver.start()
        for number in range(options.pipelines):
            pipeline = self._world.create(f"p{number}", phase="RUNNING", replicas=options.replicas)
            pipeline.worker.metrics.records_per_second = 100
            self._pipelines.append(pipeline)
        source = {
            "name": SOURCE,
            "provider": "goldrush",
            "url": self._url,
            "api_key": "service",
            "interval": "5s",
            # Answers that are late or fail must not part the halves of a line, as they may: that is tried without a clock.
            **({"logs": {"multiline": {"timeout": "5s"}}} if options.torn else {}),
            **({"budget": options.budget} if options.budget else {}),
        }
        exporter = Exporter(self._folder, sources=[source], otlp={"endpoint": self._receiver.url, "timeout": "5s"})
        tasks = [asyncio.create_task(self._live())]
        try:
            await exporter.start()
            tasks += [asyncio.create_task(self._change_rates()), asyncio.create_task(self._replace_pods())]
            await self._pass_time(exporter)
            for task in tasks[1:]:
                task.cancel()
            self._rates.clear()
            self._write()
            await self._drain()
            self._judge_lines()
            await self._judge_metrics(exporter)
        finally:
            for task in tasks:
                task.cancel()
            results = await asyncio.gather(*tasks, return_exceptions=True)
            await exporter.stop()
            await self._receiver.stop()
        self._oracle.problems += [repr(one) for one in results if isinstance(one, Exception)]
        self._oracle.problems += exporter.signs_of_trouble()
        return Report(options.kills, time.monotonic() - began, dict(self._oracle.counts), self._oracle.problems)

    async def _pass_time(self, exporter: Exporter) -> None:
        options = self._options
        part_seconds = options.seconds / (options.kills + 1)
        await asyncio.sleep(part_seconds)
        for _ in range(options.kills):
            await self._look_at_records(exporter)
            self._oracle.excuse()
            await exporter.kill()
            for log in self._logs.values():
                log.kill()
            self._oracle.excuse()
            await asyncio.sleep(self._random.uniform(*options.down_seconds))
            # How long a start takes is the machine's affair: the tails must not move out of sight meanwhile.
            self._starting = True
            self._write()
            await exporter.start()
            self._starting = False
            self._write()
            self._say(f"{dict(self._oracle.counts)} {self._oracle.problems[-1:]}")
            await asyncio.sleep(self._random.uniform(0.5, 1.5) * part_seconds)

    async def _live(self) -> None:
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._world.advance_to(time.time_ns() // 1_000)

    async def _change_rates(self) -> None:
        self._rates = dict.fromkeys(self._pipelines, max(self._options.rates))
        while True:
            self._write()
            await asyncio.sleep(self._random.uniform(*self._options.rate_seconds) / len(self._pipelines))
            self._rates[self._random.choice(self._pipelines)] = self._random.choice(self._options.rates)

    def _write(self) -> None:
        """Let the tails move as fast as they are to."""
        for pipeline in self._pipelines:
            rate = 0.0 if self._starting else self._rates.get(pipeline, 0.0)
            torn = self._options.torn and self._random.random() < 0.3
            pipeline.worker.write_at(rate, self._line, torn=torn)

    async def _replace_pods(self) -> None:
        while True:
            await asyncio.sleep(self._random.uniform(*self._options.replace_seconds) / len(self._pipelines))
            worker = self._random.choice(self._pipelines).worker
            number = self._random.randrange(len(worker.pods))
            if not worker.pods[number].ready:
                continue
            if self._random.random() < 0.3:
                worker.fail_next_log_fetch(self._random.randint(1, 3))
                self._oracle.counts["failed fetches"] += 1
                continue
            worker.replace_pod(
                number, down_seconds=self._random.uniform(0, 3), linger_seconds=self._options.linger_seconds
            )
            self._restarts += 1
            self._oracle.counts["pods replaced"] += 1

    def _line(self, pod_name: str, number: int) -> bytes:
        """Print a line of any form, of which the message is the same."""
        stream = self._oracle.streams.get(pod_name)
        if stream is None:
            name, pod = next(
                (one.name, pod) for one in self._pipelines for pod in one.worker.pods if pod.name == pod_name
            )
            stream = self._oracle.know(pod_name, name)
            self._logs[pod_name] = Log(pod)
        text = f"line {number} of {pod_name} ž"
        stream.lines.append(text)
        shape = self._random.randrange(4)
        if shape == 0:
            return msgspec.json.encode({"level": "info", "message": text})
        if shape == 1:
            return f"{rfc3339_micros(self._world.now_us)}  INFO {text}".encode()
        return (f"WARN {text}" if shape == 2 else text).encode()

    async def _drain(self) -> None:
        """Wait until nothing more has come for a while."""
        deadline = time.monotonic() + 60
        quiet_since, lines = time.monotonic(), -1
        while time.monotonic() < deadline and time.monotonic() - quiet_since < 12:
            if lines != self._oracle.counts["lines"]:
                quiet_since, lines = time.monotonic(), self._oracle.counts["lines"]
            await asyncio.sleep(0.2)

    def _judge_lines(self) -> None:
        """Compare with what answers showed: that must be there, and nothing else can be."""
        for key, stream in self._oracle.streams.items():
            sure, shown = (self._logs[key].expected(sure=sure).lines for sure in (True, False))
            got = set(range(stream.accepted)) - {at for hole in stream.holes for at in range(*hole)}
            if lost := sorted(sure - got):
                what = f"{len(lost)} lines that were shown are missing, from {lost[0]} to {lost[-1]}"
                self._oracle.problems.append(f"{stream.name} {key}: {what}, of {len(stream.lines)}")
            if unshown := got - shown:
                self._oracle.problems.append(f"{stream.name} {key}: {len(unshown)} lines came that were not shown")
            self._oracle.counts["lines never shown"] += len(stream.lines) - len(shown)

    async def _look_at_records(self, exporter: Exporter) -> None:
        """Check that what is counted of the worker's records never falls."""
        total = (await exporter.metrics()).sum("hosted_pipeline_records_total")
        if total < self._most_records:
            self._oracle.problems.append(f"records_total fell from {self._most_records} to {total}")
        self._most_records = total

    async def _judge_metrics(self, exporter: Exporter) -> None:
        await self._look_at_records(exporter)
        samples = await exporter.metrics()
        least, most = sorted(sum(log.expected(sure=sure).gaps for log in self._logs.values()) for sure in (True, False))
        gaps = samples.sum("hosted_pipeline_log_gaps_total")
        self._oracle.counts["gaps"] = round(gaps)
        if gaps != samples.sum("hosted_pipeline_log_gaps_total", reason="window"):
            self._oracle.problems.append("gaps of other reasons than a window are told")
        if not least <= gaps <= most:
            self._oracle.problems.append(f"{least} to {most} gaps are in the answers, and {gaps:g} are told")


async def storm(options: Options, folder: Path, say: Callable[[str], None] = lambda _text: None) -> Report:
    """Run it to its end; `say` is told now and then how far it is."""
    world = GoldRushWorld(seed=options.seed)
    world.keys.service.add("service")
    faults = LostAnswers(world, options.faults, options.seed)
    async with serve(goldrush=world, faults=faults) as server:
        report = await _Storm(options, folder, world, server.url, say).run()
    report.counts["requests failed"] = faults.injected.total()
    if world.refused:
        report.problems.append(f"other requests than GET were made: {world.refused}")
    return report
