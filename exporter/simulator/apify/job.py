"""One build or one run, and all that can happen to it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from exporter.simulator.apify.figures import Usage, usage_of
from exporter.simulator.apify.identifiers import new_id, time_text
from exporter.simulator.apify.log import JobLog
from exporter.simulator.log_follower import End
from exporter.simulator.pipeline import ImpossibleError

if TYPE_CHECKING:
    from exporter.simulator.api import Later
    from exporter.simulator.apify.world import Actor, ApifyWorld


class Job:
    """A build, or a run of a build. Its status is whatever was set last: words that no Apify uses are possible."""

    def __init__(
        self, world: ApifyWorld, actor: Actor, *, kind: str, status: str, number: str, build: Job | None, origin: str
    ) -> None:
        self.world = world
        self.actor = actor
        self.kind = kind
        """`run` or `build`."""
        self.id = new_id(world.random)
        self.status = status
        self.number = number
        """The number of the build, or of the build that is run."""
        self.build = build
        self.origin = origin
        self.started_us = self._now_us
        self.finished_us: int | None = None
        self.seen = self.listed = True
        """Whether its own path, and the lists, know it already."""
        self.deleted = False
        self.hides_end = False
        """Whether the documents have no `finishedAt` although it has ended."""
        self.sparse = world.random.random() < world.sparse
        """Whether its items in lists lack what the specification lets them lack."""
        self.memory_mbytes = 1024
        self.exit_code: int | None = None
        self.status_message: str | None = None
        self.resurrections = 0
        self.log_limit(world.log_limit_bytes, cut_in_lines=world.cut_in_lines)
        self.waiting: set[Later] = set()
        self.storage_ids = [new_id(world.random) for _ in range(3)]
        self._begun_us = self.started_us
        self._earlier_us = 0
        self._earlier = Usage()
        self._last: Usage | None = None
        self._settled = False

    @property
    def is_over(self) -> bool:
        """Whether it has ended, and was not resurrected since."""
        return self.finished_us is not None

    @property
    def finished_at(self) -> str | None:
        """When it ended, as the documents say."""
        return None if self.finished_us is None or self.hides_end else time_text(self.finished_us)

    @property
    def run_seconds(self) -> float:
        """How long it ran, over all its lives."""
        end_us = self._now_us if self.finished_us is None else self.finished_us
        return (self._earlier_us + end_us - self._begun_us) / 1_000_000

    @property
    def _now_us(self) -> int:
        # Apify writes milliseconds: what follows from times is to fit those.
        return self.world.now_us // 1_000 * 1_000

    @property
    def usage(self) -> Usage:
        """What it used as far as is known now: preliminary while it runs and shortly after."""
        if self._settled and self._last is not None:
            return self._earlier.plus(self._last)
        return self._earlier.plus((self._last or self._used()).times(self.world.preliminary))

    def log(self, message: str, *, age_seconds: float = 0.0) -> None:
        """Write a message with the time of now, or of some moment ago; lines after its first have none."""
        at_us = self.world.now_us - round(age_seconds * 1_000_000)
        self.write(f"{time_text(at_us)} {message}\n".encode())

    def write(self, text: bytes) -> None:
        """Write to the log as it is, with or without time and line end."""
        self.log_text.write(text)

    def log_late(self, message: str, seconds: float = 5.0) -> None:
        """Write a message with the time of now that shows only some seconds later, whatever happens until then."""
        self.world.schedule(seconds, partial(self.write, f"{time_text(self.world.now_us)} {message}\n".encode()))

    def log_limit(self, limit_bytes: int, *, cut_in_lines: bool = False) -> None:
        """Begin an empty log that keeps so much."""
        self.log_text = JobLog(limit_bytes, cut_in_lines=cut_in_lines)

    def become(self, status: str) -> None:
        """Take any other status that is no end; a READY one begins to run so."""
        self._must_live()
        if self.status == "READY":
            self._begun_us = self._now_us
        self.status = status

    def finish(
        self,
        status: str = "SUCCEEDED",
        *,
        exit_code: int | None = None,
        compute_units: float | None = None,
        usd: float | None = None,
    ) -> None:
        """End with a status, of any word, and with what this life of it used where that is given.

        Figures settle 10 s later.
        """
        self._must_live()
        used = self._used()
        self.status = status
        self.finished_us = self._now_us
        self.exit_code = exit_code if exit_code is not None else {"SUCCEEDED": 0, "FAILED": 1}.get(status)
        self._last = used._replace(
            compute_units=used.compute_units if compute_units is None else compute_units,
            usd=used.usd if usd is None else usd,
        )
        self._settled = False
        life = self.resurrections
        self.world.schedule(self.world.settling_seconds, lambda: self._settle(life))
        self.world.account.use(self.finished_us, self._last)
        self.log_text.end(End.CLEAN)
        self.end_waiting()

    def abort(self, seconds: float = 0.0) -> None:
        """Abort it; with seconds it is ABORTING for so long."""
        self._end_by("ABORTING", "ABORTED", seconds)

    def time_out(self, seconds: float = 0.0) -> None:
        """Let its time be up; with seconds it is TIMING-OUT for so long."""
        self._end_by("TIMING-OUT", "TIMED-OUT", seconds)

    def resurrect(self) -> None:
        """Let a run that has ended run again: it keeps its start and its log, and its cost goes on."""
        if self.kind != "run" or not self.is_over:
            raise ImpossibleError(f"{self.kind} {self.id} is {self.status}: only runs that have ended are resurrected")
        self._earlier_us = round(self.run_seconds * 1_000_000)
        self._earlier = self._earlier.plus(self._last or Usage())
        self._last = None
        self._settled = False
        self.resurrections += 1
        self.status = "RUNNING"
        self.finished_us, self.exit_code = None, None
        self._begun_us = self._now_us

    def delete(self) -> None:
        """Delete it, as its user does or the vendor after some days; only what has ended can be."""
        if not self.is_over:
            raise ImpossibleError(f"{self.kind} {self.id} is {self.status}: only jobs that have ended are deleted")
        self.deleted = True
        self.world.jobs(self.kind).remove(self)

    def end_streams(self, end: End = End.CLEAN) -> None:
        """End the open streams of its log, although it has not ended."""
        self.log_text.end(end)

    def end_waiting(self) -> None:
        """Answer those who wait for its end."""
        waiting, self.waiting = self.waiting, set()
        for later in waiting:
            later.finish()

    def _end_by(self, way: str, end: str, seconds: float) -> None:
        self._must_live()
        if not seconds:
            self.finish(end)
            return
        self.status = way

        def over() -> None:
            if self.status == way:
                self.finish(end)

        self.world.schedule(seconds, over)

    def _settle(self, life: int) -> None:
        # Of two ends within ten seconds, only the newer one's figures are still to come.
        self._settled = self._settled or (self.is_over and self.resurrections == life)

    def _used(self) -> Usage:
        if self.status == "READY":
            return Usage()
        seconds = (self._now_us - self._begun_us) / 1_000_000
        return usage_of(seconds, self.memory_mbytes, int(seconds) if self.kind == "run" else 0)

    def _must_live(self) -> None:
        if self.is_over:
            raise ImpossibleError(f"{self.kind} {self.id} is {self.status}: it has ended")
