"""GoldRush: what a look makes of a pipeline's status, metrics and health, and of what goes wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web

from exporter.providers.budget import Priority
from exporter.providers.errors import EnvelopeError, MalformedError, ProviderError, UnauthorizedError
from exporter.simulator.goldrush_world import GoldRushWorld
from exporter.status.families import COUNTERS, GAUGES
from exporter.status.model import Event, Known
from tests.providers.goldrush_server import NOW_SECONDS, RUNNING, envelope, item, scripted, simulated

if TYPE_CHECKING:
    from exporter.providers.goldrush import GoldRush
    from exporter.status.model import PipelineNow


async def look(**parts: Any) -> PipelineNow:
    """Return what one look makes of a pipeline; `wish` is the list's status."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1", status=parts.pop("wish", "running")))
        vendor.has("pipe_1", **parts)
        return (await provider.list()).pipelines[0]


async def test_a_running_pipeline() -> None:
    """Status, metrics and health of a simulated pipeline are read into the names of the metrics."""
    world = GoldRushWorld()
    pipeline = world.create("orders", phase="RUNNING", replicas=2)
    metrics = pipeline.worker.metrics
    metrics.records_per_second, metrics.processing_delay_ms, metrics.pending_records = 100, 2500, 7
    metrics.normalization_errors, metrics.last_block_height = 3, 20_000_001
    world.advance(10)
    async with simulated(world) as (provider, _):
        listing = await provider.list()
    now = listing.pipelines[0]
    assert ({}, None, 0) == (listing.failures, listing.problem, listing.malformed)
    assert (pipeline.id, "orders", "running", True, True) == (
        now.id,
        now.name,
        now.state,
        now.in_desired_state,
        now.wanted,
    )
    assert ({"phase": "RUNNING"}, {"phase": "RUNNING"}, None) == (now.words, now.desired, now.error_code)
    assert {
        "replicas": 2,
        "replicas_ready": 2,
        "pending_records": 7,
        "processing_delay_seconds": 2.5,
        "records_per_second": 100,
        "last_block_height": 20_000_001 + 1000 // 150,
        "last_offset": 1000,
        "destination_healthy": 1,
    } == now.gauges
    assert {"records": 1000, "normalization_errors": 3} == now.counters


async def test_names_of_metrics_are_those_of_the_table() -> None:
    """Every gauge and counter that a look gives has a family."""
    now = await look(
        metrics={
            "records_consumed": 1,
            "last_offset": 1,
            "last_block_height": 1,
            "pending_records": 1,
            "processing_delay_ms": 1,
            "records_per_second": 1,
            "normalization_errors": 1,
        }
    )
    assert set(GAUGES) - {"connector_errors"} == set(now.gauges)
    assert set(COUNTERS) == set(now.counters)


@pytest.mark.parametrize(
    ("status", "wish", "state", "desired"),
    [
        ({"status": "DEPLOYING", "replicas": 1, "ready": 0}, "running", "starting", False),
        ({"status": "RUNNING", "replicas": 2, "ready": 2}, "running", "running", True),
        ({"status": "RUNNING", "replicas": 2, "ready": 1}, "running", "degraded", False),
        ({"status": "RUNNING"}, "running", "running", True),
        ({"status": "RUNNING", "replicas": 1, "ready": 1}, "paused", "running", False),
        ({"status": "PAUSED", "replicas": 1, "ready": 0}, "paused", "paused", True),
        ({"status": "PAUSED", "replicas": 1, "ready": 0}, "running", "paused", False),
        ({"status": "FAILED", "replicas": 1, "ready": 0}, "running", "failed", False),
        ({"status": "STOPPING"}, "paused", "stopping", False),
        ({"status": "STOPPED"}, "paused", "stopped", False),
        ({"status": "MIGRATING"}, "running", "unknown", False),
        ({"status": None}, "running", "unknown", None),
        ({"status": "RUNNING"}, None, "running", None),
    ],
)
async def test_states(status: dict[str, Any], wish: str | None, state: str, desired: bool | None) -> None:
    """The state is by the design's table; phase and replicas are compared with what is wanted."""
    now = await look(status=status, wish=wish)
    assert (state, desired) == (now.state, now.in_desired_state)


async def test_an_unknown_word_is_carried_through() -> None:
    """The vendor's words are shown as they are, known or not."""
    now = await look(status={"status": "MIGRATING"}, wish="archived")
    assert ({"phase": "MIGRATING"}, {"phase": "ARCHIVED"}) == (now.words, now.desired)


async def test_a_failed_pipeline_has_an_error() -> None:
    """FAILED is the error's code; the newest probe's error is its message."""
    now = await look(
        status={"status": "FAILED"}, destination_health={"healthy": False, "last_error": "no route\nto host"}
    )
    assert ("FAILED", "no route to host", 0.0) == (now.error_code, now.error_message, now.gauges["destination_healthy"])


async def test_fields_of_a_wrong_type_are_left_out() -> None:
    """A number that is none gives no sample."""
    now = await look(
        status={"status": "RUNNING", "replicas": "1", "ready": None},
        metrics={"records_consumed": "12", "pending_records": True, "last_offset": -1, "processing_delay_ms": [1]},
        destination_health={"healthy": "yes"},
    )
    assert ({}, {}) == (now.gauges, now.counters)


async def test_a_look_is_an_event() -> None:
    """What was seen is an event at the time of the look, equal in digest as long as phase and wish are."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"))
        vendor.has("pipe_1")
        first, second = [(await provider.list()).pipelines[0] for _ in range(2)]
        vendor.has("pipe_1", status={"status": "PAUSED"})
        third = (await provider.list()).pipelines[0]
    assert first.observed is not None
    expected = Event(
        int(NOW_SECONDS * 1e9),
        first.observed.id,
        ("RUNNING",),
        wanted=True,
        running=True,
        settled=True,
        has_error=False,
    )
    assert expected == first.observed
    assert first.digest == second.digest
    assert first.digest != third.digest


async def test_a_status_that_cannot_be_read_is_no_event() -> None:
    """One pipeline's failed status is its own failure: what was last known stays, and the others are read."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"), item("pipe_2", "clicks"))
        vendor.has("pipe_1")
        vendor.has("pipe_2")
        before = await provider.list()
        vendor.has("pipe_1", status=500)
        vendor.lists(item("pipe_1", status="paused"), item("pipe_2", "clicks"))
        after = await provider.list()
        vendor.has("pipe_1")
        again = await provider.list()
    assert {"pipe_1"} == set(after.failures)
    assert ["RUNNING", "RUNNING"] == [one.words["phase"] for one in after.pipelines]
    assert [True, False] == [one.observed is None for one in after.pipelines]
    assert before.pipelines[0].digest == after.pipelines[0].digest
    assert after.pipelines[0].digest != again.pipelines[0].digest
    assert {} == again.failures


async def test_a_pipeline_whose_status_was_never_read_is_shown_as_unknown() -> None:
    """It is there, and nothing is known of it."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"))
        listing = await provider.list()
    now = listing.pipelines[0]
    assert ("unknown", None, {"phase": None}) == (now.state, now.observed, now.words)
    assert {"pipe_1"} == set(listing.failures)


@pytest.mark.parametrize("part", ["metrics", "destination_health"])
async def test_metrics_that_cannot_be_read_stay_as_they_were(part: str) -> None:
    """A failed request for metrics or health is the pipeline's failure, and takes no sample away."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"))
        vendor.has("pipe_1", metrics={"pending_records": 5})
        before = (await provider.list()).pipelines[0]
        vendor.has("pipe_1", **{"metrics": {"pending_records": 5}, part: 500})
        listing = await provider.list()
    assert {"pipe_1"} == set(listing.failures)
    assert before.gauges == listing.pipelines[0].gauges


async def test_a_stopped_pipeline_needs_no_metrics() -> None:
    """Without a worker there may be nothing to tell: that is no failure."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"))
        vendor.has("pipe_1", status={"status": "STOPPED"}, metrics=404, destination_health=404)
        listing = await provider.list()
    assert {} == listing.failures
    assert {} == listing.pipelines[0].gauges


async def test_the_envelope_says_that_an_answer_failed() -> None:
    """An answer with 200 and `error` is an error, with the vendor's words in it."""
    failed = {"data": None, "error": True, "error_message": "backend is\ngone", "error_code": "internal_error"}
    async with scripted() as (provider, vendor):
        vendor.answers[""] = failed
        with pytest.raises(EnvelopeError, match=r"answered 200 with an error: backend is gone \(internal_error\)"):
            await provider.list()


@pytest.mark.parametrize("answer", ["[]", "{}", '{"data": null}', '{"data": {"items": {}}}', "nonsense", "<html>"])
async def test_a_list_that_is_none_is_an_error(answer: str) -> None:
    """What is no list of pipelines never passes for an empty one."""
    async with scripted() as (provider, vendor):
        vendor.answers[""] = answer
        with pytest.raises(MalformedError):
            await provider.list()


async def test_a_key_that_is_refused() -> None:
    """The vendor's own words are in the message."""
    world = GoldRushWorld()
    world.keys.ordinary.add("ck_1")
    async with simulated(world, token="ck_1") as (provider, _):
        with pytest.raises(UnauthorizedError, match="A ServiceKey is needed; this is an API key"):
            await provider.alive()


async def test_only_get_is_sent_and_the_key_only_in_a_header() -> None:
    """The ServiceKey could delete what it shows: it is in no address, and no other method is ever used."""
    async with scripted(token="sk_secret") as (provider, vendor):
        vendor.lists(item("pipe_1"))
        vendor.has("pipe_1", logs={"uid": "u", "pods": []})
        await every_request(provider)
        assert ({"GET"}, {"Bearer sk_secret"}) == (vendor.methods, vendor.tokens)
        assert [] == [path for path in vendor.asked if "sk_secret" in path or (path and not path.endswith("/"))]


async def test_every_path_ends_with_a_slash() -> None:
    """The simulated vendor knows no other paths, and was asked for nothing but them."""
    world = GoldRushWorld()
    world.create("orders", phase="RUNNING")
    async with simulated(world) as (provider, server):
        await every_request(provider)
        assert [] == [request for request in server.requests if request.method != "GET"]
        assert all(path.endswith("/") for path in server.counts)
    assert [] == world.refused


async def every_request(provider: GoldRush) -> None:
    """Make each request that there is."""
    await provider.alive()
    await provider.describe()
    listing = await provider.list()
    await provider.read_tails(listing.pipelines[0].id, Priority.REOPEN)


async def test_nothing_is_asked_about_pipelines_that_are_not_wanted() -> None:
    """Of what `include` leaves out nothing but the list is read."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"), item("pipe_2", "clicks"))
        vendor.has("pipe_1")
        listing = await provider.list(Known(selects=lambda name: name == "orders"))
        assert ["orders", "clicks"] == [one.name for one in listing.pipelines]
        assert [] == [path for path in vendor.asked if "pipe_2" in path]
    assert {} == listing.failures


async def test_statuses_come_first_and_the_rest_in_turns() -> None:
    """When the budget is short each look reads every status, and metrics and health of some, until all had a turn."""
    count = 12
    async with scripted(per_second=1.2) as (provider, vendor):
        provider._pace.turn = no_wait  # type: ignore[method-assign]  # the order is looked at, not the time
        provider._client.budget.acquire = no_wait  # type: ignore[method-assign,assignment]
        ids = [f"pipe_{number}" for number in range(count)]
        vendor.lists(*(item(one, one) for one in ids))
        for one in ids:
            vendor.has(one)
        read: list[str] = []
        for _ in range(8):
            vendor.asked.clear()
            await provider.list()
            assert ["", *sorted(f"{one}/status/" for one in ids)] == ["", *sorted(vendor.asked[1 : count + 1])]
            read += vendor.asked[count + 1 :]
    assert 24 == len(read) == len(set(read))


async def test_more_pipelines_than_a_look_can_read() -> None:
    """With far too small a budget a look reads a part of the statuses, the next one goes on, and all are shown at once."""
    ids = [f"pipe_{number}" for number in range(100)]
    async with scripted(per_second=2.72) as (provider, vendor):
        provider._pace.turn = no_wait  # type: ignore[method-assign]  # the order is looked at, not the time
        provider._client.budget.acquire = no_wait  # type: ignore[method-assign,assignment]
        vendor.lists(*(item(one, one) for one in ids))
        for one in ids:
            vendor.has(one)
        shown = [{one.state for one in (await provider.list()).pipelines} for _ in range(3)]
        statuses = [path for path in vendor.asked if path.endswith("/status/")]
    assert [{"running", "unknown"}, {"running", "unknown"}, {"running"}] == shown
    assert [40, 40, 40] == [len(set(statuses[at : at + 40])) for at in range(0, len(statuses), 40)]
    assert set(statuses) == {f"{one}/status/" for one in ids}


async def no_wait(*_: object) -> None:
    """Do not wait."""


async def test_a_pipeline_that_asks_for_quiet_is_left_alone() -> None:
    """`Retry-After` of one pipeline holds what was asked of it, and nothing else."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"), item("pipe_2", "clicks"))
        vendor.has("pipe_1", metrics=lambda _: web.json_response({}, status=503, headers={"Retry-After": "60"}))
        vendor.has("pipe_2")
        await provider.list()
        vendor.asked.clear()
        listing = await provider.list()
        assert 0 == vendor.asked.count("pipe_1/metrics/")
        assert 1 == vendor.asked.count("pipe_2/metrics/") == vendor.asked.count("pipe_1/status/")
    assert {"pipe_1"} == set(listing.failures)


async def test_a_vendor_that_wants_quiet_ends_the_look() -> None:
    """After a 429 with a long `Retry-After` the look ends with what it has."""
    async with scripted() as (provider, vendor):
        ids = [f"pipe_{number}" for number in range(40)]
        vendor.lists(*(item(one, one) for one in ids))
        limited = web.json_response({}, status=429, headers={"Retry-After": "600"})
        vendor.has("pipe_0", status=lambda _: limited)
        for one in ids[1:]:
            vendor.has(one, status=lambda _: envelope(RUNNING))
        provider._pace.turn = no_wait  # type: ignore[method-assign]  # one after the other, so that the 429 is early
        provider._read_all = one_by_one(provider)  # type: ignore[method-assign]
        listing = await provider.list()
        assert ["", "pipe_0/status/"] == vendor.asked
    assert set(ids) == set(listing.failures)


def one_by_one(provider: GoldRush) -> Any:
    """Return what reads parts in order."""

    async def read_all(due: Any, priority: Priority) -> None:
        for pipeline, part in due:
            await provider._read_part(pipeline, part, priority)

    return read_all


async def test_any_failure_is_a_provider_error() -> None:
    """A server that is not there."""
    async with scripted() as (provider, vendor):
        vendor.answers[""] = 500
        with pytest.raises(ProviderError, match="answered 500"):
            await provider.list()
