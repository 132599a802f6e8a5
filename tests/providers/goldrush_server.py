"""A server that answers as a test says, path by path, and a provider that asks it."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from aiohttp import web

from exporter.providers.budget import Budget
from exporter.providers.goldrush import GoldRush
from exporter.providers.http import Connection, HttpClient
from exporter.simulator import serve

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from exporter.simulator import SimulatorServer
    from exporter.simulator.goldrush_world import GoldRushWorld

BASE = "/platform/pipeline-api/"
NOW_SECONDS = 1795246231.0
RUNNING = {"status": "RUNNING", "replicas": 1, "ready": 1}


def envelope(data: Any) -> dict[str, Any]:
    """Return data as the vendor wraps it."""
    return {"data": data, "error": False, "error_message": None, "error_code": None}


@dataclass
class Vendor:
    """What is answered by the path below the base, and what was asked. A list says nothing of further pages."""

    answers: dict[str, Any] = field(default_factory=dict)
    """JSON, or a status, or what makes JSON of a query."""
    asked: list[str] = field(default_factory=list)
    methods: set[str] = field(default_factory=set)
    tokens: set[str] = field(default_factory=set)

    def has(self, pipeline_id: str, **parts: Any) -> None:
        """Answer about a pipeline; what is not given is as of one that runs."""
        data: dict[str, Any] = {"status": RUNNING, "metrics": {}, "destination-health": {"healthy": True}, **parts}
        for part, found in data.items():
            path = f"{pipeline_id}/{part.replace('_', '-')}/"
            self.answers[path] = envelope(found) if isinstance(found, dict | list) else found

    def lists(self, *items: Any, **pagination: Any) -> None:
        """Answer the list with these items on one page."""
        self.answers[""] = envelope({"items": items, "has_more": False, **pagination})

    async def handle(self, request: web.BaseRequest) -> web.Response:
        """Answer one request."""
        path = request.raw_path.partition("?")[0].removeprefix(BASE)
        self.asked.append(path)
        self.methods.add(request.method)
        self.tokens.add(request.headers.get("Authorization", ""))
        answer = self.answers.get(path, 404)
        if callable(answer):
            answer = answer(dict(request.query))
        if isinstance(answer, web.Response):
            return answer
        if isinstance(answer, int):
            return web.json_response({"data": None, "error": True, "error_message": "no"}, status=answer)
        return web.Response(text=answer if isinstance(answer, str) else json.dumps(answer))


@contextlib.asynccontextmanager
async def asking(url: str, *, per_second: float = 1e6, token: str | None = None) -> AsyncIterator[GoldRush]:
    """Make a provider of a server."""
    client = HttpClient(Connection(url, 5.0, {}, lambda: token), Budget(per_second), lambda _code: None)
    provider = GoldRush(client, {}, lambda: NOW_SECONDS)
    try:
        yield provider
    finally:
        await provider.close()


@contextlib.asynccontextmanager
async def scripted(**options: Any) -> AsyncIterator[tuple[GoldRush, Vendor]]:
    """Serve what a test says."""
    vendor = Vendor()
    runner = web.ServerRunner(web.Server(vendor.handle))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        async with asking(f"http://127.0.0.1:{runner.addresses[0][1]}", **options) as provider:
            yield provider, vendor
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def simulated(world: GoldRushWorld, **options: Any) -> AsyncIterator[tuple[GoldRush, SimulatorServer]]:
    """Serve a world."""
    async with serve(goldrush=world) as server, asking(server.url, **options) as provider:
        yield provider, server


def paged(items: list[Any], size: int, more: Callable[[int, int], dict[str, Any]]) -> Callable[[dict[str, str]], Any]:
    """Return what answers lists in pages; `more` makes what is said of further ones, from the next place and all."""

    def page(query: dict[str, str]) -> Any:
        end = int(query["page_number"]) * size
        return envelope({"items": items[end - size : end], **more(end, len(items))})

    return page


def item(pipeline_id: str, name: str = "orders", **fields: Any) -> dict[str, Any]:
    """Return an entry of the list."""
    return {"pipeline_id": pipeline_id, "name": name, "status": "running", **fields}
