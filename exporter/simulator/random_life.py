"""Pipelines that live by chance, from a seed: they start, run, fail, stop, pause, and are sometimes renamed or remade."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from exporter.simulator.errors import provisioning_timeout, runner_check_error, worker_panic
from exporter.simulator.log_life import LogLife
from exporter.simulator.pipeline import ImpossibleError
from exporter.simulator.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.pipeline import Pipeline

_NAMES = (
    "orders-enrichment",
    "clickstream-sessions",
    "fraud-detection",
    "billing-rollup",
    "inventory-sync",
    "ad-attribution",
    "churn-features",
    "fleet-telemetry",
)
_ROLES = ("running", "running", "failed", "sql_error", "running", "stopped", "paused", "running")
_PAST_SECONDS = 2 * 3600.0
_PAST_PACE = 15.0
_MOST_WITH_A_PAST = 200
_STOPPED_MOVES = {"start": 80, "start_paused": 8, "compile": 6, "rename": 3, "recreate": 3}
_RUNNING_MOVES = {"stop": 30, "crash": 25, "pause": 15, "change_details": 20, "flap": 10}
_PAUSED_MOVES = {"resume": 80, "stop": 20}
_FAILED_MOVES = {"start": 70, "dismiss": 30}


def lively_world(count: int, *, seed: int = 0, speed: float = 1.0, version: str, now_us: int | None = None) -> World:
    """Return a world of `count` pipelines that have two hours of past, and go on living as its clock advances."""
    end_us = time.time_ns() // 1_000 if now_us is None else now_us
    world = World(now_us=end_us - round(_PAST_SECONDS * 1_000_000), seed=seed, version=version)
    life = RandomLife(world)
    for number in range(min(count, _MOST_WITH_A_PAST)):
        world.advance(_PAST_SECONDS / 4 / _MOST_WITH_A_PAST)
        life.adopt(world.create(_name(number)), pace=_PAST_PACE)
    world.advance(_PAST_SECONDS * 2 / 3)
    for number in range(_MOST_WITH_A_PAST, count):
        world.create(_name(number))
    world.advance(60)
    for number, pipeline in enumerate(list(world.pipelines.values())):
        life.adopt(pipeline, role=_ROLES[number % len(_ROLES)])
    # Each goes to its role, so that there is one of everything to see at once, and then lives at the watched pace.
    world.advance_to(end_us)
    world.speed = speed
    for pipeline in list(world.pipelines.values()):
        life.adopt(pipeline, pace=max(1.0, count / 200))
    LogLife(world, seed, pace=max(1.0, count / 200))
    return world


def _name(number: int) -> str:
    name = _NAMES[number % len(_NAMES)]
    return name if number < len(_NAMES) else f"{name}-{number // len(_NAMES) + 1}"


class RandomLife:
    """Moves pipelines by chance. A pipeline follows the newest plan that it was adopted with."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._random = world.random
        self._plans: dict[str, Iterator[float]] = {}

    def adopt(self, pipeline: Pipeline, *, pace: float = 1.0, role: str | None = None) -> None:
        """Let a pipeline live, with waits `pace` times as long; with a role it only goes there and stays."""
        plan = self._live(pipeline, pace) if role is None else self._reach(pipeline, role)
        self._plans[pipeline.id] = plan
        self._follow(pipeline.id, plan)

    def _follow(self, pipeline_id: str, plan: Iterator[float]) -> None:
        if self._plans.get(pipeline_id) is not plan:
            return
        try:
            wait_seconds = next(plan, None)
        except ImpossibleError:
            # The pipeline was just on its way elsewhere: let it arrive and choose anew.
            self.adopt(self._world.pipelines[pipeline_id])
            return
        if wait_seconds is None:
            del self._plans[pipeline_id]
        else:
            self._world.schedule(wait_seconds, lambda: self._follow(pipeline_id, plan))

    def _live(self, pipeline: Pipeline, pace: float) -> Iterator[float]:
        yield self._random.uniform(1, 20) * pace
        while not pipeline.deleted:
            move = self._move(pipeline)
            if move == "recreate":
                self.adopt(pipeline.recreate(), pace=pace)
                return
            self._make(pipeline, move)
            yield self._random.uniform(6, 35) * pace

    def _move(self, pipeline: Pipeline) -> str | None:
        state = pipeline.state
        if state.resources != "Stopped":
            moves = {"Running": _RUNNING_MOVES, "Paused": _PAUSED_MOVES}.get(state.runtime or "")
        elif state.resources_desired != "Stopped":
            moves = {"stop": 1} if state.program.endswith("Error") else None
        elif state.program.endswith("Error"):
            moves = {"compile": 1}
        elif state.program != "Success":
            moves = None
        else:
            moves = _STOPPED_MOVES if state.error is None else _FAILED_MOVES
        return None if moves is None else self._random.choices(list(moves), list(moves.values()))[0]

    def _make(self, pipeline: Pipeline, move: str | None) -> None:
        if move == "compile":
            pipeline.compile("ok" if pipeline.state.program.endswith("Error") else self._random.choice(_OUTCOMES))
        elif move == "crash":
            pipeline.crash(self._random.choice(_ERRORS)())
        elif move == "change_details":
            pipeline.change_details(self._random.randrange(50))
        elif move == "rename":
            base, _, number = pipeline.name.partition("-v")
            pipeline.rename(f"{base}-v{int(number or 1) + 1}")
        elif move is not None:
            _SIMPLE[move](pipeline)

    def _reach(self, pipeline: Pipeline, role: str) -> Iterator[float]:
        yield self._random.uniform(1, 600)
        if pipeline.state.resources_desired != "Stopped":
            pipeline.stop()
        yield 20
        pipeline.dismiss()
        if role == "sql_error":
            pipeline.compile("sql_error")
        if role in {"stopped", "sql_error"}:
            return
        if pipeline.state.program != "Success":
            pipeline.compile()
            yield 20
        pipeline.start(paused=role == "paused")
        if role == "failed":
            yield self._random.uniform(20, 300)
            pipeline.crash(runner_check_error())


_OUTCOMES = ("ok", "ok", "sql_error", "rust_error")
_ERRORS = (runner_check_error, worker_panic, provisioning_timeout)
_SIMPLE = {
    "start": lambda pipeline: pipeline.start(),
    "start_paused": lambda pipeline: pipeline.start(paused=True),
    "stop": lambda pipeline: pipeline.stop(),
    "pause": lambda pipeline: pipeline.pause(),
    "resume": lambda pipeline: pipeline.resume(),
    "flap": lambda pipeline: pipeline.flap(),
    "dismiss": lambda pipeline: pipeline.dismiss(),
}
