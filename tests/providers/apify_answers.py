"""A client that is answered by functions, so that a test can give any answer of Apify, and see what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from exporter.providers.apify import Apify
from exporter.providers.budget import Budget
from exporter.providers.errors import NotFoundError
from exporter.providers.http import Answer, Connection, HttpClient

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from exporter.providers.budget import Priority

NOW_SECONDS = 1_790_000_000.0


class Asked(HttpClient):
    """Answers each path from a table: a document, or a function of the parameters; others are not found."""

    def __init__(self, table: dict[str, Any], per_second: float = 1e6) -> None:
        super().__init__(Connection("http://apify.test", 1.0, {}), Budget(per_second), lambda _code: None)
        self.table = table
        self.asked: list[tuple[str, dict[str, str]]] = []

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        priority: Priority,
        also: Collection[int] = (),
        holds: bool = True,
    ) -> Answer:
        """Answer from the table."""
        del priority, also, holds
        self.asked.append((path, dict(params or {})))
        found = self.table.get(path)
        if callable(found):
            found = found(dict(params or {}))
        if isinstance(found, Exception):
            raise found
        if found is None:
            raise NotFoundError(path, "answered 404", status=404)
        return Answer(
            path, 200, "application/json", "", found if isinstance(found, bytes) else msgspec.json.encode(found)
        )

    def paths(self) -> list[str]:
        """Return what was asked for."""
        return [path for path, _ in self.asked]


def run(number: int, started: str = "2026-09-21T10:00:00.000Z", **fields: Any) -> dict[str, Any]:
    """Return a run in a list."""
    return {
        "id": f"run{number}",
        "actId": "actor1",
        "status": "SUCCEEDED",
        "startedAt": started,
        "finishedAt": started,
    } | fields


def page(items: list[Any], **fields: Any) -> dict[str, Any]:
    """Return a page."""
    return {
        "data": {"total": len(items), "offset": 0, "limit": 1000, "count": len(items), "desc": False, "items": items}
        | fields
    }


def actor(number: int = 1) -> dict[str, Any]:
    """Return an Actor in a list."""
    return {
        "id": f"actor{number}",
        "name": f"shop{number}",
        "username": "jane",
        "createdAt": "2026-01-01T00:00:00.000Z",
    }


def pages(items: list[dict[str, Any]], limit: int) -> Callable[[dict[str, str]], dict[str, Any]]:
    """Return a list in pages, as the vendor cuts it: filtered and ordered by start."""

    def answer(params: dict[str, str]) -> dict[str, Any]:
        after, before = params.get("startedAfter", ""), params.get("startedBefore", "9")
        words = params.get("status", "").split(",") if "status" in params else None
        found = [
            item
            for item in sorted(items, key=lambda item: str(item["startedAt"]), reverse=params.get("desc") == "1")
            if after <= item["startedAt"] <= before and (words is None or item["status"] in words)
        ]
        offset, size = int(params.get("offset", "0")), min(limit, int(params["limit"]))
        return page(found[offset : offset + size], total=len(found), offset=offset, limit=size)

    return answer


def apify(table: dict[str, Any]) -> tuple[Apify, Asked]:
    """Return a provider over a table of answers; lists that are not in it are empty."""
    empty = {"/v2/actors": page([actor()]), "/v2/actor-runs": page([]), "/v2/actor-builds": page([])}
    client = Asked(empty | table)
    return Apify(client, {}, lambda: NOW_SECONDS), client
