"""The ledger of a source's jobs: every end of a job once, over restarts, stale answers and resurrections.

    look(seen)  ─▶ what is known of each job ─▶ ends that count now
    due(now)    ─▶ keys whose figures are final by now ─▶ settle(key, seen) ─▶ what they add, and their spans
    retire(keys)   the vendor has deleted them

An end is a job and its `finishedAt` together. A job's ends count in the order of their times, each newer than the ones
before: an older one is an answer from the past. An end whose time is not known yet counts once, and takes the first time
that shows. Whether an end lies before the start of counting is judged by the vendor's times alone.

Pure: no I/O and no clock. What differs from the journal is in `dirty` and `forgotten`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.status.model import Ending, Job

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from exporter.status.model import JobSeen

MAX_JOBS: Final = 50_000
"""So many jobs are kept, the newest; those that have not ended or are not settled beside them."""

SLACK: Final = 1_000
"""The oldest are dropped when so many are too many, not at every look."""

SETTLE_SECONDS: Final = 11.0
"""The vendor's figures are final about 10 s after an end."""

DATE_SECONDS: Final = 60.0
"""An end that still has no time so long after it was counted is settled without one."""

_NS: Final = 1_000_000_000


class End(NamedTuple):
    """What an end of a job adds to the counts."""

    pipeline_id: str
    kind: str
    result: str
    counts: bool
    """False: it was counted before its time was known, and only its duration is new."""
    duration_seconds: float | None


class Settled(NamedTuple):
    """What settling a job adds, and the ends that are settled by it."""

    compute_units: float = 0.0
    cost_usd: float = 0.0
    ends: Sequence[Ending] = ()


class Marks(msgspec.Struct):
    """The vendor's times that tell what lies before the start of counting. The journal keeps them."""

    since_ns: int = 0
    """The largest time that the look showed with which counting began: a job unknown since that ended by then is old."""
    since: dict[str, int] = msgspec.field(default_factory=dict)
    """By pipeline, where counting began at another look."""
    newest_ns: dict[str, int] = msgspec.field(default_factory=dict)
    """By kind: the newest start of any job that a look has shown."""
    seen_ns: int = 0
    """The newest time that a look has shown."""
    ended_ns: int = 0
    """The newest end that has been noticed."""
    dropped_started_ns: int = 0
    dropped_finished_ns: int = 0
    """The largest start and end of jobs that were dropped as too many: these have been counted."""


class Jobs:
    """All jobs of a source that are known."""

    def __init__(self) -> None:
        self.by_key: dict[str, Job] = {}
        self.marks = Marks()
        self.active: dict[str, None] = {}
        """Keys of jobs that have not ended."""
        self.dirty: dict[str, None] = {}
        """Keys of jobs that differ from the journal."""
        self.forgotten: dict[str, None] = {}
        """Keys of jobs that the journal still has."""
        self._waiting: dict[str, None] = {}
        """Keys of jobs with an end that is not counted yet."""
        self._settling: dict[str, None] = {}
        self._unbased: dict[str, None] = {}
        """Keys of jobs that ended before counting began, of which it is not known what they had used until then."""
        self._newest: dict[tuple[str, str], str] = {}

    def restore(self, jobs: Iterable[Job], marks: Marks, *, lost: bool = False) -> None:
        """Take up what the journal has. Where some of it is `lost`, what ended up to now counts no second time."""
        self.marks = marks
        for job in jobs:
            self._keep(job)
        if lost:
            marks.dropped_started_ns = max([marks.dropped_started_ns, *marks.newest_ns.values()])
            marks.dropped_finished_ns = max(marks.dropped_finished_ns, marks.ended_ns)

    def write_again(self) -> None:
        """Have all jobs written with the next commit."""
        self.dirty |= dict.fromkeys(self.by_key)

    def reach(self, seen: Iterable[JobSeen]) -> None:
        """Note how far the vendor's time has come, by all jobs that a look shows."""
        marks = self.marks
        for one in seen:
            marks.newest_ns[one.kind] = max(marks.newest_ns.get(one.kind, 0), one.started_ns)
            marks.seen_ns = max(marks.seen_ns, one.started_ns, one.finished_ns)

    def look(
        self,
        seen: Iterable[JobSeen],
        *,
        first: bool,
        at_seconds: float,
        reads_logs: bool,
        shown: Collection[str],
        old: Collection[str] = (),
    ) -> list[End]:
        """Take in what a look shows, in the order in which it was seen, and return the ends that count now.

        `first`: counting starts with this look, for the jobs of pipelines that are not in `old`. Ends of pipelines that
        are not `shown` wait: their counters are to be seen at zero before.
        """
        seen = list(seen)
        self.reach(seen)
        if first:
            seen = list({one.key: one for one in seen}.values())
            self._begin(old)
        ends = []
        for one in seen:
            dated = self._take(one, is_baseline=first and one.pipeline_id not in old, reads_logs=reads_logs)
            if dated is not None:
                ends.append(dated)
        for key in [key for key in self._waiting if self.by_key[key].pipeline_id in shown]:
            ends += self._count(self.by_key[key], at_seconds)
        self._drop()
        return ends

    def due(self, now_seconds: float) -> list[str]:
        """Return the keys of jobs to settle now, those that ended first before the others."""
        due = []
        for key in self._settling:
            settle_seconds = self.by_key[key].settle_seconds or 0.0
            # A moment that is too far away is one of a clock that has been set back since.
            if settle_seconds <= now_seconds or settle_seconds > now_seconds + DATE_SECONDS:
                due.append((settle_seconds, key))
        return [key for _, key in sorted(due)]

    def unbased(self, limit: int) -> list[str]:
        """Return keys of jobs that ended before counting began, the newest; `settle` takes what they had used.

        Should one be resurrected, only what comes on top of it is added.
        """
        return sorted(self._unbased, key=lambda key: -self.by_key[key].started_ns)[:limit]

    def settle(self, key: str, seen: JobSeen | None, now_seconds: float) -> Settled:
        """Add what a job used beyond what has been added, and let its ends go.

        `seen` is how the vendor shows the job now, taken in by `look` before; None: it has the job no more. A job that
        runs again adds its figures when it has ended.
        """
        job = self.by_key.get(key)
        if job is None or (job.settle_seconds is None and job.based):
            return Settled()
        if seen is not None and job.result and self._is_too_early(job, now_seconds):
            return Settled()
        units = cost = 0.0
        if seen is not None and (job.result or not job.based):
            units = max(0.0, (seen.compute_units or 0.0) - job.compute_units)
            cost = max(0.0, (seen.cost_usd or 0.0) - job.cost_usd)
            job.compute_units += units
            job.cost_usd += cost
        if not job.based:
            units = cost = 0.0
            job.based = True
        ends = [end for end in job.unsettled if end.counted]
        job.unsettled = [end for end in job.unsettled if not end.counted]
        job.settle_seconds = None
        for end in ends:
            end.finished_ns = end.finished_ns or max(end.started_ns, int(now_seconds * _NS))
        self._keep(job, changed=True)
        return Settled(units, cost, ends)

    def postpone(self, key: str, until_seconds: float) -> None:
        """Settle a job later: the vendor could not be asked."""
        job = self.by_key.get(key)
        if job is not None and job.settle_seconds is not None:
            job.settle_seconds = until_seconds
            self._keep(job, changed=True)

    def retire(self, key: str) -> None:
        """Forget a job that the vendor has deleted before it was seen to end. One that has ended stays known.

        Else an answer from the past could show it once more, and its end would count again.
        """
        job = self.by_key.get(key)
        if job is not None and not job.result:
            self.forget([key])

    def forget(self, keys: Iterable[str]) -> None:
        """Let go of jobs, whatever they are."""
        for key in keys:
            job = self.by_key.pop(key, None)
            if job is None:
                continue
            for index in (self.active, self.dirty, self._waiting, self._settling, self._unbased):
                index.pop(key, None)
            if self._newest.get((job.pipeline_id, job.kind)) == key:
                del self._newest[job.pipeline_id, job.kind]
            self.forgotten[key] = None

    def leave_out(self, pipeline_ids: Collection[str]) -> None:
        """Let go of jobs of which something is still to come, of pipelines that are not selected."""
        open_keys = self.active.keys() | self._waiting.keys() | self._settling.keys()
        self.forget([key for key in open_keys if self.by_key[key].pipeline_id in pipeline_ids])

    def forget_pipelines(self, pipeline_ids: Collection[str]) -> None:
        """Let go of all jobs of pipelines that are forgotten."""
        if pipeline_ids:
            self.forget([key for key, job in self.by_key.items() if job.pipeline_id in set(pipeline_ids)])

    def written(self, keys: Iterable[str], forgotten: Iterable[str]) -> None:
        """Note what the journal holds now."""
        for key in keys:
            self.dirty.pop(key, None)
        for key in forgotten:
            self.forgotten.pop(key, None)

    def _begin(self, old: Collection[str]) -> None:
        """Start to count: what ended up to the newest time that was shown is not counted."""
        for pipeline_id in old:
            self.marks.since.setdefault(pipeline_id, self.marks.since_ns)
        self.marks.since_ns = self.marks.seen_ns

    def _take(self, one: JobSeen, *, is_baseline: bool, reads_logs: bool) -> End | None:
        """Take in one job as a look shows it; an end that is new waits to be counted.

        Returns what is new of an end that was counted before its time was known.
        """
        job = self.by_key.get(one.key)
        if job is None:
            is_old = one.result != "" and (is_baseline or self._is_old(one))
            if is_old and not is_baseline and not self._is_newest(one):
                return None  # nothing will ever be counted of it
            job = Job(one.kind, one.id, one.pipeline_id, "", "", 0, 0, reads_log=reads_logs and not is_old)
            if is_old:
                job.ends, job.counted_ns, job.based = 1, one.finished_ns, False
        elif one.result and _is_stale(one, job):
            return None
        before = (job.status, job.result, job.started_ns, job.finished_ns, job.build_id)
        job.status, job.result = one.status, one.result
        job.started_ns, job.finished_ns = one.started_ns or job.started_ns, one.finished_ns
        job.build_id = one.build_id or job.build_id
        if before == (job.status, job.result, job.started_ns, job.finished_ns, job.build_id):
            return None
        dated = _notice(job)
        self.marks.ended_ns = max(self.marks.ended_ns, job.finished_ns)
        if not job.based and not job.result:
            job.settle_seconds = 0.0  # it was resurrected: what it used before is to be asked for at once
        self._keep(job, changed=True)
        return dated

    def _keep(self, job: Job, *, changed: bool = False) -> None:
        """Put a job where it is found."""
        key = job.key
        self.by_key[key] = job
        _put(self.active, key, there=not job.result)
        _put(self._waiting, key, there=any(not end.counted for end in job.unsettled))
        _put(self._settling, key, there=job.settle_seconds is not None)
        _put(self._unbased, key, there=not job.based and job.result != "" and not job.unsettled)
        if self._is_newest(job):
            self._newest[job.pipeline_id, job.kind] = key
        if changed:
            self.dirty[key] = None
            self.forgotten.pop(key, None)

    def _count(self, job: Job, at_seconds: float) -> list[End]:
        """Count the ends of a job that wait for it."""
        ends = []
        for end in job.unsettled:
            if not end.counted:
                end.counted = True
                ends.append(End(job.pipeline_id, job.kind, end.result, counts=True, duration_seconds=_duration(end)))
        job.settle_seconds = at_seconds + SETTLE_SECONDS
        self._keep(job, changed=True)
        return ends

    def _is_too_early(self, job: Job, now_seconds: float) -> bool:
        """Whether a job that is due ended once more in between, or waits for the time of its end."""
        settle_seconds = job.settle_seconds or 0.0
        if now_seconds < settle_seconds <= now_seconds + SETTLE_SECONDS:
            return True
        undated = any(not one.finished_ns for one in job.unsettled)
        return undated and now_seconds < settle_seconds + DATE_SECONDS

    def _is_old(self, one: JobSeen) -> bool:
        """Whether a job that is not known ended before counting began, or was counted and dropped."""
        marks = self.marks
        ended_ns = one.finished_ns or one.started_ns
        if ended_ns <= marks.since.get(one.pipeline_id, marks.since_ns):
            return True
        return one.started_ns <= marks.dropped_started_ns and ended_ns <= marks.dropped_finished_ns

    def _is_newest(self, one: JobSeen | Job) -> bool:
        known = self._newest.get((one.pipeline_id, one.kind))
        return known is None or self.by_key[known].started_ns <= one.started_ns

    def _drop(self) -> None:
        """Let go of the oldest jobs when there are too many."""
        over = len(self.by_key) - MAX_JOBS
        if over < SLACK:
            return
        kept = self.active.keys() | self._waiting.keys() | self._settling.keys() | set(self._newest.values())
        done = sorted((job.started_ns, key) for key, job in self.by_key.items() if key not in kept)[:over]
        for started_ns, key in done:
            self.marks.dropped_started_ns = max(self.marks.dropped_started_ns, started_ns)
            self.marks.dropped_finished_ns = max(self.marks.dropped_finished_ns, self.by_key[key].counted_ns)
        self.forget(key for _, key in done)


def _is_stale(one: JobSeen, job: Job) -> bool:
    """Whether a look shows an end as it was before what is known of it."""
    if one.finished_ns:
        return one.finished_ns < job.counted_ns
    return bool(job.result) and job.finished_ns > 0


def _notice(job: Job) -> End | None:
    """Note the end that a job shows, if it is a new one."""
    if not job.result:
        return None
    if job.ends and not job.counted_ns:
        job.counted_ns = job.finished_ns
        undated = next((end for end in job.unsettled if not end.finished_ns), None)
        if undated is None:
            return None
        undated.started_ns, undated.finished_ns = job.started_ns, job.finished_ns
        return (
            End(job.pipeline_id, job.kind, undated.result, counts=False, duration_seconds=_duration(undated))
            if undated.counted
            else None
        )
    if not job.ends or job.finished_ns > job.counted_ns:
        job.unsettled.append(Ending(job.result, job.started_ns, job.finished_ns, resumed=job.ends > 0))
        job.ends += 1
        job.counted_ns = job.finished_ns
    return None


def _duration(end: Ending) -> float | None:
    """Return how long it took in seconds; None where a time is missing."""
    return max(0, end.finished_ns - end.started_ns) / _NS if end.finished_ns and end.started_ns else None


def _put(index: dict[str, None], key: str, *, there: bool) -> None:
    if there:
        index[key] = None
    else:
        index.pop(key, None)
