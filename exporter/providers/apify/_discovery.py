"""Finding jobs: what is new, what runs, what ran and is not shown any more, and a round over older ones.

Runs: from ten minutes before the newest one that was seen, on the vendor's own timeline, in the order of their start; and
those that the vendor lists as running. Builds, which have no filters: the newest ones, down to ten minutes before. A job
that was known to run and is in neither is asked for by itself. One page a look goes over older runs, the newest first, so
that one which was resurrected and ended again between two looks is found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from exporter.providers.apify._api import MAX_PAGE, time_text
from exporter.providers.apify._words import ACTIVE, KINDS, read_job
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.providers.apify._api import Api
    from exporter.providers.apify._look import Look
    from exporter.status.model import Job, JobSeen, Known

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
        self._missed: set[str] = set()
        self._orphans: dict[str, JobSeen] = {}
        """Jobs of which no list has said whose they are."""

    async def look(self, known: Known, look: Look) -> None:
        """Find jobs. What fails is noted in the look, and tried again with the next one."""
        for kind in KINDS:
            self._mark(kind, known)
        self._next = (dict(self._marks), self._behind_ns)
        shows_runs = shows_builds = False
        with look.tolerating():
            await self._new_runs(known, look)
            async for items in self._api.ascending(
                PATHS["run"], {"status": ",".join(ACTIVE)}, None, priority=Priority.LIST
            ):
                look.take("run", items)
            shows_runs = True
        with look.tolerating():
            await self._new_builds(known, look)
            shows_builds = True
        with look.tolerating():
            await self._older_runs(known, look)
        shown = {"run": shows_runs, "build": shows_builds}
        missing = [job for job in known.jobs.values() if not job.result and job.key not in look.latest]
        with look.tolerating():
            await self._ask_missing([job for job in missing if shown[job.kind]], look)
        with look.tolerating():
            await self._ask_orphans(known, look)

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

    async def _new_runs(self, known: Known, look: Look) -> None:
        """Read the runs that started since the last look, and some before."""
        marks, _ = self._next
        if "run" not in marks and known.first:
            page = await self._api.page(PATHS["run"], {"desc": "1"}, priority=Priority.LIST)
            newest_ns = _newest(look.take("run", page.items))
            if not newest_ns:
                return
            marks["run"] = newest_ns
        after_ns = self._behind_ns or (marks["run"] - LOOK_BACK_NS if "run" in marks else None)
        pages = 0
        async for items in self._api.ascending(PATHS["run"], {}, after_ns, priority=Priority.LIST):
            reached_ns = _newest(look.take("run", items))
            marks["run"] = max(marks.get("run", 0), reached_ns)
            pages += 1
            behind_ns = reached_ns if pages >= MAX_PAGES else None
            self._next = (marks, behind_ns)
            if behind_ns:
                break

    async def _new_builds(self, known: Known, look: Look) -> None:
        """Read the newest builds, down to what is known and a little further."""
        marks, _ = self._next
        mark_ns = marks.get("build")
        newest_ns, until_ns = mark_ns or 0, None if mark_ns is None else mark_ns - LOOK_BACK_NS
        first_limit = MAX_PAGE if mark_ns is None else MAX_PAGE // 10
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

    async def _ask_missing(self, missing: list[Job], look: Look) -> None:
        """Ask for jobs that were known to run and that no list has shown."""
        runs = sorted((job for job in missing if job.kind == "run"), key=lambda job: job.started_ns)
        if len(runs) > _MANY:
            asked = {"startedAfter": time_text(runs[0].started_ns)}
            page = await self._api.page(PATHS["run"], asked, priority=Priority.LIST)
            look.take("run", page.items)
        left = [job for job in missing if job.key not in look.latest]
        newest_ns = max(self._next[0].values(), default=0)
        self._missed &= {job.key for job in left}
        for job in left[:MAX_SINGLE]:
            try:
                look.add(await self.ask(job.kind, job.id, Priority.LIST))
            except NotFoundError:
                if job.key in self._missed or job.started_ns < newest_ns - YOUNG_NS:
                    look.retired.append(job.key)
                self._missed.add(job.key)

    async def _ask_orphans(self, known: Known, look: Look) -> None:
        """Ask jobs whose they are, where no list says so: those that run first, then the newest."""
        for job in [job for job in look.latest.values() if not job.pipeline_id]:
            owner = known.jobs.get(job.key)
            if owner is not None:
                look.own(job.key, owner.pipeline_id)
            elif len(self._orphans) < _MAX_ORPHANS:
                self._orphans[job.key] = job
        order = sorted(self._orphans.values(), key=lambda job: (job.result != "", -job.started_ns))
        for job in order[:MAX_SINGLE]:
            try:
                found = await self.ask(job.kind, job.id, Priority.LIST)
            except NotFoundError:
                found = job  # nobody will ever know
            del self._orphans[job.key]
            if found.pipeline_id:
                look.own(job.key, found.pipeline_id)
                look.add(found)


def _newest(jobs: Iterable[JobSeen]) -> int:
    return max((job.started_ns for job in jobs), default=0)
