"""Where spans go: the configuration and the standard environment variables, for both signals at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.config import Otlp
from exporter.otlp.settings import Settings, SettingsError, read_destinations

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL = "http://127.0.0.1:4318"


def destinations(block: Mapping[str, Any] | None, variables: Mapping[str, str]) -> tuple[Settings | None, ...]:
    """Return settings of logs and of traces; names of variables are given without what all have in common."""
    found = read_destinations(
        None if block is None else Otlp.model_validate(block),
        {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()},
    )
    return found.logs, found.traces


def traces_of(block: Mapping[str, Any] | None, **variables: str) -> Settings:
    """Return the settings of traces, which are there."""
    _, traces = destinations(block, variables)
    assert traces is not None
    return traces


@pytest.mark.parametrize(
    ("block", "variables", "logs", "traces"),
    [
        # Without a block only an endpoint variable counts, and one of a signal counts for it alone.
        (None, {}, None, None),
        (None, {"TRACES_PROTOCOL": "grpc", "PROTOCOL": "grpc"}, None, None),
        (None, {"ENDPOINT": "http://h:1"}, "http://h:1/v1/logs", "http://h:1/v1/traces"),
        (None, {"ENDPOINT": "http://h:1/base/"}, "http://h:1/base/v1/logs", "http://h:1/base/v1/traces"),
        (None, {"LOGS_ENDPOINT": "http://l:1/x"}, "http://l:1/x", None),
        (None, {"TRACES_ENDPOINT": "http://t:1/x"}, None, "http://t:1/x"),
        (None, {"TRACES_ENDPOINT": "http://t:1"}, None, "http://t:1/"),
        (None, {"LOGS_ENDPOINT": "http://l:1/x", "TRACES_ENDPOINT": " "}, "http://l:1/x", None),
        (None, {"LOGS_ENDPOINT": "http://l:1/x", "TRACES_ENDPOINT": "http://t:1/y"}, "http://l:1/x", "http://t:1/y"),
        (None, {"ENDPOINT": "http://h:1", "TRACES_ENDPOINT": "http://t:1/y"}, "http://h:1/v1/logs", "http://t:1/y"),
        (None, {"ENDPOINT": "http://h:1", "LOGS_ENDPOINT": "http://l:1/x"}, "http://l:1/x", "http://h:1/v1/traces"),
        # With a block both go somewhere; what is in it wins.
        ({}, {}, f"{LOCAL}/v1/logs", f"{LOCAL}/v1/traces"),
        ({}, {"LOGS_ENDPOINT": "http://l:1/x"}, "http://l:1/x", f"{LOCAL}/v1/traces"),
        ({}, {"TRACES_ENDPOINT": "http://t:1/x"}, f"{LOCAL}/v1/logs", "http://t:1/x"),
        ({"timeout": "1s"}, {"ENDPOINT": "http://h:1"}, "http://h:1/v1/logs", "http://h:1/v1/traces"),
        ({"endpoint": "http://f:1/a"}, {}, "http://f:1/a/v1/logs", "http://f:1/a/v1/traces"),
        ({"endpoint": "http://f:1"}, {"TRACES_ENDPOINT": "http://t:1/x"}, "http://f:1/v1/logs", "http://f:1/v1/traces"),
        # Spans that are not wanted go nowhere, whatever a variable says.
        ({"traces": False}, {}, f"{LOCAL}/v1/logs", None),
        ({"traces": False}, {"TRACES_ENDPOINT": "http://t:1/x"}, f"{LOCAL}/v1/logs", None),
        ({"traces": False, "protocol": "file", "endpoint": "/x"}, {}, "/x", None),
        ({"traces": True}, {"ENDPOINT": "http://h:1"}, "http://h:1/v1/logs", "http://h:1/v1/traces"),
        # Files.
        ({"protocol": "file", "endpoint": "/x.jsonl"}, {}, "/x.jsonl", "/x.jsonl.traces"),
        (
            {"protocol": "file", "endpoint": "/x"},
            {"TRACES_ENDPOINT": "http://t:1", "TRACES_PROTOCOL": "grpc"},
            "/x",
            "/x.traces",
        ),
        # gRPC has no paths.
        ({"protocol": "grpc", "endpoint": "http://f:1"}, {}, "http://f:1", "http://f:1"),
        ({"protocol": "grpc"}, {"TRACES_ENDPOINT": "https://t"}, "http://127.0.0.1:4317", "https://t:443"),
        (
            {"protocol": "grpc"},
            {"ENDPOINT": "h:1", "INSECURE": "false", "TRACES_INSECURE": "true"},
            "https://h:1",
            "http://h:1",
        ),
    ],
)
def test_endpoints(
    block: Mapping[str, Any] | None, variables: Mapping[str, str], logs: str | None, traces: str | None
) -> None:
    """Each signal goes where the file, its own variable, the general one, or the default says, in this order."""
    found = [None if one is None else one.endpoint for one in destinations(block, variables)]
    assert [logs, traces] == found


@pytest.mark.parametrize(
    ("block", "variables", "logs", "traces"),
    [
        ({}, {"TRACES_PROTOCOL": "grpc"}, "http/protobuf", "grpc"),
        ({}, {"LOGS_PROTOCOL": "grpc"}, "grpc", "http/protobuf"),
        ({}, {"PROTOCOL": "grpc", "TRACES_PROTOCOL": "http/protobuf"}, "grpc", "http/protobuf"),
        ({"protocol": "http/protobuf"}, {"TRACES_PROTOCOL": "grpc"}, "http/protobuf", "http/protobuf"),
        (None, {"ENDPOINT": "http://h:1", "TRACES_PROTOCOL": "grpc"}, "http/protobuf", "grpc"),
    ],
)
def test_protocols(block: Mapping[str, Any] | None, variables: Mapping[str, str], logs: str, traces: str) -> None:
    """The signals may be sent by different protocols."""
    assert [logs, traces] == [one.protocol for one in destinations(block, variables) if one is not None]


def test_other_variables() -> None:
    """Headers, compression and timeout of traces come from their own variables; those of logs are not theirs."""
    variables = {"HEADERS": "a=1", "TRACES_HEADERS": "a=2", "LOGS_COMPRESSION": "none", "TRACES_TIMEOUT": "1500"}
    logs, traces = destinations({}, variables)
    assert logs is not None
    assert traces is not None
    assert ({"a": "1"}, "none", 10.0) == (logs.headers(), logs.compression, logs.timeout_seconds)
    assert ({"a": "2"}, "gzip", 1.5) == (traces.headers(), traces.compression, traces.timeout_seconds)


def test_headers_of_the_file_win() -> None:
    """A key of the file holds for both signals."""
    assert {"a": "file"} == traces_of({"headers": {"a": "file"}}, TRACES_HEADERS="a=1").headers()


def test_a_variable_that_cannot_be_used() -> None:
    """What is wrong with a variable of traces is said with its name; it is not looked at when no spans are wanted."""
    wrong = {"TRACES_ENDPOINT": "ftp://t"}
    with pytest.raises(SettingsError, match=r"^OTEL_EXPORTER_OTLP_TRACES_ENDPOINT cannot be used: the URL must begin"):
        destinations({}, wrong)
    logs, traces = destinations({"traces": False}, wrong)
    assert (True, None) == (logs is not None, traces)
