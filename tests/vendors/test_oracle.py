"""The oracle itself: it must see every kind of loss, and excuse only what may be."""

from __future__ import annotations

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from exporter.otlp.trace_ids import span_id, trace_id
from tests.vendors.oracle import Hole, Oracle

_JOB = "job"


def _texts(**texts: str) -> list[KeyValue]:
    return [KeyValue(key=key.replace("_", "."), value=AnyValue(string_value=text)) for key, text in texts.items()]


def _request(*records: tuple[str, str], job: str = _JOB, trace_of: str = _JOB) -> list[ResourceLogs]:
    logs = [
        LogRecord(
            body=AnyValue(string_value=body),
            attributes=_texts(log_record_uid=uid),
            trace_id=trace_id("run", trace_of),
            span_id=span_id("run", trace_of),
        )
        for uid, body in records
    ]
    about = _texts(service_instance_id="actor", service_name="jane/shop", cicd_pipeline_run_id=job)
    return [ResourceLogs(resource=Resource(attributes=about), scope_logs=[ScopeLogs(log_records=logs)])]


@pytest.fixture
def oracle() -> Oracle:
    """Make an oracle that knows of four lines of one run."""
    oracle = Oracle("s")
    oracle.know(_JOB, "jane/shop", "run").lines += "abcd"
    return oracle


def test_all_in_order(oracle: Oracle) -> None:
    """Lines that come in order, alone or several in a record, are right."""
    oracle.accept(_request(("1", "a"), ("2", "b\nc")))
    oracle.accept(_request(("3", "d")))
    oracle.finish()

    assert ([], 0) == (oracle.problems, oracle.waiting)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ("acd", "jane/shop job: 1 lines are missing from 'b' on"),
        ("abc", "jane/shop job: 1 lines never came, the first is 'd'"),
        ("abxcd", "jane/shop job: 'x' was never written"),
        ("aabcd", "jane/shop job: 'a' came again with another id, or late"),
    ],
)
def test_what_is_wrong(oracle: Oracle, records: str, problem: str) -> None:
    """A line that is missing, late, invented or repeated with another id is told."""
    oracle.accept(_request(*((str(number), body) for number, body in enumerate(records))))
    oracle.finish()

    assert [problem] == oracle.problems


def test_holes_can_be_judged_elsewhere(oracle: Oracle) -> None:
    """Where a tail may lose lines, it is known which they are."""
    oracle.accept(_request(("1", "a"), ("2", "d")))
    oracle.finish(holes=True)

    assert ([], [Hole(1, 3)]) == (oracle.problems, oracle.streams[_JOB].holes)


def test_one_batch_may_come_again_after_a_kill(oracle: Oracle) -> None:
    """The last batch of the lane, only once a kill, with the same bodies."""
    oracle.accept(_request(("1", "a")))
    oracle.accept(_request(("2", "b")))
    oracle.excuse()
    oracle.accept(_request(("2", "b"), ("3", "c")))
    assert [] == oracle.problems
    oracle.accept(_request(("3", "c")))
    assert ["1 of 1 records came again without a reason: ['c']"] == oracle.problems
    oracle.excuse()
    oracle.accept(_request(("1", "A")))

    assert [
        "1 came again as 'A', before it was 'a'",
        "1 of 1 records came again without a reason: ['a']",
    ] == oracle.problems[1:]


def test_a_record_of_another_job(oracle: Oracle) -> None:
    """A record of a job that is not to be read, or with another job's trace, is told."""
    oracle.accept(_request(("1", "old"), job="old"))
    oracle.accept(_request(("2", "a"), trace_of="other"))

    assert [
        "a record of an unknown stream 'old': 'old'",
        f"a record of jane/shop job has the trace {trace_id('run', 'other').hex()}",
    ] == oracle.problems


def test_spans(oracle: Oracle) -> None:
    """A span may come again after a kill, and only as it was."""

    def spans(name: str) -> list[ResourceSpans]:
        return [ResourceSpans(scope_spans=[ScopeSpans(spans=[Span(trace_id=b"1", span_id=b"2", name=name)])])]

    oracle.accept_spans(spans("RUN a"))
    oracle.excuse()
    oracle.accept_spans(spans("RUN a"))
    assert [] == oracle.problems
    oracle.accept_spans(spans("RUN b"))

    assert 1 == len(oracle.problems)
    assert oracle.problems[0].startswith("span ('31', '32') came again and differs")
