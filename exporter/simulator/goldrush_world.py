"""The pipelines of one GoldRush account and their clock. Pure: no I/O, no real time."""

from __future__ import annotations

from dataclasses import dataclass, field
from random import Random

from exporter.simulator.clock import Clock
from exporter.simulator.goldrush import GoldRushApi
from exporter.simulator.goldrush_pipeline import GoldRushPipeline
from exporter.simulator.goldrush_pod import Window


@dataclass(frozen=True, slots=True)
class Dialect:
    """What the vendor's pages leave open, or say in more than one way; a client has to take either."""

    id_key: str = "pipeline_id"
    """The examples of the vendor's reference have `id`."""
    newest_first: bool = True
    flat_pagination: bool = False
    """Whether the figures of the page are in `data` itself and not in an object `pagination`."""
    page_size: int = 20
    max_page_size: int = 100
    """A larger page is cut to this size, as its `page_size` says."""


@dataclass(slots=True)
class Keys:
    """Who may read. Without any ServiceKey everybody may who does not come with one of the other keys."""

    service: set[str] = field(default_factory=set)
    ordinary: set[str] = field(default_factory=set)
    """API keys of the vendor's other products: 403."""
    revoked: set[str] = field(default_factory=set)
    """401."""

    def revoke(self, key: str) -> None:
        """Take a ServiceKey back; the next request with it is refused."""
        self.revoked.add(key)


class GoldRushWorld(Clock):
    """All pipelines that a ServiceKey shows. Two may have one name."""

    def __init__(
        self,
        *,
        now_us: int | None = None,
        seed: int = 0,
        speed: float = 1.0,
        window: Window | None = None,
        dialect: Dialect | None = None,
    ) -> None:
        super().__init__(now_us=now_us, speed=speed)
        self.random = Random(seed)
        # A source of its own: what is printed changes nothing of what happens.
        self.log_random = Random(f"logs of goldrush {seed}")
        self.window = window or Window()
        self.dialect = dialect or Dialect()
        self.pipelines: dict[str, GoldRushPipeline] = {}
        """By id, the oldest first."""
        self.keys = Keys()
        self.refused: list[tuple[str, str]] = []
        """Method and path of every request that was not a GET."""

    def api(self, api_key: str | None = None) -> GoldRushApi:
        """Return the API over this world; a key that is given here is a ServiceKey."""
        if api_key is not None:
            self.keys.service.add(api_key)
        return GoldRushApi(self)

    def create(
        self, name: str, *, phase: str | None = None, replicas: int = 1, destination: str = "postgres"
    ) -> GoldRushPipeline:
        """Make a pipeline, which is deployed and then runs, or is in that phase at once."""
        pipeline = GoldRushPipeline(self, name, destination=destination, replicas=replicas)
        self.pipelines[pipeline.id] = pipeline
        if phase is None:
            pipeline.worker.deploy()
        else:
            pipeline.desired = "paused" if phase == "PAUSED" else "running"
            pipeline.worker.set_status(phase)
        return pipeline

    def delete(self, pipeline: GoldRushPipeline) -> None:
        """Take a pipeline out of the world."""
        del self.pipelines[pipeline.id]
        pipeline.worker.set_status("STOPPED")
        pipeline.worker.write_at(0)

    def find(self, name: str) -> GoldRushPipeline | None:
        """Return the oldest pipeline of that name."""
        return next((pipeline for pipeline in self.pipelines.values() if pipeline.name == name), None)

    def listed(self) -> list[GoldRushPipeline]:
        """Return all pipelines in the order of the list."""
        pipelines = list(self.pipelines.values())
        return pipelines[::-1] if self.dialect.newest_first else pipelines
