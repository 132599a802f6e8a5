"""OTLP over HTTP with binary protobuf."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Final

import aiohttp
import msgspec
from multidict import CIMultiDict

from exporter import __version__
from exporter.config import SecretError, ssl_context
from exporter.otlp.transport.answers import (
    MAX_ANSWER_BYTES,
    PartialSuccess,
    accepted,
    one_line,
    read_partial_success,
    read_partial_success_json,
    read_status,
    retry_after,
)
from exporter.otlp.transport.compression import gzipped
from exporter.otlp.transport.files import stamps
from exporter.otlp.transport.outcome import Outcome, Refused, RefusedData, RefusedDestination, Retry
from exporter.otlp.wire import WireError

if TYPE_CHECKING:
    from exporter.otlp.settings import Settings

RETRYABLE: Final = frozenset({429, 502, 503, 504})
ABOUT_DATA: Final = frozenset({400, 413, 422})
ABOUT_DESTINATION: Final = frozenset({401, 403, 404, 405})

_CONTENT_TYPE = "application/x-protobuf"
_SHOWN_FOR_PEOPLE = frozenset({"text/html", "application/xhtml+xml"})
"""Many a framework calls a bare `ok` so too: only what has a tag in it is a page."""


class HttpTransport:
    """Requests to one URL. Connections are kept and used again."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._session: aiohttp.ClientSession | None = None
        self._retired: list[aiohttp.ClientSession] = []
        self._stamps: object = None

    async def send(self, request: bytes, records: int) -> Outcome:
        """Send a request and say what became of it."""
        url, timeout_seconds = self._settings.endpoint, self._settings.timeout_seconds
        try:
            headers = self._headers()
            session = self._open()
        except (SecretError, ValueError) as error:
            return Retry(None, "", str(error))
        if self._settings.compression == "gzip":
            request = await gzipped(request)
        try:
            async with session.post(url, data=request, headers=headers, allow_redirects=False) as response:
                body = await _read(response)
        except TimeoutError:
            return Retry(None, "timeout", f"{url}: no answer within {timeout_seconds:g} s")
        except (aiohttp.ClientSSLError, ssl.SSLError) as error:
            return Retry(None, "tls", f"{url}: TLS failed: {one_line(str(error))}")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            return Retry(None, "connect", f"{url}: {type(error).__name__}: {one_line(str(error))}")
        return _outcome(url, response, body, records)

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            self._retired.append(self._session)
            self._session = None
        while self._retired:
            await self._retired.pop().close()

    def _headers(self) -> CIMultiDict[str]:
        """Return the headers as they are now. Raises SecretError or ValueError."""
        headers = CIMultiDict({"User-Agent": f"pipeline-exporter/{__version__}"})
        headers.update(self._settings.headers())
        headers["Content-Type"] = _CONTENT_TYPE
        if self._settings.compression == "gzip":
            headers["Content-Encoding"] = "gzip"
        return headers

    def _open(self) -> aiohttp.ClientSession:
        """Return the session, a new one where a TLS file changed. Raises ValueError when a file cannot be used."""
        now = stamps(self._settings.tls)
        if self._session is None or now != self._stamps:
            session = self._made()
            if self._session is not None:
                self._retired.append(self._session)  # requests may be under way; idle connections end by themselves
            self._session, self._stamps = session, now
        return self._session

    def _made(self) -> aiohttp.ClientSession:
        secure = self._settings.endpoint.startswith("https:")
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=ssl_context(self._settings.tls) if secure else True),
            timeout=aiohttp.ClientTimeout(total=self._settings.timeout_seconds),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


async def _read(response: aiohttp.ClientResponse) -> bytes:
    """Return the answer, of which no more is read than is needed."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        parts.append(part)
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            response.close()
            break
    return b"".join(parts)


def _outcome(url: str, response: aiohttp.ClientResponse, body: bytes, records: int) -> Outcome:
    status = response.status
    code = str(status)
    if 200 <= status < 300:
        if response.content_type in _SHOWN_FOR_PEOPLE and b"<" in body:
            # Somebody's web server says yes to everything: what was sent is nowhere.
            return Refused(code, f"{url}: answered {status} with a page for people; it is no OTLP endpoint")
        return accepted(code, _partial_success(response.content_type, body), records)
    reason = f"{url}: answered {status} {_reason(response, body)}".rstrip()
    if status in RETRYABLE:
        # No delay is no wish: then it is for the sender to say when.
        return Retry(retry_after(response.headers.get("Retry-After")) or None, code, reason)
    if status in ABOUT_DATA:
        return RefusedData(code, reason)
    if status in ABOUT_DESTINATION:
        return RefusedDestination(code, reason)
    return Refused(code, reason)


def _partial_success(content_type: str, body: bytes) -> PartialSuccess:
    """Return what a good answer says. The status is what counts: one that cannot be read is a success all the same."""
    try:
        if content_type == "application/json":
            return read_partial_success_json(body) if body.strip() else PartialSuccess()
        return read_partial_success(body)
    except (WireError, ValueError, msgspec.DecodeError, RecursionError):
        return PartialSuccess(message=f"the answer could not be read: {body[:64]!r}")


def _reason(response: aiohttp.ClientResponse, body: bytes) -> str:
    """Return the server's words: its reason, and the message of its Status or the beginning of its text."""
    said = one_line(response.reason or "")
    if "Location" in response.headers:
        place = one_line(response.headers["Location"])
        return f"{said}; redirects are not followed: set the endpoint to where {place!r} is"
    try:
        text = read_status(body).message if response.content_type == _CONTENT_TYPE else ""
    except WireError:
        text = ""
    text = text or one_line(body.decode("utf-8", "replace"))
    return f"{said}: {text}" if text else said
