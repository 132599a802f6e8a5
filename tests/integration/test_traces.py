"""The span of a job and its log records through a real OpenTelemetry Collector: each leads to the other by the trace's id."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from exporter.config import Config
from exporter.delivery import Delivery
from exporter.otlp.encode import encode_record, resource_attributes, resource_bytes, stream_fields
from exporter.otlp.outbox import Batch
from exporter.otlp.trace_ids import span_id, trace_id
from tests.integration.log_servers import FoundSpan
from tests.integration.waiting import until, until_equal
from tests.otlp.samples import record
from tests.otlp.sending import settings_for
from tests.tracing import job, tracing_to

if TYPE_CHECKING:
    from pathlib import Path

    from exporter.status.model import EndedJob
    from tests.integration.log_servers import Collector, Loki

pytestmark = pytest.mark.integration


def log_of(ended: EndedJob, *bodies: str) -> Batch:
    """Return log records of a job, as they are read while it runs."""
    resource = resource_attributes(
        name=ended.pipeline,
        source="prod",
        pipeline_id=ended.pipeline_id,
        provider="apify",
        further={},
        run_id=ended.id,
    )
    fields = stream_fields(trace_id=trace_id("run", ended.id), span_id=span_id("run", ended.id))
    now_ns = time.time_ns()  # Loki refuses what is older than it
    return Batch(
        key=("prod", ended.pipeline_id),
        source="prod",
        stream=f"run:{ended.id}",
        resource=resource_bytes(resource),
        records=[
            encode_record(record(body=body.encode(), time_ns=now_ns + number), body.encode(), fields)
            for number, body in enumerate(bodies)
        ],
        position=b"",
        read_seconds=time.time(),
    )


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
async def test_a_job_is_found_by_its_trace(
    protocol: str, loki: Loki, loki_collector: Collector, tmp_path: Path
) -> None:
    """A run's trace id, computed from its id alone, finds its span in the Collector and its lines in Loki."""
    url = loki_collector.grpc_url if protocol == "grpc" else loki_collector.http_url
    source = {"name": "prod", "provider": "feldera", "url": "http://127.0.0.1:1"}
    config = Config.model_validate({"data_dir": str(tmp_path), "sources": [source]})
    failed, other = job(1, result="failure"), job(2, build_id="")
    async with tracing_to(tmp_path / "data", url, protocol=protocol) as traced:
        delivery = Delivery(settings_for(url, protocol), config, traced.journal, traced.telemetry)
        await delivery.start()
        await delivery.outbox.put(log_of(failed, "starting", "it broke"))
        await delivery.outbox.put(log_of(other, "all well"))
        await traced.settle(failed, other)
        await until("both spans", loki_collector.spans, lambda spans: len(spans) == 2)
        await until("all records", loki_collector.records, lambda records: len(records) == 3)
        await delivery.stop()
    trace = trace_id("run", failed.id).hex()
    (span,) = [one for one in await loki_collector.spans() if one.trace_id == trace]
    assert _span(failed) == span
    records = [one for one in await loki_collector.records() if (one.trace_id, one.span_id) == (trace, span.span_id)]
    assert ["starting", "it broke"] == [one.body for one in records]
    query = f'{{service_name="jane/hello-world"}} | trace_id="{trace}" | span_id="{span.span_id}"'
    await until_equal(query, ["starting", "it broke"], lambda: loki.texts(query))


def _span(ended: EndedJob) -> FoundSpan:
    return FoundSpan(
        service="jane/hello-world",
        name="RUN jane/hello-world",
        trace_id=trace_id("run", ended.id).hex(),
        span_id=span_id("run", ended.id).hex(),
        kind=2,
        times_ns=(ended.started_ns, ended.finished_ns),
        status=2,
        attributes={
            "cicd.pipeline.name": "jane/hello-world",
            "cicd.pipeline.run.id": ended.id,
            "cicd.pipeline.action.name": "RUN",
            "cicd.pipeline.result": "failure",
            "error.type": "failure",
        },
        links=[(trace_id("build", ended.build_id).hex(), span_id("build", ended.build_id).hex())],
    )
