"""The jobs of a source: what a look shows of them into the counts of their pipelines, and their figures once final.

take(listing) ─▶ ledger ─▶ ends ─▶ counts of the pipelines    before the commit of the list, which writes and shows them
settle()      ─▶ provider.job() ─▶ ledger ─▶ figures, spans ─▶ commit

Only the source's poller calls these, one after the other: between them and the commit nothing else may change the ledger.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter, deque
from typing import TYPE_CHECKING, Final

from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError
from exporter.status.job_counts import JobCounts, result_label
from exporter.status.jobs import SETTLE_SECONDS
from exporter.status.model import EndedJob

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from exporter.polling.tracked import Tracked, TrackedSource
    from exporter.providers.base import Provider
    from exporter.providers.budget import Budget
    from exporter.status.jobs import End, Settled
    from exporter.status.model import Job, JobSeen, Listing

CONCURRENCY: Final = 4
BATCH: Final = 25
"""So many jobs are settled between two commits."""

STRETCH: Final = 4
"""The time for settling is so many intervals."""

SHARE: Final = 0.5
"""No more than this part of an interval's requests is for settling: after a long downtime, logs wait for them, too."""

BASELINES: Final = 200
"""Of so many jobs that had ended before counting began, it is asked what they had used by then."""

MAX_TRIES: Final = 30
"""A job that cannot be asked for its figures so often is settled without."""

RETRY_SECONDS: Final = 15.0

_log = logging.getLogger(__name__)


class SourceJobs:
    """The jobs of one source."""

    def __init__(
        self,
        source: TrackedSource,
        provider: Provider,
        budget: Budget,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._source = source
        self._provider = provider
        self._budget = budget
        self._clock = clock
        self.reads_logs = False
        """Whether the logs of jobs that are seen from now on are to be read."""
        self._tries: Counter[str] = Counter()
        self._baselines = BASELINES
        self._began_seconds: float | None = None

    def known(self) -> Mapping[str, Job]:
        """Return all jobs that are known, by key."""
        return self._source.jobs.by_key

    def newest_ns(self) -> Mapping[str, int]:
        """Return, by kind, the newest start of any job that a look has shown."""
        return self._source.jobs.marks.newest_ns

    def since_ns(self) -> int:
        """Return the newest time of the look with which counting began."""
        return self._source.jobs.marks.since_ns

    def take(self, listing: Listing, *, first: bool, at_seconds: float) -> set[str]:
        """Take in the jobs of a look, after its pipelines. Returns the pipelines of which something shown differs.

        Ends of a pipeline that is shown for the first time wait for the next look. Jobs of pipelines that are not
        selected are left out.
        """
        source, ledger = self._source, self._source.jobs
        left_out = {now.id for now in listing.pipelines} - source.by_id.keys()
        ledger.leave_out(left_out)
        ledger.reach(listing.jobs)
        for key in listing.retired:
            ledger.retire(key)
        seen = [one for one in listing.jobs if one.pipeline_id and one.pipeline_id not in left_out]
        ends = self._look(seen, first=first, at_seconds=at_seconds)
        if first:
            self._began_seconds = at_seconds
        return self._count(ends) | self._show_active()

    async def settle(self, deadline: float) -> None:
        """Ask for the figures of jobs that ended some seconds ago, until a moment of `time.monotonic()`; commit them.

        With what is left of the budget, also for what jobs from before the start of counting had used.
        """
        interval_seconds = (deadline - time.monotonic()) / STRETCH
        share = max(BATCH, int(SHARE * interval_seconds * self._budget.per_second))
        await self._ask(self._source.jobs.due(self._clock())[:share], Priority.EVENTS, deadline)
        if self._baselines > 0 and self._clock() >= (self._began_seconds or 0.0) + SETTLE_SECONDS:
            soon = time.monotonic() + interval_seconds
            await self._ask(self._source.jobs.unbased(self._baselines), Priority.SWEEP, soon)

    def _look(self, seen: Sequence[JobSeen], *, first: bool, at_seconds: float) -> list[End]:
        """Have the ledger take in what is seen. What was not shown before is to be shown at zero first."""
        source = self._source
        old = {key for key, one in source.series.pipelines.items() if one.kept}
        shown = old | source.gone.keys()
        return source.jobs.look(
            seen, first=first, at_seconds=at_seconds, reads_logs=self.reads_logs, shown=shown, old=old
        )

    def _count(self, ends: Iterable[End]) -> set[str]:
        """Add ends to the counts of their pipelines."""
        changed = set()
        for end in ends:
            tracked = self._tracked(end.pipeline_id)
            if tracked is None:
                continue
            counts = tracked.pipeline.jobs.setdefault(end.kind, JobCounts())
            label = result_label(self._source.context.words, end.kind, end.result)
            if end.counts:
                counts.count(label)
            if end.duration_seconds is not None:
                counts.observe(label, end.duration_seconds)
            self._source.dirty.add(end.pipeline_id)
            changed.add(end.pipeline_id)
        return changed

    def _show_active(self) -> set[str]:
        """Note by pipeline which jobs have not ended; return where that differs."""
        ledger = self._source.jobs
        active: dict[str, Counter[tuple[str, str]]] = {}
        for key in ledger.active:
            job = ledger.by_key[key]
            active.setdefault(job.pipeline_id, Counter())[job.kind, job.status] += 1
        changed = set()
        for pipeline_id, tracked in self._source.by_id.items():
            now: Mapping[tuple[str, str], int] = active.get(pipeline_id, {})
            if tracked.active != now:
                tracked.active = dict(now)
                changed.add(pipeline_id)
        return changed

    async def _ask(self, due: Sequence[str], priority: Priority, deadline: float) -> None:
        """Settle jobs until all are, or the time is up; commit them in batches."""
        for start in range(0, len(due), BATCH):
            rest = deque(due[start : start + BATCH])
            changed: set[str] = set()
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENCY):
                    group.create_task(self._work(rest, changed, priority, deadline))
            if self._source.jobs.dirty:
                await self._source.commit(changed)
            if rest:
                return

    async def _work(self, rest: deque[str], changed: set[str], priority: Priority, deadline: float) -> None:
        asked = False
        # However late it is, each cycle settles something: else a small budget would starve it without end.
        while (
            rest
            and not self._budget.held_seconds
            and (
                time.monotonic() + self._budget.wait_seconds() < deadline or (priority is Priority.EVENTS and not asked)
            )
        ):
            asked = True
            key = rest.popleft()
            self._baselines -= priority is Priority.SWEEP
            job = self._source.jobs.by_key.get(key)
            if job is None:
                continue
            # Others come before a sweep without end: it does not wait for them past its time.
            patience = deadline - time.monotonic() if priority is Priority.SWEEP else None
            try:
                async with asyncio.timeout(patience):
                    seen: JobSeen | None = await self._provider.job(job.kind, job.id, priority)
            except TimeoutError:
                return
            except NotFoundError:
                seen = None
            except Exception as error:  # noqa: BLE001  (one job must not keep the others from being settled)
                if not isinstance(error, ProviderError):
                    _log.exception("source %s: %s", self._source.context.source, key)
                if not self._give_up(key, error):
                    continue
                seen = None
            changed |= self._settle(key, seen)

    def _settle(self, key: str, seen: JobSeen | None) -> set[str]:
        """Take in how the vendor shows a job that is due, and what that adds."""
        now_seconds, ledger = self._clock(), self._source.jobs
        self._tries.pop(key, None)
        changed: set[str] = set()
        if seen is not None and seen.key == key:
            changed = self._count(self._look([seen], first=False, at_seconds=now_seconds))
        settled = ledger.settle(key, seen, now_seconds)
        job = ledger.by_key[key]
        tracked = self._tracked(job.pipeline_id)
        if tracked is None:
            return changed
        if settled.compute_units or settled.cost_usd:
            counts = tracked.pipeline.jobs.setdefault(job.kind, JobCounts())
            counts.compute_units += settled.compute_units
            counts.cost_usd += settled.cost_usd
            self._source.dirty.add(job.pipeline_id)
            changed.add(job.pipeline_id)
        if self._source.traces is not None:
            self._source.unsent_spans += spans(tracked.pipeline.name, job, settled)
        return changed

    def _give_up(self, key: str, error: Exception) -> bool:
        """Have a job asked again later; after many tries, settle it without figures."""
        self._tries[key] += 1
        if self._tries[key] < MAX_TRIES:
            self._source.jobs.postpone(key, self._clock() + RETRY_SECONDS)
            return False
        _log.error("source %s: the figures of %s are given up: %s", self._source.context.source, key, error)
        return True

    def _tracked(self, pipeline_id: str) -> Tracked | None:
        return self._source.by_id.get(pipeline_id) or self._source.gone.get(pipeline_id)


def spans(pipeline: str, job: Job, settled: Settled) -> list[EndedJob]:
    """Return what the spans of settled ends tell."""
    return [
        EndedJob(
            pipeline_id=job.pipeline_id,
            pipeline=pipeline,
            kind=job.kind,
            id=job.id,
            result=end.result,
            started_ns=end.started_ns,
            finished_ns=end.finished_ns,
            resumed=end.resumed,
            build_id=job.build_id,
        )
        for end in settled.ends
    ]
