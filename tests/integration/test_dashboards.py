"""The dashboards and the alerts: they load, the alerts fire when they should, and the panels have something to show."""

from __future__ import annotations

import shutil
import time
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.apify import ApifyWorld
from exporter.simulator.goldrush_world import GoldRushWorld
from exporter.simulator.server import serve
from tests.dashboards.documents import ALERTS, CASES, NAMES, panel_queries
from tests.integration.exporter import Exporter
from tests.integration.programs import output_of
from tests.integration.stories import of_every_kind
from tests.integration.waiting import until_equal
from tests.otlp.receiver import http_receiver

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.simulator.world import World
    from tests.integration.prometheus import Prometheus
    from tests.integration.servers import Servers

pytestmark = pytest.mark.integration

AS_GRAFANA_FILLS_IN = {
    "$source": ".*",
    "$pipeline": ".*",
    "$__rate_interval": "1m",
    "$__range_s": "3600",
    "$__range": "1h",
}

EMPTY_WHEN_WELL = {
    'max by (provider, source, pipeline) (hosted_pipeline_up{source=~".*", pipeline=~".*"} == 0)',
    "time() - (pipeline_exporter_journal_oldest_timestamp_seconds > 0)",
}
"""These show only what this story does not have."""


async def test_rules_load(servers: Servers) -> None:
    """Prometheus accepts the alert rules as they are."""
    status, written = await output_of(str(servers.promtool), "check", "rules", "--lint-fatal", str(ALERTS))
    assert (0, True) == (status, "SUCCESS" in written), written


@pytest.mark.parametrize("case", sorted(file.name for file in CASES.glob("*.yaml")))
async def test_rules_fire(servers: Servers, tmp_path: Path, case: str) -> None:
    """Exactly those alerts fire that should, and none where all is well."""
    shutil.copy(ALERTS, tmp_path)
    cases = shutil.copy(CASES / case, tmp_path)
    status, written = await output_of(str(servers.promtool), "test", "rules", str(cases))
    assert (0, True) == (status, "SUCCESS" in written), written


def filled_in(query: str) -> str:
    """Return a query as Grafana would ask it."""
    for variable, value in AS_GRAFANA_FILLS_IN.items():
        query = query.replace(variable, value)
    return query


class Vendors:
    """All three vendors, with something of everything that a panel shows."""

    def __init__(self, feldera: World) -> None:
        began_us = time.time_ns() // 1_000 - 600_000_000
        self.feldera = feldera
        self.apify = ApifyWorld(now_us=began_us, seed=1)
        self.goldrush = GoldRushWorld(now_us=began_us, seed=1)
        self._actor = self.apify.add_actor("scraper")
        self._actor.start_build().finish()
        self.apify.add_actor("never-run")
        self._chain = self.goldrush.create("chain", replicas=2)
        self._chain.worker.metrics.records_per_second = 100
        self._move(30)

    def happen(self) -> None:
        """Let runs end in several ways, records be left out, pods go, and everybody logs errors."""
        of_every_kind(self.feldera)
        for pipeline in self.feldera.pipelines.values():
            pipeline.log_lines([pipeline.style.process(time.time_ns() // 1_000, "ERROR", "orders::sink", "no room")])
        for status in ("SUCCEEDED", "FAILED", "TIMED-OUT"):
            run = self._actor.start_run()
            run.log("ERROR no room")
            self._move(20)
            run.finish(status)
        self.apify.cut_next(3, after_bytes=10)
        self._actor.start_run().log("INFO still here")
        self._chain.skip_records(7)
        self._chain.worker.write(b'{"level":"error","msg":"no room"}')
        self._chain.worker.fail_next_log_fetch()
        self.goldrush.create("new")
        self._move(10)

    def _move(self, seconds: float) -> None:
        self.apify.advance(seconds)
        self.goldrush.advance(seconds)


@asynccontextmanager
async def watched(vendors: Vendors, folder: Path, port: int) -> AsyncIterator[Exporter]:
    """Run an exporter that watches all vendors and sends their logs."""
    async with (
        http_receiver(traces=True) as receiver,
        serve(vendors.feldera, apify=vendors.apify, goldrush=vendors.goldrush) as server,
    ):
        names = ("feldera", "apify", "goldrush")
        sources: list[Any] = [
            {"name": f"of-{name}", "provider": name, "url": server.url, "interval": "2s", "budget": "1000/s"}
            for name in names
        ]
        for source in sources[1:]:
            source["api_key"] = "secret"
        exporter = Exporter(folder / "exporter", port, sources, otlp={"endpoint": receiver.url})
        try:
            yield exporter
        finally:
            await exporter.stop()


async def test_dashboards_show_data(prometheus: Prometheus, world: World, exporter_port: int, tmp_path: Path) -> None:
    """Every query gives something where there is something to see, in both versions of Prometheus."""
    queries = {filled_in(query) for name in NAMES for query, _ in panel_queries(name)}
    assert not [query for query in queries if "$" in query]
    assert EMPTY_WHEN_WELL <= queries
    vendors = Vendors(world)

    async def without_data() -> set[str]:
        return {query for query in queries if not (await prometheus.api("query", query=query))["result"]}

    async with watched(vendors, tmp_path, exporter_port) as exporter:
        await exporter.start()
        await prometheus.shows(
            "count by (provider) (hosted_pipeline_up)", {("feldera",): 3, ("apify",): 2, ("goldrush",): 1}, "provider"
        )
        vendors.happen()
        await until_equal("queries without data", EMPTY_WHEN_WELL, without_data)
