"""Answers on their way to the client: one body, in pieces, in bounded time."""

from __future__ import annotations

import asyncio
import logging
from http import HTTPStatus
from typing import TYPE_CHECKING

from aiohttp import web

if TYPE_CHECKING:
    from collections.abc import Mapping

SEND_TIMEOUT_SECONDS = 120.0
"""For one whole answer. Who has not taken it by then is cut off, so that no slow reader holds a body for ever."""
_PIECE_BYTES = 256 * 1024
"""What is handed to the connection at once. A scrape can be 100 MB, and a connection copies what it cannot send."""

_log = logging.getLogger(__name__)


async def send(
    request: web.Request,
    body: bytes | str,
    *,
    status: int = HTTPStatus.OK,
    content_type: str = "text/plain; charset=utf-8",
    headers: Mapping[str, str] | None = None,
) -> web.StreamResponse:
    """Answer a request, for HEAD without the body, and give back the answer that was sent.

    A client that goes away meanwhile, or does not take the answer in time, is no error.
    """
    content = memoryview(body.encode("utf-8", "replace") if isinstance(body, str) else body)
    response = web.StreamResponse(status=status, headers={**(headers or {}), "Content-Type": content_type})
    response.content_length = len(content)
    try:
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await response.prepare(request)
            if request.method != "HEAD":
                for start in range(0, len(content), _PIECE_BYTES):
                    await response.write(content[start : start + _PIECE_BYTES])
            await response.write_eof()
    except ConnectionError:
        _log.debug("%s went away during the answer to %s", request.remote, request.path)
    except TimeoutError:
        _log.warning("%s did not take the answer to %s in %g s", request.remote, request.path, SEND_TIMEOUT_SECONDS)
        if request.transport is not None:
            request.transport.abort()
    return response


async def send_line(
    request: web.Request, line: str, *, status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> web.StreamResponse:
    """Answer with one line of plain text."""
    return await send(request, f"{line}\n", status=status, headers=headers)
