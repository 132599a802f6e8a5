"""The world that the simulator shows: pipelines, their clock, the chores of a server. Pure: no I/O, no real time.

Nothing happens but as its clock is advanced, so that a run depends on the seed alone and not on how often that is done.
`speed` shortens every wait; times that are written are never stretched.
"""

from __future__ import annotations

import re
import time
from random import Random

from exporter.simulator.body import Body
from exporter.simulator.clock import Clock
from exporter.simulator.cluster import Cluster
from exporter.simulator.identifiers import IdSource
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline import ImpossibleError, Pipeline
from exporter.simulator.runner import Runner

NAME = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_]*)?[A-Za-z0-9]")
_TRIM_SECONDS = 30.0
_LOOK_SECONDS = 10.0
_HEARTBEAT_SECONDS = 600.0


class World(Clock):
    """All pipelines of one server."""

    def __init__(
        self,
        *,
        now_us: int | None = None,
        seed: int = 0,
        speed: float = 1.0,
        retention: int = 720,
        version: str = "0.375.0",
        chores: bool = True,
        logs: bool = True,
    ) -> None:
        super().__init__(now_us=now_us, speed=speed)
        self.random = Random(seed)
        self.ids = IdSource(self.random)
        self.retention = retention
        self.version = version
        self.revision = 0
        self.pipelines: dict[str, Pipeline] = {}
        self._ids_by_name: dict[str, str] = {}
        self._lists: dict[str, tuple[int, Body]] = {}
        self.cluster = Cluster(self)
        self.runner = Runner(self, seed)
        self.logs = logs
        """Whether what happens is also written to the logs."""
        if chores:
            self.begin_chores()

    def create(self, name: str, *, compile_as: str | None = "ok", description: str = "") -> Pipeline:
        """Make a pipeline and have it compiled, unless `compile_as` is None."""
        self._must_be_free(name)
        self.now_us += 1 + self.random.randrange(900)
        pipeline = Pipeline(self, name, description)
        self.pipelines[pipeline.id] = pipeline
        self._ids_by_name[name] = pipeline.id
        self.revision += 1
        if compile_as is not None:
            pipeline.compile(compile_as)
        return pipeline

    def find(self, name: str) -> Pipeline | None:
        """Return the pipeline of that name."""
        return self.pipelines.get(self._ids_by_name.get(name, ""))

    def rename(self, pipeline: Pipeline, name: str) -> None:
        """Move a pipeline to another name that is free."""
        self._must_be_free(name)
        del self._ids_by_name[pipeline.name]
        self._ids_by_name[name] = pipeline.id
        pipeline.name = pipeline.style.name = name

    def remove(self, pipeline: Pipeline) -> None:
        """Take a pipeline out of the world."""
        del self.pipelines[pipeline.id], self._ids_by_name[pipeline.name]
        pipeline.lose_logs(End.GONE)
        self.revision += 1

    def list_body(self, selector: str) -> Body:
        """Return the JSON list of all pipelines, ordered by id, encoding only those that changed."""
        revision, body = self._lists.get(selector, (-1, None))
        if body is None or revision != self.revision:
            # Ids grow with time, so the order of making is the order of ids.
            body = Body(b"[" + b",".join([pipeline.encoded(selector) for pipeline in self.pipelines.values()]) + b"]")
            self._lists[selector] = (self.revision, body)
        return body

    def trim(self) -> None:
        """Cut every history to the newest `retention` events."""
        for pipeline in self.pipelines.values():
            pipeline.history.trim(self.retention)

    def begin_chores(self) -> None:
        """Begin what a server does by itself: trimming, heartbeats, health checks."""
        self.repeat(_TRIM_SECONDS, self.trim)
        self.repeat(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self.cluster.check()
        quiet_us = self.now_us - round(_HEARTBEAT_SECONDS * 1_000_000 / self.speed)
        for pipeline in self.pipelines.values():
            events = pipeline.history.events
            if pipeline.state.resources == "Provisioned" and events and events[-1].recorded_us <= quiet_us:
                pipeline.heartbeat()

    def _must_be_free(self, name: str) -> None:
        if NAME.fullmatch(name) is None:
            raise ImpossibleError(f"{name!r} is no pipeline name: only letters, digits, - and _ may be used")
        if name in self._ids_by_name:
            raise ImpossibleError(f"there is a pipeline {name!r} already")


def quiet(count: int, *, seed: int = 0, now_us: int | None = None, version: str = "0.375.0") -> World:
    """Return a world of `count` pipelines where only heartbeats happen: half run, each has a dozen events."""
    end_us = time.time_ns() // 1_000 if now_us is None else now_us
    settle_seconds = 30.0
    start_us = end_us - round((count * 2 * settle_seconds + 600) * 1_000_000)
    world = World(now_us=start_us, seed=seed, version=version, chores=False, logs=False)
    for number in range(count):
        pipeline = world.create(f"quiet-{number:05d}")
        world.advance(settle_seconds / 2)
        pipeline.start()
        world.advance(settle_seconds / 2)
        if number % 2:
            pipeline.stop()
            world.advance(settle_seconds / 2)
    running = [pipeline for pipeline in world.pipelines.values() if pipeline.state.resources == "Provisioned"]
    for number, pipeline in enumerate(running, start=1):
        # Spread over the last ten minutes, as they would be after a day, so that heartbeats do not come all at once.
        world.advance_to(end_us - round(600_000_000 * (1 - number / (len(running) + 1))))
        pipeline.heartbeat()
    world.advance_to(end_us)
    world.cluster.check()
    world.begin_chores()
    world.logs = True
    return world
