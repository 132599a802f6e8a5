"""Many runs and builds that log at once, streams that are cut, jobs that end, come back and go, an exporter that is killed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from exporter.otlp.trace_ids import span_id, trace_id
from exporter.simulator import End, serve
from exporter.simulator.apify import ApifyWorld
from tests.vendors.apify_script import Script
from tests.vendors.life import Exporter
from tests.vendors.oracle import Oracle
from tests.vendors.receiver import Receiver
from tests.vendors.report import Report

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from exporter.simulator.apify import Job

SOURCE = "storm"
_RESULTS = {"SUCCEEDED": "success", "FAILED": "failure", "TIMED-OUT": "timeout", "ABORTED": "cancellation"}
_TICK_SECONDS = 0.05
_OLD_JOBS = 5
_BUILDS = 0.15
_RESURRECTED = 0.3
_DELETED = 0.2
_LONG_DOWN = 0.25
"""The part of the kills after which the exporter stays away so long that jobs begin and end meanwhile."""

_FEW_PLACES = 0.3
"""The part of the lives in which there are places for half of the logs."""

_DRAIN_SECONDS = 240.0


@dataclass(frozen=True)
class Options:
    """What a run can be told."""

    streams: int = 200
    kills: int = 40
    seed: int = 1
    messages_per_second: float = 400.0
    job_seconds: tuple[float, float] = (3.0, 60.0)
    life_seconds: tuple[float, float] = (2.0, 12.0)


class _Storm:
    def __init__(self, options: Options, folder: Path, world: ApifyWorld, url: str, say: Callable[[str], None]) -> None:
        self._options = options
        self._say = say
        self._random = Random(options.seed)
        self._world = world
        self._oracle = Oracle(SOURCE)
        self._receiver = Receiver(self._oracle, Random(f"{options.seed} receiver"))
        self._folder = folder
        self._url = url
        self._scripts: list[Script] = []
        self._ended: dict[str, Script] = {}
        """By job: those whose newest end was told by a span, and that stay as they are."""
        self._ends: Counter[tuple[str, str, str]] = Counter()
        self._spans: dict[tuple[str, str], str] = {}
        """Those that are to come, with the job that they are of."""
        self._actors = [world.add_actor(f"actor-{number}") for number in range(6)]
        self._actors.append(world.add_actor("from-the-store", username="somebody"))
        self._exporter: Exporter
        self._dead = asyncio.Event()
        self._kill_now = False
        self._kills = 0
        self._filling = False
        """Whether jobs are started in the place of those that ended."""
        self._over = False

    async def run(self) -> Report:
        """Kill as often as asked for, then let the last exporter bring everything home."""
        began = time.monotonic()
        await self._receiver.start()
        self._exporter = self._new_exporter()
        self._receiver.moment = self._moment
        for number in range(_OLD_JOBS):
            old = self._actors[number].start_run()
            old.log("this is from before counting began")
            old.finish()
            self._start((90.0, 120.0))  # runs when counting begins
        living = asyncio.create_task(self._live())
        troubles = [asyncio.create_task(self._cut_streams())]
        try:
            await self._exporter.start()
            self._filling = True
            while self._kills < self._options.kills:
                await self._live_and_die()
                self._say(f"{self._kills} kills, {dict(self._oracle.counts)} {self._oracle.problems[-1:]}")
            await self._bring_home()
            for task in troubles:
                task.cancel()
            await self._drain()
            await self._judge()
        finally:
            for task in (living, *troubles):
                task.cancel()
            results = await asyncio.gather(living, *troubles, return_exceptions=True)
            await self._exporter.stop()
            await self._receiver.stop()
        self._oracle.problems += [repr(one) for one in results if isinstance(one, Exception)]
        self._oracle.problems += self._exporter.signs_of_trouble()
        return Report(self._kills, time.monotonic() - began, dict(self._oracle.counts), self._oracle.problems)

    def _new_exporter(self) -> Exporter:
        return Exporter(
            self._folder,
            sources=[self._source()],
            otlp={"endpoint": self._receiver.url, "timeout": "5s"},
        )

    def _source(self) -> dict[str, object]:
        few = self._random.random() < _FEW_PLACES
        places = max(2, self._options.streams // 2) if few else self._options.streams
        return {
            "name": SOURCE,
            "provider": "apify",
            "url": self._url,
            "api_key": "token",
            "interval": "2s",
            "budget": "100/s",
            "logs": {"max_streams": places},
        }

    async def _live(self) -> None:
        """Let the jobs live: in real time, whatever happens to the exporter."""
        owed = 0.0
        before = time.monotonic()
        while True:
            await asyncio.sleep(_TICK_SECONDS)
            self._world.advance_to(time.time_ns() // 1_000)
            now = time.monotonic()
            owed += (now - before) * self._options.messages_per_second
            before = now
            while self._filling and len(self._scripts) < self._options.streams:
                self._start()
            while owed >= 1 and self._scripts:
                owed -= 1
                self._random.choice(self._scripts).say()
            for script in [script for script in self._scripts if script.overdue or self._over]:
                self._end(script)
            if self._filling:
                self._move_ended()

    def _start(self, life_seconds: tuple[float, float] | None = None) -> None:
        random = self._random
        actor = random.choice(self._actors)
        unlisted = random.choice((0, 0, random.uniform(0.5, 5)))
        ready = random.random() < 0.2
        build = random.random() < _BUILDS
        start = actor.start_build if build else actor.start_run
        job = start(ready=ready, unlisted_seconds=unlisted, unseen_seconds=min(unlisted, 3))
        if ready:
            self._world.schedule(random.uniform(0.5, 4), lambda: self._run(job))
        stream = self._oracle.know(job.id, actor.full_name, job.kind)
        self._scripts.append(Script(job, stream, random, random.uniform(*(life_seconds or self._options.job_seconds))))
        self._oracle.counts["jobs"] += 1

    @staticmethod
    def _run(job: Job) -> None:
        if not job.is_over and job.status == "READY":
            job.become("RUNNING")

    def _end(self, script: Script) -> None:
        job = script.job
        self._scripts.remove(script)
        result = _RESULTS[script.end()]
        self._ends[job.actor.full_name, job.kind, result] += 1
        finished_ns = (job.finished_us or 0) * 1_000
        trace = trace_id(job.kind, job.id).hex()
        span = span_id(job.kind, job.id, finished_ns if job.resurrections else None).hex()
        self._spans[trace, span] = job.id
        self._ended[job.id] = script
        self._oracle.counts["ends"] += 1

    def _move_ended(self) -> None:
        """Resurrect some of the jobs whose end was told, and delete others; leave alone what is left."""
        for key in [key for key in self._spans if key in self._oracle.spans]:
            job_id = self._spans.pop(key)
            script = self._ended.pop(job_id)
            chance = self._random.random()
            if chance < _RESURRECTED and script.job.kind == "run":
                script.job.resurrect()
                script.ends_at = self._world.now_us + round(self._random.uniform(1, 15) * 1_000_000)
                self._scripts.append(script)
                self._oracle.counts["resurrections"] += 1
            elif chance > 1 - _DELETED:
                script.job.delete()
                script.stream.excused = script.stream.waiting > 0
                self._oracle.counts["deletions"] += 1
                self._oracle.counts["deleted unread"] += script.stream.excused

    async def _cut_streams(self) -> None:
        """End streams in every way there is, also early, empty, and in the middle of the replay."""
        random = self._random
        while True:
            await asyncio.sleep(random.uniform(0.05, 0.5))
            end = random.choice((End.CLEAN, End.CUT, End.RESET, End.KILLED))
            if random.random() < 0.2:
                self._world.cut_next(1, random.choice((0, 10, 5_000, 100_000)), end)
            elif self._scripts:
                random.choice(self._scripts).job.end_streams(end)

    def _moment(self) -> bool:
        if self._kill_now and not self._dead.is_set():
            self._oracle.excuse()
            self._exporter.send(9)  # type: ignore[arg-type]
            self._dead.set()
        return self._dead.is_set()

    async def _live_and_die(self) -> None:
        self._dead.clear()
        await asyncio.sleep(self._random.uniform(*self._options.life_seconds))
        if self._random.random() < 0.5:
            self._kill_now = True
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._dead.wait(), 5)
            self._kill_now = False
        if not self._dead.is_set():
            self._dead.set()
            self._exporter.send(9)  # type: ignore[arg-type]
        await self._exporter.ended()
        self._oracle.excuse()
        self._kills += 1
        if self._random.random() < _LONG_DOWN:
            await asyncio.sleep(self._random.uniform(3, 12))
        self._exporter.configure(sources=[self._source()])
        await self._exporter.launch()

    async def _bring_home(self) -> None:
        """Let all jobs end, with enough places for all logs."""
        self._dead.clear()
        await asyncio.sleep(self._random.uniform(2, 5))
        self._filling, self._over = False, True

    async def _drain(self) -> None:
        """Wait until everything that was written was accepted, and every end told."""
        deadline = time.monotonic() + _DRAIN_SECONDS
        while time.monotonic() < deadline:
            if not self._oracle.waiting and not self._scripts and self._spans.keys() <= self._oracle.spans.keys():
                return
            await asyncio.sleep(0.2)

    async def _judge(self) -> None:
        """Compare lines, counts and spans with the script."""
        oracle = self._oracle
        oracle.finish()
        missing = [key for key in self._spans if key not in oracle.spans]
        if missing:
            oracle.problems.append(f"{len(missing)} spans never came, the first is of job {self._spans[missing[0]]}")
        if oracle.counts["ends"] != len(oracle.spans):
            oracle.problems.append(f"{oracle.counts['ends']} ends, and {len(oracle.spans)} spans")
        samples = await self._exporter.metrics()
        found = {
            (labels["pipeline"], labels["kind"], labels["result"]): value
            for name, labels, value in samples.all
            if name == "hosted_pipeline_runs_total" and value
        }
        if dict(self._ends) != found:
            differs = {key: (self._ends.get(key), found.get(key)) for key in self._ends.keys() | found.keys()}
            wrong = {key: value for key, value in differs.items() if value[0] != value[1]}
            oracle.problems.append(f"runs_total differs from the script, as (script, metric): {wrong}")
        if lost := samples.sum("hosted_pipeline_log_gaps_total"):
            oracle.problems.append(f"{lost:g} gaps are told that were none")
        if active := samples.sum("hosted_pipeline_runs_active"):
            oracle.problems.append(f"{active:g} jobs are told to run")


async def storm(options: Options, folder: Path, say: Callable[[str], None] = lambda _text: None) -> Report:
    """Run it to its end; `say` is told now and then how far it is."""
    world = ApifyWorld(seed=options.seed, sparse=0.2)
    async with serve(apify=world, api_key="token") as server:
        return await _Storm(options, folder, world, server.url, say).run()
