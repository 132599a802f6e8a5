"""OTLP JSON, compared with protobuf's own JSON, and back."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber

from exporter.otlp.encode import encode_record, export_request, resource_bytes, stream_fields
from exporter.otlp.json_lines import from_json_line, to_json_line
from exporter.otlp.wire import WireError
from tests.otlp.samples import UID, record, records, resources

if TYPE_CHECKING:
    from exporter.logs.records import Record


def request_of(*given_records: LogRecord) -> ExportLogsServiceRequest:
    """Put records into a request."""
    return ExportLogsServiceRequest(resource_logs=[ResourceLogs(scope_logs=[ScopeLogs(log_records=given_records)])])


@given(resources, st.lists(records, max_size=3))
def test_there_and_back(names: dict[str, str], given_records: list[Record]) -> None:
    """A request that was written as a line and read again means the same, and the line is one line."""
    request = export_request([(resource_bytes(names), [encode_record(one, UID) for one in given_records])])
    line = to_json_line(request)
    assert line.index(b"\n") == len(line) - 1
    assert ExportLogsServiceRequest.FromString(request) == ExportLogsServiceRequest.FromString(from_json_line(line))


@given(resources, records)
def test_the_line_is_protobufs_json(names: dict[str, str], given_record: Record) -> None:
    """Protobuf's own reader finds the same in the line (which has no ids: those differ)."""
    request = export_request([(resource_bytes(names), [encode_record(given_record, UID)])])
    read = json_format.Parse(to_json_line(request), ExportLogsServiceRequest())
    assert ExportLogsServiceRequest.FromString(request) == read


def test_the_form_of_a_line() -> None:
    """Ids are hexadecimal, times are text and enumerations numbers."""
    fields = stream_fields(trace_id=bytes(range(16)), span_id=bytes(range(8)))
    request = export_request([(resource_bytes({"service.name": "o"}), [encode_record(record(), UID, fields)])])
    (resource_logs,) = json.loads(to_json_line(request))["resourceLogs"]
    (found,) = resource_logs["scopeLogs"][0]["logRecords"]
    assert {"attributes": [{"key": "service.name", "value": {"stringValue": "o"}}]} == resource_logs["resource"]
    assert ("000102030405060708090a0b0c0d0e0f", "0001020304050607") == (found["traceId"], found["spanId"])
    assert ("1795246231000000000", 9, "INFO") == (
        found["timeUnixNano"],
        found["severityNumber"],
        found["severityText"],
    )
    assert {"stringValue": "Created view orders"} == found["body"]


@pytest.mark.parametrize(
    "value",
    [
        AnyValue(),
        AnyValue(string_value=""),
        AnyValue(bool_value=False),
        AnyValue(int_value=-(2**63)),
        AnyValue(double_value=float("inf")),
        AnyValue(double_value=float("-inf")),
        AnyValue(double_value=-0.0),
        AnyValue(bytes_value=b"\x00\xff"),
        AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue()])),
        AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="k", value=AnyValue(string_value="v"))])),
    ],
)
def test_values_of_every_kind(value: AnyValue) -> None:
    """Values that other programs send come through, too."""
    request = request_of(LogRecord(body=value, dropped_attributes_count=2**32 - 1, flags=1))
    read = ExportLogsServiceRequest.FromString(from_json_line(to_json_line(request.SerializeToString())))
    assert request == read


def test_not_a_number() -> None:
    """NaN, which equals nothing, is still NaN."""
    request = request_of(LogRecord(body=AnyValue(double_value=float("nan"))))
    line = to_json_line(request.SerializeToString())
    assert b'"NaN"' in line
    read = ExportLogsServiceRequest.FromString(from_json_line(line))
    assert "nan" == str(read.resource_logs[0].scope_logs[0].log_records[0].body.double_value)


def test_other_writers() -> None:
    """Numbers may be text or not, ids in capitals, null is absent, and unknown fields are left out."""
    line = (
        b'{"resourceLogs":[{"resource":null,"new":1,"scopeLogs":[{"logRecords":[{"timeUnixNano":5,'
        b'"observedTimeUnixNano":"6","severityNumber":"9","traceId":"5B8EFFF798038103D269B633813FC60C",'
        b'"body":{"intValue":7}}]}]}]}'
    )
    found = LogRecord(
        time_unix_nano=5,
        observed_time_unix_nano=6,
        severity_number=SeverityNumber.SEVERITY_NUMBER_INFO,
        trace_id=bytes.fromhex("5B8EFFF798038103D269B633813FC60C"),
        body=AnyValue(int_value=7),
    )
    assert request_of(found) == ExportLogsServiceRequest.FromString(from_json_line(line))


def _record_with(field: str) -> bytes:
    return b'{"resourceLogs":[{"scopeLogs":[{"logRecords":[{' + field.encode() + b"}]}]}]}"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"{", "no JSON: Input data was truncated"),
        (b"\xff", "no JSON: "),
        (b"[" * 100_000, "no JSON: "),
        (b"[]", "the line is [], not an object"),
        (b'{"resourceLogs":{}}', "resourceLogs is {}, not a list"),
        (b'{"resourceLogs":[1]}', "resourceLogs is 1, not an object"),
        (_record_with('"timeUnixNano":-1'), "timeUnixNano is -1, which is not a number of nanoseconds"),
        (_record_with('"timeUnixNano":"now"'), "timeUnixNano is 'now', which is not a number of nanoseconds"),
        (_record_with('"severityNumber":1.5'), "severityNumber is 1.5, which is not an integer of 32 bits"),
        (_record_with('"severityText":1'), "severityText is 1, which is not text"),
        (_record_with('"traceId":"x"'), "traceId is 'x', which is not a hexadecimal id"),
        (_record_with('"body":{"boolValue":1}'), "boolValue is 1, which is not true or false"),
        (_record_with('"body":{"intValue":true}'), "intValue is True, which is not an integer of 64 bits"),
        (
            _record_with('"body":{"intValue":9223372036854775808}'),
            "intValue is 9223372036854775808, which is not an integer of 64 bits",
        ),
        (_record_with('"body":{"bytesValue":"*"}'), "bytesValue is '*', which is not base64"),
        (_record_with('"body":{"doubleValue":[]}'), "doubleValue is [], which is not a number"),
    ],
)
def test_lines_that_are_none(line: bytes, message: str) -> None:
    """What cannot be read is named, with its value."""
    with pytest.raises(ValueError, match="^" + re.escape(message)):
        from_json_line(line)


def test_depth_is_bounded() -> None:
    """Values within values cannot exhaust the stack, in neither direction."""
    value = AnyValue(int_value=1)
    for _ in range(45):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    with pytest.raises(WireError, match="deep"):
        to_json_line(request_of(LogRecord(body=value)).SerializeToString())
    nested = '"body":' + '{"arrayValue":{"values":[' * 45 + "]}}" * 45
    with pytest.raises(ValueError, match="deep"):
        from_json_line(_record_with(nested))


@given(st.binary(max_size=60))
def test_bytes_that_are_no_request(message: bytes) -> None:
    """Any bytes are read or refused with an error of their own."""
    try:
        line = to_json_line(message)
    except WireError:
        return
    assert json.loads(line) is not None
