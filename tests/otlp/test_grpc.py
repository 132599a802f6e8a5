"""gRPC: every code of the specification's table, and what the design makes of it."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from exporter.otlp.transport import Accepted, Refused, RefusedData, RefusedDestination, Retry, answers
from tests.otlp.receiver import Receiver, Reply, grpc_receiver, http_receiver, rejecting, status_bytes
from tests.otlp.sending import request_of, sent, transport_to

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.otlp.transport import Outcome


async def outcome_of(reply: Reply, *, records: int = 1, **keys: Any) -> tuple[Outcome, Receiver]:
    """Send a request to a receiver with this answer."""
    async with grpc_receiver() as receiver:
        receiver.replies.append(reply)
        return await sent(receiver.url, "grpc", records=records, **keys), receiver


@pytest.mark.parametrize("compression", ["gzip", "none"])
async def test_a_request_arrives_whole(compression: str) -> None:
    """The request reaches the logs service with its headers, compressed or not."""
    outcome, receiver = await outcome_of(Reply(), records=2, headers={"X-Team": "a"}, compression=compression)
    assert Accepted("OK") == outcome
    (received,) = receiver.requests
    assert ["line 0", "line 1"] == received.bodies
    assert "a" == received.headers["x-team"]
    assert "pipeline-exporter/" == received.headers["user-agent"][:18]


RETRYABLE = ("CANCELLED", "DEADLINE_EXCEEDED", "ABORTED", "UNAVAILABLE", "DATA_LOSS")
ONLY_WITH_RETRY_INFO = ("RESOURCE_EXHAUSTED", "OUT_OF_RANGE")
TABLE: dict[str, tuple[type, type]] = {
    # Without RetryInfo, and with it.
    **dict.fromkeys(RETRYABLE, (Retry, Retry)),
    **dict.fromkeys(ONLY_WITH_RETRY_INFO, (RefusedData, Retry)),
    "INVALID_ARGUMENT": (RefusedData, RefusedData),
    "UNAUTHENTICATED": (RefusedDestination, RefusedDestination),
    "PERMISSION_DENIED": (RefusedDestination, RefusedDestination),
    "UNIMPLEMENTED": (RefusedDestination, RefusedDestination),
    "UNKNOWN": (Refused, Refused),
    "NOT_FOUND": (Refused, Refused),
    "ALREADY_EXISTS": (Refused, Refused),
    "FAILED_PRECONDITION": (Refused, Refused),
    "INTERNAL": (Refused, Refused),
}


def test_every_code_is_in_the_table() -> None:
    """No code of gRPC is left out of these tests."""
    assert {code.name for code in grpc.StatusCode} - {"OK"} == TABLE.keys()


async def test_codes() -> None:
    """Each code is what the specification and the design say, with RetryInfo and without."""
    found: dict[str, tuple[type, type]] = {}
    async with grpc_receiver() as receiver, transport_to(receiver.url, "grpc") as transport:
        for code in TABLE:
            receiver.replies += [Reply(code, message="sorry"), Reply(code, message="sorry", retry_seconds=1.5)]
            plain, advised = [await transport.send(request_of(b"x"), 1) for _ in range(2)]
            found[code] = type(plain), type(advised)
            assert (code, code) == (plain.code, advised.code)
            assert not isinstance(plain, Accepted)
            assert f"{receiver.url}: answered {code}: sorry" == plain.reason
            if isinstance(advised, Retry):
                assert 1.5 == advised.after_seconds
            if isinstance(plain, Retry):
                assert None is plain.after_seconds
    assert TABLE == found


@pytest.mark.parametrize(
    ("said", "seconds"), [(0.0, 0.0), (0.25, 0.25), (-3.0, 0.0), (86400.0, answers.MAX_RETRY_AFTER_SECONDS)]
)
def test_forms_of_retry_info(said: float, seconds: float) -> None:
    """The delay is honoured for an hour at most, and is never negative."""
    assert answers.Status("m", seconds) == answers.read_status(status_bytes("m", said))


async def test_a_delay_of_nothing() -> None:
    """RetryInfo without a delay makes an answer retryable, and leaves it to the sender when."""
    outcome, _ = await outcome_of(Reply("RESOURCE_EXHAUSTED", retry_seconds=0.0))
    assert (Retry, None) == (type(outcome), getattr(outcome, "after_seconds", "absent"))


async def test_details_that_cannot_be_read() -> None:
    """Garbage where the details should be is as if there were none."""
    outcome, _ = await outcome_of(Reply("UNAVAILABLE", headers={"grpc-status-details-bin": b"\xff\xff"}))  # type: ignore[dict-item]
    assert (Retry, None) == (type(outcome), getattr(outcome, "after_seconds", "absent"))


async def test_partial_success() -> None:
    """What was rejected is counted and not sent again, and the reason is kept."""
    outcome, _ = await outcome_of(rejecting(2, "too old"), records=3)
    assert Accepted("OK", 2, "too old") == outcome


async def test_garbage_is_a_success() -> None:
    """The code is what counts: OK with a message that is no answer has accepted the records."""
    outcome, _ = await outcome_of(Reply(body=b"thanks!"))
    assert Accepted("OK", 0, "the answer could not be read: b'thanks!'") == outcome


async def test_a_request_over_the_servers_limit() -> None:
    """A server that takes no such large requests says so of the data, which is then split."""
    async with (
        grpc_receiver(options=[("grpc.max_receive_message_length", 1000)]) as receiver,
        transport_to(receiver.url, "grpc", compression="none") as transport,
    ):
        outcome = await transport.send(request_of(b"x" * 2000), 1)
    assert (RefusedData, "RESOURCE_EXHAUSTED") == (type(outcome), outcome.code)


async def test_timeout() -> None:
    """A server that does not answer in time is tried again; after two such times by a new connection."""
    async with grpc_receiver() as receiver:
        receiver.replies += [Reply(), Reply(hang=True), Reply(hang=True)]
        async with transport_to(receiver.url, "grpc", timeout="300ms") as transport:
            outcomes = [await transport.send(request_of(b"x"), 1) for _ in range(4)]
            peers = [received.peer for received in receiver.requests]
    hung = Retry(None, "timeout", f"{receiver.url}: no answer in time")
    assert [Accepted("OK"), hung, hung, Accepted("OK")] == outcomes
    assert [True, True, False] == [peer == peers[0] for peer in peers[1:]]


async def test_nobody_listens_then_somebody_does() -> None:
    """A refused connection is tried again, and a server that comes back is found."""
    with socket.create_server(("127.0.0.1", 0)) as placeholder:
        port = placeholder.getsockname()[1]
    async with transport_to(f"http://127.0.0.1:{port}", "grpc") as transport:
        outcome = await transport.send(request_of(b"x"), 1)
        assert (Retry, "connect") == (type(outcome), outcome.code)
        async with grpc_receiver(port=port) as receiver:
            while not receiver.requests:
                await transport.send(request_of(b"y"), 1)
        assert ["y"] == receiver.bodies


async def test_a_name_that_does_not_exist() -> None:
    """A host that cannot be found is a connection that cannot be made."""
    outcome = await sent("http://collector.invalid:4317", "grpc", timeout="5s")
    assert (Retry, "connect") == (type(outcome), outcome.code)


async def test_a_server_that_speaks_http() -> None:
    """The port of OTLP/HTTP, a common mistake, is no success and loses nothing."""
    async with http_receiver() as receiver:
        outcome = await sent(receiver.url, "grpc", timeout="2s")
    assert isinstance(outcome, Retry | Refused)


async def test_a_cancelled_send_ends_the_call() -> None:
    """Whoever stops waiting leaves no call behind."""
    async with grpc_receiver() as receiver, transport_to(receiver.url, "grpc") as transport:
        receiver.replies.append(Reply(hang=True))
        task = asyncio.create_task(transport.send(request_of(b"x"), 1))
        await receiver.wait_for(lambda found: len(found.requests) == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert Accepted("OK") == await transport.send(request_of(b"y"), 1)


async def test_headers_file_rotates(tmp_path: Path) -> None:
    """A key that is replaced is used with the next request; while its file cannot be used nothing is asked or lost."""
    file = tmp_path / "headers"
    file.write_text("Authorization: Bearer one\n")
    async with grpc_receiver() as receiver, transport_to(receiver.url, "grpc", headers_file=str(file)) as transport:
        await transport.send(request_of(b"x"), 1)
        file.write_text("Authorization: Bearer second\n")
        await transport.send(request_of(b"x"), 1)
        file.unlink()
        outcome = await transport.send(request_of(b"x"), 1)
    assert ["Bearer one", "Bearer second"] == [one.headers["authorization"] for one in receiver.requests]
    assert (Retry, "") == (type(outcome), outcome.code)


async def test_several_requests_at_once() -> None:
    """Lanes share the connection and do not wait for each other."""
    async with grpc_receiver() as receiver, transport_to(receiver.url, "grpc") as transport:
        receiver.replies.append(Reply(hang=True))
        first = asyncio.create_task(transport.send(request_of(b"slow"), 1))
        await receiver.wait_for(lambda found: len(found.requests) == 1)
        others = await asyncio.gather(*(transport.send(request_of(b"quick"), 1) for _ in range(3)))
        assert [Accepted("OK")] * 3 == others
        assert not first.done()
        first.cancel()
        await asyncio.wait([first])
