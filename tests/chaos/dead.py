"""The dead letters of an exporter, as the oracle looks at them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.otlp.dead_letters import FILE_NAME
from exporter.otlp.json_lines import from_json_line

if TYPE_CHECKING:
    from pathlib import Path


class Dead(NamedTuple):
    """One record."""

    pipeline_id: str
    uid: str
    body: str


def read_dead_letters(folder: Path) -> list[Dead]:
    """Read all whole lines of the file; a kill may have left half of one."""
    path = folder / FILE_NAME
    lines = path.read_bytes().split(b"\n") if path.exists() else []
    return [_read(line) for line in lines if line.endswith(b"}")]


def _read(line: bytes) -> Dead:
    request = ExportLogsServiceRequest.FromString(from_json_line(line))
    (resource,) = request.resource_logs
    (record,) = resource.scope_logs[0].log_records
    pipeline = {one.key: one.value.string_value for one in resource.resource.attributes}["service.instance.id"]
    uid = {one.key: one.value.string_value for one in record.attributes}["log.record.uid"]
    return Dead(pipeline, uid, record.body.string_value)
