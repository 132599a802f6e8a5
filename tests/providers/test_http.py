"""Every way in which an answer can fail has its error, its code and its limit."""

from __future__ import annotations

import asyncio
import ssl
from typing import TYPE_CHECKING

import aiohttp
import pytest
import trustme

from exporter.providers import http
from exporter.providers.budget import Priority
from exporter.providers.errors import (
    CredentialError,
    MalformedError,
    NotFoundError,
    ProviderError,
    StatusError,
    TimedOutError,
    UnauthorizedError,
    UnreachableError,
)
from exporter.providers.http import decode_json
from tests.providers.loopback import answer, asking, cut, drip, loopback, never, zipped

if TYPE_CHECKING:
    from tests.providers.loopback import Asked, Loopback, Reply

SECRET = "apikey:never-to-be-seen"
BACKTRACE = answer(
    b'{"message":"Postgres connection pool error: refused","error_code":"PostgresPoolError",'
    b'"details":{"backtrace":"' + b"   0: pipeline_manager::db\\n" * 200 + b'"}}',
    status="500 Internal Server Error",
)
HTML = ["Content-Type: text/html"]
TEXT = ["Content-Type: text/plain; charset=utf-8"]


async def get_json(asked: Asked) -> object:
    """Ask as a provider does and decode the answer."""
    return decode_json(await asked.client.get("/v0/x", priority=Priority.LIST))


async def failure(asked: Asked) -> ProviderError:
    """Ask and return the error, which is a ProviderError and nothing else."""
    with pytest.raises(ProviderError) as caught:
        await get_json(asked)
    return caught.value


async def failed(*replies: Reply, timeout_seconds: float = 5.0) -> tuple[ProviderError, dict[str, int], Loopback]:
    """Ask a server with these replies; return the error, the codes of all attempts, and the server."""
    async with (
        loopback(*replies) as server,
        asking(server.url, token=lambda: SECRET, timeout_seconds=timeout_seconds) as asked,
    ):
        error = await failure(asked)
        assert SECRET not in str(error)
        assert f"GET {server.url}/v0/x: " == str(error)[: len(server.url) + 11]
        return error, dict(asked.codes), server


@pytest.mark.parametrize(
    ("reply", "kind", "code", "error_code"),
    [
        (answer(b"bad selector", status="400 Bad Request", headers=TEXT), StatusError, "400", ""),
        (
            answer(b'{"error_code":"InvalidUuidParam","message":"no"}', status="400 No"),
            StatusError,
            "400",
            "InvalidUuidParam",
        ),
        (
            answer(b'{"error_code":"AuthenticationFailed","message":"no"}', status="401 No", headers=TEXT),
            UnauthorizedError,
            "401",
            "AuthenticationFailed",
        ),
        (answer(status="401 Unauthorized", headers=["WWW-Authenticate: Bearer"]), UnauthorizedError, "401", ""),
        (
            answer(b'{"error_code":"NotATenantMember","message":"no"}', status="403 No"),
            UnauthorizedError,
            "403",
            "NotATenantMember",
        ),
        (answer(b'{"error_code":"UnknownTenantName"}', status="404 No"), NotFoundError, "404", "UnknownTenantName"),
        (answer(status="404 Not Found"), NotFoundError, "404", ""),
        (answer(b'["not","an","envelope"]', status="404 Not Found"), NotFoundError, "404", ""),
        (answer(b'{"error_code":7,"message":{}}', status="500 No"), StatusError, "500", ""),
        (BACKTRACE, StatusError, "500", "PostgresPoolError"),
        (answer(status="204 No Content"), StatusError, "204", ""),
        (answer(b"{}", status="799 What"), StatusError, "other", ""),
    ],
)
async def test_a_status_has_its_error_and_is_asked_once(
    reply: bytes, kind: type[StatusError], code: str, error_code: str
) -> None:
    """A status that will not pass by itself is raised at once, with the vendor's own word."""
    error, codes, server = await failed(reply)
    assert (kind, error_code) == (type(error), getattr(error, "error_code", None))
    assert ({code: 1}, 1) == (codes, len(server.requests))


async def test_a_backtrace_stays_out_of_the_message() -> None:
    """An error of 6 kB with a backtrace has a short message on one line."""
    error, _, _ = await failed(BACKTRACE)
    assert "answered 500 Internal Server Error: Postgres connection pool error: refused (PostgresPoolError)" == (
        error.problem
    )


async def test_a_message_is_short_and_on_one_line() -> None:
    """What a hostile server says cannot fill the log, begin a line of its own there, or colour a terminal."""
    said = b'{"message":"a\\nb\\u001b[31m' + b"x" * 5000 + b'","error_code":"' + b"y\\n" * 900 + b'"}'
    headers = ["Location: " + "z" * 3000]
    error, _, _ = await failed(answer(said, status="500 " + "r" * 3000, headers=headers))
    assert (True, True) == (str(error).isprintable(), len(str(error)) < 1000)


@pytest.mark.parametrize(
    ("reply", "about"),
    [
        (answer(b"", headers=TEXT), "an empty body"),
        (answer(b"hello", headers=TEXT), "b'hello'"[1:]),
        (answer(b"<html>console</html>", headers=HTML), "the url is not that of the API"),
        (answer(b"[]", headers=["Content-Type: text/html; charset=utf-8"]), "the url is not that of the API"),
        (answer(b"\x00\xff\xfe" * 100), "JSON is malformed"),
        (answer(b"[" * 100_000), "recursion"),
        (answer(b"no gzip at all", headers=["Content-Encoding: gzip"]), "cannot be decompressed"),
        (zipped(b"[" + b'{"name":"orders"},' * 50 + b"7]", keep=25), "truncated"),
    ],
)
async def test_no_json_with_status_200_is_malformed(reply: bytes, about: str) -> None:
    """Text, pages, nothing at all and garbage are no answers, whatever the status says; the attempt counts as 200."""
    error, codes, _ = await failed(reply)
    assert (MalformedError, {"200": 1}) == (type(error), codes)
    assert about in str(error)


async def test_json_is_read_whatever_its_type() -> None:
    """JSON served as text is JSON."""
    async with loopback(answer(b'{"a":1}', headers=TEXT)) as server, asking(server.url) as asked:
        assert {"a": 1} == await get_json(asked)


async def test_compressed_answers_are_read() -> None:
    """Compression is asked for and undone."""
    async with loopback(zipped(b"[1,2]")) as server, asking(server.url) as asked:
        assert [1, 2] == await get_json(asked)
        assert "gzip" in server.requests[0].headers["Accept-Encoding"]


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Time-out", "503 Busy", "429 Slow Down"])
async def test_a_passing_status_is_asked_again(status: str) -> None:
    """What a proxy or a busy server says without Retry-After is tried again, whatever the body."""
    page = answer(b"<h1>sorry</h1>", status=status, headers=HTML)
    async with loopback(page, page, answer(b"[]")) as server, asking(server.url) as asked:
        assert [] == await get_json(asked)
        assert {status[:3]: 2, "200": 1} == asked.codes


@pytest.mark.parametrize("status", ["502 Bad Gateway", "504 Gateway Time-out"])
async def test_a_lasting_status_is_raised(status: str) -> None:
    """After three attempts the failure is raised, and each attempt was counted once."""
    error, codes, _ = await failed(answer(b"<h1>sorry</h1>", status=status, headers=HTML))
    assert (StatusError, int(status[:3])) == (type(error), getattr(error, "status", None))
    assert {status[:3]: http.ATTEMPTS} == codes


async def test_an_answer_that_never_comes_times_out() -> None:
    """A frozen server costs one timeout and no more attempts."""
    error, codes, server = await failed(never, timeout_seconds=0.1)
    assert (TimedOutError, "timeout", {"timeout": 1}, 1) == (type(error), error.outcome, codes, len(server.requests))
    assert "no answer within 0.1 s" == error.problem


async def test_a_dripping_answer_times_out() -> None:
    """The timeout is of the whole answer: bytes that trickle in do not prolong it."""
    error, codes, _ = await failed(drip, timeout_seconds=0.2)
    assert (TimedOutError, {"timeout": 1}) == (type(error), codes)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-",
        answer(b"[1,2,3]")[:-3],
        CHUNKED + b"3\r\n[1,\r\n",
        CHUNKED + b"3\r\n[1",
        CHUNKED + b"nonsense\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n\r\n",
        answer(b"never brotli", headers=["Content-Encoding: br"]),
    ],
)
async def test_a_broken_answer_is_asked_again_and_raised(sent: bytes) -> None:
    """A connection cut anywhere, or bytes that are no HTTP, are no answer: tried again, then unreachable."""
    error, codes, _ = await failed(cut(sent))
    assert (UnreachableError, {"connect": http.ATTEMPTS}) == (type(error), codes)


async def test_a_cut_connection_is_followed_by_the_answer() -> None:
    """One cut in the middle is repaired by the next attempt."""
    async with loopback(cut(answer(b"[1,2,3]")[:-3]), answer(b"[]")) as server, asking(server.url) as asked:
        assert [] == await get_json(asked)
        assert {"connect": 1, "200": 1} == asked.codes


async def test_a_refused_connection_is_not_asked_again() -> None:
    """Nobody listens: that is known at once, and the address is in the message."""
    async with loopback(answer()) as server:
        url = server.url
    async with asking(url) as asked:
        error = await failure(asked)
        assert (UnreachableError, "refused", {"connect": 1}) == (type(error), error.outcome, asked.codes)
        assert url in str(error)


def contexts(*, trusted: bool) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make a server's and a client's context; the client trusts the server's authority or another one."""
    authority = trustme.CA()
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(server)
    (authority if trusted else trustme.CA()).configure_trust(client)
    return server, client


async def test_a_certificate_of_a_stranger_is_refused() -> None:
    """A certificate that nobody vouches for is a failure of TLS, and asking again does not help."""
    theirs, ours = contexts(trusted=False)
    async with loopback(answer(b"[]"), tls=theirs) as server, asking(server.url, ssl_context=ours) as asked:
        error = await failure(asked)
        assert (UnreachableError, "tls", {"tls": 1}) == (type(error), getattr(error, "code", None), asked.codes)
        assert "certificate verify failed" in str(error)


async def test_a_trusted_certificate_is_accepted() -> None:
    """A certificate of the given authority is enough."""
    theirs, ours = contexts(trusted=True)
    async with loopback(answer(b"[]"), tls=theirs) as server, asking(server.url, ssl_context=ours) as asked:
        assert [] == await get_json(asked)


async def test_plain_http_where_tls_is_expected() -> None:
    """A server without TLS behind an https url is a failure of TLS."""

    async def plain(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer(status="400 Bad Request"))
        writer.close()

    server = await asyncio.start_server(plain, "127.0.0.1", 0)
    async with server, asking(f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}") as asked:
        assert ("tls", {"tls": 1}) == (getattr(await failure(asked), "code", None), asked.codes)


async def test_a_redirect_is_not_followed() -> None:
    """Credentials never go where a redirect points to; the message says what to set."""
    moved = answer(status="301 Moved", headers=["Location: http://elsewhere.example/"])
    error, codes, server = await failed(moved)
    assert (StatusError, {"301": 1}, 1) == (type(error), codes, len(server.requests))
    assert "set url to where 'http://elsewhere.example/' is" in str(error)


@pytest.mark.parametrize("reply", [answer(b"[" + b" " * 5000 + b"]"), zipped(b"[" + b" " * 5000 + b"]")])
async def test_a_giant_answer_is_given_up(reply: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An answer beyond the limit, also one that grows in decompression, is malformed and counted as an answer."""
    monkeypatch.setattr(http, "MAX_ANSWER_BYTES", 4096)
    error, codes, _ = await failed(reply)
    assert (MalformedError, {"200": 1}) == (type(error), codes)
    assert "longer than 4096 bytes" in str(error)


async def test_connections_are_used_again() -> None:
    """Two requests in a row need one connection."""
    async with loopback(answer(b"[]")) as server, asking(server.url) as asked:
        await get_json(asked)
        await get_json(asked)
        assert (1, 2) == (server.connections, len(server.requests))


async def test_connections_that_break_when_reused_stay_within_the_budget() -> None:
    """Asking again on a new connection takes a place of the budget too, and is done by nobody else."""
    replies: list[Reply] = [answer(b"[1]"), cut()] * 20
    async with loopback(*replies) as server, asking(server.url) as asked:
        taken: list[Priority] = []
        acquire = asked.client.budget.acquire

        async def counted(priority: Priority) -> None:
            taken.append(priority)
            await acquire(priority)

        asked.client.budget.acquire = counted  # type: ignore[method-assign]
        for _ in range(5):
            await asked.client.get("/x", priority=Priority.LIST)
        assert len(server.requests) == len(taken)


@pytest.mark.parametrize("stale", ["closed while idle", "closed at the next request"])
async def test_a_stale_connection_is_no_failure(stale: str) -> None:
    """A pooled connection that the server has closed, or closes as it is used, is replaced and nothing is counted."""
    closing: list[Reply] = [cut(answer(b"[1]"))] if stale == "closed while idle" else [answer(b"[1]"), cut()]
    async with loopback(*closing, answer(b"[2]")) as server, asking(server.url) as asked:
        assert [1] == await get_json(asked)
        assert [2] == await get_json(asked)
        assert (2, {"200": 2}) == (server.connections, asked.codes)


@pytest.mark.parametrize("method", ["POST", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"])
async def test_no_other_method_leaves_the_process(method: str) -> None:
    """Only GET is ever sent: anything else is refused where requests are made."""
    async with loopback(answer(b"[]")) as server, asking(server.url) as asked:
        with pytest.raises(ValueError, match=f"only GET requests are ever made, not {method}"):
            await asked.client._open().request(method, server.url)
        assert [] == server.requests


async def test_the_key_is_read_at_each_request() -> None:
    """A key that changes is used from the next request on."""
    keys = iter(["one", "two", None])
    async with loopback(answer(b"[]")) as server, asking(server.url, token=lambda: next(keys)) as asked:
        for _ in range(3):
            await get_json(asked)
        assert ["Bearer one", "Bearer two", None] == [one.headers.get("Authorization") for one in server.requests]


async def test_a_key_that_cannot_be_read_asks_nothing() -> None:
    """Without its key nothing is sent, and no attempt is counted."""

    def token() -> str:
        raise CredentialError("http://x", "the file is gone")

    async with loopback(answer(b"[]")) as server, asking(server.url, token=token) as asked:
        assert (CredentialError, {}, []) == (type(await failure(asked)), asked.codes, server.requests)


async def test_a_key_that_is_no_header_stays_secret() -> None:
    """A key with a line break is never sent and never shown."""
    async with loopback(answer(b"[]")) as server, asking(server.url, token=lambda: "geheim\r\nX: y") as asked:
        error = await failure(asked)
        assert (UnreachableError, []) == (type(error), server.requests)
        assert "geheim" not in str(error)


async def test_a_proxys_password_stays_secret() -> None:
    """A proxy that refuses its credentials does not bring them into the message."""
    async with loopback(answer(status="407 Proxy Authentication Required")) as proxy:
        url = proxy.url.replace("//", "//me:geheim@")
        async with asking("https://feldera.example", proxy=url, ssl_context=ssl.create_default_context()) as asked:
            error = await failure(asked)
            assert (UnreachableError, "CONNECT") == (type(error), proxy.requests[0].method)
            assert "geheim" not in str(error)
            assert "407" in str(error)


async def test_a_proxy_is_asked_for_everything() -> None:
    """With a proxy, requests go to it with the whole address."""
    async with loopback(answer(b"[]")) as proxy, asking("http://feldera.example", proxy=proxy.url) as asked:
        assert [] == await get_json(asked)
        assert ["http://feldera.example/v0/x"] == [one.target for one in proxy.requests]


async def test_no_client_is_left_open() -> None:
    """A client that was never used can be closed, and closing closes its connections."""
    async with asking("http://127.0.0.1:1") as unused:
        assert unused.client._session is None
    async with loopback(answer(b"[]")) as server:
        async with asking(server.url) as asked:
            await get_json(asked)
            session = asked.client._session
        assert isinstance(session, aiohttp.ClientSession)
        assert session.closed
