"""The HTTP client that all providers share: GET only, within the budget, in time, every failure with a name.

get() ─▶ budget ─▶ one request ─▶ whole body ─▶ status and type checked ─▶ Answer
  ▲                    │
  └── again, later ◀───┴ what may pass by itself: a cut connection, 429, 502, 503, 504
"""

from __future__ import annotations

import asyncio
import email.utils
import logging
import random
import ssl
import time
import weakref
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import msgspec
from aiohttp.http_exceptions import ContentEncodingError

from exporter.providers import json_answers
from exporter.providers.errors import (
    MalformedError,
    NotFoundError,
    ProviderError,
    StatusError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from exporter.providers.streams import ByteStream
from exporter.providers.taken import HeadFirstConnector, Reception
from exporter.providers.throttle import Throttle

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping
    from types import SimpleNamespace

    from exporter.providers.budget import Budget, Priority

MAX_ANSWER_BYTES: Final = 256 * 1024 * 1024
"""Far over any honest answer: 10,000 pipelines are 14 MB."""

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
"""A vendor is not asked for so long at most, whatever it says."""

MAX_CONNECTIONS: Final = 64
"""Requests under way at once, streams aside. The budget limits them too: this is for answers that hang."""

ATTEMPTS: Final = 3
FIRST_DELAY_SECONDS: Final = 0.25

OPENING_STREAMS: Final = 250
"""So many at once: what opening one takes for a moment is ten times what it takes when it is open."""

# The server closes an idle connection after 4.8 s: a connection is not used again when it may be about to.
# Read off Feldera 0.337; a pooled connection that is stale all the same is replaced by aiohttp without a failure.
KEEP_ALIVE_SECONDS: Final = 4.0

_log = logging.getLogger(__name__)

_PASSING = frozenset({429, 502, 503, 504})
_EXCERPT_CHARACTERS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer with a status that the caller expects. The body is decompressed."""

    url: str
    status: int
    content_type: str
    date: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Connection:
    """How to reach one account of a vendor. `token` is asked for at each request, as its file may change."""

    url: str
    timeout_seconds: float
    headers: Mapping[str, str]
    token: Callable[[], str | None] = lambda: None
    proxy: str | None = None
    ssl_context: ssl.SSLContext | None = None


class GetOnlyRequest(aiohttp.ClientRequest):
    """Refuses every method but GET where requests are made: this service never changes anything at a vendor."""

    def __init__(self, method: str, *args: Any, **kwargs: Any) -> None:
        if method.upper() != "GET":
            message = f"only GET requests are ever made, not {method}"
            raise ValueError(message)
        super().__init__(method, *args, **kwargs)


class _Used:
    """Whether a request went over a connection that had been used before."""

    before = False


async def _note_reuse(_session: aiohttp.ClientSession, context: SimpleNamespace, _params: object) -> None:
    context.trace_request_ctx.before = True


class _StaleConnectionError(Exception):
    """A pooled connection turned out to be closed; `failure` is what that would be on a new one."""

    def __init__(self, failure: UnreachableError) -> None:
        super().__init__(str(failure))
        self.failure = failure


class HttpClient:
    """GET requests to one vendor's account. `on_answer` is told the status, `timeout`, `connect` or `tls` of each."""

    def __init__(self, connection: Connection, budget: Budget, on_answer: Callable[[str], None]) -> None:
        self._connection = connection
        self._on_answer = on_answer
        self.budget = budget
        self._throttle = Throttle(budget)
        self._session: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None
        self._open_streams: weakref.WeakSet[ByteStream] = weakref.WeakSet()
        self._reception = Reception()
        self._opening = asyncio.Semaphore(OPENING_STREAMS)

    async def get(
        self,
        path: str,
        params: Mapping[str, str] | None = None,
        *,
        priority: Priority,
        also: Collection[int] = (),
        holds: bool = True,
    ) -> Answer:
        """Ask for a path below the URL and return the answer if its status is 200 or one of `also`.

        What may pass by itself is tried again twice, later each time. Raises a ProviderError. An answer with
        `Retry-After` is not tried again: it holds the whole budget, or where `holds` is false, as the answer is about a
        part only, it is the caller's to honour. 429 is about the whole account in any case, and holds it also when the
        vendor does not say for how long.
        """
        delay = FIRST_DELAY_SECONDS
        for attempt in range(1, ATTEMPTS + 1):
            await self.budget.acquire(priority)
            try:
                return await self._get(path, params, also, holds=holds)
            except _StaleConnectionError as error:
                if attempt == ATTEMPTS:
                    raise error.failure from error
                continue
            except ProviderError as error:
                if attempt == ATTEMPTS or not _may_pass(error):
                    raise
            await asyncio.sleep(delay * random.uniform(0.5, 1.5))  # noqa: S311  (jitter)
            delay *= 2
        raise AssertionError  # the last attempt returns or raises

    async def stream(self, path: str, params: Mapping[str, str] | None = None, *, priority: Priority) -> ByteStream:
        """Open a path whose answer goes on without end. Raises a ProviderError when it does not begin with status 200.

        Only the beginning has a time limit. `Retry-After` is in the error and holds nothing but this stream: the
        vendor sends it when one pipeline's runner cannot be reached.
        """
        await self.budget.acquire(priority)
        url = self._connection.url + path
        if self._streams is None:
            self._streams = self._session_of(aiohttp.ClientTimeout(total=None), HeadFirstConnector, limit=0)
        with self._asking(url):
            async with self._opening, asyncio.timeout(self._connection.timeout_seconds):
                response = await self._streams.get(
                    url,
                    params=params,
                    headers=self._headers(),
                    proxy=self._connection.proxy,
                    allow_redirects=False,
                    trace_request_ctx=_Used(),
                )
                if response.status == 200:
                    self._on_answer("200")
                    stream = ByteStream(response, self._reception)
                    self._open_streams.add(stream)
                    return stream
                async with response:
                    body, _ = await _read(response)
        self._on_answer(_code(response.status))
        failed = _status_error(url, response, body)
        self._note(failed, holds=False)
        raise failed

    async def close(self) -> None:
        """Close the pooled connections and the streams."""
        for stream in list(self._open_streams):
            await stream.close()
        for session in (self._session, self._streams):
            if session is not None:
                await session.close()

    async def _get(self, path: str, params: Mapping[str, str] | None, also: Collection[int], *, holds: bool) -> Answer:
        url = self._connection.url + path
        used = _Used()
        with self._asking(url):
            try:
                async with self._open().get(
                    url,
                    params=params,
                    headers=self._headers(),
                    proxy=self._connection.proxy,
                    allow_redirects=False,
                    trace_request_ctx=used,
                ) as response:
                    body, whole = await _read(response)
            except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
                if not used.before:
                    raise
                # The server closed an idle connection: that is no failure, and asking again opens another one.
                raise _StaleConnectionError(_unreachable(url, error)) from error
            except aiohttp.ClientPayloadError as error:
                if not isinstance(error.__cause__, ContentEncodingError):
                    raise
                self._on_answer(_code(response.status))
                raise MalformedError(url, _one_line(f"the answer cannot be decompressed: {error.__cause__}")) from error
        self._on_answer(_code(response.status))
        _log.debug("GET %s: %d, %d bytes", url, response.status, len(body))
        failed = None if response.status == 200 else _status_error(url, response, body)
        self._note(failed, holds=holds)
        if failed is not None and response.status not in also:
            raise failed
        if not whole:
            raise MalformedError(url, f"the answer is longer than {MAX_ANSWER_BYTES} bytes")
        content_type = response.content_type if "Content-Type" in response.headers else ""
        return Answer(url, response.status, content_type, response.headers.get("Date", ""), body)

    @contextmanager
    def _asking(self, url: str) -> Iterator[None]:
        """Count and name what goes wrong on the way to an answer. Raises TimedOutError or UnreachableError."""
        try:
            yield
        except ProviderError:
            raise
        except TimeoutError as error:
            self._on_answer("timeout")
            raise TimedOutError(url, f"no answer within {self._connection.timeout_seconds:g} s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            failure = _unreachable(url, error)
            self._on_answer(failure.code)
            raise failure from error

    def _note(self, failed: StatusError | None, *, holds: bool) -> None:
        """Hold the budget where an answer says so."""
        if failed is None:
            self._throttle.accepted()
        elif failed.status == 429:
            self._throttle.refused(failed.retry_after_seconds)
        elif failed.retry_after_seconds is not None and holds:
            self.budget.hold(failed.retry_after_seconds)

    def _headers(self) -> dict[str, str]:
        headers = dict(self._connection.headers)
        token = self._connection.token()
        if token:
            headers["Authorization"] = f"Bearer {token}"
        return headers

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            timeout = aiohttp.ClientTimeout(total=self._connection.timeout_seconds)
            self._session = self._session_of(timeout, aiohttp.TCPConnector, limit=MAX_CONNECTIONS)
        return self._session

    def _session_of(
        self, timeout: aiohttp.ClientTimeout, connector: type[aiohttp.TCPConnector], *, limit: int
    ) -> aiohttp.ClientSession:
        tracing = aiohttp.TraceConfig()
        tracing.on_connection_reuseconn.append(_note_reuse)
        session = aiohttp.ClientSession(
            connector=connector(
                limit=limit, keepalive_timeout=KEEP_ALIVE_SECONDS, ssl=self._connection.ssl_context or True
            ),
            timeout=timeout,
            request_class=GetOnlyRequest,
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[tracing],
        )
        # aiohttp would ask again by itself, past the budget; there is no public switch for it.
        session._retry_connection = False  # noqa: SLF001
        return session


def decode_json(answer: Answer, type_: type = object) -> Any:
    """Decode an answer's JSON, whatever its content type says, but for HTML. Raises MalformedError."""
    if "html" in answer.content_type:
        what = "a page for people (text/html): the url is not that of the API"
        raise MalformedError(answer.url, f"{_answered(answer)} with {what}")
    try:
        return json_answers.decode(answer.body, type_)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        what = f"something else than expected: {error}; {_excerpt(answer.body)}"
        raise MalformedError(answer.url, f"{_answered(answer)} with {what}") from error


def _code(status: int) -> str:
    """Return the label of a status; a server may make up hundreds that are none."""
    return str(status) if 100 <= status <= 599 else "other"


def _answered(answer: Answer) -> str:
    return "answered" if answer.status == 200 else f"answered {answer.status}"


async def _read(response: aiohttp.ClientResponse) -> tuple[bytes, bool]:
    """Return the body and whether it is whole; one that is too long is read no further."""
    parts, size = [], 0
    async for part in response.content.iter_any():
        size += len(part)
        if size > MAX_ANSWER_BYTES:
            return b"", False
        parts.append(part)
    return b"".join(parts), True


def _may_pass(error: ProviderError) -> bool:
    if isinstance(error, UnreachableError):
        return error.again
    return isinstance(error, StatusError) and error.status in _PASSING and error.retry_after_seconds is None


def _unreachable(url: str, error: Exception) -> UnreachableError:
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError):
        return UnreachableError(url, _one_line(f"TLS failed: {error}"), code="tls", again=False)
    refused = isinstance(error, aiohttp.ClientConnectorError | ValueError)
    return UnreachableError(url, _one_line(_why(error)), again=not refused)


def _why(error: Exception) -> str:
    """Say why there is no answer, in words that name the reason and no proxy's password."""
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        return f"no connection to the proxy: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection to {error.host}:{error.port}: {error.os_error.strerror or error.os_error}"
    if isinstance(error, aiohttp.ClientResponseError):
        return f"{type(error).__name__}: {error.status}, {error.message}"
    return f"{type(error).__name__}: {error}"


def _status_error(url: str, response: aiohttp.ClientResponse, body: bytes) -> StatusError:
    status = response.status
    problem = f"answered {status} {_one_line(response.reason or '')}".rstrip()
    error_code, message = _envelope(body)
    problem += f": {message}" if message else f", {_excerpt(body)}"
    if "Location" in response.headers:
        place = response.headers["Location"][:_EXCERPT_CHARACTERS]
        problem += f"; redirects are not followed: set url to where {place!r} is"
    kind = {401: UnauthorizedError, 403: UnauthorizedError, 404: NotFoundError}.get(status, StatusError)
    after = _retry_after(response.headers.get("Retry-After"))
    return kind(url, problem, status=status, error_code=error_code, retry_after_seconds=after)


def _envelope(body: bytes) -> tuple[str, str]:
    """Return code and message of an error's JSON, which may be missing or served as something else."""
    try:
        found = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return "", ""
    if not isinstance(found, dict):
        return "", ""
    inner = found.get("error")
    if isinstance(inner, dict):
        found = {"error_code": inner.get("type"), **inner}
    code, message = found.get("error_code"), found.get("message", found.get("error_message"))
    text = _one_line(message) if isinstance(message, str) else ""
    return (code, f"{text} ({_one_line(code[:64])})") if isinstance(code, str) else ("", text)


def _one_line(text: str) -> str:
    """Return the beginning of what the other side said, without what could begin a line of its own or colour it."""
    return "".join(one if one.isprintable() else " " for one in text[:_EXCERPT_CHARACTERS])


def _retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number of them, or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    try:
        seconds = (
            float(value)
            if value.strip().isdigit()
            else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        )
    except (ValueError, OverflowError):
        return None
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def _excerpt(body: bytes) -> str:
    """Return the beginning of a body for an error message, on one line."""
    if not body:
        return "an empty body"
    text = body[:_EXCERPT_CHARACTERS].decode("utf-8", "replace")
    return f"body {text!r}" + (" …" if len(body) > _EXCERPT_CHARACTERS else "")
