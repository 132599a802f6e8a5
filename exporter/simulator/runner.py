"""The runner of a server: it holds the logs, in memory only, and is asked for them by the API."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from exporter.simulator.errors import runner_check_error
from exporter.simulator.identifiers import IdSource
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline_logs import PipelineLogs
from exporter.simulator.runner_lines import TERMINATED

if TYPE_CHECKING:
    from exporter.simulator.pipeline_record import PipelineRecord
    from exporter.simulator.world import World

DISCOVERY_SECONDS = 2.0


class Runner:
    """A runner that is up until it is stopped. After a start it has new logs, and knows no pipeline for 2 s."""

    def __init__(self, world: World, seed: int) -> None:
        self.up = True
        self.discovery_seconds = 0.0
        """How long a new pipeline is unknown to it: up to 0.02 s on a real server. Only the world's clock counts."""
        self.drops = 0
        """So many of the next readers are dropped at once, as when their queue is full already."""
        self._world = world
        self._started_us = world.now_us
        self._knows_all_us = world.now_us
        # Logs draw from a source of their own: without them the same seed gives the same events.
        self.random = Random(f"logs {seed}")
        self._ids = IdSource(self.random)

    def stop(self, end: End = End.CLEAN, torn: bytes = b"") -> None:
        """Let it die: every stream ends like that, and the logs are lost."""
        self.up = False
        for pipeline in self._world.pipelines.values():
            pipeline.lose_logs(end, torn)

    def start(self, *, terminated: bool = False) -> None:
        """Start it with empty logs. What runs goes on, or where it was `terminated` with the runner, fails."""
        self.up = True
        self._started_us = self._world.now_us
        self._knows_all_us = self._world.now_us + round(DISCOVERY_SECONDS * 1_000_000 / self._world.speed)
        if not terminated:
            return
        for pipeline in list(self._world.pipelines.values()):
            if pipeline.state.resources in {"Provisioning", "Provisioned"}:
                pipeline.crash(runner_check_error(TERMINATED))

    def restart(self, end: End = End.CLEAN, *, terminated: bool = False) -> None:
        """Stop it and start it again."""
        self.stop(end)
        self.start(terminated=terminated)

    def knows(self, pipeline: PipelineRecord) -> bool:
        """Say whether it has found the pipeline yet."""
        found_us = pipeline.created_us + round(self.discovery_seconds * 1_000_000 / self._world.speed)
        return self._world.now_us >= max(found_us, self._knows_all_us)

    def new_logs(self, pipeline: PipelineRecord) -> PipelineLogs:
        """Begin the log of a pipeline."""
        begun_us = max(pipeline.created_us, self._started_us)
        line = pipeline.style.runner(begun_us, "INFO", "pipeline_logs", "Fresh start of pipeline logs")
        return PipelineLogs(self._ids.next(begun_us), line)
