"""Apify's official client, unchanged, against the simulator: its `api_url` is the simulator's address."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator import serve
from tests.simulator.apify.asking import ended, world_with_actor

if TYPE_CHECKING:
    from exporter.simulator.apify import Job

pytestmark = [pytest.mark.integration, pytest.mark.filterwarnings("default")]  # the client's own packages may warn


def _client(url: str) -> Any:
    from apify_client import ApifyClient

    return ApifyClient("token", api_url=url, max_retries=1)


def _read(url: str, build: Job, run: Job) -> dict[str, Any]:
    client = _client(url)
    actor = client.actor("janedoe/shop")
    return {
        "actors": [item.id for item in client.actors().list(my=True).items],
        "actor": actor.get().name,
        "runs": [item.id for item in actor.runs().list(desc=True, status=["SUCCEEDED", "FAILED"]).items],
        "builds": [item.id for item in client.builds().list(limit=1).items],
        "run": (client.run(run.id).get().status, client.run(run.id).get().usage_total_usd),
        "waited": client.run(run.id).wait_for_finish().status,
        "build": client.build(build.id).get().build_number,
        "nothing": client.run("unknown").get(),
        "log": client.run(run.id).log().get(),
        "raw": client.log(run.id).get(raw=True),
        "limits": client.user().limits().limits.max_concurrent_actor_jobs,
        "usage": client.user().monthly_usage().total_usage_credits_usd_after_volume_discount,
    }


async def test_the_official_client_lists_and_gets() -> None:
    """It lists and gets Actors, builds, runs and logs, waits for an end, and reads the account."""
    world, actor = world_with_actor()
    build = ended(actor.start_build(), compute_units=1.0, usd=0.25)
    run = actor.start_run()
    run.log("\x1b[32mINFO\x1b[39m done")
    ended(run, status="FAILED", compute_units=1.0, usd=0.5)
    running = actor.start_run()
    async with serve(apify=world, api_key="token") as server:
        found = await asyncio.to_thread(_read, server.url, build, run)

    assert {
        "actors": [actor.id],
        "actor": "shop",
        "runs": [run.id],
        "builds": [build.id],
        "run": ("FAILED", 0.5),
        "waited": "FAILED",
        "build": "0.0.1",
        "nothing": None,
        "log": run.log_text.text(raw=False).decode(),
        "raw": run.log_text.text().decode(),
        "limits": 256,
        "usage": 0.75,
    } == found
    assert "RUNNING" == running.status


async def test_the_official_client_streams_a_log() -> None:
    """It follows a running job's log to the job's end."""
    world, actor = world_with_actor()
    run = actor.start_run()
    run.log("one")
    first = threading.Event()

    def follow(url: str) -> bytes:
        received = b""
        with _client(url).log(run.id).stream() as response:
            for data in response.iter_bytes():
                received += data
                first.set()
        return received

    async with serve(apify=world) as server:
        reading = asyncio.create_task(asyncio.to_thread(follow, server.url))
        await asyncio.to_thread(first.wait)
        run.log("two ž")
        run.finish()
        received = await reading

    assert run.log_text.text() == received
    assert "two ž" in received.decode()
