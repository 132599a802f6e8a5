"""One Apify run, from the vendor to its readers: its trace id alone finds its span in the Collector and its log in Loki."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import pytest

from exporter.simulator.apify import ApifyWorld
from tests.integration.apify_stories import living, source
from tests.integration.exporter import Exporter
from tests.integration.programs import free_port
from tests.integration.waiting import until, until_equal

if TYPE_CHECKING:
    from pathlib import Path

    from tests.integration.log_servers import Collector, Loki

pytestmark = pytest.mark.integration


def ids(kind: str, job_id: str) -> tuple[str, str]:
    """Make the trace id and the span id of a job as the documentation says."""
    digest = hashlib.sha256(f"{kind}/{job_id}".encode()).hexdigest()
    return digest[:32], digest[32:48]


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_run_is_found_by_its_trace(
    protocol: str, loki: Loki, loki_collector: Collector, tmp_path: Path
) -> None:
    """A run that failed has one span with a link to its build's, and all its lines carry the ids of that span."""
    world = ApifyWorld()
    actor = world.add_actor("price-monitor")
    endpoint = loki_collector.grpc_url if protocol == "grpc" else loki_collector.http_url
    async with living(world) as server:
        otlp = {"endpoint": endpoint, "protocol": protocol}
        exporter = Exporter(tmp_path / "exporter", free_port(), [source(server)], otlp=otlp)
        try:
            await exporter.start()
            build = actor.start_build()
            build.log("ACTOR: Building image.")
            build.finish()
            run, other = actor.start_run(build=build), actor.start_run(build=build)
            run.log("INFO  first page\n    at line 1")
            other.log("another run's line")
            await until("the first lines", loki_collector.records, lambda records: len(records) >= 3)
            run.log("ERROR no more pages")
            run.finish("FAILED", exit_code=1)
            run.log_late("ACTOR: Sending container exit code.", 2.0)
            other.finish()
            trace, span = ids("run", run.id)
            await until("all spans", loki_collector.spans, lambda spans: len(spans) == 3)
            (found,) = [one for one in await loki_collector.spans() if one.trace_id == trace]
            assert (span, "RUN janedoe/price-monitor", 2, 2) == (found.span_id, found.name, found.kind, found.status)
            assert [ids("build", build.id)] == found.links
            assert {
                "cicd.pipeline.name": "janedoe/price-monitor",
                "cicd.pipeline.run.id": run.id,
                "cicd.pipeline.action.name": "RUN",
                "cicd.pipeline.result": "failure",
                "error.type": "failure",
            } == found.attributes
            lines = [
                "INFO  first page\n    at line 1",
                "ERROR no more pages",
                "ACTOR: Sending container exit code.",
            ]

            async def collected() -> list[str]:
                records = await loki_collector.records()
                return [one.body for one in records if (one.trace_id, one.span_id) == (trace, span)]

            await until_equal("the run's records", lines, collected)
            by_trace = f'{{service_name="janedoe/price-monitor"}} | trace_id="{trace}" | span_id="{span}"'
            await until_equal(by_trace, lines, lambda: loki.texts(by_trace))
            by_run = f'{{service_name="janedoe/price-monitor"}} | cicd_pipeline_run_id="{other.id}"'
            await until_equal(by_run, ["another run's line"], lambda: loki.texts(by_run))
        finally:
            await exporter.stop()
