"""Asks the simulated Apify without a socket."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from exporter.simulator.apify import ApifyWorld

if TYPE_CHECKING:
    from exporter.simulator.apify import Actor, Job

START_US = 1_790_000_000_000_000


def world_with_actor(**options: Any) -> tuple[ApifyWorld, Actor]:
    """Return a world at a fixed moment with one Actor, `janedoe/shop`."""
    world = ApifyWorld(now_us=START_US, **options)
    return world, world.add_actor("shop")


def ended(job: Job, seconds: float = 60.0, status: str = "SUCCEEDED", **options: Any) -> Job:
    """Let a job run for so long, end, and settle."""
    job.world.advance(seconds)
    job.finish(status, **options)
    job.world.advance(10)
    return job


def ask(world: ApifyWorld, path: str, query: str = "", **options: Any) -> tuple[int, Any]:
    """Return status and document of a GET."""
    answer = world.api(options.pop("api_key", None)).answer("GET", path, query, **options)
    return answer.status, msgspec.json.decode(answer.body.raw)


def data(world: ApifyWorld, path: str, query: str = "") -> Any:
    """Return the data of a GET that succeeds."""
    status, document = ask(world, path, query)
    assert (200, ["data"]) == (status, list(document)), document
    return document["data"]


def ids(world: ApifyWorld, path: str, query: str = "") -> list[str]:
    """Return the ids of a page."""
    return [item["id"] for item in data(world, path, query)["items"]]
