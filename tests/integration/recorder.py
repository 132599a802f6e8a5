"""A relay between Prometheus and the exporter that remembers what they say to each other."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

import aiohttp
from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FORWARDED = ("Accept", "Accept-Encoding", "User-Agent")


class Scrape(NamedTuple):
    """One scrape: what was asked for and what came."""

    user_agent: str
    accept: str
    status: int
    content_type: str
    content_encoding: str


@asynccontextmanager
async def recording(port: int, target: str) -> AsyncIterator[list[Scrape]]:
    """Relay what comes to the port, bodies as they are; the list grows with each scrape."""
    scrapes: list[Scrape] = []

    async def relay(request: web.Request) -> web.Response:
        asked = {name: request.headers[name] for name in FORWARDED if name in request.headers}
        async with session.get(target + request.path_qs, headers=asked) as answer:
            body = await answer.read()
        headers = {
            name: answer.headers[name] for name in ("Content-Type", "Content-Encoding") if name in answer.headers
        }
        scrapes.append(
            Scrape(
                asked.get("User-Agent", ""),
                asked.get("Accept", ""),
                answer.status,
                headers.get("Content-Type", ""),
                headers.get("Content-Encoding", ""),
            )
        )
        return web.Response(status=answer.status, headers=headers, body=body)

    app = web.Application()
    app.router.add_get("/{path:.*}", relay)
    runner = web.AppRunner(app, access_log=None)
    async with aiohttp.ClientSession(auto_decompress=False) as session:
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", port).start()
            yield scrapes
        finally:
            await runner.cleanup()
