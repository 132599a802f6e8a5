"""What is encoded means the same as what opentelemetry-proto would have made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs, SeverityNumber
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from exporter import __version__
from exporter.otlp.encode import (
    SEVERITY_NUMBERS,
    StatusChange,
    encode_event,
    encode_record,
    export_request,
    resource_attributes,
    resource_bytes,
    stream_fields,
)
from tests.otlp.samples import NOW, UID, record, records, resources, uids

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.logs.records import Record


def decoded(encoded: bytes) -> LogRecord:
    """Decode one record as it stands in a request."""
    scope = ScopeLogs.FromString(encoded)
    assert 1 == len(scope.log_records)
    return scope.log_records[0]


def plain(attributes: Sequence[KeyValue]) -> dict[str, Any]:
    """Return attributes as a mapping. Their order has no meaning."""
    names = [one.key for one in attributes]
    assert len(names) == len(set(names))
    return {one.key: getattr(one.value, str(one.value.WhichOneof("value"))) for one in attributes}


def text(value: str | bytes) -> str:
    """Return text that can be sent: what is no UTF-8 is replaced."""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else value.encode("utf-8", "replace").decode()


def reference_value(value: str | float) -> AnyValue:
    """Make a value with opentelemetry-proto."""
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    if isinstance(value, int) and -(2**63) <= value < 2**63:
        return AnyValue(int_value=value)
    return AnyValue(string_value=text(str(value)))


def reference(given_record: Record, uid: bytes) -> LogRecord:
    """Make the record with opentelemetry-proto, field by field as the design says."""
    time_ns, observed_ns, severity, severity_text, body, target, spans, part, attributes, _ = given_record
    found: list[tuple[str, str | int | float | bool]] = []
    if target:
        found.append(("pipeline.log.target", text(target)))
    found.append(("log.record.uid", uid.decode()))
    if spans:
        found.append(("pipeline.log.spans", text(spans)))
    if part:
        found.append(("pipeline.log.part", part))
    number = "UNSPECIFIED" if severity == "none" else severity.upper()
    return LogRecord(
        time_unix_nano=time_ns,
        observed_time_unix_nano=observed_ns,
        severity_number=SeverityNumber.Value(f"SEVERITY_NUMBER_{number}"),
        severity_text=text(severity_text),
        body=AnyValue(string_value=body.decode()),
        attributes=[KeyValue(key=text(key), value=reference_value(value)) for key, value in [*found, *attributes]],
    )


@given(records, uids)
def test_a_record_means_the_same(given_record: Record, uid: bytes) -> None:
    """Every field of a record arrives, whatever it holds."""
    assert reference(given_record, uid) == decoded(encode_record(given_record, uid))


@pytest.mark.parametrize("size", [0, 1, 116, 117, 127, 128, 4095, 4096, 16_383, 16_384, 2**21])
def test_lengths_of_any_size(size: int) -> None:
    """Bodies on either side of where a length takes one byte more are whole."""
    given_record = record(body=b"x" * size, target=b"t" * size)
    assert reference(given_record, UID) == decoded(encode_record(given_record, UID))


@pytest.mark.parametrize("size", [0, 1, 127, 128, 255])
def test_uids_of_any_size(size: int) -> None:
    """A uid may be up to 255 bytes long."""
    given_record = record()
    assert reference(given_record, b"u" * size) == decoded(encode_record(given_record, b"u" * size))


@pytest.mark.parametrize("number", [2**63, -(2**63) - 1, 10**30])
def test_numbers_beyond_64_bits_are_text(number: int) -> None:
    """A whole number that OTLP cannot hold keeps its digits as text."""
    found = decoded(encode_record(record(attributes=(("pipeline.log.field.n", number),)), UID))
    assert str(number) == plain(found.attributes)["pipeline.log.field.n"]


def test_severities_are_those_of_the_data_model() -> None:
    """Each severity has the first number of its range in the protocol's own enumeration."""
    names = {"none": "UNSPECIFIED"}
    expected = {
        severity: SeverityNumber.Value(f"SEVERITY_NUMBER_{names.get(severity, severity.upper())}")
        for severity in SEVERITY_NUMBERS
    }
    assert expected == dict(SEVERITY_NUMBERS)


def test_what_a_stream_adds() -> None:
    """Ids of a job's trace and the stream's name are in every record of the stream."""
    fields = stream_fields(iostream="stderr", trace_id=b"t" * 16, span_id=b"s" * 8)
    found = decoded(encode_record(record(), UID, fields))
    assert ("stderr", b"t" * 16, b"s" * 8) == (plain(found.attributes)["log.iostream"], found.trace_id, found.span_id)
    assert b"" == stream_fields()


def test_kept_texts_are_bounded() -> None:
    """Targets that never repeat are encoded all the same, and only some of them are kept."""
    from exporter.otlp import encode

    for number in range(encode._KEPT_TEXTS + 10):
        target = b"target-%d" % number
        found = decoded(encode_record(record(target=target), UID))
        assert target.decode() == plain(found.attributes)["pipeline.log.target"]
    assert encode._KEPT_TEXTS >= len(encode._targets)


@pytest.mark.parametrize(
    ("change", "severity", "body", "attributes"),
    [
        (
            StatusChange(NOW, NOW + 5, "runtime", "Initializing", "Running"),
            (9, "INFO"),
            "runtime: Initializing → Running",
            {
                "pipeline.status.facet": "runtime",
                "pipeline.status.from": "Initializing",
                "pipeline.status.to": "Running",
            },
        ),
        (
            StatusChange(NOW, NOW + 5, "resources", None, "Stopped", error=True, error_type="RuntimeError"),
            (17, "ERROR"),
            "resources: Stopped",
            {"pipeline.status.facet": "resources", "pipeline.status.to": "Stopped", "error.type": "RuntimeError"},
        ),
    ],
)
def test_status_changes(
    change: StatusChange, severity: tuple[int, str], body: str, attributes: Mapping[str, str]
) -> None:
    """A status change is an OTLP event with its name, times, severity, sentence and attributes."""
    found = decoded(encode_event(change, UID))
    assert "pipeline.status.changed" == found.event_name
    assert (NOW, NOW + 5) == (found.time_unix_nano, found.observed_time_unix_nano)
    assert severity == (found.severity_number, found.severity_text)
    assert body == found.body.string_value
    assert {**attributes, "log.record.uid": UID.decode()} == plain(found.attributes)


def test_resource_of_a_pipeline() -> None:
    """The resource says which pipeline of which source it is; what does not apply is absent."""
    found = resource_attributes(
        name="orders", source="prod", pipeline_id="id-1", provider="feldera", further={"a": "b"}
    )
    expected = {
        "service.name": "orders",
        "service.namespace": "prod",
        "service.instance.id": "id-1",
        "pipeline.provider": "feldera",
        "a": "b",
    }
    assert expected == found
    assert expected == plain(Resource.FromString(resource_bytes(found)).attributes)


def test_resource_of_a_job_and_of_a_pod() -> None:
    """A job's resource has its run, a pod's the pod; the user's own attributes win."""
    found = resource_attributes(
        name="me/actor",
        source="apify",
        pipeline_id="id-1",
        provider="apify",
        further={"service.namespace": "mine"},
        run_id="run-1",
        pod="pod-1",
    )
    expected = {
        "service.name": "me/actor",
        "service.namespace": "mine",
        "service.instance.id": "id-1",
        "pipeline.provider": "apify",
        "cicd.pipeline.name": "me/actor",
        "cicd.pipeline.run.id": "run-1",
        "k8s.pod.name": "pod-1",
    }
    assert expected == found


@given(st.lists(st.tuples(resources, st.lists(records, min_size=1, max_size=3)), max_size=4))
def test_requests_mean_the_same(groups: list[tuple[dict[str, str], list[Record]]]) -> None:
    """A request has its records in order, below their resource and our scope; neighbours of one resource share it."""
    encoded = [(resource_bytes(names), [encode_record(one, UID) for one in given]) for names, given in groups]
    expected: list[ResourceLogs] = []
    for names, given_records in groups:
        resource = Resource(
            attributes=[KeyValue(key=text(key), value=reference_value(value)) for key, value in names.items()]
        )
        if not expected or expected[-1].resource != resource:
            scope = InstrumentationScope(name="pipeline-exporter", version=__version__)
            expected.append(ResourceLogs(resource=resource, scope_logs=[ScopeLogs(scope=scope)]))
        expected[-1].scope_logs[0].log_records.extend(reference(one, UID) for one in given_records)
    assert ExportLogsServiceRequest(resource_logs=expected) == ExportLogsServiceRequest.FromString(
        export_request(encoded)
    )


def test_nothing_makes_no_envelope() -> None:
    """No records make an empty request, not one with an empty resource, as the specification asks."""
    assert b"" == export_request([(resource_bytes({"a": "b"}), [])])
