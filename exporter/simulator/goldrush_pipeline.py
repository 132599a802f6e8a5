"""A GoldRush pipeline: what its user wants of it, and what the API says of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from exporter.simulator.goldrush_lines import SQL_ERROR, WRITE_ERROR, skipped_line
from exporter.simulator.goldrush_worker import GoldRushWorker
from exporter.simulator.identifiers import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.simulator.goldrush_pod import Window
    from exporter.simulator.goldrush_world import GoldRushWorld

CAUSES = {"sql": SQL_ERROR, "write": WRITE_ERROR}


class GoldRushPipeline:
    """One pipeline and its worker."""

    def __init__(self, world: GoldRushWorld, name: str, *, destination: str, replicas: int) -> None:
        self.world = world
        self.id = f"pipe_{world.random.getrandbits(108):027x}"
        self.name = name
        self.destination = destination
        self.desired = "running"
        self.created_us = self.updated_us = world.now_us
        self.last_error: str | None = None
        """What the newest probe of the destination found; None is a healthy one."""
        self.window: Window | None = None
        """How much of its log is shown, where it is not as much as the world says."""
        self.worker = GoldRushWorker(world, f"covalent-{destination}-{self.id.replace('_', '-')}", replicas)

    def pause(self) -> None:
        """Ask it to pause; its pods go."""
        self._want("paused")
        self.worker.stop("PAUSED")

    def resume(self) -> None:
        """Ask it to run, in new pods."""
        self._want("running")
        self.worker.deploy()

    def rename(self, to: str) -> None:
        """Give it another name, which need not be free."""
        self.name = to
        self.updated_us = self.world.now_us

    def fail(self, cause: str | Sequence[bytes] = "sql") -> None:
        """End in FAILED, with the cause as the last lines of its first pod: `sql`, `write` or lines of your own."""
        if self.worker.pods:
            self.worker.write(b"\n".join(CAUSES[cause] if isinstance(cause, str) else cause))
        self.worker.set_status("FAILED")

    def skip_records(self, count: int) -> None:
        """Leave out records that cannot be decoded: a warning is printed, and the worker counts them."""
        self.worker.metrics.normalization_errors += count
        self.worker.write(skipped_line(self.world.now_us, count))

    def document(self) -> dict[str, Any]:
        """Return the pipeline as its user made it, with the secrets hidden."""
        return {
            self.world.dialect.id_key: self.id,
            "name": self.name,
            "status": self.desired,
            "description": "",
            "topic": "base.mainnet.ref.block.swap.v3",
            "destination_type": self.destination,
            "destination_config": {"type": self.destination, "url": "db.example.com", "password": "******"},
            "transforms": {"swaps": "SELECT * FROM swaps"},
            "created_at": _time(self.created_us),
            "updated_at": _time(self.updated_us),
        }

    def status_document(self) -> dict[str, Any]:
        """Return what its worker does."""
        worker = self.worker
        return {
            "uid": worker.uid,
            "status": worker.phase,
            "replicas": worker.replicas,
            "ready": worker.ready,
            "start_time": None if worker.start_us is None else _time(worker.start_us),
        }

    def metrics_document(self) -> dict[str, Any]:
        """Return the snapshot of its metrics."""
        self.worker.count()
        return {"uid": self.worker.uid, **self.worker.metrics.document(running=self.worker.running)}

    def health_document(self) -> dict[str, Any]:
        """Return the newest probe of its destination."""
        return {"uid": self.worker.uid, "healthy": self.last_error is None, "last_error": self.last_error}

    def logs_document(self) -> dict[str, Any]:
        """Return the newest part of the log of each pod."""
        window = self.window or self.world.window
        shown = [*self.worker.pods, *self.worker.leaving]
        pods = [{"pod": pod.name, "logs": pod.fetch(window)} for pod in shown]
        return {"uid": self.worker.uid, "pods": pods}

    def _want(self, desired: str) -> None:
        self.desired = desired
        self.updated_us = self.world.now_us


def _time(at_us: int) -> str:
    return rfc3339(at_us // 1_000_000 * 1_000_000)
