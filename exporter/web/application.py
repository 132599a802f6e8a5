"""The routes, and the headers of every answer."""

from __future__ import annotations

import asyncio
import gzip
import logging
import time
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.web import bad_requests, negotiation
from exporter.web.lifecycle import reload_refusal
from exporter.web.middlewares import MAX_BODY_BYTES, authentication, errors, small_bodies
from exporter.web.page import CONTENT_SECURITY_POLICY, PAGE_PIPELINES, render
from exporter.web.sending import send, send_line
from exporter.web.service import ReloadError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.web.credentials import Credentials
    from exporter.web.metrics import Metrics
    from exporter.web.service import Service

LIMITS = {
    "max_line_size": 8190,
    "max_field_size": 8190,
    "max_headers": 100,
    "lingering_time": 2.0,  # seconds in which a body that nobody wants is drained
    "keepalive_timeout": 75.0,  # also the time for the first request to arrive
    "auto_decompress": False,
    "read_bufsize": MAX_BODY_BYTES,
    "debug": False,  # no traceback in an answer, not even with asyncio's debug mode
    "access_log": None,
    "logger": bad_requests.log,
}
_MAX_QUERY_CHARACTERS = 200
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "Server": "pipeline-exporter",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}

_log = logging.getLogger(__name__)


def application(
    service: Service, *, metrics: Metrics, credentials: Credentials, lifecycle: bool, headers: Mapping[str, str]
) -> web.Application:
    """Make the application. `headers` are the user's own and win over the built-in ones."""
    app = web.Application(
        middlewares=[errors, authentication(credentials), small_bodies],
        client_max_size=MAX_BODY_BYTES,
        handler_args=LIMITS,
    )

    async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        # Set by aiohttp before this runs, which would tell its version and Python's.
        response.headers["Server"] = _HEADERS["Server"]
        response.headers.update(headers)

    app.on_response_prepare.append(add_headers)
    handlers = _Handlers(service, lifecycle=lifecycle)
    app.router.add_get("/", handlers.page)
    app.router.add_get("/metrics", metrics.handle)
    app.router.add_get("/-/healthy", handlers.healthy)
    app.router.add_get("/-/ready", handlers.ready)
    app.router.add_post("/-/reload", handlers.reload)
    return app


class _Handlers:
    def __init__(self, service: Service, *, lifecycle: bool) -> None:
        self._service = service
        self._lifecycle = lifecycle
        self._reloading = asyncio.Lock()

    async def page(self, request: web.Request) -> web.StreamResponse:
        source = request.query.get("source") or None
        q = request.query.get("q", "")[:_MAX_QUERY_CHARACTERS].strip()
        overview = self._service.overview(source=source, q=q, limit=PAGE_PIPELINES)
        headers = {"Content-Security-Policy": CONTENT_SECURITY_POLICY, "Vary": "Accept-Encoding"}
        zipped = negotiation.gzip(",".join(request.headers.getall("Accept-Encoding", [])))

        def body() -> bytes:
            html = render(overview, source=source, q=q, now_seconds=time.time()).encode("utf-8", "replace")
            return gzip.compress(html, 4) if zipped else html

        if zipped:
            headers["Content-Encoding"] = "gzip"
        return await send(
            request, await asyncio.to_thread(body), content_type="text/html; charset=utf-8", headers=headers
        )

    async def healthy(self, request: web.Request) -> web.StreamResponse:
        return await send_line(request, "healthy")

    async def ready(self, request: web.Request) -> web.StreamResponse:
        ready, text = self._service.readiness()
        status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
        return await send_line(request, text, status=status)

    async def reload(self, request: web.Request) -> web.StreamResponse:
        peer = request.transport.get_extra_info("peername") if request.transport is not None else None
        refusal = reload_refusal(peer=peer[0] if peer else None, headers=request.headers, lifecycle=self._lifecycle)
        if refusal is not None:
            _log.warning("refused a reload asked for by %s: %s", request.remote, refusal)
            return await send_line(request, refusal, status=HTTPStatus.FORBIDDEN)
        try:
            async with self._reloading:
                waiting = await self._service.reload()
        except ReloadError as error:
            return await send_line(
                request, f"not reloaded, the old configuration stays: {error}", status=HTTPStatus.BAD_REQUEST
            )
        later = f"; these have changed and take a restart: {', '.join(waiting)}" if waiting else ""
        return await send_line(request, f"reloaded{later}")
