"""Actors that live by chance, from a seed: they are built, run, succeed, fail, time out, are aborted and resurrected."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.apify.identifiers import time_text
from exporter.simulator.apify.words import build_end_line, build_lines, run_end_line, run_line, run_start_lines
from exporter.simulator.apify.world import ApifyWorld
from exporter.simulator.pipeline import ImpossibleError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.apify.job import Job
    from exporter.simulator.apify.world import Actor

_NAMES = (
    "website-content-crawler",
    "price-monitor",
    "news-feed",
    "job-board-scraper",
    "hotel-reviews",
    "sitemap-walker",
    "real-estate-listings",
    "flight-watcher",
)
_RESULTS = {"SUCCEEDED": 76, "FAILED": 12, "TIMED-OUT": 5, "ABORTED": 7}
_BUILD_RESULTS = {"SUCCEEDED": 88, "FAILED": 12}
_ORIGINS = ("API", "SCHEDULER", "WEB", "CLI", "WEBHOOK")
_PAST_SECONDS = 2 * 3600.0
_PAST_PACE = 8.0
# Lived already at the pace that is watched, so that something runs at once.
_WATCHED_SECONDS = 60.0
_KEPT_JOBS = 2_000
_EVERY_FOREIGN = 5
_RATE_LIMIT = 60
_TORN = 0.05
_DELAYED = 0.05


def lively_apify(count: int, *, seed: int = 0, speed: float = 1.0, now_us: int | None = None) -> ApifyWorld:
    """Return a world of `count` Actors that have two hours of past, and go on living as its clock advances."""
    end_us = time.time_ns() // 1_000 if now_us is None else now_us
    world = ApifyWorld(now_us=end_us - round(_PAST_SECONDS * 1_000_000), seed=seed, sparse=0.2)
    life = ActorLife(world, seed, pace=max(_PAST_PACE, count / 8))
    for number in range(count):
        base, round_number = _NAMES[number % len(_NAMES)], number // len(_NAMES)
        name = base if not round_number else f"{base}-{round_number + 1}"
        # One in five is another's, out of the store.
        foreign = number % _EVERY_FOREIGN == _EVERY_FOREIGN - 1
        life.adopt(world.add_actor(name, username="store-author" if foreign else None))
    world.advance_to(end_us - round(_WATCHED_SECONDS * 1_000_000))
    life.pace = max(1.0, count / 50)
    for actor in world.actors.values():
        life.adopt(actor)
    world.advance_to(end_us)
    world.speed = speed
    world.rate_limit = _RATE_LIMIT
    return world


class ActorLife:
    """Starts jobs by chance and leads each to its end. `pace` stretches the waits between jobs of an Actor."""

    def __init__(self, world: ApifyWorld, seed: int = 0, *, pace: float = 1.0) -> None:
        self.pace = pace
        self._world = world
        # A source of its own: ids do not depend on what is printed.
        self._random = Random(f"life of Actors {seed}")
        self._plans: dict[str, Iterator[float]] = {}
        world.repeat(60.0, self._tidy)

    def adopt(self, actor: Actor) -> None:
        """Let an Actor be built and run from now on; what was planned for it before starts no more jobs."""
        plan = self._live(actor)
        self._plans[actor.id] = plan
        self._follow(plan, actor.id)

    def _follow(self, plan: Iterator[float], actor_id: str | None = None) -> None:
        if actor_id is not None and self._plans.get(actor_id) is not plan:
            return
        try:
            wait_seconds = next(plan, None)
        except ImpossibleError:
            # Someone else ended the job, or deleted it: there is no more to do with it.
            return
        if wait_seconds is not None:
            self._world.schedule(wait_seconds, lambda: self._follow(plan, actor_id))

    def _live(self, actor: Actor) -> Iterator[float]:
        yield self._random.uniform(0, 20)
        if actor.last_build is None:
            self._follow(self._build(actor))
        while actor.id in self._world.actors:
            yield self._random.uniform(8, 45) * self.pace
            self._follow(self._build(actor) if self._random.random() < 0.08 else self._run(actor))

    def _build(self, actor: Actor) -> Iterator[float]:
        random = self._random
        unseen, unlisted = self._hidden()
        build = actor.start_build(ready=True, unseen_seconds=unseen, unlisted_seconds=unlisted)
        yield random.uniform(0.3, 2)
        build.become("RUNNING")
        for line in build_lines(random, build):
            build.log(line)
            yield random.uniform(0.1, 3)
        status = self._draw(_BUILD_RESULTS)
        build.log(build_end_line(build, status))
        build.finish(status)

    def _run(self, actor: Actor) -> Iterator[float]:
        random = self._random
        unseen, unlisted = self._hidden()
        origin = random.choice(_ORIGINS)
        run = actor.start_run(ready=True, origin=origin, unseen_seconds=unseen, unlisted_seconds=unlisted)
        yield random.uniform(0.3, 3)
        run.become("RUNNING")
        for line in run_start_lines(run):
            run.log(line)
            yield random.uniform(0.05, 1)
        status = self._draw(_RESULTS)
        yield from self._work(run, status)
        if status != "SUCCEEDED" and random.random() < 0.2:
            yield random.uniform(15, 60)
            run.resurrect()
            run.log("ACTOR: The Actor run was resurrected.")
            yield from self._work(run, "SUCCEEDED")

    def _work(self, run: Job, status: str) -> Iterator[float]:
        random = self._random
        for _ in range(random.randrange(4, 30)):
            yield from self._print(run, run_line(random, run))
            yield random.uniform(0.2, 3)
        run.log(run_end_line(random, status))
        if random.random() < 0.3:
            run.log_late("ACTOR: Sending container exit code.", random.uniform(1, 6))
        way = {"TIMED-OUT": run.time_out, "ABORTED": run.abort}.get(status)
        if way is None:
            run.finish(status)
        else:
            way(random.uniform(1, 5))
            yield 6.0

    def _print(self, run: Job, line: str) -> Iterator[float]:
        """Print a message: some come late with a time of before, some in two halves."""
        random = self._random
        way = random.random()
        if way < _TORN:
            text = f"{time_text(self._world.now_us)} {line}\n".encode()
            middle = random.randrange(1, len(text))
            run.write(text[:middle])
            yield random.uniform(0.1, 0.8)
            run.write(text[middle:])
        elif way < _TORN + _DELAYED:
            run.log(line, age_seconds=random.uniform(0.1, 4))
        else:
            run.log(line)

    def _hidden(self) -> tuple[float, float]:
        """Draw for how long a new job is not known: to its own path, and to lists."""
        random = self._random
        unseen = random.uniform(0, 3) if random.random() < 0.3 else 0.0
        return unseen, unseen + random.uniform(0, 6)

    def _draw(self, weights: dict[str, int]) -> str:
        return self._random.choices(list(weights), list(weights.values()))[0]

    def _tidy(self) -> None:
        """Delete the oldest, as the vendor does with what is over its retention."""
        for kind in ("run", "build"):
            jobs = self._world.jobs(kind)
            surplus = len(jobs) - _KEPT_JOBS
            for job in [job for job in jobs if job.is_over][: max(0, surplus)]:
                job.delete()
