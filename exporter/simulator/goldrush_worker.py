"""The worker of a GoldRush pipeline: its phase, its pods, what it counts and what it prints."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.simulator.goldrush_lines import goldrush_record
from exporter.simulator.goldrush_metrics import WorkerMetrics
from exporter.simulator.goldrush_pod import FAILED_FETCH, GoldRushPod
from exporter.simulator.pipeline import ImpossibleError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from exporter.simulator.goldrush_world import GoldRushWorld

    Line = Callable[[str, int], bytes]

PHASES = ("DEPLOYING", "RUNNING", "PAUSED", "FAILED", "STOPPING", "STOPPED")
DEPLOY_SECONDS = 8.0
STOP_SECONDS = 3.0
_POD_BASE_LENGTH = 58
_SUFFIX = "bcdfghjklmnpqrstvwxz2456789"


class GoldRushWorker:
    """Whatever is done to it is seen at once; what takes time is planned in the world's clock."""

    def __init__(self, world: GoldRushWorld, uid: str, replicas: int) -> None:
        self.uid = uid
        """The name of its deployment."""
        self.phase = "STOPPED"
        self.replicas = replicas
        self.start_us: int | None = None
        self.pods: list[GoldRushPod] = []
        self.leaving: list[GoldRushPod] = []
        """Pods that were replaced and can still be read."""
        self.metrics = WorkerMetrics()
        self._world = world
        self._plan = 0
        self._writing = 0
        self._lines_written = 0
        self._torn: tuple[GoldRushPod, bytes] | None = None
        """The second half of a line that is still to be written."""

    @property
    def ready(self) -> int:
        """How many replicas are ready."""
        return sum(pod.ready for pod in self.pods)

    @property
    def running(self) -> bool:
        """Whether records are being processed."""
        return self.phase == "RUNNING" and self.ready > 0

    def count(self) -> None:
        """Bring the counters up to now."""
        self.metrics.count_to(self._world.now_us, running=self.running)

    def deploy(self, seconds: float = DEPLOY_SECONDS) -> None:
        """Start in new pods."""
        self.pods = []
        self.set_status("DEPLOYING")
        self._then(seconds, "RUNNING")

    def stop(self, phase: str = "STOPPED", seconds: float = STOP_SECONDS) -> None:
        """Take the pods down, to end in `STOPPED` or `PAUSED`."""
        self.set_status("STOPPING")
        self._then(seconds, phase)

    def set_status(self, phase: str, *, replicas: int | None = None, ready: int | None = None) -> None:
        """Set the phase, with the pods that go with it: all ready while it runs unless `ready` says how many.

        While it deploys no pod can be read, after a failure each can; paused or stopped there are none. A word that
        is not one of `PHASES` leaves the pods as they are. The counters start with the first pod.
        """
        self.count()
        self._plan += 1
        self.phase = phase
        if replicas is not None:
            self.replicas = replicas
        if phase in {"DEPLOYING", "RUNNING"}:
            self._fill()
            self._make_ready(0 if phase == "DEPLOYING" else self.replicas if ready is None else ready)
        elif phase in {"FAILED", "STOPPING"}:
            for pod in self.pods:
                pod.ready = False
        elif phase in PHASES:
            self.pods = []

    def restart(self, *, down_seconds: float = 0.0) -> None:
        """Start the containers again in the same pods: empty logs, counters at zero."""
        for pod in self.pods:
            pod.clear()
        self._come_back(list(self.pods), down_seconds)

    def replace_pod(self, number: int = 0, *, down_seconds: float = 0.0, linger_seconds: float = 0.0) -> GoldRushPod:
        """Put a pod with another name and an empty log in the place of one, and start the counters anew.

        The new one is not ready for `down_seconds`; the old one can be read for `linger_seconds` more, after the
        others.
        """
        old, new = self._pod(number), self._new_pod()
        self.pods[number] = new
        if linger_seconds:
            self.leaving.append(old)
            self._world.schedule(linger_seconds, lambda: self.leaving.remove(old))
        self._come_back([new], down_seconds)
        return new

    def write(self, text: bytes, pod: int = 0) -> None:
        """Print a line, or several with newlines between them."""
        self._pod(pod).write(text + b"\n")

    def say(self) -> None:
        """Print something of a form drawn by chance, in a ready pod drawn by chance."""
        pods = [pod for pod in self.pods if pod.ready]
        if pods:
            lines = goldrush_record(self._world.log_random, self._world.now_us)
            self._world.log_random.choice(pods).write(b"".join(line + b"\n" for line in lines))

    def write_at(self, lines_per_second: float, line: Line | None = None, *, torn: bool = False) -> None:
        """Print lines at that rate from now on, in turn in each pod that is ready; 0 ends it.

        `line` makes each from the pod's name and a number that counts from 1. With `torn` a line is written in two
        halves, the second half a period later, so that an answer may end in the middle of one.
        """
        self._writing += 1
        self._end_line()
        if lines_per_second > 0:
            self._write_next(self._writing, 1 / lines_per_second, line or _numbered, torn=torn)

    def fail_next_log_fetch(self, count: int = 1, text: str = FAILED_FETCH, *, pod: int | None = None) -> None:
        """Let the next fetches of the log find an error in place of lines, in one pod or in all."""
        for one in [*self.pods, *self.leaving] if pod is None else [self._pod(pod)]:
            one.fail_fetches(count, text)

    def _pod(self, number: int) -> GoldRushPod:
        if not 0 <= number < len(self.pods):
            raise ImpossibleError(f"{self.uid} is {self.phase} and has no pod {number}, only {len(self.pods)}")
        return self.pods[number]

    def _then(self, seconds: float, phase: str) -> None:
        """Change the phase later, unless something else has changed it by then."""
        plan = self._plan

        def change() -> None:
            if plan == self._plan:
                self.set_status(phase)

        self._world.schedule(seconds, change)

    def _fill(self) -> None:
        if not self.pods:
            self._begin()
        del self.pods[self.replicas :]
        while len(self.pods) < self.replicas:
            self.pods.append(self._new_pod())

    def _begin(self) -> None:
        self.start_us = self._world.now_us
        self.metrics.restart(self._world.now_us)

    def _new_pod(self) -> GoldRushPod:
        random = self._world.random
        # As Kubernetes makes names: a base that is cut, and five characters behind it.
        base = f"pipeline-{self.uid}-{random.getrandbits(36):09x}-"[:_POD_BASE_LENGTH]
        return GoldRushPod(base + "".join(random.choices(_SUFFIX, k=5)))

    def _make_ready(self, count: int) -> None:
        for number, pod in enumerate(self.pods):
            pod.ready = pod.readable = number < count

    def _come_back(self, pods: Sequence[GoldRushPod], down_seconds: float) -> None:
        self.count()
        self._begin()
        for pod in pods:
            pod.ready = pod.readable = False

        def up() -> None:
            self.count()
            for pod in pods:
                if pod in self.pods and self.phase == "RUNNING":
                    pod.ready = pod.readable = True

        if down_seconds:
            self._world.schedule(down_seconds, up)
        else:
            up()

    def _write_next(self, writing: int, period_seconds: float, line: Line, *, torn: bool) -> None:
        if writing != self._writing:
            return
        pods = [pod for pod in self.pods if pod.ready]
        if pods:
            pod = pods[self._lines_written % len(pods)]
            self._lines_written += 1
            text = line(pod.name, self._lines_written) + b"\n"
            half = len(text) // 2 if torn else len(text)
            pod.write(text[:half])
            if torn:
                self._torn = pod, text[half:]
                self._world.schedule(period_seconds / 2, self._end_line)
        self._world.schedule(period_seconds, lambda: self._write_next(writing, period_seconds, line, torn=torn))

    def _end_line(self) -> None:
        """Write what is still to come of a line."""
        if self._torn is not None:
            pod, rest = self._torn
            self._torn = None
            pod.write(rest)


def _numbered(_pod: str, number: int) -> bytes:
    return f"INFO line {number}".encode()
