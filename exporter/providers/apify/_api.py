"""Asking the API: its envelope, its pages, and no more than a resource takes.

Pages shift while they are read. What is ordered by start goes on from the last start (`ascending`), which nothing can
shift; what has no such filter is read in pages that overlap (`overlapping`): where none of what was read before is in
the next page, something before it was deleted, and all is read again.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from exporter.providers.budget import Budget, Priority
from exporter.providers.errors import MalformedError
from exporter.providers.http import decode_json
from exporter.providers.times import parse_rfc3339_ns

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from exporter.providers.http import Answer, HttpClient

MAX_PAGE: Final = 1000
OVERLAP: Final = 10
MAX_RESTARTS: Final = 5
"""A list whose pages shift so often while it is read is given up."""

RESOURCE_PER_SECOND: Final = 60
"""So many requests the vendor takes for one path."""

_SHIFTING = "the pages of the list shift faster than they can be read"
_BURST = 5
_LARGE_BYTES = 65_536
_MS = 1_000_000


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list."""

    items: list[Any]
    offset: int
    limit: int
    """As the answer has it: it may be less than was asked for."""
    total: int | None

    @property
    def is_last(self) -> bool:
        """Whether nothing comes after it."""
        count = len(self.items)
        return not count or (count < self.limit and (self.total is None or self.reaches_total))

    @property
    def reaches_total(self) -> bool:
        """Whether all that the answer says there is has been asked for; a server may call the size of a page its limit."""
        return self.total is not None and self.offset + len(self.items) >= self.total


class Api:
    """The client, the envelope taken off its answers."""

    def __init__(self, client: HttpClient) -> None:
        self.client = client
        self._paces: dict[str, Budget] = {}

    async def data(self, path: str, params: Mapping[str, str] | None = None, *, priority: Priority) -> Any:
        """Return the `data` of an answer. Raises a ProviderError."""
        await self._pace(path, priority)
        answer = await self.client.get(path, params, priority=priority)
        if len(answer.body) < _LARGE_BYTES:
            return _data(answer)
        return await asyncio.to_thread(_data, answer)

    async def page(
        self, path: str, params: Mapping[str, str], *, offset: int = 0, limit: int = MAX_PAGE, priority: Priority
    ) -> Page:
        """Return one page of a list. Raises a ProviderError."""
        asked = {**params, "limit": str(limit)} | ({"offset": str(offset)} if offset else {})
        data = await self.data(path, asked, priority=priority)
        items = data.get("items") if isinstance(data, dict) else None
        if not isinstance(items, list):
            raise MalformedError(path, "answered without a list of items: is this Apify's API?")
        said, total = data.get("limit"), data.get("total")
        return Page(
            items,
            offset,
            said if _is_count(said) and 0 < said < limit else limit,
            total if _is_count(total) else None,
        )

    async def ascending(
        self, path: str, params: Mapping[str, str], after_ns: int | None, *, priority: Priority
    ) -> AsyncIterator[list[Any]]:
        """Give the items of a list that is ordered by start, from a moment on, page by page; some of them twice."""
        after_ms = None if after_ns is None else max(after_ns, 0) // _MS
        offset, last_id, restarts = 0, None, 0
        seen: set[str | None] = set()
        while True:
            asked = {**params} if after_ms is None else {**params, "startedAfter": time_text(after_ms * _MS)}
            page = await self.page(path, asked, offset=offset, priority=priority)
            ids = [id_of(item) for item in page.items]
            if ids and ids[0] == last_id and page.reaches_total and seen.issuperset(ids):
                return
            if offset and page.items and ((last_id is not None and ids[0] != last_id) or seen.issuperset(ids)):
                # Of many that started in one moment, some went away: that moment is read again.
                restarts += 1
                if restarts > MAX_RESTARTS:
                    raise MalformedError(path, _SHIFTING)
                offset, last_id, seen = 0, None, set()
                continue
            yield page.items
            if page.is_last:
                return
            newest_ms = max((started_ns(item) // _MS for item in page.items), default=0)
            if newest_ms > (after_ms or 0):
                after_ms, offset, last_id, seen = newest_ms, 0, None, set()
                continue
            seen.update(ids)
            offset += max(1, len(ids) - 1)
            last_id = ids[-1] if len(ids) > 1 else None

    async def overlapping(
        self, path: str, params: Mapping[str, str], *, first_limit: int = MAX_PAGE, priority: Priority
    ) -> AsyncIterator[list[Any]]:
        """Give the items of a list, page by page, each from a little before the end of the last; some of them twice."""
        for _ in range(MAX_RESTARTS):
            offset, limit, overlap, idle = 0, first_limit, 0, 0
            seen: set[str | None] = set()
            while idle < MAX_RESTARTS:
                page = await self.page(path, params, offset=offset, limit=limit, priority=priority)
                ids = {id_of(item) for item in page.items}
                if overlap and page.items and not ids & seen:
                    break
                yield page.items
                if page.is_last or (page.reaches_total and ids <= seen):
                    return
                idle = idle + 1 if ids <= seen else 0
                seen |= ids
                limit = MAX_PAGE
                overlap = min(OVERLAP, len(page.items) - 1)
                offset += len(page.items) - overlap
        raise MalformedError(path, _SHIFTING)

    async def _pace(self, path: str, priority: Priority) -> None:
        """Keep within what one resource takes, where the budget is larger."""
        if self.client.budget.per_second <= RESOURCE_PER_SECOND:
            return
        if len(self._paces) > MAX_PAGE:
            self._paces = {path: pace for path, pace in self._paces.items() if pace.available() < _BURST}
        pace = self._paces.get(path)
        if pace is None:
            pace = self._paces[path] = Budget(RESOURCE_PER_SECOND - _BURST)
            pace.burst = _BURST
        await pace.acquire(priority)


def _data(answer: Answer) -> Any:
    found = decode_json(answer)
    if not isinstance(found, dict) or "data" not in found:
        raise MalformedError(answer.url, "answered without data: is this Apify's API?")
    return found["data"]


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def id_of(item: Any) -> str | None:
    """Return the id of an item, None where it has none."""
    found = item.get("id") if isinstance(item, dict) else None
    return found if isinstance(found, str) else None


def time_ns(value: Any) -> int:
    """Return a time in nanoseconds; 0 where there is none that can be read."""
    try:
        return parse_rfc3339_ns(value) if isinstance(value, str) else 0
    except ValueError:
        return 0


def started_ns(item: Any) -> int:
    """Return the start of a job in a list."""
    return time_ns(item.get("startedAt")) if isinstance(item, dict) else 0


def time_text(at_ns: int) -> str:
    """Write a time as the API takes it, to the millisecond below."""
    seconds, rest = divmod(at_ns, 1_000_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None)
    return f"{moment.isoformat()}.{rest // _MS:03}Z"
