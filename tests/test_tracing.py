"""The spans of ended jobs: committed with what settles these, and sent by a queue that holds nothing else."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import pytest

from exporter.config import Config, Otlp
from exporter.delivery import Delivery
from exporter.journal import SPANS, JournalError, SourceRow
from exporter.otlp.settings import read_settings
from exporter.otlp.trace_ids import span_id, trace_id
from tests.otlp.carrying import IMPATIENT, batch, until
from tests.otlp.receiver import Reply, grpc_receiver, http_receiver, rejecting
from tests.otlp.sending import settings_for
from tests.tracing import job, tracing_to

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.journal import LogCommit, StatusBatch, Waiting
    from tests.otlp.receiver import Received, Receiver


def ids(receiver: Receiver) -> list[bytes]:
    """Return the ids of all spans that a receiver was sent."""
    return [span.span_id for span in receiver.spans]


def config_of(directory: Path) -> Config:
    """Return a configuration with a data directory; its source is asked nothing."""
    source = {"name": "prod", "provider": "feldera", "url": "http://127.0.0.1:1"}
    return Config.model_validate({"data_dir": str(directory), "sources": [source]})


@pytest.mark.parametrize(("protocol", "code"), [("http/protobuf", "200"), ("grpc", "OK")])
async def test_an_end_is_a_span(tmp_path: Path, protocol: str, code: str) -> None:
    """Each end that is settled is sent once, counted as a span, and its request with all others."""
    receiving = grpc_receiver(traces=True) if protocol == "grpc" else http_receiver(traces=True)
    async with receiving as receiver, tracing_to(tmp_path, receiver.url, protocol=protocol) as traced:
        await traced.settle(job(1), job(2))
        await traced.source.commit()
        await traced.drained()
        assert [span_id("run", "run-1"), span_id("run", "run-2")] == ids(receiver)
        assert {"sent": 2.0} == traced.spans()
        assert len(receiver.requests) == traced.count("otlp_requests_total", code=code)
        assert 0.0 == traced.count("otlp_records_total", outcome="sent")


async def test_resource(tmp_path: Path) -> None:
    """A span's resource is that of the job's log records."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        await traced.settle(job(1))
        await traced.drained()
        (found,) = receiver.requests[0].traces.resource_spans
        assert {
            "service.name": "jane/hello-world",
            "service.namespace": "prod",
            "service.instance.id": "moJRLRc85AitArpNN",
            "pipeline.provider": "apify",
            "cicd.pipeline.name": "jane/hello-world",
            "cicd.pipeline.run.id": "run-1",
            "team": "data",
        } == {one.key: one.value.string_value for one in found.resource.attributes}


async def test_file(tmp_path: Path) -> None:
    """With `protocol: file` spans are OTLP JSON lines beside the file of the logs."""
    endpoint = tmp_path / "otlp.jsonl"
    async with tracing_to(tmp_path / "data", str(endpoint), protocol="file") as traced:
        await traced.settle(job(1))
        await traced.drained()
    (line,) = (tmp_path / "otlp.jsonl.traces").read_bytes().splitlines()
    (span,) = msgspec.json.decode(line)["resourceSpans"][0]["scopeSpans"][0]["spans"]
    assert (trace_id("run", "run-1").hex(), span_id("run", "run-1").hex()) == (span["traceId"], span["spanId"])
    assert not endpoint.exists()


KILLED = """
import asyncio, pathlib, sys
from tests.tracing import job, tracing_to

async def settle():
    async with tracing_to(pathlib.Path(sys.argv[1]), "http://127.0.0.1:1") as traced:
        await traced.settle(job(1), job(2, resumed=True))
        print("settled", flush=True)
        await asyncio.Event().wait()

asyncio.run(settle())
"""


async def test_a_kill_between_commit_and_acceptance(tmp_path: Path) -> None:
    """After `kill -9` the spans of what was settled are sent, with the ids that they would have had."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", KILLED, str(tmp_path), stdout=-1)
    assert process.stdout is not None
    assert b"settled\n" == await process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    await process.wait()
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        await traced.drained()
        further = span_id("run", "run-2", job(2).finished_ns)
        assert {span_id("run", "run-1"), further} == set(ids(receiver))
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        assert [] == await traced.journal.read_waiting(SPANS)


async def test_a_commit_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What could not be committed is not sent, and is with the commit that succeeds."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:

        async def fails(_status: StatusBatch, _logs: LogCommit | None = None) -> list[Waiting]:
            raise JournalError("database or disk is full")

        with monkeypatch.context() as patch:
            patch.setattr(traced.journal, "commit", fails)
            await traced.settle(job(1))
        assert ([], 0) == (receiver.requests, traced.tracing.outbox.waiting_records)
        await traced.settle(job(2))
        await traced.drained()
        assert [span_id("run", "run-1"), span_id("run", "run-2")] == ids(receiver)


async def test_without_a_destination(tmp_path: Path) -> None:
    """Where no spans are wanted, ends leave nothing behind, in memory or in the journal."""
    async with tracing_to(tmp_path, "http://127.0.0.1:1", start=False) as traced:
        traced.source.traces = None
        await traced.settle(job(1))
        assert ([], []) == (traced.source.unsent_spans, await traced.journal.read_waiting(SPANS))


def not_found_for_traces(received: Received) -> Reply:
    """Answer as a server that takes logs alone."""
    return Reply(404) if received.spans else Reply()


def never_for_traces(received: Received) -> Reply:
    """Answer as a server that is stuck when it comes to spans."""
    return Reply(hang=True) if received.spans else Reply()


@pytest.mark.parametrize("answer", [not_found_for_traces, never_for_traces])
async def test_spans_never_delay_logs(tmp_path: Path, answer: Sequence[Reply]) -> None:
    """While a destination takes no spans, or leaves them without an answer, logs are sent as ever."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        receiver.answer = answer  # type: ignore[assignment]  # one of the two above
        config = config_of(tmp_path)
        delivery = Delivery(settings_for(receiver.url), config, traced.journal, traced.telemetry)
        await delivery.start()
        await traced.settle(job(1))
        await receiver.wait_for(lambda one: bool(one.spans))
        for number in range(20):
            await delivery.outbox.put(batch("orders", f"line {number}"))
        await until(lambda: 20.0 == traced.count("otlp_records_total", outcome="sent"))
        assert [f"line {number}" for number in range(20)] == receiver.bodies
        assert ({}, 1, None) == (traced.spans(), traced.tracing.outbox.waiting_records, delivery.problem())
        await delivery.stop()


async def test_a_destination_that_takes_no_spans_yet(tmp_path: Path) -> None:
    """Spans are held, which is said, until the destination takes them."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        receiver.answer = not_found_for_traces
        await traced.settle(job(1))
        await until(traced.tracing.problem)
        said = f"spans are held, 1 wait (`otlp.traces: false` turns them off): {receiver.url}/v1/traces: answered 404"
        assert said == (traced.tracing.problem() or "")[: len(said)]
        receiver.answer = None
        await traced.drained()
        assert ({"sent": 1.0}, None) == (traced.spans(), traced.tracing.problem())


async def test_a_server_without_the_service(tmp_path: Path) -> None:
    """A gRPC server that takes logs alone holds spans, too."""
    async with grpc_receiver() as receiver, tracing_to(tmp_path, receiver.url, protocol="grpc") as traced:
        await traced.settle(job(1))
        await until(traced.tracing.problem)
        assert "answered UNIMPLEMENTED" in (traced.tracing.problem() or "")
        assert 1 == len(await traced.journal.read_waiting(SPANS))


async def test_a_span_that_is_refused(tmp_path: Path) -> None:
    """A span that the destination refuses for good is dropped and counted; the others are sent, no file is written."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        bad = span_id("run", "run-3")
        receiver.answer = lambda one: Reply(400) if bad in [span.span_id for span in one.spans] else Reply()
        await traced.settle(*(job(number) for number in range(6)))
        await traced.drained()
        assert {"sent": 5.0, "dropped": 1.0} == traced.spans()
        assert not (tmp_path / "dead-letter.jsonl").exists()


async def test_a_span_that_the_destination_chokes_on(tmp_path: Path) -> None:
    """A span that is never answered but with an error of the server is dropped, too, when others pass for long."""
    patience = replace(IMPATIENT, stubborn_seconds=0.05)
    async with (
        http_receiver(traces=True) as receiver,
        tracing_to(tmp_path, receiver.url, patience=patience) as traced,
    ):
        bad, good = (next(name for name in "abcdef" if traced.lane_of(name) == lane) for lane in (0, 1))
        bad_id = span_id("run", "run-0")
        receiver.answer = lambda one: Reply(500) if bad_id in [span.span_id for span in one.spans] else Reply()
        await traced.settle(job(0, pipeline_id=bad))
        number = 0
        while "dropped" not in traced.spans():
            number += 1
            await traced.settle(job(number, pipeline_id=good))
        await traced.drained()
        assert {"sent": float(number), "dropped": 1.0} == traced.spans()


async def test_partial_success(tmp_path: Path) -> None:
    """Spans that are rejected in an answer that accepts the others are counted, and not sent again."""
    async with http_receiver(traces=True) as receiver, tracing_to(tmp_path, receiver.url) as traced:
        receiver.replies.append(rejecting(1, "too old"))
        await traced.settle(job(1), job(2), job(3))
        await traced.drained()
        assert ({"sent": 2.0, "rejected": 1.0}, 1) == (traced.spans(), len(receiver.requests))


async def test_the_oldest_are_dropped(tmp_path: Path) -> None:
    """Beyond 5 % of the journal's limit the oldest spans go, counted; those that are left are sent."""
    size = 1_000  # a little more than a span takes here
    async with http_receiver(traces=True) as receiver:
        async with tracing_to(tmp_path, receiver.url, limit_bytes=20 * 10 * size, start=False) as traced:
            for number in range(30):
                await traced.settle(job(number))
            left = traced.tracing.outbox.waiting_records
            assert traced.tracing.outbox.waiting_bytes <= 10 * size
            assert 10 <= left < 20
            assert {"dropped": 30.0 - left} == traced.spans()
        async with tracing_to(tmp_path, receiver.url) as traced:
            await traced.drained()
        assert {span_id("run", f"run-{number}") for number in range(30 - left, 30)} == set(ids(receiver))


async def test_logs_and_spans_of_one_journal(tmp_path: Path) -> None:
    """Spans that wait are none of the records that wait, and take nothing of their limit."""
    async with tracing_to(tmp_path, "http://127.0.0.1:1", start=False) as traced:
        await traced.settle(job(1))
        settings = read_settings(Otlp(endpoint="http://127.0.0.1:1"), {})
        assert settings is not None
        config = config_of(tmp_path)
        delivery = Delivery(settings, config, traced.journal, traced.telemetry)
        await delivery.outbox.open()
        assert (0, 0) == (delivery.outbox.waiting_records, delivery.outbox.waiting_bytes)
        row, _ = await traced.journal.read_source("prod")
        assert isinstance(row, SourceRow)
