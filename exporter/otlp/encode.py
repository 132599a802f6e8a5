"""Log records and status events to OTLP bytes. The hot path: every line that is read passes here once.

A record is encoded as it stands in a request (tag, length, message), so that a request is made by putting bytes
together. What repeats (severities, targets, the heads of fields by length) is made once and kept.

    encode_record() ─▶ bytes ─▶ journal ─▶ export_request([(resource, records), …]) ─▶ bytes on the wire
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from exporter import __version__
from exporter.otlp import names
from exporter.otlp.json_lines import from_json_line, to_json_line
from exporter.otlp.wire import field_bytes, tag, varint

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.logs.records import Record

__all__ = [
    "SEVERITY_NUMBERS",
    "StatusChange",
    "encode_event",
    "encode_record",
    "export_request",
    "from_json_line",
    "resource_attributes",
    "resource_bytes",
    "stream_fields",
    "to_json_line",
]

SEVERITY_NUMBERS: Final = {"none": 0, "trace": 1, "debug": 5, "info": 9, "warn": 13, "error": 17, "fatal": 21}
"""By the logs data model: the first number of each range."""

_Key = TypeVar("_Key")

TABLED_BYTES = 4096
_KEPT_TEXTS = 4096
_INT64_END = 1 << 63

# Numbers of the fields in opentelemetry/proto/logs/v1/logs.proto and common/v1/common.proto.
_RECORD_SEVERITY, _RECORD_SEVERITY_TEXT, _RECORD_BODY, _RECORD_ATTRIBUTE = 2, 3, 5, 6
_RECORD_TRACE_ID, _RECORD_SPAN_ID, _RECORD_EVENT_NAME = 9, 10, 12
TIME_TAG, OBSERVED_TAG = 1 << 3 | 1, 11 << 3 | 1
_VALUE_TEXT, _VALUE_BOOL, _VALUE_INT, _VALUE_DOUBLE = 1, 2, 3, 4

_pack_times = struct.Struct("<BQBQ").pack
_pack_time = struct.Struct("<BQ").pack
_pack_double = struct.Struct("<d").pack


def _text_head(number: int, key: bytes | None, size: int) -> bytes:
    """Return all that stands before the text of a body (without key) or of an attribute."""
    head = tag(_VALUE_TEXT, 2) + varint(size)
    if key is not None:
        head = field_bytes(1, key) + tag(2, 2) + varint(len(head) + size) + head
    return tag(number, 2) + varint(len(head) + size) + head


BODY_HEADS = [_text_head(_RECORD_BODY, None, size) for size in range(TABLED_BYTES)]
UID_HEADS = [_text_head(_RECORD_ATTRIBUTE, names.LOG_RECORD_UID.encode(), size) for size in range(256)]
_RECORD_HEADS = [tag(2, 2) + varint(size) for size in range(TABLED_BYTES)]
_severities: dict[tuple[str, bytes], bytes] = {}
_targets: dict[bytes, bytes] = {b"": b""}


def encode_record(record: Record, uid: bytes, stream: bytes = b"") -> bytes:
    """Return a record as it stands in a request. `uid` is ASCII of less than 256 bytes; `stream` is of `stream_fields()`.

    A time of 0 is none; both are below 2**64. The body has to be valid UTF-8: it is not looked at.
    """
    time_ns, observed_ns, severity, severity_text, body, target, spans, part, attributes, _ = record
    size = len(body)
    message = b"".join((
        _pack_times(TIME_TAG, time_ns, OBSERVED_TAG, observed_ns) if time_ns else _pack_time(OBSERVED_TAG, observed_ns),
        fields if (fields := _severities.get((severity, severity_text))) is not None
        else _severity(severity, severity_text),
        BODY_HEADS[size] if size < TABLED_BYTES else _text_head(_RECORD_BODY, None, size),
        body,
        _targets[target] if target in _targets else _target(target),
        UID_HEADS[len(uid)],
        uid,
        stream,
        _more(spans, part, attributes) if spans or part or attributes else b"",
    ))  # fmt: skip
    size = len(message)
    return (_RECORD_HEADS[size] if size < TABLED_BYTES else tag(2, 2) + varint(size)) + message


def stream_fields(*, iostream: str = "", trace_id: bytes = b"", span_id: bytes = b"") -> bytes:
    """Return the fields that are the same in every record of a stream, to be made once."""
    fields = _attribute(names.LOG_IOSTREAM, iostream) if iostream else b""
    if trace_id:
        fields += field_bytes(_RECORD_TRACE_ID, trace_id)
    if span_id:
        fields += field_bytes(_RECORD_SPAN_ID, span_id)
    return fields


@dataclass(frozen=True, slots=True)
class StatusChange:
    """One counted entry of a facet into a status."""

    at_ns: int
    observed_ns: int
    facet: str
    before: str | None
    after: str
    error: bool = False
    """The vendor calls it an error."""
    error_type: str | None = None


def encode_event(change: StatusChange, uid: bytes) -> bytes:
    """Return a status change as it stands in a request."""
    severity = "error" if change.error else "info"
    moved = change.after if change.before is None else f"{change.before} → {change.after}"
    attributes = {
        names.STATUS_FACET: change.facet,
        names.STATUS_FROM: change.before,
        names.STATUS_TO: change.after,
        names.ERROR_TYPE: change.error_type,
    }
    message = b"".join((
        _pack_times(TIME_TAG, change.at_ns, OBSERVED_TAG, change.observed_ns),
        _severity(severity, severity.upper().encode()),
        _text(_RECORD_BODY, None, f"{change.facet}: {moved}"),
        *(_attribute(name, value) for name, value in attributes.items() if value is not None),
        UID_HEADS[len(uid)],
        uid,
        field_bytes(_RECORD_EVENT_NAME, names.STATUS_CHANGED.encode()),
    ))  # fmt: skip
    return field_bytes(2, message)


def resource_attributes(
    *,
    name: str,
    source: str,
    pipeline_id: str,
    provider: str,
    further: Mapping[str, str],
    run_id: str | None = None,
    pod: str | None = None,
) -> dict[str, str]:
    """Return the attributes of a pipeline's resource. The user's `further` ones win, as somebody wrote them on purpose."""
    attributes = {
        names.SERVICE_NAME: name,
        names.SERVICE_NAMESPACE: source,
        names.SERVICE_INSTANCE_ID: pipeline_id,
        names.PIPELINE_PROVIDER: provider,
    }
    if run_id is not None:
        attributes |= {names.CICD_PIPELINE_NAME: name, names.CICD_PIPELINE_RUN_ID: run_id}
    if pod is not None:
        attributes[names.K8S_POD_NAME] = pod
    return attributes | dict(further)


def resource_bytes(attributes: Mapping[str, str]) -> bytes:
    """Return a resource, without tag and length."""
    return b"".join(_text(1, name.encode("utf-8", "replace"), value) for name, value in attributes.items())


_SCOPE = field_bytes(1, field_bytes(1, b"pipeline-exporter") + field_bytes(2, __version__.encode()))


def export_request(groups: Iterable[tuple[bytes, Iterable[bytes]]]) -> bytes:
    """Return an ExportLogsServiceRequest of groups of a resource and its encoded records.

    Neighbours with the same resource are put together.
    """
    parts: list[bytes] = []
    current: bytes | None = None
    records: list[bytes] = []
    for resource, more in groups:
        if resource != current and records:
            parts += _resource_logs(current or b"", records)
            records = []
        current = resource
        records += more
    if records:
        parts += _resource_logs(current or b"", records)
    return b"".join(parts)


def _resource_logs(resource: bytes, records: list[bytes]) -> list[bytes]:
    size = len(_SCOPE) + sum(map(len, records))
    head = field_bytes(1, resource) + tag(2, 2) + varint(size)
    return [tag(1, 2), varint(len(head) + size), head, _SCOPE, *records]


def head_fields(severity: str, text: bytes, target: bytes, spans: bytes) -> bytes:
    """Return the fields that the head of a line makes, but for its time."""
    return _severity(severity, text) + _target(target) + (_more(spans, 0, ()) if spans else b"")


def _severity(severity: str, text: bytes) -> bytes:
    """Make and keep the fields of a severity."""
    number = SEVERITY_NUMBERS[severity]
    fields = tag(_RECORD_SEVERITY, 0) + varint(number) if number else b""
    if text:
        fields += field_bytes(_RECORD_SEVERITY_TEXT, _valid(text))
    return _keep(_severities, (severity, text), fields)


def _target(target: bytes) -> bytes:
    """Make and keep the attribute of a target: a pipeline has few."""
    if not target:
        return b""
    return _keep(_targets, target, _text(_RECORD_ATTRIBUTE, names.LOG_TARGET.encode(), target))


def _keep(kept: dict[_Key, bytes], key: _Key, value: bytes) -> bytes:
    """Keep bytes, of so many keys only that strange input cannot fill the memory."""
    if len(kept) < _KEPT_TEXTS:
        kept[key] = value
    return value


def _more(spans: bytes, part: int, attributes: Iterable[tuple[str, str | int | float | bool]]) -> bytes:
    """Return what few records have."""
    fields = _text(_RECORD_ATTRIBUTE, names.LOG_SPANS.encode(), spans) if spans else b""
    if part:
        fields += _attribute(names.LOG_PART, part)
    return fields + b"".join(_attribute(name, value) for name, value in attributes)


def _attribute(name: str, value: str | float) -> bytes:
    key = name.encode("utf-8", "replace")
    if isinstance(value, str):
        return _text(_RECORD_ATTRIBUTE, key, value)
    if isinstance(value, bool):
        written = tag(_VALUE_BOOL, 0) + varint(value)
    elif isinstance(value, float):
        written = tag(_VALUE_DOUBLE, 1) + _pack_double(value)
    elif -_INT64_END <= value < _INT64_END:
        written = tag(_VALUE_INT, 0) + varint(value)
    else:
        return _text(_RECORD_ATTRIBUTE, key, str(value))  # OTLP has no larger numbers
    return field_bytes(_RECORD_ATTRIBUTE, field_bytes(1, key) + field_bytes(2, written))


def _text(number: int, key: bytes | None, value: str | bytes) -> bytes:
    """Return a body or an attribute of text; what is no UTF-8 is replaced."""
    text = value.encode("utf-8", "replace") if isinstance(value, str) else _valid(value)
    return _text_head(number, key, len(text)) + text


def _valid(text: bytes) -> bytes:
    return text if text.isascii() else text.decode("utf-8", "replace").encode()
