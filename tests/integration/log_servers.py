"""Where logs go: a real OpenTelemetry Collector that writes to a file."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import yaml

from tests.integration.programs import Program, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


class FoundRecord(NamedTuple):
    """A record as the Collector passed it on."""

    service: str
    uid: str
    severity_number: int
    severity_text: str
    time_ns: int
    body: str
    event_name: str
    attributes: dict[str, str]


class Collector(Program):
    """Receives OTLP over HTTP and gRPC; answers only after the file has the records."""

    def __init__(self, binary: Path, folder: Path) -> None:
        folder.mkdir()
        ports = free_port(), free_port(), free_port()
        self.http_url = f"http://127.0.0.1:{ports[1]}"
        self.grpc_url = f"http://127.0.0.1:{ports[2]}"
        self.file = folder / "logs.jsonl"
        config = folder / "collector.yaml"
        config.write_text(yaml.safe_dump(_collector_settings(ports, self.file)))
        command = (str(binary), "--config", str(config))
        super().__init__(command, port=ports[0], ready_path="/", log=folder / "log.txt")

    async def records(self) -> list[FoundRecord]:
        """Read what the Collector has written so far, in its order."""
        return await asyncio.to_thread(self._records)

    def _records(self) -> list[FoundRecord]:
        text = self.file.read_bytes() if self.file.exists() else b""
        whole = text[: text.rfind(b"\n") + 1]
        return [
            _found(resource, record)
            for line in whole.splitlines()
            for resource in msgspec.json.decode(line)["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]


def _found(resource: Mapping[str, Any], record: Mapping[str, Any]) -> FoundRecord:
    attributes = _texts(record["attributes"])
    return FoundRecord(
        _texts(resource["resource"]["attributes"])["service.name"],
        attributes["log.record.uid"],
        record.get("severityNumber", 0),
        record.get("severityText", ""),
        int(record.get("timeUnixNano", 0)),
        record["body"]["stringValue"],
        record.get("eventName", ""),
        attributes,
    )


def _texts(attributes: list[dict[str, Any]]) -> dict[str, str]:
    return {each["key"]: str(next(iter(each["value"].values()))) for each in attributes}


def _collector_settings(ports: tuple[int, int, int], file: Path) -> dict[str, Any]:
    health, http, grpc = (f"127.0.0.1:{port}" for port in ports)
    # Without queues: a record is accepted when it has arrived, and a refusal is handed back.
    exporters: dict[str, Any] = {"file": {"path": str(file), "append": True, "flush_interval": "100ms"}}
    return {
        "extensions": {"health_check": {"endpoint": health}},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "exporters": exporters,
        "service": {
            "extensions": ["health_check"],
            # Its own metrics would take a port that may be taken.
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {"logs": {"receivers": ["otlp"], "exporters": sorted(exporters)}},
        },
    }
