"""GoldRush: what an answer shows of the pods' logs, and what of it is no log."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.providers.base import Tail
from exporter.providers.budget import Priority
from exporter.providers.errors import MalformedError, NotFoundError, ProviderError
from exporter.providers.goldrush._tails import is_failed_fetch
from exporter.simulator.goldrush_world import GoldRushWorld
from tests.providers.goldrush_server import envelope, item, scripted, simulated

if TYPE_CHECKING:
    from collections.abc import Sequence


async def tails(data: Any) -> Sequence[Tail]:
    """Return what is read of an answer's data."""
    async with scripted() as (provider, vendor):
        vendor.answers["pipe_1/logs/"] = envelope(data)
        return await provider.read_tails("pipe_1", Priority.REOPEN)


async def test_a_tail_for_each_pod() -> None:
    """The text of each pod is its bytes, as they are."""
    world = GoldRushWorld()
    pipeline = world.create("orders", phase="RUNNING", replicas=2)
    first, second = pipeline.worker.pods
    first.write("a\n\nwörld\n  b".encode())
    second.readable = False
    async with simulated(world) as (provider, _):
        found = await provider.read_tails(pipeline.id, Priority.REOPEN)
    assert [Tail(first.name, "a\n\nwörld\n  b".encode()), Tail(second.name, None)] == found


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ({"uid": "u", "pods": []}, []),
        ({"uid": "u", "pods": None}, []),
        ({"uid": "u"}, []),
        ({"pods": [{"pod": "p", "logs": ""}]}, [Tail("p", b"")]),
        ({"pods": [{"pod": "p", "logs": None}, {"pod": 1, "logs": "x"}, 7, {"pod": "", "logs": "x"}]}, []),
        ({"pods": [{"pod": "p", "logs": "a\n"}, {"pod": "p", "logs": "b\n"}]}, [Tail("p", b"a\n")]),
    ],
)
async def test_pods_that_cannot_be_read_are_left_out(data: Any, expected: list[Tail]) -> None:
    """A pod without a name or a text is none, and each pod is there once."""
    assert expected == list(await tails(data))


@pytest.mark.parametrize("data", [None, {"pods": {}}, "x"])
async def test_an_answer_without_pods_is_an_error_or_empty(data: Any) -> None:
    """Something else than pods is an error; none at all is a pipeline without any."""
    if data is None:
        assert [] == list(await tails(data))
    else:
        with pytest.raises(MalformedError, match="answered without pods"):
            await tails(data)


async def test_half_a_character_is_replaced() -> None:
    """A log that was cut within a character is read all the same; what is no JSON is not."""
    async with scripted() as (provider, vendor):
        vendor.answers["pipe_1/logs/"] = '{"data": {"pods": [{"pod": "p", "logs": "\\ude00 cut\\n"}]}, "error": false}'
        vendor.answers["pipe_2/logs/"] = '{"data": {"pods": [{"pod": "p", "logs": "\\ude00 cut'
        found = await provider.read_tails("pipe_1", Priority.REOPEN)
        with pytest.raises(MalformedError):
            await provider.read_tails("pipe_2", Priority.REOPEN)
    text = found[0].text or b""
    assert " cut\n" == text.decode().lstrip("\N{REPLACEMENT CHARACTER}")


async def test_a_pipeline_that_is_gone() -> None:
    """404 is an error of its own."""
    async with scripted() as (provider, _):
        with pytest.raises(NotFoundError):
            await provider.read_tails("pipe_1", Priority.REOPEN)


@pytest.mark.parametrize(
    "text",
    [
        "unable to upgrade connection: container not found",
        'unable to upgrade connection: container not found ("pipeline")\n',
        "container not found",
        'container "pipeline" in pod "pipeline-covalent-1" is waiting to start: ContainerCreating',
        'container "pipeline" in pod "pipeline-covalent-1" is not available',
        'previous terminated container "pipeline" in pod "pipeline-covalent-1" not found',
        'Error from server (BadRequest): container "pipeline" in pod "p-1" is waiting to start: PodInitializing',
        'pods "pipeline-covalent-1" not found',
        "unable to retrieve container logs for containerd://4f3a",
        'rpc error: code = NotFound desc = an error occurred when try to find container "4f3a": not found',
        "Internal error occurred: error dialing backend: dial tcp 10.0.0.7:10250: connect: connection refused",
    ],
)
def test_the_line_of_a_failed_fetch(text: str) -> None:
    """What Kubernetes says in the place of a log is known, in the forms that it has."""
    assert is_failed_fetch(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "INFO unable to upgrade connection: container not found",
        "unable to upgrade connection: container not found\nINFO started",
        "2026-11-21T10:00:00Z ERROR container not found",
        "container started",
        "the container not found in the list was skipped",
        '{"message":"container not found"}',
    ],
)
def test_a_line_of_a_log(text: str) -> None:
    """A line that only speaks of it is a line; and a text of several lines is a log."""
    assert not is_failed_fetch(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


def shaped(keys: Sequence[str]) -> st.SearchStrategy[Any]:
    """Return objects with these keys, whatever is in them."""
    return st.fixed_dictionaries({}, optional=dict.fromkeys(keys, JSON)) | JSON


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.differing_executors])
@given(
    shaped(["status", "replicas", "ready", "start_time"]),
    shaped(["records_consumed", "last_offset", "processing_delay_ms"]),
    shaped(["healthy", "last_error"]),
    shaped(["pods"]) | st.fixed_dictionaries({"pods": st.lists(shaped(["pod", "logs"]), max_size=3)}),
    shaped(["pipeline_id", "id", "name", "status", "created_at"]),
)
async def test_nothing_that_is_answered_breaks_it(
    status: Any, metrics: Any, health: Any, logs: Any, entry: Any
) -> None:
    """Whatever the vendor sends: a look succeeds, and only a ProviderError ever comes out of the logs."""
    async with scripted() as (provider, vendor):
        vendor.lists(item("pipe_1"), entry)
        for part, data in {"status": status, "metrics": metrics, "destination-health": health, "logs": logs}.items():
            vendor.answers[f"pipe_1/{part}/"] = json.dumps(envelope(data))
        listing = await provider.list()
        try:
            found = await provider.read_tails("pipe_1", Priority.REOPEN)
        except ProviderError:
            found = ()
    assert "pipe_1" == listing.pipelines[0].id
    assert all(isinstance(tail.text, bytes | None) for tail in found)
