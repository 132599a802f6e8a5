"""Where logs and spans go: a real OpenTelemetry Collector that writes to files and to a real Loki, which answers LogQL."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, NamedTuple

import aiohttp
import msgspec
import yaml

from tests.integration.programs import Program, free_port

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_LIMIT_LINES = 5_000


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
    trace_id: str
    span_id: str


class FoundSpan(NamedTuple):
    """A span as the Collector passed it on; ids are hexadecimal."""

    service: str
    name: str
    trace_id: str
    span_id: str
    kind: int
    times_ns: tuple[int, int]
    status: int
    attributes: dict[str, str]
    links: list[tuple[str, str]]


class Loki(Program):
    """One process that keeps its data in a folder. `query` speaks LogQL."""

    def __init__(self, binary: Path, folder: Path) -> None:
        folder.mkdir()
        port = free_port()
        config = folder / "loki.yaml"
        config.write_text(yaml.safe_dump(_loki_settings(folder, port)))
        command = (str(binary), f"-config.file={config}", "-log.level=warn")
        super().__init__(command, port=port, ready_path="/ready", log=folder / "log.txt")

    async def query(self, query: str) -> list[tuple[dict[str, str], int, str]]:
        """Give the lines that a query finds in the last hour, oldest first: labels, time in nanoseconds, text."""
        parameters = {"query": query, "since": "1h", "limit": str(_LIMIT_LINES), "direction": "forward"}
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.url}/loki/api/v1/query_range", params=parameters) as answer,
        ):
            text = await answer.text()
        assert answer.status == 200, f"{query}: {text}"
        streams = msgspec.json.decode(text)["data"]["result"]
        found = [(stream["stream"], int(at), line) for stream in streams for at, line in stream["values"]]
        return sorted(found, key=lambda each: each[1])

    async def texts(self, query: str) -> list[str]:
        """Give only the text of the lines that a query finds."""
        return [text for _, _, text in await self.query(query)]


class Collector(Program):
    """Receives OTLP over HTTP and gRPC; answers only after the file, and Loki where there is one, have the records."""

    def __init__(self, binary: Path, folder: Path, loki: Loki | None = None) -> None:
        folder.mkdir()
        ports = free_port(), free_port(), free_port()
        self.http_url = f"http://127.0.0.1:{ports[1]}"
        self.grpc_url = f"http://127.0.0.1:{ports[2]}"
        self.file = folder / "logs.jsonl"
        self.traces_file = folder / "traces.jsonl"
        config = folder / "collector.yaml"
        config.write_text(yaml.safe_dump(_collector_settings(ports, self.file, self.traces_file, loki)))
        command = (str(binary), "--config", str(config))
        super().__init__(command, port=ports[0], ready_path="/", log=folder / "log.txt")

    async def records(self) -> list[FoundRecord]:
        """Read what the Collector has written so far, in its order."""
        return await asyncio.to_thread(self._records)

    async def spans(self) -> list[FoundSpan]:
        """Read what the Collector has written so far of spans, in its order."""
        return await asyncio.to_thread(self._spans)

    def _records(self) -> list[FoundRecord]:
        return [
            _found(resource, record)
            for request in _requests(self.file)
            for resource in request["resourceLogs"]
            for scope in resource["scopeLogs"]
            for record in scope["logRecords"]
        ]

    def _spans(self) -> list[FoundSpan]:
        return [
            _found_span(resource, span)
            for request in _requests(self.traces_file)
            for resource in request["resourceSpans"]
            for scope in resource["scopeSpans"]
            for span in scope["spans"]
        ]


def _requests(file: Path) -> list[dict[str, Any]]:
    """Read the whole lines of a file that may be written to."""
    text = file.read_bytes() if file.exists() else b""
    whole = text[: text.rfind(b"\n") + 1]
    return [msgspec.json.decode(line) for line in whole.splitlines()]


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
        record.get("traceId", ""),
        record.get("spanId", ""),
    )


def _found_span(resource: Mapping[str, Any], span: Mapping[str, Any]) -> FoundSpan:
    return FoundSpan(
        _texts(resource["resource"]["attributes"])["service.name"],
        span["name"],
        span["traceId"],
        span["spanId"],
        span["kind"],
        (int(span["startTimeUnixNano"]), int(span["endTimeUnixNano"])),
        span.get("status", {}).get("code", 0),
        _texts(span["attributes"]),
        [(link["traceId"], link["spanId"]) for link in span.get("links", [])],
    )


def _texts(attributes: list[dict[str, Any]]) -> dict[str, str]:
    return {each["key"]: str(next(iter(each["value"].values()))) for each in attributes}


def _collector_settings(
    ports: tuple[int, int, int], file: Path, traces_file: Path, loki: Loki | None
) -> dict[str, Any]:
    health, http, grpc = (f"127.0.0.1:{port}" for port in ports)
    # Without queues: a record is accepted when it has arrived, and a refusal is handed back.
    files = {"append": True, "flush_interval": "100ms"}
    exporters: dict[str, Any] = {"file": {"path": str(file), **files}}
    if loki is not None:
        exporters["otlphttp"] = {
            "endpoint": f"{loki.url}/otlp",
            "sending_queue": {"enabled": False},
            "retry_on_failure": {"enabled": False},
        }
    logs = {"receivers": ["otlp"], "exporters": sorted(exporters)}
    exporters["file/traces"] = {"path": str(traces_file), **files}
    return {
        "extensions": {"health_check": {"endpoint": health}},
        "receivers": {"otlp": {"protocols": {"http": {"endpoint": http}, "grpc": {"endpoint": grpc}}}},
        "exporters": exporters,
        "service": {
            "extensions": ["health_check"],
            # Its own metrics would take a port that may be taken.
            "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            "pipelines": {"logs": logs, "traces": {"receivers": ["otlp"], "exporters": ["file/traces"]}},
        },
    }


def _loki_settings(folder: Path, port: int) -> dict[str, Any]:
    index = {"prefix": "index_", "period": "24h"}
    schema = {"from": "2024-01-01", "store": "tsdb", "object_store": "filesystem", "schema": "v13", "index": index}
    return {
        "target": "all",
        "auth_enabled": False,
        "server": {
            "http_listen_address": "127.0.0.1",
            "http_listen_port": port,
            "grpc_listen_address": "127.0.0.1",
            "grpc_listen_port": free_port(),
        },
        "common": {
            "instance_addr": "127.0.0.1",
            "path_prefix": str(folder / "data"),
            "replication_factor": 1,
            "ring": {"kvstore": {"store": "inmemory"}, "instance_addr": "127.0.0.1"},
            "storage": {
                "filesystem": {"chunks_directory": str(folder / "chunks"), "rules_directory": str(folder / "rules")}
            },
        },
        "schema_config": {"configs": [schema]},
        "ingester": {"lifecycler": {"min_ready_duration": "0s"}},
        # Both wait 10 s for their first look at the ring by default.
        "frontend": {"scheduler_dns_lookup_period": "250ms"},
        "frontend_worker": {"dns_lookup_duration": "250ms"},
        "limits_config": {
            "allow_structured_metadata": True,
            "ingestion_rate_mb": 64,
            "ingestion_burst_size_mb": 128,
            "per_stream_rate_limit": "64MB",
            "per_stream_rate_limit_burst": "128MB",
        },
        "analytics": {"reporting_enabled": False},
    }
