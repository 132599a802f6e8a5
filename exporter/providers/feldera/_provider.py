"""What is asked of a Feldera server."""

from __future__ import annotations

import asyncio
import urllib.parse
from typing import TYPE_CHECKING

import msgspec

from exporter.logs.dialects import FELDERA
from exporter.logs.resume import CursorPosition
from exporter.providers.base import NOTHING_KNOWN, Health, Provider, Reading
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, StatusError
from exporter.providers.feldera._events import read_events
from exporter.providers.feldera._health import read_health
from exporter.providers.feldera._list import read_list
from exporter.providers.feldera._log import FelderaLog
from exporter.providers.feldera._values import text
from exporter.providers.feldera._words import VOCABULARY
from exporter.providers.http import decode_json
from exporter.providers.streams import require_log

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.logs.resume import Position
    from exporter.providers.base import LogStream
    from exporter.providers.http import Answer, HttpClient
    from exporter.status.model import Known, Listing, PipelineNow


_MAX_COMPONENTS = 20
_UNKNOWN_NAME = "UnknownPipelineName"
_NO_EVENTS = "NoPipelineMonitorEventsAvailable"
"""The 404 of a pipeline that is there and has no events."""


class Feldera(Provider):
    """One Feldera server, or one tenant of it."""

    vocabulary = VOCABULARY
    dialect = FELDERA

    def __init__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> None:
        del options  # the tenant is a header, which the client has
        self._client = client
        self._clock = clock
        self._listed: dict[bytes, PipelineNow] = {}
        self._components: dict[str, None] = {}

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:  # noqa: ARG002  (each list says all)
        """Look at all pipelines in one request. An entry equal to one of the last list is not decoded again."""
        answer = await self._client.get("/v0/pipelines", {"selector": "status"}, priority=Priority.LIST)
        listing, self._listed = await self._read_list(answer)
        return listing

    async def _read_list(self, answer: Answer) -> tuple[Listing, dict[bytes, PipelineNow]]:
        entries = await asyncio.to_thread(decode_json, answer, list[msgspec.Raw])
        return await asyncio.to_thread(read_list, entries, self._listed)

    async def health(self) -> Health | None:
        """Ask the cluster monitor. It answers 503 when something is unhealthy, 404 before its first check."""
        try:
            answer = await self._client.get("/v0/cluster_healthz", priority=Priority.LIST, also=(503,), holds=False)
        except NotFoundError:
            return None
        components = read_health(answer, self._clock()).components
        for part in components:
            # Component names are labels: only the first so many that a server ever says.
            if len(self._components) < _MAX_COMPONENTS:
                self._components[part.name] = None
        return Health([part for part in components if part.name in self._components])

    async def history(self, pipeline: PipelineNow, priority: Priority) -> Reading:
        """Read all events that the server has kept."""
        try:
            answer = await self.events(pipeline.name, priority=priority)
        except NotFoundError as error:
            if error.error_code != _NO_EVENTS:
                raise
            return Reading([])
        return await asyncio.to_thread(read_events, answer)

    async def confirm(self, pipeline: PipelineNow, priority: Priority = Priority.EVENTS) -> bool:
        """Ask which id the name has now: a name can be given to another pipeline between two requests.

        A 404 is the server's word on the pipeline only where it says so. A proxy that lets through no more than what a
        poll needs gives one without: the list has to say it then.
        """
        try:
            answer = await self._client.get(
                f"/v0/pipelines/{_quoted(pipeline.name)}",
                {"selector": "status"},
                priority=priority,
                holds=False,
            )
        except NotFoundError as error:
            return error.error_code != _UNKNOWN_NAME and await self._is_listed(pipeline, priority)
        found = decode_json(answer)
        return isinstance(found, dict) and found.get("id") == pipeline.id

    async def _is_listed(self, pipeline: PipelineNow, priority: Priority) -> bool:
        answer = await self._client.get("/v0/pipelines", {"selector": "status"}, priority=priority, holds=False)
        listing, _ = await self._read_list(answer)
        return any((pipeline.id, pipeline.name) == (one.id, one.name) for one in listing.pipelines)

    async def describe(self) -> str:
        """Name the edition and version."""
        answer = await self._client.get("/v0/config", priority=Priority.LIST, holds=False)
        found = decode_json(answer)
        if not isinstance(found, dict):
            raise MalformedError(answer.url, "answered without a version: is this a Feldera server?")
        return f"Feldera {text(found.get('version'))} ({text(found.get('edition'))})"

    async def alive(self) -> None:
        """Ask whether the server's process and its database connection work; needs no credentials."""
        answer = await self._client.get("/healthz", priority=Priority.LIST, holds=False)
        found = decode_json(answer)
        if not isinstance(found, dict) or found.get("status") != "healthy":
            raise MalformedError(answer.url, "answered without saying that it is healthy")

    async def events(self, name: str, *, selector: str = "status", priority: Priority = Priority.EVENTS) -> Answer:
        """Fetch a pipeline's events: newest first, no paging. `all` adds details, tens of kB each where there are errors."""
        return await self._client.get(
            f"/v0/pipelines/{_quoted(name)}/events", {"selector": selector}, priority=priority, holds=False
        )

    async def event(self, name: str, event_id: str, *, selector: str = "status") -> Answer:
        """Fetch one event, or the `latest`."""
        return await self._client.get(
            f"/v0/pipelines/{_quoted(name)}/events/{_quoted(event_id)}",
            {"selector": selector},
            priority=Priority.EVENTS,
        )

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> FelderaLog:
        """Open a pipeline's log. Servers from 0.350 on go on after a cursor; older ones ignore it and send all they have.

        Without their headers a new server's follower was dropped at once, which looks like an old server and ends by
        itself; a cursor that is refused is not sent again.
        """
        cursor = f"{before.epoch}:{before.seq}" if isinstance(before, CursorPosition) else ""
        path = f"/v0/pipelines/{_quoted(log.pipeline)}/logs"
        try:
            stream = await self._client.stream(path, {"cursor": cursor}, priority=priority)
        except StatusError as error:
            if error.status != 400 or not cursor:
                raise
            stream = await self._client.stream(path, {"cursor": ""}, priority=priority)
        await require_log(stream)
        return FelderaLog(stream, before)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()


def _quoted(name: str) -> str:
    """Return a name as one segment of a path: the contract's names need no quoting, a hostile server's do."""
    return urllib.parse.quote(name, safe="")
