"""The simulator on a socket."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import msgspec
import pytest

from exporter.simulator import FAULTS, Faults, World, serve

_LIST = "/v0/pipelines?selector=status"


def _world() -> World:
    world = World()
    world.create("p")
    world.advance(20)
    return world


async def _get(url: str, **options: Any) -> tuple[int, str | None, bytes]:
    async with aiohttp.ClientSession() as session, session.get(url, **options) as response:
        return response.status, response.headers.get("content-type"), await response.read()


async def test_requests_are_remembered_and_counted() -> None:
    """A test can see what was asked, with headers, and how often by path."""
    async with serve(World()) as server:
        await _get(server.url + _LIST, headers={"Feldera-Tenant": "t"})
        await _get(server.url + _LIST)

    assert [("GET", _LIST)] * 2 == [(seen.method, seen.path_qs) for seen in server.requests]
    assert "t" == server.requests[0].headers["feldera-tenant"]
    assert {"/v0/pipelines": 2} == dict(server.counts)


async def test_an_idle_connection_is_closed() -> None:
    """The server closes a connection that is kept alive without a request."""
    async with serve(World(), keepalive_seconds=0.01) as server:
        port = int(server.url.rpartition(":")[2])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
        received = await reader.read()
        writer.close()

    assert received.endswith(b'{"status":"healthy"}')
    assert b"connection: close" not in received.lower()


async def test_logs_open_with_a_line_and_go_on_in_silence() -> None:
    """The log stream of any pipeline is a line that ends with the server only."""
    async with (
        serve(_world()) as server,
        aiohttp.ClientSession() as session,
        session.get(f"{server.url}/v0/pipelines/p/logs", headers={"Accept-Encoding": "gzip"}) as response,
    ):
        line = await response.content.readline()
        await server.stop()
        rest = await response.content.read()

    assert b"Fresh start of pipeline logs" in line
    assert b"" == rest
    assert ("text/plain; charset=utf-8", "chunked", "identity") == tuple(
        response.headers[name] for name in ("content-type", "transfer-encoding", "content-encoding")
    )


async def test_a_pipeline_without_events_has_no_latest_one() -> None:
    """`latest` of an empty history is 404 with its own code, and the list of events is empty."""
    world = _world()
    for pipeline in world.pipelines.values():
        pipeline.history.clear()
    async with serve(world) as server:
        status, _, body = await _get(f"{server.url}/v0/pipelines/p/events/latest")
        events = await _get(f"{server.url}/v0/pipelines/p/events")

    assert (404, "NoPipelineMonitorEventsAvailable") == (status, msgspec.json.decode(body)["error_code"])
    assert (200, "application/json", b"[]") == events


async def test_an_event_is_found_by_id_in_any_spelling() -> None:
    """Upper case and missing dashes make no difference."""
    world = _world()
    event = next(iter(world.pipelines.values())).history.events[0]
    async with serve(world) as server:
        base = f"{server.url}/v0/pipelines/p/events/"
        answers = [
            await _get(base + i) for i in (event.event_id, event.event_id.upper(), event.event_id.replace("-", ""))
        ]

    assert [event.document("status")] * 3 == [msgspec.json.decode(body) for _, _, body in answers]


@pytest.mark.parametrize(("version", "knows"), [("0.337.0", False), ("0.375.0", True)])
async def test_stale_health_counts_as_unhealthy_where_it_is_known(version: str, knows: bool) -> None:
    """When the monitor stopped, newer servers say so with 503, older ones go on with what was written."""
    world = World(version=version)
    world.cluster.freeze()
    world.advance(7200)
    async with serve(world) as server:
        status, _, body = await _get(f"{server.url}/v0/cluster_healthz")
        _, _, latest = await _get(f"{server.url}/v0/cluster/events/latest")
    health = msgspec.json.decode(body)

    assert (503 if knows else 200) == status
    assert (True if knows else None) == health.get("stale")
    assert ("stale" in health, "stale_after_seconds" in health) == (knows, knows)
    assert knows == ("stale" in msgspec.json.decode(latest))


async def test_a_dead_service_shows_in_health_and_events() -> None:
    """An unhealthy runner is 503 in the health and Unhealthy in the newest event."""
    world = World()
    world.advance(5)
    world.cluster.fail("runner")
    async with serve(world) as server:
        status, _, body = await _get(f"{server.url}/v0/cluster_healthz")
        _, _, latest = await _get(f"{server.url}/v0/cluster/events/latest")
    health = msgspec.json.decode(body)

    assert (503, False, True, False) == (
        status,
        health["all_healthy"],
        health["api"]["healthy"],
        health["runner"]["healthy"],
    )
    assert "Unhealthy" == msgspec.json.decode(latest)["runner_status"]


async def test_no_health_at_first_boot() -> None:
    """Before the first check there is no health: 404."""
    world = World()
    world.cluster.forget()
    async with serve(world) as server:
        status, _, _ = await _get(f"{server.url}/v0/cluster_healthz")

    assert 404 == status


@pytest.mark.parametrize(
    ("fault", "status", "content_type"),
    [
        ("database_down", 500, "application/json"),
        ("bad_gateway", 502, "text/html"),
        ("gateway_timeout", 504, "text/html"),
        ("unavailable", 503, "application/json"),
        ("too_many_requests", 429, None),
        ("garbage", 200, "application/json"),
        ("html", 200, "text/html"),
        ("truncated", 200, "application/json"),
        ("empty", 200, "application/json"),
    ],
)
async def test_faults_that_answer(fault: str, status: int, content_type: str | None) -> None:
    """Each fault gives its status and type, and none of them a readable list; the next request is fine."""
    faults = Faults()
    faults.next(1, "/v0/pipelines", fault)
    async with serve(_world(), faults=faults) as server:
        broken = await _get(server.url + _LIST)
        fine = await _get(server.url + _LIST)

    assert (status, content_type) == broken[:2]
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        msgspec.json.decode(broken[2], type=list[dict[str, Any]])
    assert 1 == len(msgspec.json.decode(fine[2], type=list[dict[str, Any]]))


def test_a_dead_database_answers_with_a_backtrace() -> None:
    """The error of a dead database is about 6 kB long."""
    answer = FAULTS["database_down"].answer
    assert answer is not None

    assert 5_000 < len(answer.body.raw) < 8_000
    assert "5" == (FAULTS["unavailable"].answer or answer).headers["retry-after"]


@pytest.mark.parametrize(
    ("fault", "error"),
    [("cut_before", aiohttp.ClientConnectionError), ("cut_middle", aiohttp.ClientPayloadError)],
)
async def test_faults_that_cut(fault: str, error: type[Exception]) -> None:
    """A cut connection is an error of the connection or of the body."""
    faults = Faults()
    # The client tries a GET once more when the connection ends without an answer.
    faults.next(2, "/v0/*", fault)
    async with serve(_world(), faults=faults) as server:
        with pytest.raises(error):
            await _get(server.url + _LIST)


async def test_a_slow_answer_is_the_true_one() -> None:
    """A delayed answer comes whole."""
    faults = Faults()
    faults.next(1, "*", type(FAULTS["slow"])(delay_seconds=0.01))
    async with serve(_world(), faults=faults) as server:
        _, _, body = await _get(server.url + _LIST)

    assert 1 == len(msgspec.json.decode(body))


async def test_an_answer_that_never_comes() -> None:
    """A silent server sends nothing until it is stopped, and then just closes."""
    faults = Faults()
    faults.next(1, "*", "silent")
    async with serve(World(), faults=faults) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.rpartition(":")[2]))
        writer.write(b"GET /v0/config HTTP/1.1\r\nHost: x\r\n\r\n")
        await server.seen(1)
        await server.stop()
        received = await reader.read()
        writer.close()

    assert b"" == received


def test_random_faults_follow_the_seed() -> None:
    """The same seed breaks the same requests, about as many as the rate says."""
    first, second = Faults(0.3, seed=1), Faults(0.3, seed=1)
    drawn = [first.pick("/v0/pipelines") for _ in range(1_000)]
    broken = sum(fault is not None for fault in drawn)

    assert drawn == [second.pick("/v0/pipelines") for _ in range(1_000)]
    assert 250 < broken < 350
    assert broken == first.injected.total()


def test_bad_faults_are_refused() -> None:
    """An unknown fault and an impossible rate are errors that say what is possible."""
    with pytest.raises(ValueError, match="'nope' is no fault: use one of database_down"):
        Faults().next(1, "*", "nope")
    with pytest.raises(ValueError, match=r"between 0 and 1, not 2\.0"):
        Faults(2.0)
