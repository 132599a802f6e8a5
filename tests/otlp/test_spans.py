"""Ends of jobs as OTLP spans, read with opentelemetry-proto."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from exporter import __version__
from exporter.otlp.encode import export_request, resource_bytes
from exporter.otlp.json_lines import from_json_line, to_json_line
from exporter.otlp.spans import encode_span
from exporter.otlp.trace_ids import span_id, trace_id
from exporter.status.model import EndedJob

STARTED_NS = 1_795_246_231_000_000_000
FINISHED_NS = STARTED_NS + 90_500_000_000
RUN = EndedJob(
    pipeline_id="moJRLRc85AitArpNN",
    pipeline="jane/hello-world",
    kind="run",
    id="HG7ML7M8z78YcAPEB",
    result="success",
    started_ns=STARTED_NS,
    finished_ns=FINISHED_NS,
    resumed=False,
    build_id="HnBsNGXPz8PdzGUwx",
)
BUILD = RUN._replace(kind="build", id="HnBsNGXPz8PdzGUwx", build_id="")

jobs = st.builds(
    EndedJob,
    pipeline_id=st.text(),
    pipeline=st.text(),
    kind=st.sampled_from(["run", "build"]),
    id=st.text(min_size=1),
    result=st.sampled_from(["success", "failure", "timeout", "cancellation", "odd"]),
    started_ns=st.integers(-1, 2**64),
    finished_ns=st.integers(-1, 2**64),
    resumed=st.booleans(),
    build_id=st.text(),
)


def request_of(*given_jobs: EndedJob) -> bytes:
    """Put spans into a request."""
    return export_request([(resource_bytes({"service.name": "orders"}), [encode_span(one) for one in given_jobs])])


def span_of(job: EndedJob) -> Span:
    """Encode a job and read its span."""
    (resource_spans,) = ExportTraceServiceRequest.FromString(request_of(job)).resource_spans
    (span,) = resource_spans.scope_spans[0].spans
    return span


def attributes(span: Span) -> dict[str, str]:
    """Return a span's attributes, all of which are text."""
    return {one.key: one.value.string_value for one in span.attributes}


def test_span_of_a_run() -> None:
    """A run's span has the ids of the run, its times, its result, and a link to its build's."""
    span = span_of(RUN)
    assert ("RUN jane/hello-world", Span.SPAN_KIND_SERVER) == (span.name, span.kind)
    assert (trace_id("run", RUN.id), span_id("run", RUN.id), b"") == (span.trace_id, span.span_id, span.parent_span_id)
    assert (STARTED_NS, FINISHED_NS) == (span.start_time_unix_nano, span.end_time_unix_nano)
    assert {
        "cicd.pipeline.name": "jane/hello-world",
        "cicd.pipeline.run.id": "HG7ML7M8z78YcAPEB",
        "cicd.pipeline.action.name": "RUN",
        "cicd.pipeline.result": "success",
    } == attributes(span)
    assert [(trace_id("build", RUN.build_id), span_id("build", RUN.build_id))] == [
        (link.trace_id, link.span_id) for link in span.links
    ]
    assert not span.HasField("status")


def test_span_of_a_build() -> None:
    """A build's span is what the links of its runs lead to; its id is the pipeline run's too."""
    span = span_of(BUILD)
    (link,) = span_of(RUN).links
    assert (link.trace_id, link.span_id) == (span.trace_id, span.span_id)
    assert ("BUILD jane/hello-world", "BUILD", BUILD.id) == (
        span.name,
        attributes(span)["cicd.pipeline.action.name"],
        attributes(span)["cicd.pipeline.run.id"],
    )
    assert [] == list(span.links)


def test_a_run_whose_build_is_not_known() -> None:
    """Without a build there is no link."""
    assert [] == list(span_of(RUN._replace(build_id="")).links)


@pytest.mark.parametrize(
    ("result", "code", "error_type"),
    [
        ("success", Status.STATUS_CODE_UNSET, None),
        ("cancellation", Status.STATUS_CODE_UNSET, None),
        ("failure", Status.STATUS_CODE_ERROR, "failure"),
        ("timeout", Status.STATUS_CODE_ERROR, "timeout"),
        ("odd-word", Status.STATUS_CODE_ERROR, "odd-word"),
    ],
)
def test_results(result: str, code: Status.StatusCode.ValueType, error_type: str | None) -> None:
    """All but success and cancellation is an error, whose type is the result."""
    span = span_of(RUN._replace(result=result))
    found = attributes(span)
    assert (code, error_type, result) == (
        span.status.code,
        found.get("error.type"),
        found["cicd.pipeline.result"],
    )


def test_further_ends() -> None:
    """The ends of a resurrected job are spans of one trace, the first one the parent of the others."""
    first = span_of(RUN._replace(result="failure"))
    further = [span_of(RUN._replace(resumed=True, finished_ns=FINISHED_NS + more)) for more in (10**9, 2 * 10**9)]
    assert {first.trace_id} == {one.trace_id for one in further}
    assert [first.span_id] * 2 == [one.parent_span_id for one in further]
    assert 3 == len({first.span_id, *(one.span_id for one in further)})
    assert span_id("run", RUN.id, FINISHED_NS + 10**9) == further[0].span_id


@pytest.mark.parametrize(
    ("started_ns", "finished_ns", "expected"),
    [
        (5, 7, (5, 7)),
        (0, 7, (7, 7)),
        (8, 7, (7, 7)),
        (5, 0, (5, 5)),
        (-3, 7, (7, 7)),
    ],
)
def test_times_that_are_missing(started_ns: int, finished_ns: int, expected: tuple[int, int]) -> None:
    """A job that was never started, or whose end is not known, takes no time; a span never ends before it starts."""
    span = span_of(RUN._replace(started_ns=started_ns, finished_ns=finished_ns))
    assert expected == (span.start_time_unix_nano, span.end_time_unix_nano)


def test_request() -> None:
    """Spans of one resource stand together below it, in the exporter's scope; others have their own."""
    groups = [
        (resource_bytes({"service.name": "a"}), [encode_span(RUN), encode_span(BUILD)]),
        (resource_bytes({"service.name": "b"}), [encode_span(RUN)]),
    ]
    request = ExportTraceServiceRequest.FromString(export_request(groups))
    scopes: list[ScopeSpans] = [one.scope_spans[0] for one in request.resource_spans]
    assert ["a", "b"] == [one.resource.attributes[0].value.string_value for one in request.resource_spans]
    assert [("pipeline-exporter", __version__)] * 2 == [(one.scope.name, one.scope.version) for one in scopes]
    assert [2, 1] == [len(one.spans) for one in scopes]


@given(st.lists(jobs, max_size=3))
def test_any_job_can_be_encoded(given_jobs: list[EndedJob]) -> None:
    """Whatever a vendor says, the request is valid, and means the same once written as OTLP JSON and read again."""
    request = request_of(*given_jobs)
    decoded = ExportTraceServiceRequest.FromString(request)
    spans = [span for one in decoded.resource_spans for span in one.scope_spans[0].spans]
    assert [(one.kind.upper() + " " + one.pipeline) for one in given_jobs] == [span.name for span in spans]
    assert decoded == ExportTraceServiceRequest.FromString(
        from_json_line(to_json_line(request, signal="traces"), signal="traces")
    )


def test_the_form_of_a_line() -> None:
    """In OTLP JSON ids are hexadecimal, times are text and enumerations numbers."""
    line = to_json_line(request_of(RUN._replace(result="failure", resumed=True)), signal="traces")
    (resource_spans,) = json.loads(line)["resourceSpans"]
    (found,) = resource_spans["scopeSpans"][0]["spans"]
    assert {
        "traceId": trace_id("run", RUN.id).hex(),
        "spanId": span_id("run", RUN.id, FINISHED_NS).hex(),
        "parentSpanId": span_id("run", RUN.id).hex(),
        "name": "RUN jane/hello-world",
        "kind": 2,
        "startTimeUnixNano": str(STARTED_NS),
        "endTimeUnixNano": str(FINISHED_NS),
        "links": [{"traceId": trace_id("build", RUN.build_id).hex(), "spanId": span_id("build", RUN.build_id).hex()}],
        "status": {"code": 2},
    } == {name: value for name, value in found.items() if name != "attributes"}
    assert {"key": "error.type", "value": {"stringValue": "failure"}} in found["attributes"]
