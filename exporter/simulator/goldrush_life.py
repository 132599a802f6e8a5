"""GoldRush pipelines that live by chance, from a seed: they print, fail, pause, restart, and lose their pods."""

from __future__ import annotations

import time
from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.goldrush_world import GoldRushWorld

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.simulator.goldrush_pipeline import GoldRushPipeline

# One name stands twice, as the vendor allows.
_NAMES = (
    "base-swaps",
    "eth-transfers",
    "solana-dex-trades",
    "nft-mints",
    "wallet-balances",
    "base-swaps",
    "stablecoin-flows",
    "bridge-events",
)
_DESTINATIONS = ("postgres", "clickhouse", "s3", "kafka", "webhook")
_REPLICAS = (1, 2, 1, 3)
_PAST_SECONDS = 3600.0
_SILENT_SECONDS = 3480.0
"""In the past they print only at its end: no window shows more, and it takes time."""
_PROBLEMS = ("connection refused", "timed out after 5 s", "503 Service Unavailable")
_PROBLEM_SECONDS = 90.0
_MOVE_SECONDS = (30.0, 240.0)
_PRINT_SECONDS = (0.5, 6.0)
_BUSY_EVERY = 4
_BUSY_SECONDS = 0.1


def lively_goldrush(count: int, *, seed: int = 0, speed: float = 1.0, now_us: int | None = None) -> GoldRushWorld:
    """Return a world of `count` pipelines with an hour of past, which go on living as its clock advances."""
    end_us = time.time_ns() // 1_000 if now_us is None else now_us
    world = GoldRushWorld(now_us=end_us - round(_PAST_SECONDS * 1_000_000), seed=seed)
    life = GoldRushLife(world, seed)
    for number in range(count):
        name = _NAMES[number % len(_NAMES)]
        if number >= len(_NAMES):
            name = f"{name}-{number // len(_NAMES) + 1}"
        pipeline = world.create(
            name, destination=_DESTINATIONS[number % len(_DESTINATIONS)], replicas=_REPLICAS[number % len(_REPLICAS)]
        )
        life.adopt(pipeline, busy=number % _BUSY_EVERY == _BUSY_EVERY - 1, silent_seconds=_SILENT_SECONDS)
    world.advance_to(end_us)
    world.speed = speed
    return world


class GoldRushLife:
    """Moves pipelines by chance, each until it is deleted."""

    def __init__(self, world: GoldRushWorld, seed: int) -> None:
        self._world = world
        self._random = Random(f"life of goldrush {seed}")
        self._moves: dict[Callable[[GoldRushPipeline], None], int] = {
            self._skip: 25,
            self._restart: 15,
            self._replace: 20,
            self._have_a_problem: 15,
            self._pause: 10,
            self._fail: 10,
            self._scale: 5,
        }

    def adopt(self, pipeline: GoldRushPipeline, *, busy: bool = False, silent_seconds: float = 0.0) -> None:
        """Let a pipeline live; a busy one prints many lines a second. It says nothing by itself for a while at first."""
        metrics = pipeline.worker.metrics
        metrics.records_per_second = round(self._random.uniform(20, 2_000), 1)
        metrics.processing_delay_ms = round(self._random.uniform(80, 3_000))
        seconds = (_BUSY_SECONDS, _BUSY_SECONDS) if busy else _PRINT_SECONDS
        self._world.schedule(silent_seconds, lambda: self._again(pipeline, seconds, pipeline.worker.say))
        self._again(pipeline, _MOVE_SECONDS, lambda: self._move(pipeline))

    def _again(self, pipeline: GoldRushPipeline, seconds: tuple[float, float], action: Callable[[], None]) -> None:
        def once() -> None:
            if pipeline.id in self._world.pipelines:
                action()
                self._again(pipeline, seconds, action)

        self._world.schedule(self._random.uniform(*seconds), once)

    def _move(self, pipeline: GoldRushPipeline) -> None:
        worker = pipeline.worker
        worker.metrics.pending_records = self._random.randrange(5_000)
        if worker.phase in {"FAILED", "PAUSED"}:
            pipeline.resume()
        elif worker.running:
            (move,) = self._random.choices(list(self._moves), list(self._moves.values()))
            move(pipeline)

    def _skip(self, pipeline: GoldRushPipeline) -> None:
        pipeline.skip_records(self._random.randint(1, 40))

    def _restart(self, pipeline: GoldRushPipeline) -> None:
        pipeline.worker.restart(down_seconds=self._random.uniform(2, 10))

    def _replace(self, pipeline: GoldRushPipeline) -> None:
        pipeline.worker.replace_pod(
            self._random.randrange(pipeline.worker.replicas),
            down_seconds=self._random.uniform(2, 10),
            linger_seconds=self._random.choice((0, 15)),
        )

    def _have_a_problem(self, pipeline: GoldRushPipeline) -> None:
        pipeline.last_error = self._random.choice(_PROBLEMS)

        def over() -> None:
            pipeline.last_error = None

        self._world.schedule(_PROBLEM_SECONDS, over)

    @staticmethod
    def _pause(pipeline: GoldRushPipeline) -> None:
        pipeline.pause()

    def _fail(self, pipeline: GoldRushPipeline) -> None:
        pipeline.fail(self._random.choice(("sql", "write")))

    def _scale(self, pipeline: GoldRushPipeline) -> None:
        pipeline.worker.set_status("RUNNING", replicas=self._random.randint(1, 4))
