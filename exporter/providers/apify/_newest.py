"""The newest run and build of each Actor: what its facets say, and when they changed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final, NamedTuple
from urllib.parse import quote

import msgspec

from exporter.providers.apify._actors import PATH
from exporter.providers.apify._words import ERRORS, KINDS, STATES
from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError, UnauthorizedError
from exporter.status.model import Event, PipelineNow

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from exporter.providers.apify._actors import Actor
    from exporter.providers.apify._api import Api
    from exporter.providers.apify._look import Look
    from exporter.status.model import Job, JobSeen, Known

MAX_FIRST: Final = 300
"""So many requests a source's first look makes for the newest jobs of Actors that its pages do not show."""

MAX_ASKED: Final = 40
SPARED: Final = 2.0
"""In later looks fewer, and only while the budget has so many requests to spare; one a look in any case."""

NS: Final = 1_000_000_000

Facet = tuple[str, str]
"""Actor and kind."""


class Newest(NamedTuple):
    """The newest job of an Actor and kind."""

    started_ns: int
    id: str
    status: str
    result: str
    finished_ns: int
    resumed: bool = False
    """It was seen to run again: its start is not when its status began."""

    @property
    def changed_ns(self) -> int:
        """When its status began, as far as the vendor tells."""
        return self.finished_ns or self.started_ns


class NewestJobs:
    """The newest jobs of all Actors, and the pipelines that they make."""

    def __init__(self, api: Api, clock: Callable[[], float]) -> None:
        self._api = api
        self._clock = clock
        self._newest: dict[Facet, Newest] = {}
        self._none: set[Facet] = set()
        """Asked for, and there is none."""
        self._quiet: set[Facet] = set()
        """Learnt after counting began, and not seen to change since: no event tells of them."""
        self._seeded = False
        self._events: dict[str, tuple[bytes, Event]] = {}
        """By Actor: the newest event, and what it tells."""
        self._shown: dict[str, PipelineNow] = {}

    def take(self, known: Known, jobs: Iterable[JobSeen], retired: Sequence[str]) -> None:
        """Take in the jobs of a look."""
        if not self._seeded:
            self._seeded = True
            for job in known.jobs.values():
                self._see(job)
        for key in retired:
            self._retire(known, key)
        for one in jobs:
            if one.pipeline_id:
                self._see(one)

    async def ask(self, actors: Sequence[Actor], known: Known, look: Look) -> dict[str, Exception]:
        """Ask for the newest jobs of Actors of which none has been seen yet, a part of them in each look.

        Those come first of which one kind is known: their next change is near. Returns what failed, by Actor.
        """
        facets = [(actor.id, kind) for actor in actors for kind in KINDS]
        missing = [facet for facet in facets if facet not in self._newest and facet not in self._none]
        active = {actor_id for actor_id, _ in self._newest}
        missing.sort(key=lambda facet: facet[0] not in active)
        failures: dict[str, Exception] = {}
        for asked, facet in enumerate(missing[: MAX_FIRST if known.first else MAX_ASKED]):
            if look.is_over:
                break
            if asked and not known.first and self._api.client.budget.available() < SPARED:
                break
            try:
                await self._ask(*facet, look, quiet=not known.first and facet[0] in known.names)
            except (NotFoundError, UnauthorizedError):
                self._none.add(facet)
            except ProviderError as error:
                failures[facet[0]] = error
                look.end_after(error)
        return failures

    def pipelines(self, actors: Sequence[Actor]) -> list[PipelineNow]:
        """Return the pipelines as they are now; the same object as before where nothing differs."""
        shown: dict[str, PipelineNow] = {}
        for actor in actors:
            now, before = self._pipeline(actor), self._shown.get(actor.id)
            shown[actor.id] = before if before is not None and before == now else now
        self._shown = shown
        self._events = {actor_id: event for actor_id, event in self._events.items() if actor_id in shown}
        return list(shown.values())

    def _see(self, job: Job | JobSeen) -> None:
        facet = (job.pipeline_id, job.kind)
        before = self._newest.get(facet)
        now = Newest(job.started_ns, job.id, job.status, job.result, job.finished_ns)
        if before is not None:
            if (now.started_ns, now.id) < (before.started_ns, before.id):
                return
            if now.id == before.id:
                if now.result and now.finished_ns < before.finished_ns:
                    return  # an answer from the past
                now = now._replace(resumed=not now.result and (before.resumed or before.result != ""))
            if now != before:
                self._quiet.discard(facet)
        self._none.discard(facet)
        self._newest[facet] = now

    def _retire(self, known: Known, key: str) -> None:
        """Let go of a newest job that the vendor has deleted; the one before takes its place."""
        job = known.jobs.get(key)
        facet = (job.pipeline_id, job.kind) if job is not None else ("", "")
        if job is None or facet not in self._newest or self._newest[facet].id != job.id:
            return
        del self._newest[facet]
        for other in known.jobs.values():
            if (other.pipeline_id, other.kind) == facet and other.key != key:
                self._see(other)

    async def _ask(self, actor_id: str, kind: str, look: Look, *, quiet: bool) -> None:
        path = f"{PATH}/{quote(actor_id, safe='')}/{kind}s"
        page = await self._api.page(path, {"desc": "1"}, limit=1, priority=Priority.LIST)
        found = look.take(kind, page.items[:1])
        facet = (actor_id, kind)
        if not found:
            self._none.add(facet)
            return
        look.own(found[0].key, actor_id)
        if quiet:
            self._quiet.add(facet)
        job = found[0]
        self._newest[facet] = Newest(job.started_ns, job.id, job.status, job.result, job.finished_ns)

    def _pipeline(self, actor: Actor) -> PipelineNow:
        run, build = (self._newest.get((actor.id, kind)) for kind in KINDS)
        jobs = dict(zip(KINDS, (run, build), strict=True))
        first = run or build
        newest = max((job for job in (run, build) if job is not None), key=lambda job: job.started_ns, default=None)
        error_code = newest.status if newest is not None and newest.status in ERRORS else None
        digest, event = self._event(actor, jobs, has_error=error_code is not None)
        return PipelineNow(
            id=actor.id,
            name=actor.name,
            version="",
            digest=digest,
            words={kind: None if job is None else job.status for kind, job in jobs.items()},
            since_seconds={
                kind: job.changed_ns / NS
                for kind, job in jobs.items()
                if job is not None and job.changed_ns and (job.result or job.status in {"READY", "RUNNING"})
                if not job.resumed
            },
            desired={},
            state=STATES.get(first.status, "unknown") if first is not None else "unknown",
            in_desired_state=None,
            error_code=error_code,
            error_message="" if newest is None or error_code is None else f"the newest job is {newest.status}",
            wanted=any(job is not None and not job.result for job in (run, build)),
            changed_ns=max((job.changed_ns for job in (run, build) if job is not None), default=0),
            created_ns=actor.created_ns,
            observed=event,
        )

    def _event(self, actor: Actor, jobs: dict[str, Newest | None], *, has_error: bool) -> tuple[bytes, Event]:
        """Return what tells a change of the newest jobs from none, and the look as an event: the same while none is."""
        told = {kind: None if (actor.id, kind) in self._quiet else job for kind, job in jobs.items()}
        content = [None if job is None else (job.id, job.status, job.finished_ns) for job in told.values()]
        digest = hashlib.blake2b(msgspec.msgpack.encode(content), digest_size=16).digest()
        last_digest, last = self._events.get(actor.id, (b"", None))
        if last is not None and last_digest == digest:
            return digest, last
        changed_ns = max((job.changed_ns for job in told.values() if job is not None), default=0)
        if not changed_ns or (last is not None and changed_ns <= last.at_ns):
            changed_ns = int(self._clock() * NS)
        event = Event(
            at_ns=changed_ns,
            # The same again later, as when a run is resurrected, is another event.
            id=hashlib.blake2b(digest + changed_ns.to_bytes(8, "big"), digest_size=16).digest(),
            words=tuple(None if job is None else job.status for job in told.values()),
            wanted=False,
            running=False,
            settled=False,
            has_error=has_error,
        )
        self._events[actor.id] = digest, event
        return digest, event
