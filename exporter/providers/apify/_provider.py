"""The account of one Apify user behind the protocol that all vendors share."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote

from exporter.logs.dialects import STAMPED
from exporter.providers.apify._account import PATH as LIMITS_PATH
from exporter.providers.apify._account import read_account
from exporter.providers.apify._actors import Actors
from exporter.providers.apify._api import Api
from exporter.providers.apify._discovery import PATHS, Discovery
from exporter.providers.apify._log import ApifyLog
from exporter.providers.apify._look import Look
from exporter.providers.apify._newest import NewestJobs
from exporter.providers.apify._words import VOCABULARY
from exporter.providers.base import NOTHING_KNOWN, Provider
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, UnauthorizedError
from exporter.providers.streams import require_log
from exporter.status.model import Listing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.logs.resume import Position
    from exporter.providers.base import LogStream
    from exporter.providers.http import HttpClient
    from exporter.status.model import Account, JobSeen, Known

_ME = "/v2/users/me"


class Apify(Provider):
    """One Apify account."""

    vocabulary = VOCABULARY
    dialect = STAMPED
    logs = "jobs"

    def __init__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> None:
        del options  # of other vendors
        self._client = client
        self._api = Api(client)
        self._actors = Actors(self._api)
        self._discovery = Discovery(self._api)
        self._newest = NewestJobs(self._api, clock)
        self._account: Account | None = None

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:
        """Look at all Actors and at what is new of their jobs. A part that fails is noted, and nothing is lost by it."""
        look = Look()
        await self._actors.look(look)
        is_whole = look.problem is None
        await self._discovery.look(known, look)
        is_whole = is_whole and self._discovery.is_whole
        references = {job.pipeline_id for job in look.jobs} | set(look.owners.values())
        await self._actors.resolve(known.names, references, look)
        if (
            known.first
            and not is_whole
            and look.problem is not None
            and not isinstance(look.problem, UnauthorizedError)
        ):
            # What the lists do not show would later be taken for new.
            raise look.problem
        actors = self._actors.all()
        self._newest.take(known, self._attributed(known, look), look.retired)
        selected = [actor for actor in actors if known.selects(actor.name)]
        failures = await self._newest.ask(selected, known, look)
        if not look.is_over:
            with look.tolerating():
                await self._ask_account()
        self._discovery.done()
        return Listing(
            pipelines=self._newest.pipelines(actors),
            malformed=look.malformed,
            malformed_ids=self._actors.malformed_ids,
            unidentified=self._actors.unidentified,
            failures=failures,
            problem=look.problem,
            jobs=self._attributed(known, look),
            retired=look.retired,
            account=self._account,
        )

    async def job(self, kind: str, job_id: str, priority: Priority) -> JobSeen:
        """Look at one run or build, with its figures."""
        found = await self._discovery.ask(kind, job_id, priority)
        return replace(found, pipeline_id=self._actors.id_of(found.pipeline_id))

    async def alive(self) -> None:
        """Ask whether the API answers; it may well refuse the key."""
        await self._client.get(_ME, priority=Priority.LIST, also=(401, 403), holds=False)

    async def describe(self) -> str:
        """Name the user."""
        user = await self._api.data(_ME, priority=Priority.LIST)
        name = user.get("username") if isinstance(user, dict) else None
        if not isinstance(name, str):
            raise MalformedError(_ME, "answered without a user's name: is this Apify's API?")
        return f"Apify, user {name[:64]}"

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> ApifyLog:
        """Open the log of a job: as a stream while it runs, whole when it has ended."""
        job = log.job
        if job is None:
            raise MalformedError(log.id, "is the log of no job: only runs and builds have logs")
        path = f"{PATHS[job.kind]}/{quote(job.id, safe='')}/log"
        complete = job.result != ""
        stream = await self._client.stream(path, {} if complete else {"stream": "1"}, priority=priority)
        await require_log(stream)
        return ApifyLog(stream, before, complete=complete)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _ask_account(self) -> None:
        """Ask for limits and use; a key that may not read them is no problem. Raises a ProviderError."""
        try:
            data = await self._api.data(LIMITS_PATH, priority=Priority.LIST)
        except (NotFoundError, UnauthorizedError):
            self._account = None
        else:
            self._account = read_account(data) or self._account

    def _attributed(self, known: Known, look: Look) -> Sequence[JobSeen]:
        """Return the jobs of a look, each with the id of its Actor; without those of Actors that nobody can name."""
        found = []
        for one in look.jobs:
            reference = look.owners.get(one.key) or one.pipeline_id
            job = known.jobs.get(one.key)
            actor_id = self._actors.id_of(reference) if reference else ""
            if job is not None:
                actor_id = actor_id or job.pipeline_id
                if one.status in {"READY", "RUNNING"} and one.finished_ns and one.finished_ns == job.counted_ns:
                    # It was resurrected, and is shown with the time of its last end.
                    one = replace(one, result="", finished_ns=0)  # noqa: PLW2901  (the same job)
            elif not actor_id or self._actors.is_hidden(actor_id):
                continue
            found.append(replace(one, pipeline_id=actor_id))
        return found
