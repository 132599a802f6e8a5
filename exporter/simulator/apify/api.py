"""The Apify API over a world: requests in, answers out, no I/O."""

from __future__ import annotations

import re
from hmac import compare_digest
from typing import TYPE_CHECKING
from urllib.parse import unquote

from exporter.simulator.answer import Answer
from exporter.simulator.api import Later
from exporter.simulator.apify.answers import RefusedError, data, failure, not_found, too_many
from exporter.simulator.apify.documents import actor_document, actor_item, job_document, job_item
from exporter.simulator.apify.faults import APIFY_FAULTS
from exporter.simulator.apify.identifiers import date_text
from exporter.simulator.apify.limiter import RateLimiter
from exporter.simulator.apify.log import JobStream
from exporter.simulator.apify.query import Query
from exporter.simulator.body import Body

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.simulator.apify.job import Job
    from exporter.simulator.apify.world import Actor, ApifyWorld
    from exporter.simulator.faults import Fault
    from exporter.simulator.log_follower import End

_TEXT = "text/plain; charset=utf-8"
_LONGEST_WAIT_SECONDS = 60
_KINDS = {"actor-runs": "run", "actor-builds": "build", "runs": "run", "builds": "build"}


class ApifyApi:
    """Answers requests as Apify does, with a token where one is set."""

    def __init__(self, world: ApifyWorld, *, api_key: str | None = None) -> None:
        self.world = world
        self.api_key = api_key
        self._limiter = RateLimiter()
        self._routes: list[tuple[re.Pattern[str], Callable[..., Answer]]] = [
            (re.compile("/v2/" + pattern + "/?"), handler)
            for pattern, handler in (
                ("(?:actors|acts)", self._actors),
                ("(?:actors|acts)/([^/]+)", self._actor),
                ("(?:actors|acts)/([^/]+)/(builds|runs)", self._jobs_of_actor),
                ("(actor-builds|actor-runs)", self._jobs),
                ("(actor-builds|actor-runs)/([^/]+)", self._job),
                ("(actor-builds|actor-runs)/([^/]+)/log", self._job_log),
                ("logs/([^/]+)", self._log),
                ("users/me", self._user),
                ("users/me/limits", self._limits),
                ("users/me/usage/monthly", self._usage),
            )
        ]
        self._open_to_all = {self._job, self._job_log, self._log}

    @property
    def faults(self) -> Mapping[str, Fault]:
        """What can go wrong by chance."""
        return APIFY_FAULTS

    def end_streams(self, end: End) -> None:
        """End every open stream, and answer those who wait for the end of a job."""
        self.world.end_streams(end)
        for kind in ("run", "build"):
            for job in self.world.jobs(kind):
                job.end_waiting()

    def answer(self, method: str, raw_path: str, query: str = "", authorization: str | None = None) -> Answer:
        """Answer one request; `raw_path` and `query` as they came, percent signs and all."""
        refusal = self._refusal(query, authorization)
        parameters = Query(query, public=refusal is not None)
        for pattern, handler in self._routes:
            match = pattern.fullmatch(raw_path)
            if match is None:
                continue
            if refusal is not None and not (self.world.anyone_with_id and handler in self._open_to_all):
                return refusal
            if method != "GET":
                message = "This API end-point can only be accessed using the following HTTP methods: OPTIONS,GET"
                return failure(405, "method-not-allowed", message)
            return self._handle(handler, raw_path, parameters, *map(unquote, match.groups()))
        return refusal or failure(404, "page-not-found", "We have bad news: there is no API endpoint at this URL")

    def _refusal(self, query: str, authorization: str | None) -> Answer | None:
        if self.api_key is None:
            return None
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip() if scheme.lower() == "bearer" else Query(query).text("token") or ""
        if not token:
            return failure(401, "token-not-provided", "Authentication token was not provided")
        if compare_digest(token.encode(), self.api_key.encode()):
            return None
        return failure(401, "invalid-token", "Authentication token is not valid")

    def _handle(self, handler: Callable[..., Answer], path: str, query: Query, *parts: str) -> Answer:
        world = self.world
        if world.rate_limit is not None and not self._limiter.allows(_resource(path), world.rate_limit, world.now_us):
            return too_many(world.retry_after_seconds)
        try:
            return handler(query, *parts)
        except RefusedError as refused:
            return refused.answer

    def _actors(self, query: Query) -> Answer:
        user = self.world.account.username
        actors = [actor for actor in self.world.actors.values() if actor.username == user or not query.flag("my")]
        if query.text("sortBy") == "stats.lastRunStartedAt":
            actors.sort(key=lambda actor: actor.last_run_us or 0)
        return data(query.page(actors, actor_item))

    def _actor(self, _query: Query, wanted: str) -> Answer:
        return data(actor_document(self._find_actor(wanted)))

    def _jobs_of_actor(self, query: Query, wanted: str, kind: str) -> Answer:
        actor = self._find_actor(wanted)
        return self._list(query, kind, [job for job in self._listed(kind) if job.actor is actor])

    def _jobs(self, query: Query, kind: str) -> Answer:
        return self._list(query, kind, self._listed(kind))

    def _listed(self, kind: str) -> list[Job]:
        return self.world.jobs(_KINDS[kind]).listed()

    @staticmethod
    def _list(query: Query, kind: str, jobs: list[Job]) -> Answer:
        if _KINDS[kind] == "run":
            statuses = query.words("status")
            after_us, before_us = query.time_us("startedAfter"), query.time_us("startedBefore")
            jobs = [
                job
                for job in jobs
                if (not statuses or job.status in statuses)
                and (after_us is None or job.started_us >= after_us)
                and (before_us is None or job.started_us <= before_us)
            ]
        return data(query.page(jobs, job_item))

    def _job(self, query: Query, kind: str, job_id: str) -> Answer:
        job = self._find_job(job_id, _KINDS[kind])
        seconds = min(query.number("waitForFinish", 0), _LONGEST_WAIT_SECONDS)

        def now() -> Answer:
            job.waiting.discard(later)
            return data(job_document(job, public=query.public))

        later = Later(now)
        if not seconds or job.is_over:
            return now()
        job.waiting.add(later)
        self.world.schedule(seconds, later.finish)
        return Answer(200, later=later)

    def _job_log(self, query: Query, kind: str, job_id: str) -> Answer:
        return self._log_of(self._find_job(job_id, _KINDS[kind]), query)

    def _log(self, query: Query, job_id: str) -> Answer:
        return self._log_of(self._find_job(job_id, None), query)

    def _log_of(self, job: Job, query: Query) -> Answer:
        raw = query.flag("raw")
        headers = {"x-content-type-options": "nosniff"}
        if query.flag("download"):
            headers["content-disposition"] = f'attachment; filename="{job.id}.txt"'
        if query.flag("stream"):
            cut = self.world.next_cut()
            stream = JobStream(job.log_text, raw=raw, live=lambda: not job.is_over, cut=cut)
            return Answer(200, content_type=_TEXT, headers=headers, compressible=False, stream=stream)
        return Answer(200, Body(job.log_text.text(raw=raw)), _TEXT, headers)

    def _user(self, _query: Query) -> Answer:
        return data(self.world.account.document())

    def _limits(self, _query: Query) -> Answer:
        return data(self.world.account.limits_document())

    def _usage(self, query: Query) -> Answer:
        day = query.day("date") or date_text(self.world.now_us)
        return data(self.world.account.usage_document(day))

    def _find_actor(self, wanted: str) -> Actor:
        actor = self.world.find_actor(wanted)
        if actor is None:
            raise not_found("Actor")
        return actor

    def _find_job(self, job_id: str, kind: str | None) -> Job:
        job = self.world.find_job(job_id)
        if job is None or not job.seen or kind not in {None, job.kind}:
            raise not_found("Log" if kind is None else f"Actor {kind}")
        return job


def _resource(path: str) -> str:
    """Return what a path is of: a list, or one Actor or job with all that belongs to it."""
    return "/".join(path.strip("/").split("/")[:3])
