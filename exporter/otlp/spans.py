"""The ends of jobs to OTLP spans.

A span has the field number in its message that a log record has in its own, and so on up to the request: what puts
together one request (`encode.export_request`) puts together the other.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Final

from exporter.otlp import names
from exporter.otlp.trace_ids import span_id, trace_id
from exporter.otlp.wire import FIXED64, VARINT, field_bytes, tag, varint

if TYPE_CHECKING:
    from exporter.status.model import EndedJob

# Numbers of the fields in opentelemetry/proto/trace/v1/trace.proto and common/v1/common.proto.
_SPANS: Final = 2
_TRACE_ID, _SPAN_ID, _PARENT_SPAN_ID, _NAME, _KIND, _START, _END = 1, 2, 4, 5, 6, 7, 8
_ATTRIBUTE, _LINK, _STATUS = 9, 13, 15
_STATUS_CODE: Final = 3

_KIND_SERVER: Final = 2
_CODE_ERROR: Final = 2
_LATEST_NS: Final = (1 << 64) - 1

_pack_time = struct.Struct("<Q").pack


def encode_span(job: EndedJob) -> bytes:
    """Return the span of a job's end as it stands in a request."""
    action = job.kind.upper()
    failed = job.result not in names.GOOD_RESULTS
    started_ns, finished_ns = _times(job)
    own_id = span_id(job.kind, job.id, job.finished_ns if job.resumed else None)
    attributes = {
        names.CICD_PIPELINE_NAME: job.pipeline,
        names.CICD_PIPELINE_RUN_ID: job.id,
        names.CICD_PIPELINE_ACTION_NAME: action,
        names.CICD_PIPELINE_RESULT: job.result,
    }
    if failed:
        attributes[names.ERROR_TYPE] = job.result
    fields = [
        field_bytes(_TRACE_ID, trace_id(job.kind, job.id)),
        field_bytes(_SPAN_ID, own_id),
        field_bytes(_PARENT_SPAN_ID, span_id(job.kind, job.id)) if job.resumed else b"",
        field_bytes(_NAME, _text(f"{action} {job.pipeline}")),
        tag(_KIND, VARINT) + varint(_KIND_SERVER),
        tag(_START, FIXED64) + _pack_time(started_ns),
        tag(_END, FIXED64) + _pack_time(finished_ns),
        *(field_bytes(_ATTRIBUTE, _attribute(name, value)) for name, value in attributes.items()),
        _link_to_build(job.build_id) if job.kind == "run" and job.build_id else b"",
        field_bytes(_STATUS, tag(_STATUS_CODE, VARINT) + varint(_CODE_ERROR)) if failed else b"",
    ]
    return field_bytes(_SPANS, b"".join(fields))


def _times(job: EndedJob) -> tuple[int, int]:
    """Return start and end. A job that was never started, or whose end is not known, takes no time; none goes backwards."""
    started_ns, finished_ns = (min(max(one, 0), _LATEST_NS) for one in (job.started_ns, job.finished_ns))
    if not finished_ns:
        return started_ns, started_ns
    return (started_ns if 0 < started_ns <= finished_ns else finished_ns), finished_ns


def _link_to_build(build_id: str) -> bytes:
    ids = field_bytes(_TRACE_ID, trace_id("build", build_id)) + field_bytes(_SPAN_ID, span_id("build", build_id))
    return field_bytes(_LINK, ids)


def _attribute(name: str, value: str) -> bytes:
    return field_bytes(1, name.encode()) + field_bytes(2, field_bytes(1, _text(value)))


def _text(text: str) -> bytes:
    return text.encode("utf-8", "replace")
