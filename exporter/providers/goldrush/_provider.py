"""The vendor's API, read in looks."""

from __future__ import annotations

import asyncio
import logging
import math
import urllib.parse
from typing import TYPE_CHECKING, Any, Final

from exporter.providers.base import NOTHING_KNOWN, Provider
from exporter.providers.budget import Priority
from exporter.providers.errors import EnvelopeError, MalformedError, NotFoundError, ProviderError, StatusError
from exporter.providers.goldrush._names import give_names
from exporter.providers.goldrush._pace import Pace
from exporter.providers.goldrush._pages import Pages, entries_of
from exporter.providers.goldrush._pipeline import Pipeline, now_of
from exporter.providers.goldrush._tails import tails_of
from exporter.providers.http import decode_json
from exporter.status.model import Listing, Vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.providers.base import Tail
    from exporter.providers.http import HttpClient
    from exporter.status.model import Known

VOCABULARY: Final = Vocabulary(
    facets={"phase": ("DEPLOYING", "RUNNING", "PAUSED", "FAILED", "STOPPING", "STOPPED")},
    # The list says `running` and `paused`; written like the phases, so that wish and phase can be compared.
    desired={"phase": ("RUNNING", "PAUSED")},
    errors=frozenset({"FAILED"}),
    recorded=False,
)

BASE: Final = "/platform/pipeline-api/"
PAGE_SIZE: Final = 100
MAX_PAGES: Final = 1000
CONCURRENCY: Final = 8

MAX_HOLD_SECONDS: Final = 5.0
"""A look that the vendor wants to wait longer is ended with what it has."""

MAX_MISSING: Final = 3
"""So many lists in pages may leave out a pipeline that still has a status: pages shift while they are read."""

_log = logging.getLogger(__name__)

_PARTS = ("metrics", "destination-health")
_SHARE = 0.25
"""However small the budget is, for each status so many of the other parts are read."""

_IN_THREAD_BYTES = 256 * 1024


class GoldRush(Provider):
    """The pipelines that one ServiceKey shows. It could delete them: `HttpClient` sends nothing but GET."""

    vocabulary = VOCABULARY
    logs = "tails"

    def __init__(
        self,
        client: HttpClient,
        options: Mapping[str, str | None],
        clock: Callable[[], float],
    ) -> None:
        del options
        self._client = client
        self._clock = clock
        self._pipelines: dict[str, Pipeline] = {}
        self._pace = Pace(client.budget)
        self._attempts = 0
        self._told = False

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:
        """Look at all pipelines: their list, the status of each, and as many metrics and healths as fit."""
        at_ns = int(self._clock() * 1e9)
        room = self._pace.begin()
        pages = await self._read_pages()
        self._merge(pages)
        give_names(self._pipelines.values(), known.names, keep=not pages.whole)
        selected = [one for one in self._pipelines.values() if known.selects(one.name)]
        first = _first(selected, max(1, math.ceil((self._pace.most - pages.count) / (1 + _SHARE))))
        self._tell_of(len(first), len(selected))
        await self._read_all([(one, "status") for one in first], Priority.LIST)
        await self._read_all(_due(selected, room - pages.count - len(first), len(first)), Priority.EVENTS)
        self._pace.end()
        self._forget_gone()
        return Listing(
            [now_of(one, at_ns) for one in self._pipelines.values()],
            pages.malformed,
            frozenset(pages.malformed_ids),
            pages.unidentified,
            failures={one.id: next(iter(one.problems.values())) for one in self._pipelines.values() if one.problems},
            problem=pages.problem,
        )

    async def alive(self) -> None:
        """Ask for the shortest page of the list; nothing is answered without a key."""
        await self._ask("", Priority.LIST, {"page_number": "1", "page_size": "1"})

    async def describe(self) -> str:
        """Name the vendor: its API tells no version."""
        return "GoldRush Pipeline API"

    async def read_tails(self, pipeline_id: str, priority: Priority) -> Sequence[Tail]:
        """Ask once for the newest part of the log of each pod."""
        path = f"{_quoted(pipeline_id)}/logs/"
        envelope = await self._ask(path, priority, holds=False)
        return tails_of(envelope.get("data"), BASE + path)

    async def close(self) -> None:
        """Let go of connections."""
        await self._client.close()

    async def _ask(
        self, path: str, priority: Priority, params: Mapping[str, str] | None = None, *, holds: bool = True
    ) -> dict[str, Any]:
        """Return the envelope of an answer. Raises a ProviderError, also when the envelope says that it failed."""
        answer = await self._client.get(BASE + path, params, priority=priority, holds=holds)
        large = len(answer.body) > _IN_THREAD_BYTES
        envelope = await asyncio.to_thread(decode_json, answer) if large else decode_json(answer)
        if not isinstance(envelope, dict):
            raise MalformedError(answer.url, "answered with something else than an envelope of data and error")
        if envelope.get("error"):
            code, message = envelope.get("error_code"), envelope.get("error_message")
            raise EnvelopeError(
                answer.url, code if isinstance(code, str) else "", message if isinstance(message, str) else ""
            )
        return envelope

    async def _read_pages(self) -> Pages:
        """Read the list to its end. Raises a ProviderError when not even the first page can be read."""
        pages = Pages()
        more: bool | None = True
        while pages.count < MAX_PAGES:
            params = {"page_number": str(pages.count + 1), "page_size": str(PAGE_SIZE)}
            await self._pace.turn()
            try:
                envelope = await self._ask("", Priority.LIST, params)
                entries = entries_of(envelope, BASE)
            except ProviderError as error:
                if not pages.count:
                    raise
                beyond = more is None and isinstance(error, StatusError) and error.status in {404, 422}
                pages.problem = None if beyond else error
                return pages
            new = pages.take(entries)
            more = pages.more(envelope)
            if more is False or (more is None and not new):
                return pages
            if not new:
                break
        pages.problem = MalformedError(BASE, f"page {pages.count} says that more follow and shows nothing new")
        return pages

    def _merge(self, pages: Pages) -> None:
        """Take in the list. A pipeline that it leaves out is gone, unless it may be on a page that was not seen."""
        for pipeline_id, item in pages.items.items():
            before = self._pipelines.get(pipeline_id)
            if before is None:
                self._pipelines[pipeline_id] = item
            else:
                before.renew(item)
        for pipeline in self._pipelines.values():
            pipeline.observed = False
        for pipeline_id in [one for one in self._pipelines if one not in pages.items]:
            pipeline = self._pipelines[pipeline_id]
            pipeline.missing += 1
            if pages.whole and (pages.count == 1 or pipeline.missing >= MAX_MISSING):
                del self._pipelines[pipeline_id]

    def _tell_of(self, read: int, selected: int) -> None:
        """Say once when the budget is too small to look at all pipelines at once."""
        if read < selected and not self._told:
            self._told = True
            _log.warning(
                "%s: the budget of %g requests/s is small for %d pipelines: one look reads the status of %d of them",
                BASE,
                self._client.budget.per_second,
                selected,
                read,
            )

    def _forget_gone(self) -> None:
        """Forget those that the list left out and of which the vendor knows no status either."""
        for pipeline in [one for one in self._pipelines.values() if one.missing]:
            if isinstance(pipeline.problems.get("status"), NotFoundError):
                del self._pipelines[pipeline.id]

    async def _read_all(self, due: Sequence[tuple[Pipeline, str]], priority: Priority) -> None:
        rest = iter(due)

        async def work() -> None:
            for pipeline, part in rest:
                await self._read_part(pipeline, part, priority)

        async with asyncio.TaskGroup() as group:
            for _ in range(min(CONCURRENCY, len(due))):
                group.create_task(work())

    async def _read_part(self, pipeline: Pipeline, part: str, priority: Priority) -> None:
        """Read the status, the metrics or the health of a pipeline; a failure is noted and leaves what is known."""
        self._attempts += 1
        pipeline.tried[part] = self._attempts
        if pipeline.quiet_until.get(part, 0.0) > self._clock():
            return
        await self._pace.turn()
        try:
            data = await self._data(f"{_quoted(pipeline.id)}/{part}/", priority)
        except NotFoundError as error:
            if part != "status" and pipeline.text("status", "status") != "RUNNING":
                pipeline.parts.pop(part, None)  # without a worker there is nothing to tell
                pipeline.problems.pop(part, None)
            else:
                pipeline.problems[part] = error
        except ProviderError as error:
            pipeline.problems[part] = error
            after = error.retry_after_seconds if isinstance(error, StatusError) else None
            pipeline.quiet_until[part] = self._clock() + (after or 0.0)
        else:
            pipeline.parts[part] = data
            pipeline.problems.pop(part, None)
            pipeline.observed = pipeline.observed or part == "status"

    async def _data(self, path: str, priority: Priority) -> dict[str, Any]:
        """Return what an answer about one pipeline has inside. Raises a ProviderError."""
        if self._client.budget.held_seconds > MAX_HOLD_SECONDS:
            raise ProviderError(BASE + path, "not asked: the vendor wants no request now")
        data = (await self._ask(path, priority, holds=False)).get("data")
        if not isinstance(data, dict):
            raise MalformedError(BASE + path, "answered without data")
        return data


def _first(pipelines: Sequence[Pipeline], most: int) -> Sequence[Pipeline]:
    """Return of which pipelines the status is read: of all, or of those that were longest not looked at.

    Those that the list leaves out come before all others: their status tells whether they are gone.
    """
    return sorted(pipelines, key=lambda one: (not one.missing, one.tried.get("status", 0)))[:most]


def _due(pipelines: Sequence[Pipeline], room: float, read: int) -> Sequence[tuple[Pipeline, str]]:
    """Return what is to be read beside the statuses: all, or as much as there is room for, the oldest first."""
    parts = [(one, part) for one in pipelines for part in _PARTS]
    parts.sort(key=lambda one: one[0].tried.get(one[1], 0))
    return parts[: max(int(room), math.ceil(read * _SHARE))]


def _quoted(pipeline_id: str) -> str:
    """Return an id as one segment of a path: the vendor's need no quoting, a hostile server's do."""
    return urllib.parse.quote(pipeline_id, safe="")
