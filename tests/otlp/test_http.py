"""HTTP: every answer of the specification's tables, and what the design makes of it."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination, Retry, answers
from tests.otlp.receiver import Received, Receiver, Reply, http_receiver, rejecting
from tests.otlp.sending import request_of, sent, transport_to

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.otlp.transport import Outcome

NOW = 1795246231.0  # Sat, 21 Nov 2026 07:30:31 GMT


async def outcome_of(reply: Reply, *, records: int = 1) -> tuple[Outcome, Receiver]:
    """Send a request to a receiver with this answer."""
    async with http_receiver() as receiver:
        receiver.replies.append(reply)
        return await sent(receiver.url, records=records), receiver


async def test_a_request_arrives_whole() -> None:
    """The request is posted to /v1/logs with its type, compressed, and understood on the other side."""
    async with http_receiver() as receiver, transport_to(receiver.url + "/", headers={"X-Team": "a"}) as transport:
        assert Accepted("200") == await transport.send(request_of(b"one", b"two"), 2)
    (received,) = receiver.requests
    assert ["one", "two"] == received.bodies
    assert ("gzip", "a") == (received.headers["content-encoding"], received.headers["x-team"])
    assert "pipeline-exporter/" == received.headers["user-agent"][:18]


async def test_headers_of_ours_and_of_the_user() -> None:
    """The user's headers win over our name, and nothing says what the request is but we; no header is there twice."""
    headers = {"user-agent": "mine", "content-TYPE": "text/plain", "content-encoding": "br"}
    async with http_receiver() as receiver:
        assert Accepted("200") == await sent(receiver.url, headers=headers)
    found = receiver.requests[0].headers
    assert ("mine", "application/x-protobuf", "gzip") == (
        found["user-agent"],
        found["content-type"],
        found["content-encoding"],
    )


async def test_without_compression() -> None:
    """With `compression: none` the request is sent as it is."""
    async with http_receiver() as receiver:
        assert Accepted("200") == await sent(receiver.url, compression="none")
    assert "content-encoding" not in receiver.requests[0].headers


async def test_large_requests() -> None:
    """A request as large as a batch may be is compressed off the loop and arrives whole."""
    body = b"".join(b"%d " % number for number in range(200_000))
    async with http_receiver() as receiver, transport_to(receiver.url) as transport:
        assert Accepted("200") == await transport.send(request_of(body), 1)
    assert [body.decode()] == receiver.bodies


@pytest.mark.parametrize("status", [429, 502, 503, 504])
async def test_retryable(status: int) -> None:
    """The four retryable statuses are tried again; Retry-After says when."""
    outcome, _ = await outcome_of(Reply(status, message="busy"))
    assert isinstance(outcome, Retry)
    assert (None, str(status)) == (outcome.after_seconds, outcome.code)
    assert "busy" == outcome.reason[-4:]
    outcome, _ = await outcome_of(Reply(status, headers={"Retry-After": "7"}))
    assert isinstance(outcome, Retry)
    assert 7.0 == outcome.after_seconds
    outcome, _ = await outcome_of(Reply(status, headers={"Retry-After": "0"}))
    assert isinstance(outcome, Retry)
    assert None is outcome.after_seconds


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_about_the_data(status: int) -> None:
    """These are said of the data: to send it again as it is would be no use."""
    outcome, receiver = await outcome_of(Reply(status, message="line too long"))
    assert isinstance(outcome, RefusedData)
    assert str(status) == outcome.code
    assert f"{receiver.url}/v1/logs: answered {status} " == outcome.reason[: len(receiver.url) + 23]
    assert "line too long" in outcome.reason


@pytest.mark.parametrize("status", [401, 403, 404, 405])
async def test_about_the_destination(status: int) -> None:
    """These are said of the destination: any data would be refused."""
    outcome, _ = await outcome_of(Reply(status))
    assert (RefusedDestination, str(status)) == (type(outcome), outcome.code)


@pytest.mark.parametrize(
    "status", [300, 301, 302, 307, 308, 402, 406, 408, 409, 411, 415, 418, 431, 451, 500, 501, 505, 599]
)
async def test_any_other_refusal(status: int) -> None:
    """Nothing is dropped for another status: it is an other refusal, also a redirect, which is not followed."""
    outcome, receiver = await outcome_of(Reply(status, headers={"Location": "http://127.0.0.1:1/elsewhere"}))
    assert (Refused, str(status)) == (type(outcome), outcome.code)
    assert 1 == len(receiver.requests)


@pytest.mark.parametrize("status", [200, 202, 204])
async def test_good_statuses(status: int) -> None:
    """Any good status accepts, as with Loki, which answers 204."""
    outcome, _ = await outcome_of(Reply(status))
    assert Accepted(str(status)) == outcome


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("5", 5.0),
        ("0", 0.0),
        (" 5 ", 5.0),
        ("Sat, 21 Nov 2026 07:31:31 GMT", 60.0),
        ("Sat, 21 Nov 2026 07:29:31 GMT", 0.0),
        ("86400", answers.MAX_RETRY_AFTER_SECONDS),
        ("9" * 400, answers.MAX_RETRY_AFTER_SECONDS),
        ("Fri, 31 Dec 9999 23:59:59 GMT", answers.MAX_RETRY_AFTER_SECONDS),
        ("soon", None),
        ("-5", None),
        ("5.5", None),
        ("", None),
        ("²", None),
        ("Sat, 21 Nov 2026 07:30:31 +99999999999999999", None),
        (None, None),
    ],
)
def test_forms_of_retry_after(monkeypatch: pytest.MonkeyPatch, value: str | None, seconds: float | None) -> None:
    """Seconds and dates are understood, for an hour at most; nonsense is as if nothing was said."""
    monkeypatch.setattr(answers, "time", SimpleNamespace(time=lambda: NOW))
    assert seconds == answers.retry_after(value)


async def test_partial_success() -> None:
    """What was rejected is counted and not sent again, and the reason is kept."""
    outcome, _ = await outcome_of(rejecting(2, "too old"), records=3)
    assert Accepted("200", 2, "too old") == outcome


@pytest.mark.parametrize(("said", "counted"), [(5, 3), (-1, 0)])
async def test_impossible_partial_success(said: int, counted: int) -> None:
    """No more can be rejected than was sent, and no less than nothing."""
    outcome, _ = await outcome_of(rejecting(said), records=3)
    assert Accepted("200", counted) == outcome


async def test_a_warning() -> None:
    """A server may accept everything and say something all the same; it is kept on one line."""
    outcome, _ = await outcome_of(rejecting(0, "please\nuse \x1b[31mgzip"))
    assert Accepted("200", 0, "please use  [31mgzip") == outcome


JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("body", "outcome"),
    [
        (b"", Accepted("200")),
        (b"{}", Accepted("200")),
        (b'{"partialSuccess":{}}', Accepted("200")),
        (b'{"partialSuccess":{"rejectedLogRecords":"1","errorMessage":"old"}}', Accepted("200", 1, "old")),
        (b'{"partialSuccess":{"rejectedLogRecords":1}}', Accepted("200", 1)),
        (b'{"partialSuccess":{"rejectedSpans":"1"}}', Accepted("200", 1)),
        (b'{"partialSuccess":[]}', Accepted("200")),
        (b'{"partialSuccess":{"rejectedLogRecords":"many"}}', None),
        (b"{", None),
    ],
)
async def test_answers_in_json(body: bytes, outcome: Accepted | None) -> None:
    """Some servers answer in JSON whatever they are asked; it is understood, and nonsense is still a success."""
    found, _ = await outcome_of(Reply(body=body, headers=JSON))
    assert (outcome or Accepted("200", 0, f"the answer could not be read: {body!r}")) == found


@pytest.mark.parametrize("kind", ["application/x-protobuf", "text/plain"])
async def test_garbage_is_a_success(kind: str) -> None:
    """The status is what counts: 200 with a body that is no answer has accepted the records, and a warning says so."""
    outcome, _ = await outcome_of(Reply(body=b"thanks!", headers={"Content-Type": kind}))
    assert Accepted("200", 0, "the answer could not be read: b'thanks!'") == outcome


async def test_a_page_is_no_success() -> None:
    """200 with a page for people comes from a web server that says yes to everything: nothing was accepted."""
    page = Reply(body=b"<html>hello</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    outcome, _ = await outcome_of(page)
    assert (Refused, "200") == (type(outcome), outcome.code)


@pytest.mark.parametrize("body", [b"", b"ok\n"])
async def test_a_word_is_a_success(body: bytes) -> None:
    """What a framework calls a page for people because nothing else was said, and has no tag in it, is no page."""
    outcome, _ = await outcome_of(Reply(body=body, headers={"Content-Type": "text/html; charset=utf-8"}))
    assert (Accepted, "200") == (type(outcome), outcome.code)


@pytest.mark.parametrize("body", [b"x" * 1_000_000, b"\xff\xfe\x00", b"\n" * 100])
async def test_reasons_are_short(body: bytes) -> None:
    """Whatever a refusal says becomes the beginning of one line."""
    outcome, _ = await outcome_of(Reply(400, body=body))
    assert isinstance(outcome, RefusedData)
    assert 450 > len(outcome.reason)
    assert outcome.reason.isprintable()


async def test_timeout() -> None:
    """A server that does not answer in time is tried again."""
    async with http_receiver() as receiver:
        receiver.replies.append(Reply(hang=True))
        outcome = await sent(receiver.url, timeout="50ms")
    assert Retry(None, "timeout", f"{receiver.url}/v1/logs: no answer within 0.05 s") == outcome


async def test_nobody_listens() -> None:
    """A refused connection is tried again."""
    async with http_receiver() as receiver:
        pass
    outcome = await sent(receiver.url)
    assert (Retry, "connect") == (type(outcome), outcome.code)


async def test_a_cut_connection() -> None:
    """A server that goes away without an answer is tried again: it may or may not have the records."""
    outcome, receiver = await outcome_of(Reply(cut=True))
    assert (Retry, "connect") == (type(outcome), outcome.code)
    assert 1 == len(receiver.requests)


async def test_a_server_that_speaks_something_else() -> None:
    """An answer that is no HTTP is tried again."""

    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(speak, "127.0.0.1", 0)
    async with server:
        outcome = await sent(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    assert (Retry, "connect") == (type(outcome), outcome.code)


async def test_connections_are_used_again() -> None:
    """One request after the other uses one connection."""
    async with http_receiver() as receiver, transport_to(receiver.url) as transport:
        for _ in range(3):
            assert Accepted("200") == await transport.send(request_of(b"x"), 1)
    assert 1 == len({received.peer for received in receiver.requests})


async def test_headers_file_rotates(tmp_path: Path) -> None:
    """A key that is replaced is used with the next request; while its file cannot be used nothing is asked or lost."""
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer one\n")
    async with (
        http_receiver() as receiver,
        transport_to(receiver.url, headers={"X-Team": "a"}, headers_file=str(file)) as transport,
    ):
        assert Accepted("200") == await transport.send(request_of(b"x"), 1)
        file.write_text("Authorization: Bearer second\n")
        assert Accepted("200") == await transport.send(request_of(b"x"), 1)
        file.unlink()
        outcome = await transport.send(request_of(b"x"), 1)
        file.write_text("no header")
        other = await transport.send(request_of(b"x"), 1)
    assert ["Bearer one", "Bearer second"] == [one.headers["authorization"] for one in receiver.requests]
    assert ["a", "a"] == [one.headers["x-team"] for one in receiver.requests]
    assert (Retry, "", Retry, "") == (type(outcome), outcome.code, type(other), other.code)


async def test_the_script_may_look_at_the_request() -> None:
    """A receiver's answer may depend on what it was sent."""

    def answer(received: Received) -> Reply:
        return Reply(400) if "line 1" in received.bodies else Reply()

    async with http_receiver() as receiver:
        receiver.answer = answer
        assert isinstance(await sent(receiver.url, records=2), RefusedData)
        assert isinstance(await sent(receiver.url, records=1), Accepted)
        await receiver.wait_for(lambda found: len(found.requests) == 2)
