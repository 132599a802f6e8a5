"""What holds for every request: errors as plain text, authentication, no large bodies."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

from exporter.web.credentials import TooManyComparisonsError
from exporter.web.sending import send_line

if TYPE_CHECKING:
    from aiohttp.typedefs import Handler, Middleware

    from exporter.web.credentials import Credentials

MAX_BODY_BYTES = 64 * 1024
"""No request needs a body. A small one is read and thrown away."""
_AUTHENTICATE = {"WWW-Authenticate": 'Basic realm="pipeline-exporter", charset="UTF-8"'}

_log = logging.getLogger(__name__)


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer with plain text whatever goes wrong."""
    try:
        return await handler(request)
    except web.HTTPException as error:
        headers = {"Allow": error.headers["Allow"]} if "Allow" in error.headers else None
        return await send_line(request, f"{error.status} {error.reason}", status=error.status, headers=headers)
    except Exception:  # noqa: BLE001 - whatever it was, it must reach the log and not the client
        _log.exception("unexpected error while answering %s %s", request.method, request.path)
        line = "500 Internal Server Error: see the exporter's log"
        return await send_line(request, line, status=HTTPStatus.INTERNAL_SERVER_ERROR)


def authentication(credentials: Credentials) -> Middleware:
    """Let only known users in, to every address, as exporter-toolkit does."""

    @web.middleware
    async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not credentials.required:
            return await handler(request)
        try:
            accepted = await credentials.accept(request.headers.get("Authorization"))
        except TooManyComparisonsError as error:
            busy = HTTPStatus.SERVICE_UNAVAILABLE
            return await send_line(request, str(error), status=busy, headers={"Retry-After": "5"})
        if accepted:
            return await handler(request)
        return await send_line(request, "401 Unauthorized", status=HTTPStatus.UNAUTHORIZED, headers=_AUTHENTICATE)

    return authenticate


@web.middleware
async def small_bodies(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Refuse bodies that announce themselves as large; others are cut by the time for draining them."""
    if (size := request.content_length or 0) > MAX_BODY_BYTES:
        raise web.HTTPRequestEntityTooLarge(MAX_BODY_BYTES, size)
    return await handler(request)
