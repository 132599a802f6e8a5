"""What living pipelines print while they run: a record every few seconds, of every shape, from a seed."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.log_shapes import SHAPES, random_connectors

if TYPE_CHECKING:
    from exporter.simulator.pipeline import Pipeline
    from exporter.simulator.world import World

_USUAL = (*("pipeline",) * 30, *("multiline",) * 2, "hosts", "older", "raw", "odd", "blank")
_FAILING = ("panic", "panic_unnumbered")
_WAIT_SECONDS = (1.0, 8.0)
_DISCOVERY_SECONDS = 0.02
_EVERY_JSON = 5


class LogLife:
    """Lets every pipeline of a world print, whatever pipelines there are at the time."""

    def __init__(self, world: World, seed: int, *, pace: float = 1.0) -> None:
        self._world = world
        # A source of its own: what is printed changes nothing of what happens.
        self._random = Random(f"life of logs {seed}")
        self._pace = pace
        world.runner.discovery_seconds = _DISCOVERY_SECONDS
        for number, pipeline in enumerate(world.pipelines.values()):
            pipeline.style.json = number % _EVERY_JSON == _EVERY_JSON - 1
            pipeline.connectors = random_connectors(self._random)
        self._plan()

    def _plan(self) -> None:
        # One plan for all, which draws who prints: pipelines come and go.
        count = max(1, len(self._world.pipelines))
        self._world.schedule(self._random.uniform(*_WAIT_SECONDS) * self._pace / count, self._print)

    def _print(self) -> None:
        pipelines = list(self._world.pipelines.values())
        if pipelines:
            pipeline = self._random.choice(pipelines)
            if pipeline.state.runtime is not None and self._world.logs:
                pipeline.log_lines(self._record(pipeline))
        self._plan()

    def _record(self, pipeline: Pipeline) -> list[bytes]:
        # A panic in the background, with a status that still reads Running, is rare and happens.
        shape = self._random.choice(_FAILING) if self._random.random() < 1 / 200 else self._random.choice(_USUAL)
        return SHAPES[shape](self._random, pipeline.style, self._world.now_us)
