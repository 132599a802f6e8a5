"""The GoldRush API over a world and on a socket."""

from __future__ import annotations

from typing import Any

import aiohttp
import msgspec
import pytest

from exporter.simulator import Faults, serve
from exporter.simulator.goldrush import GOLDRUSH_FAULTS
from exporter.simulator.goldrush_world import Dialect, GoldRushWorld

_BASE = "/platform/pipeline-api/"


def _get(world: GoldRushWorld, path: str = "", query: str = "", key: str | None = None) -> tuple[int, Any]:
    authorization = None if key is None else f"Bearer {key}"
    answer = world.api().answer("GET", _BASE + path, query, authorization)
    return answer.status, msgspec.json.decode(answer.body.raw)


def _world(count: int = 1, **dialect: Any) -> GoldRushWorld:
    world = GoldRushWorld(now_us=1_795_000_000_000_000, dialect=Dialect(**dialect))
    for number in range(count):
        world.create(f"p{number}", phase="RUNNING")
    return world


def _error(status: int, code: str, message: str) -> tuple[int, Any]:
    return status, {"data": None, "error": True, "error_message": message, "error_code": code}


def test_every_answer_is_in_the_envelope() -> None:
    """Data of each path of a pipeline stands in the envelope, with no error."""
    world = _world()
    (pipeline,) = world.pipelines.values()
    pipeline.last_error = "connection refused"
    for path, data in {
        "": pipeline.document(),
        "status/": {
            "uid": pipeline.worker.uid,
            "status": "RUNNING",
            "replicas": 1,
            "ready": 1,
            "start_time": "2026-11-18T11:06:40Z",
        },
        "metrics/": pipeline.metrics_document(),
        "destination-health/": {
            "uid": pipeline.worker.uid,
            "healthy": False,
            "last_error": "connection refused",
        },
        "logs/": {"uid": pipeline.worker.uid, "pods": [{"pod": pipeline.worker.pods[0].name, "logs": ""}]},
    }.items():
        expected = {"data": data, "error": False, "error_message": None, "error_code": None}
        assert (200, expected) == _get(world, f"{pipeline.id}/{path}")


def test_a_pipeline_shows_what_is_wanted_and_no_secret() -> None:
    """The pipeline's own status is the user's wish; passwords are hidden."""
    world = _world()
    (pipeline,) = world.pipelines.values()
    pipeline.pause()
    _, envelope = _get(world, f"{pipeline.id}/")

    assert (pipeline.id, "p0", "paused") == tuple(envelope["data"][key] for key in ("pipeline_id", "name", "status"))
    assert "******" == envelope["data"]["destination_config"]["password"]


def _page(world: GoldRushWorld, query: str) -> tuple[list[str], Any]:
    _, envelope = _get(world, query=query)
    return [item["name"] for item in envelope["data"]["items"]], envelope["data"]["pagination"]


def test_the_list_comes_in_pages() -> None:
    """Pages are numbered from 1, newest pipelines first; a page behind the last is empty."""
    world = _world(5)
    figures = {"page_size": 2, "total_count": 5}

    assert (["p4", "p3"], {"has_more": True, "page_number": 1, **figures}) == _page(world, "page_size=2")
    assert (["p2", "p1"], {"has_more": True, "page_number": 2, **figures}) == _page(world, "page_number=2&page_size=2")
    assert (["p0"], {"has_more": False, "page_number": 3, **figures}) == _page(world, "page_number=3&page_size=2")
    assert ([], {"has_more": False, "page_number": 4, **figures}) == _page(world, "page_number=4&page_size=2")


def test_a_page_has_a_largest_size() -> None:
    """A page that is asked to be larger is cut, and says so."""
    names, pagination = _page(_world(5, max_page_size=3), "page_size=1000")

    assert (3, 3, True) == (len(names), pagination["page_size"], pagination["has_more"])


def test_what_the_vendor_leaves_open_can_be_chosen() -> None:
    """The key of the id, the order and the place of the page's figures."""
    _, envelope = _get(_world(2, id_key="id", newest_first=False, flat_pagination=True))
    items = envelope["data"].pop("items")

    assert (["p0", "p1"], True) == ([item["name"] for item in items], all("id" in item for item in items))
    assert {"has_more": False, "page_number": 1, "page_size": 20, "total_count": 2} == envelope["data"]


@pytest.mark.parametrize("query", ["page_number=0", "page_number=-1", "page_number=x", "page_size=", "page_size=1.5"])
def test_a_bad_page_is_refused(query: str) -> None:
    """Page numbers and sizes are whole numbers of at least 1, anything else is 422."""
    key, _, value = query.partition("=")

    assert _error(422, "validation_error", f"{key}: {value!r} is not a whole number of at least 1") == _get(
        _world(), query=query
    )


@pytest.mark.parametrize("path", ["{id}", "{id}/status", "{id}/nothing/", "{id}/status/more/", "/"])
def test_what_is_not_there_is_404(path: str) -> None:
    """Every path ends with a slash: without it, or with another name, there is nothing."""
    world = _world()
    path = path.format(id=next(iter(world.pipelines)))

    assert _error(404, "not_found", f"There is nothing at {_BASE}{path}") == _get(world, path)


def test_an_unknown_pipeline_is_404() -> None:
    """Also one that was deleted, at each of its paths."""
    world = _world()
    (pipeline,) = world.pipelines.values()
    world.delete(pipeline)

    for path in ("", "status/", "metrics/", "destination-health/", "logs/"):
        assert _error(404, "not_found", f"Pipeline {pipeline.id} not found") == _get(world, f"{pipeline.id}/{path}")


def test_only_a_service_key_is_taken() -> None:
    """An ordinary key is 403; a missing, unknown or revoked one 401, from the next request on."""
    world = _world()
    world.keys.service.add("service")
    world.keys.ordinary.add("ordinary")
    statuses = [_get(world, key=key)[0] for key in ("service", "ordinary", "unknown", None)]
    world.keys.revoke("service")

    assert [200, 403, 401, 401] == statuses
    assert _error(401, "unauthorized", "The ServiceKey is missing, unknown or revoked") == _get(world, key="service")


def test_without_a_service_key_everybody_may_read() -> None:
    """A world that was given none takes any key but those that it knows to be others."""
    world = _world()
    world.keys.ordinary.add("ordinary")

    assert [200, 200, 403] == [_get(world, key=key)[0] for key in (None, "any", "ordinary")]


async def test_other_methods_are_refused_and_remembered() -> None:
    """A ServiceKey could delete: the world says of every request that was not a GET that it came."""
    world = _world()
    (pipeline,) = world.pipelines.values()
    path = f"{_BASE}{pipeline.id}/"
    async with serve(goldrush=world, api_key="key") as server, aiohttp.ClientSession() as session:
        for method in ("DELETE", "PATCH", "PUT", "POST", "HEAD"):
            async with session.request(method, server.url + path) as response:
                assert 405 == response.status
        async with session.get(server.url + path, headers={"Authorization": "Bearer key"}) as response:
            assert 200 == response.status

    assert [(method, path) for method in ("DELETE", "PATCH", "PUT", "POST", "HEAD")] == world.refused
    assert [pipeline] == list(world.pipelines.values())


async def test_an_error_can_come_with_status_200() -> None:
    """As a fault the envelope alone says that the request failed."""
    faults = Faults()
    faults.next(1, f"{_BASE}*", GOLDRUSH_FAULTS["error_in_200"])
    async with serve(goldrush=_world(), faults=faults) as server, aiohttp.ClientSession() as session:
        answers = []
        for _ in range(2):
            async with session.get(server.url + _BASE) as response:
                envelope = await response.json()
                answers.append((response.status, envelope["error"], envelope["error_code"]))

    assert [(200, True, "internal_error"), (200, False, None)] == answers


async def test_the_world_moves_while_it_is_served() -> None:
    """What happens in the world is in the next answer."""
    world = _world()
    (pipeline,) = world.pipelines.values()
    pipeline.worker.write_at(10)
    async with serve(goldrush=world) as server, aiohttp.ClientSession() as session:
        lengths = []
        for _ in range(2):
            async with session.get(f"{server.url}{_BASE}{pipeline.id}/logs/") as response:
                (pod,) = (await response.json())["data"]["pods"]
            lengths.append(pod["logs"].count("\n"))
            world.advance(1)

    assert [1, 11] == lengths
