"""GET /metrics."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import TYPE_CHECKING

from exporter.web import negotiation
from exporter.web.sending import send, send_line

if TYPE_CHECKING:
    from aiohttp import web

    from exporter.web.service import Service

MAX_SCRAPES = 8
"""Bodies held at once: over 10,000 pipelines one is about 100 MB."""
WAIT_SECONDS = 10.0
_VARY = {"Vary": "Accept, Accept-Encoding"}


class Metrics:
    """Renders in one thread of its own, so that a scrape holds up neither the loop nor another scrape's body."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="web-metrics")
        self._free = asyncio.Semaphore(MAX_SCRAPES)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Answer a scrape in the form that it asks for."""
        sources = frozenset(request.query.getall("source")) if "source" in request.query else None
        if sources is not None and (unknown := sources - set(self._service.source_names())):
            return await send_line(request, self._unknown(unknown), status=HTTPStatus.NOT_FOUND)
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._free.acquire()
        except TimeoutError:
            line = f"{MAX_SCRAPES} scrapes are being answered already; try again later"
            return await send_line(request, line, status=HTTPStatus.SERVICE_UNAVAILABLE, headers={"Retry-After": "10"})
        try:
            return await self._answer(request, sources)
        finally:
            self._free.release()

    def close(self) -> None:
        """Give the thread back; scrapes that wait are cancelled."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    async def _answer(self, request: web.Request, sources: frozenset[str] | None) -> web.StreamResponse:
        form = negotiation.exposition(",".join(request.headers.getall("Accept", [])))
        gzip = negotiation.gzip(",".join(request.headers.getall("Accept-Encoding", [])))
        render = self._service.exposition_gzip if gzip else self._service.exposition
        body = await asyncio.get_running_loop().run_in_executor(
            self._executor, lambda: render(openmetrics=form.openmetrics, sources=sources)
        )
        headers = {**_VARY, "Content-Encoding": "gzip"} if gzip else _VARY
        return await send(request, body, content_type=form.content_type, headers=headers)

    def _unknown(self, names: frozenset[str]) -> str:
        # A request line is limited to 8 KiB, so the names need no limit of their own.
        asked = ", ".join(repr(name) for name in sorted(names))
        known = ", ".join(self._service.source_names()) or "none"
        return f"no such source: {asked}; configured: {known}"
