"""The commands with Apify and GoldRush sources: checks, wrong keys, a reload that adds a source, a stop with many streams."""

from __future__ import annotations

import re
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from exporter.simulator import serve
from exporter.simulator.apify import ApifyWorld
from exporter.simulator.goldrush_world import GoldRushWorld
from tests.integration.apify_stories import TOKEN, living, source
from tests.integration.exporter import COMMAND, Exporter
from tests.integration.programs import free_port, output_of
from tests.integration.waiting import until

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.integration

STREAMS = 200


async def check(folder: Path, *sources: dict[str, Any]) -> tuple[int, str]:
    """Run `check --online` over sources."""
    path = folder / "check.yaml"
    path.write_text(yaml.safe_dump({"sources": sources}))
    return await output_of(COMMAND, "check", "--config", str(path), "--online")


async def test_check_both_vendors(tmp_path: Path) -> None:
    """A check says whose account it is and how many pipelines are selected, with status 0."""
    apify, goldrush = ApifyWorld(), GoldRushWorld()
    apify.add_actor("shop").start_run()
    goldrush.create("swaps", phase="RUNNING")
    async with serve(apify=apify, goldrush=goldrush, api_key=TOKEN) as server:
        keys = {"url": server.url, "api_key": TOKEN}
        status, text = await check(
            tmp_path,
            {"name": "a", "provider": "apify", **keys},
            {"name": "g", "provider": "goldrush", **keys, "exclude": ["swaps"]},
        )
    assert 0 == status, text
    assert "ok: Apify, user janedoe, 1 of 1 pipelines selected" in text
    assert "ok: GoldRush Pipeline API, of 1 pipelines none selected: look at include and exclude" in text


async def test_a_check_of_many_pipelines(tmp_path: Path) -> None:
    """However small a budget is for them, a check asks of many pipelines only their names."""
    goldrush = GoldRushWorld()
    for number in range(300):
        goldrush.create(f"p{number}", phase="RUNNING")
    async with serve(goldrush=goldrush) as server:
        status, text = await check(tmp_path, {"name": "g", "provider": "goldrush", "url": server.url})
        assert {"/platform/pipeline-api/"} == server.counts.keys()
    assert 0 == status, text
    assert "300 of 300 pipelines selected" in text


@pytest.mark.parametrize(
    ("provider", "key", "said"),
    [
        ("apify", "wrong", "answered 401 Unauthorized: Authentication token is not valid"),
        ("apify", "", "answered 401 Unauthorized: Authentication token was not provided"),
        ("goldrush", "wrong", "answered 401 Unauthorized: The ServiceKey is missing, unknown or revoked"),
        ("goldrush", "ordinary", "answered 403 Forbidden: A ServiceKey is needed; this is an API key"),
    ],
)
async def test_a_key_that_is_refused(provider: str, key: str, said: str, tmp_path: Path) -> None:
    """A check ends with status 1 and the vendor's reason; the service runs on, says so, and never shows the key."""
    goldrush = GoldRushWorld()
    goldrush.keys.ordinary.add("ordinary")
    async with serve(apify=ApifyWorld(), goldrush=goldrush, api_key=TOKEN) as server:
        refused = {"name": "s", "provider": provider, "url": server.url} | ({"api_key": key} if key else {})
        status, text = await check(tmp_path, refused)
        assert 1 == status
        assert said in text
        exporter = Exporter(tmp_path / "exporter", free_port(), [{**refused, "interval": "1s"}])
        try:
            await exporter.start()
            _, metrics = await exporter.metrics()
            assert f'hosted_pipeline_source_up{{provider="{provider}",source="s"}} 0' in metrics
            log = await exporter.logged()
            assert said in log
            exporter.send(signal.SIGTERM)
            assert 0 == await exporter.ended(10)
        finally:
            await exporter.stop()


async def test_a_reload_adds_an_account(tmp_path: Path) -> None:
    """A source that a new file adds is polled and its logs read, while the others go on."""
    world = ApifyWorld()
    run = world.add_actor("shop").start_run()
    run.log("read after the reload")
    logs = tmp_path / "logs.jsonl"
    otlp = {"protocol": "file", "endpoint": str(logs)}
    goldrush = GoldRushWorld()
    goldrush.create("swaps", phase="RUNNING")
    async with serve(goldrush=goldrush) as other, living(world) as server:
        first = {"name": "gold", "provider": "goldrush", "url": other.url, "interval": "1s", "budget": "20/s"}
        exporter = Exporter(tmp_path / "exporter", free_port(), [first], otlp=otlp)
        try:
            await exporter.start()
            settings = yaml.safe_load(exporter.config.read_text())
            exporter.config.write_text(yaml.safe_dump({**settings, "sources": [first, source(server)]}))
            exporter.send(signal.SIGHUP)

            async def read() -> str:
                return logs.read_text() if logs.exists() else ""

            await until("the run's line", read, lambda text: "read after the reload" in text)
            _, metrics = await exporter.metrics()
            assert 'hosted_pipeline_source_up{provider="goldrush",source="gold"} 1' in metrics
            assert 'hosted_pipeline_source_up{provider="apify",source="prod"} 1' in metrics
        finally:
            await exporter.stop()


async def test_a_stop_with_many_streams(tmp_path: Path) -> None:
    """With 200 streams open and more jobs waiting the service says so, stops in seconds, and loses or repeats nothing."""
    world = ApifyWorld(now_us=time.time_ns() // 1_000 - 60_000_000)
    actor = world.add_actor("shop")
    for number in range(STREAMS + 5):
        world.advance(0.01)
        actor.start_run().log(f"run number {number}.")
    logs = tmp_path / "logs.jsonl"
    async with living(world) as server:
        otlp = {"protocol": "file", "endpoint": str(logs)}
        exporter = Exporter(tmp_path / "exporter", free_port(), [source(server)], otlp=otlp)
        try:
            await exporter.start()

            async def streams() -> tuple[bool, bool]:
                _, text = await exporter.metrics()
                return (
                    f'pipeline_exporter_log_streams{{source="prod",state="open"}} {STREAMS}' in text,
                    'pipeline_exporter_log_streams{source="prod",state="queued"} 5' in text,
                )

            await until("all places are taken", streams, all)
            await server.streams(STREAMS)
            began = time.monotonic()
            exporter.send(signal.SIGTERM)
            assert 0 == await exporter.ended(20)
            assert time.monotonic() - began < 10
            await exporter.start()
            # The newest have the places.
            expected = {f"run number {number}." for number in range(5, STREAMS + 5)}

            async def written() -> Counter[str]:
                return Counter(re.findall(r"run number \d+\.", logs.read_text() if logs.exists() else ""))

            found = await until("all lines", written, lambda found: found.keys() >= expected)
            assert {1} == set(found.values())
        finally:
            await exporter.stop()
