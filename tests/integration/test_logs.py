"""Logs end to end: simulator, exporter, a real OpenTelemetry Collector, and a real Loki that finds them again."""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from exporter.otlp.outbox import CACHE_BYTES
from tests.integration.exporter import Exporter
from tests.integration.programs import free_port
from tests.integration.stories import named
from tests.integration.waiting import until, until_equal

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from exporter.simulator.pipeline import Pipeline
    from exporter.simulator.server import SimulatorServer
    from exporter.simulator.world import World
    from tests.integration.log_servers import Collector, FoundRecord, Loki

pytestmark = pytest.mark.integration

PROTOCOLS = ("http/protobuf", "grpc")
SEVERITIES = {"DEBUG": 5, "INFO": 9, "WARN": 13, "ERROR": 17}
NAMES = ("a", "b", "c")
LINES_OF_EACH_SEVERITY = 50

LINES_PER_SECOND = 2_000
LINE_BYTES = 1_000  # so that the outage is longer than what the exporter keeps in memory of what waits
TICK_SECONDS = 0.05
DOWN_SECONDS = 30.0
MORE_MEMORY_BYTES = 8 * 1024 * 1024
"""Well under what comes in while it is measured, which would stay in memory if it were not for the journal."""


def exporter_to(collector: Collector, protocol: str, simulator: SimulatorServer, tmp_path: Path) -> Exporter:
    """Make an exporter that reads all logs and sends them to a Collector, not started yet."""
    source = {"name": "prod", "provider": "feldera", "url": simulator.url, "interval": "1s", "budget": "1000/s"}
    endpoint = collector.grpc_url if protocol == "grpc" else collector.http_url
    otlp = {"endpoint": endpoint, "protocol": protocol}
    return Exporter(tmp_path / "exporter", free_port(), [source], otlp=otlp)


def run(world: World) -> None:
    """Let all pipelines run."""
    for name in NAMES:
        named(world, name).start()
    world.advance(20)


def write(pipeline: Pipeline, level: str, messages: Iterable[str]) -> None:
    """Let the pipeline's process log messages of one line, now."""
    now_us = time.time_ns() // 1_000
    lines = [pipeline.style.process(now_us + n, level, "orders::sink", said) for n, said in enumerate(messages)]
    pipeline.log_lines(lines)


def write_all(world: World) -> dict[tuple[str, int, str], list[str]]:
    """Let every pipeline log in every severity; give the messages by pipeline, severity's number and its text."""
    written = {}
    for name in NAMES:
        for level, number in SEVERITIES.items():
            said = [f"checked order-{name}-{level}-{n}" for n in range(LINES_OF_EACH_SEVERITY)]
            write(named(world, name), level, said)
            written[name, number, level] = said
    return written


def by_severity(records: Iterable[FoundRecord]) -> dict[tuple[str, int, str], list[str]]:
    """Group the messages of `write_all` as it does, in the order of the records, with the repeated ones repeated."""
    found: dict[tuple[str, int, str], list[str]] = {}
    for record in records:
        if record.body.startswith("checked "):
            key = record.service, record.severity_number, record.severity_text
            found.setdefault(key, []).append(record.body)
    return found


async def changes(collector: Collector) -> set[tuple[str, str]]:
    """Give the runtime statuses that status events said a pipeline entered, by pipeline."""
    return {
        (record.service, record.attributes["pipeline.status.to"])
        for record in await collector.records()
        if record.event_name == "pipeline.status.changed" and record.attributes["pipeline.status.facet"] == "runtime"
    }


async def metric(exporter: Exporter, name: str) -> float:
    """Scrape the sum of a metric's samples; 0 where there are none."""
    _, text = await exporter.metrics()
    return sum(float(value) for value in re.findall(rf"^{name}(?:\{{.*\}})? (\S+)$", text, re.MULTILINE))


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_collector(
    protocol: str, collector: Collector, world: World, simulator: SimulatorServer, tmp_path: Path
) -> None:
    """The Collector gets each line once, in order, with its severity, and the status events with their name."""
    exporter = exporter_to(collector, protocol, simulator, tmp_path)
    try:
        await exporter.start()
        run(world)
        written = write_all(world)

        async def found() -> dict[tuple[str, int, str], list[str]]:
            return by_severity(await collector.records())

        await until_equal("the records", written, found)
        entered = {(name, status) for name in NAMES for status in ("Initializing", "Running")}
        await until("status events", lambda: changes(collector), lambda seen: entered <= seen)
        records = await collector.records()
        assert len(records) == len({record.uid for record in records})
        await until_equal("what waits", 0.0, lambda: metric(exporter, "pipeline_exporter_journal_records"))
        assert len(records) == await metric(exporter, r"pipeline_exporter_otlp_records_total")
    finally:
        await exporter.stop()


@pytest.mark.parametrize("protocol", PROTOCOLS)
async def test_loki(
    protocol: str, loki: Loki, loki_collector: Collector, world: World, simulator: SimulatorServer, tmp_path: Path
) -> None:
    """Loki finds the records with LogQL by pipeline, by severity, by text and by source; as many as the file holds."""
    exporter = exporter_to(loki_collector, protocol, simulator, tmp_path)
    try:
        await exporter.start()
        run(world)
        written = write_all(world)
        await until_equal("what waits", 0.0, lambda: metric(exporter, "pipeline_exporter_journal_records"))
        for name in NAMES:
            said = [one for (service, _, _), messages in written.items() if service == name for one in messages]
            query = f'{{service_name="{name}", service_namespace="prod"}} |= "checked "'
            await until_equal(query, sorted(said), lambda query=query: _sorted_texts(loki, query))  # type: ignore[misc]
        errors = '{service_name="b"} | severity_text="ERROR" | severity_number="17" |= "checked"'
        assert sorted(written["b", 17, "ERROR"]) == await _sorted_texts(loki, errors)
        assert ["checked order-c-WARN-7"] == await loki.texts('{service_name=~".+"} |~ "order-c-WARN-7$"')
        await _check_events(loki, loki_collector)
        everything = Counter(record.service for record in await loki_collector.records())
        counted = {name: len(await loki.query(f'{{service_name="{name}"}}')) for name in NAMES}
        assert {name: everything[name] for name in NAMES} == counted
    finally:
        await exporter.stop()


async def _sorted_texts(loki: Loki, query: str) -> list[str]:
    return sorted(await loki.texts(query))


async def _check_events(loki: Loki, collector: Collector) -> None:
    # Loki keeps no event name: an event is known there by its attributes.
    entered = {(name, status) for name in NAMES for status in ("Initializing", "Running")}
    await until("status events", lambda: changes(collector), lambda seen: entered <= seen)
    found = await loki.query('{service_name=~".+"} | pipeline_status_facet="runtime"')
    assert entered <= {(labels["service_name"], labels["pipeline_status_to"]) for labels, _, _ in found}


class Load:
    """Writes numbered lines at a steady rate until told to stop."""

    def __init__(self, world: World) -> None:
        self._pipelines = [named(world, name) for name in NAMES]
        self._going = True
        self.written: dict[str, list[str]] = {name: [] for name in NAMES}

    async def run(self) -> None:
        """Write in small portions, in the rate that the clock asks for, however late a portion comes."""
        clock = asyncio.get_running_loop().time
        began, written = clock(), 0
        while self._going:
            due = int((clock() - began) * LINES_PER_SECOND) // len(NAMES)
            said = [f"loaded line {n} ".ljust(LINE_BYTES, "-") for n in range(written, due)]
            for pipeline in self._pipelines:
                write(pipeline, "INFO", said)
                self.written[pipeline.name] += said
            written = due
            await asyncio.sleep(TICK_SECONDS)

    def stop(self) -> None:
        """Write no more."""
        self._going = False


async def memory_while_away(exporter: Exporter) -> tuple[int, int]:
    """Let the outage last; give the exporter's memory as soon as more waits than it keeps there, and at the end."""
    clock = asyncio.get_running_loop().time
    began = clock()
    enough = 1.1 * CACHE_BYTES / LINE_BYTES
    await until("enough waits", lambda: metric(exporter, "pipeline_exporter_journal_records"), lambda n: n > enough)
    assert enough * LINE_BYTES < await metric(exporter, "pipeline_exporter_journal_bytes")
    first = await exporter.resident_bytes()
    # The length of the outage is what is tried here.
    await asyncio.sleep(max(DOWN_SECONDS - (clock() - began), DOWN_SECONDS / 3))
    return first, await exporter.resident_bytes()


async def test_collector_away(collector: Collector, world: World, simulator: SimulatorServer, tmp_path: Path) -> None:
    """A Collector that is away for 30 s costs no line, and memory stays flat; all that waited is sent when it is back."""
    exporter = exporter_to(collector, "http/protobuf", simulator, tmp_path)
    load = Load(world)

    async def arrived() -> int:
        return len(await collector.records())

    try:
        await exporter.start()
        run(world)
        async with asyncio.TaskGroup() as group:
            group.create_task(load.run())
            try:
                await until("the first lines", arrived, lambda count: count > LINES_PER_SECOND)
                await collector.stop()
                first_bytes, last_bytes = await memory_while_away(exporter)
                await collector.start()
            finally:
                load.stop()
        await until_equal("what waits", 0.0, lambda: metric(exporter, "pipeline_exporter_journal_records"), 90)
        assert 0 == await metric(exporter, "pipeline_exporter_journal_bytes")
        found = _unrepeated(await collector.records())
        assert {name: len(lines) for name, lines in load.written.items()} == {n: len(found[n]) for n in NAMES}
        assert load.written == found
        assert last_bytes - first_bytes < MORE_MEMORY_BYTES, f"{first_bytes} bytes, at the end {last_bytes}"
    finally:
        await exporter.stop()


def _unrepeated(records: Iterable[FoundRecord]) -> dict[str, list[str]]:
    """Group the lines of the load by pipeline, in the order of the records, a repeated record once."""
    once = {record.uid: record for record in records if record.body.startswith("loaded ")}
    found: dict[str, list[str]] = {name: [] for name in NAMES}
    for record in once.values():
        found[record.service].append(record.body)
    return found
