"""Finding jobs: what is new, what runs, what ran and is not shown any more, and a round over older ones.

Runs: from ten minutes before the newest one that was seen, on the vendor's own timeline, in the order of their start; and
those that the vendor lists as running. Builds, which have no filters: the newest ones, down to ten minutes before. A job
that was known to run and is in neither is asked for by itself. One page a look goes over older runs, the newest first, so
that one which was resurrected and ended again between two looks is found.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Final, TypeVar
from urllib.parse import quote

from exporter.providers.apify._api import MAX_PAGE, time_text
from exporter.providers.apify._words import ACTIVE, KINDS, read_job
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, ProviderError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from exporter.providers.apify._api import Api
    from exporter.providers.apify._look import Look
    from exporter.status.model import Job, JobSeen, Known

T = TypeVar("T", bound="Job | JobSeen")

NS: Final = 1_000_000_000
LOOK_BACK_NS: Final = 600 * NS
"""Lists can show a new job late."""

YOUNG_NS: Final = 60 * NS
"""A job that started so shortly before the newest one may be missing for a moment: it is asked for twice."""

MAX_PAGES: Final = 100
"""So many pages of one list are read in a look; the next one goes on from there."""

MAX_SINGLE: Final = 50
"""So many jobs are asked for one by one in a look."""

PATHS: Final = {"run": "/v2/actor-runs", "build": "/v2/actor-builds"}

_MANY = 5
_MS = 1_000_000
_MAX_ORPHANS = 10_000


class Discovery:
    """Where the looks of one source have come to."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._marks: dict[str, int] = {}
        """By kind: the newest start up to which all has been read."""
        self._behind_ns: int | None = None
        """Where to go on with runs, when there were too many for one look."""
        self._next: tuple[dict[str, int], int | None] = ({}, None)
        self._round_ns: int | None = None
        """The round over older runs has come down to here."""
        self._shown: set[str] = set()
        """Kinds of which the look has shown all that run."""
        self._missed: set[str] = set()
        self._orphans: dict[str, JobSeen] = {}
        """Jobs of which no list has said whose they are."""
        self._failed: dict[str, int] = {}
        """How often a job could not be asked for."""

    async def look(self, known: Known, look: Look) -> None:
        """Find jobs. What fails is noted in the look, and tried again with the next one."""
        for kind in KINDS:
            self._mark(kind, known)
        self._next = (dict(self._marks), self._behind_ns)
        self._shown = set()
        parts = (self._runs, self._builds, self._older_runs, self._ask_missing, self._ask_risen, self._ask_orphans)
        for part in parts:
            if not look.is_over:
                with look.tolerating():
                    await part(known, look)

    @property
    def is_whole(self) -> bool:
        """Whether the lists of all kinds were read to their end in the newest look."""
        return self._shown == set(KINDS)

    def done(self) -> None:
        """Note that what the look found has been handed on."""
        self._marks, self._behind_ns = self._next

    async def ask(self, kind: str, job_id: str, priority: Priority) -> JobSeen:
        """Ask for one job. Raises a ProviderError."""
        path = f"{PATHS[kind]}/{quote(job_id, safe='')}"
        item = await self._api.data(path, priority=priority)
        try:
            job = read_job(kind, item)
        except ValueError as error:
            raise MalformedError(path, f"answered with what is no {kind}: {error}") from error
        if job.id != job_id:
            raise MalformedError(path, f"answered with another {kind}, {job.id!r}")
        return job

    def _mark(self, kind: str, known: Known) -> None:
        if kind in self._marks:
            return
        starts = [job.started_ns for job in known.jobs.values() if job.kind == kind]
        newest_ns = max([known.newest_ns.get(kind, 0), *starts])
        if newest_ns:
            self._marks[kind] = newest_ns

    async def _runs(self, known: Known, look: Look) -> None:
        """Read new runs, and those that the vendor lists as running."""
        await self._new_runs(known, look)
        active = {"status": ",".join(ACTIVE)}
        async for items in self._api.ascending(PATHS["run"], active, None, priority=Priority.LIST):
            look.take("run", items)
        self._shown.add("run")

    async def _new_runs(self, known: Known, look: Look) -> None:
        """Read the runs that started since the last look, and some before."""
        marks, _ = self._next
        if "run" not in marks and known.first:
            page = await self._api.page(PATHS["run"], {"desc": "1"}, priority=Priority.LIST)
            newest_ns = _newest(look.take("run", page.items))
            if not newest_ns:
                return
            marks["run"] = newest_ns
        mark_ns = marks.get("run", known.since_ns)
        after_ns = self._behind_ns or (mark_ns - LOOK_BACK_NS if mark_ns else None)
        pages = 0
        async for items in self._api.ascending(PATHS["run"], {}, after_ns, priority=Priority.LIST):
            reached_ns = _newest(look.take("run", items))
            marks["run"] = max(marks.get("run", 0), reached_ns)
            pages += 1
            behind_ns = reached_ns if pages >= MAX_PAGES else None
            self._next = (marks, behind_ns)
            if behind_ns:
                break

    async def _builds(self, known: Known, look: Look) -> None:
        """Read the newest builds, down to what is known and a little further."""
        marks, _ = self._next
        newest_ns = marks.get("build", 0)
        mark_ns = newest_ns or known.since_ns
        until_ns = mark_ns - LOOK_BACK_NS if mark_ns else None
        first_limit = MAX_PAGE // 10 if newest_ns else MAX_PAGE
        async for items in self._api.overlapping(
            PATHS["build"], {"desc": "1"}, first_limit=first_limit, priority=Priority.LIST
        ):
            builds = look.take("build", items)
            newest_ns = max(newest_ns, _newest(builds))
            if until_ns is None and known.first:
                until_ns = newest_ns - LOOK_BACK_NS
            if until_ns is not None and min((one.started_ns for one in builds), default=until_ns) < until_ns:
                break
        if newest_ns:
            marks["build"] = newest_ns
        self._shown.add("build")

    async def _older_runs(self, known: Known, look: Look) -> None:
        """Read one page of runs that are known for longer: the next one of the round."""
        runs = [job.started_ns for job in known.jobs.values() if job.kind == "run"]
        oldest_ns = max(min(runs, default=0), known.since_ns - LOOK_BACK_NS)
        top_ns = self._marks.get("run", 0) - LOOK_BACK_NS
        if not runs or oldest_ns >= top_ns:
            return
        from_ns = top_ns if self._round_ns is None else self._round_ns
        asked = {"desc": "1", "startedBefore": time_text(from_ns + _MS - 1)}
        page = await self._api.page(PATHS["run"], asked, priority=Priority.LIST)
        starts = [one.started_ns for one in look.take("run", page.items) if one.started_ns]
        reached_ns = min(min(starts, default=0), from_ns - _MS)
        self._round_ns = None if page.is_last or reached_ns <= oldest_ns else reached_ns

    async def _ask_missing(self, known: Known, look: Look) -> None:
        """Ask for jobs that were known to run and that no list has shown."""
        active = [job for job in known.jobs.values() if not job.result and job.kind in self._shown]
        missing = [job for job in active if job.key not in look.latest]
        runs = sorted((job for job in missing if job.kind == "run"), key=lambda job: job.started_ns)
        if len(runs) > _MANY:
            asked = {"startedAfter": time_text(runs[0].started_ns)}
            page = await self._api.page(PATHS["run"], asked, priority=Priority.LIST)
            look.take("run", page.items)
        left = [job for job in missing if job.key not in look.latest]
        newest_ns = max(self._next[0].values(), default=0)
        self._missed &= {job.key for job in left}
        for job in self._turns(left):
            if look.is_over:
                return
            try:
                await self._ask_one(job, look)
            except NotFoundError:
                if job.key in self._missed or job.started_ns < newest_ns - YOUNG_NS:
                    look.retired.append(job.key)
                self._missed.add(job.key)

    async def _ask_risen(self, known: Known, look: Look) -> None:
        """Ask for jobs that had ended and that a list shows as running: a list can be behind what was known before."""
        active = [job for job in look.latest.values() if not job.result and job.key in known.jobs]
        for job in self._turns([job for job in active if known.jobs[job.key].result]):
            if look.is_over:
                return
            with contextlib.suppress(NotFoundError):
                await self._ask_one(job, look)

    async def _ask_orphans(self, known: Known, look: Look) -> None:
        """Ask jobs whose they are, where no list says so: those that run first, then the newest."""
        for job in [job for job in look.latest.values() if not job.pipeline_id]:
            owner = known.jobs.get(job.key)
            if owner is not None:
                look.own(job.key, owner.pipeline_id)
            elif len(self._orphans) < _MAX_ORPHANS:
                self._orphans[job.key] = job
        order = sorted(self._orphans.values(), key=lambda job: (job.result != "", -job.started_ns))
        for job in self._turns(order):
            if look.is_over:
                return
            try:
                found = await self._ask_one(job, look)
            except NotFoundError:
                del self._orphans[job.key]  # nobody will ever know
                continue
            if found is not None:
                del self._orphans[job.key]
                if found.pipeline_id:
                    look.own(job.key, found.pipeline_id)

    def _turns(self, jobs: Sequence[T]) -> list[T]:
        """Return which jobs are asked for now: those that could not be asked for before come behind all others."""
        return sorted(jobs, key=lambda job: self._failed.get(job.key, 0))[:MAX_SINGLE]

    async def _ask_one(self, job: Job | JobSeen, look: Look) -> JobSeen | None:
        """Ask for a job; where that fails for this one alone, the others are asked for all the same."""
        try:
            found = await self.ask(job.kind, job.id, Priority.LIST)
        except NotFoundError:
            self._failed.pop(job.key, None)
            raise
        except ProviderError as error:
            if len(self._failed) >= _MAX_ORPHANS:
                self._failed.clear()
            self._failed[job.key] = self._failed.get(job.key, 0) + 1
            look.fail(error)
            return None
        self._failed.pop(job.key, None)
        look.add(found)
        return found


def _newest(jobs: Iterable[JobSeen]) -> int:
    return max((job.started_ns for job in jobs), default=0)
