"""The configuration and the standard environment variables, put together."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import trustme

from exporter.config import Batch, Otlp
from exporter.otlp.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from collections.abc import Mapping

ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"
LOGS_ENDPOINT = "OTEL_EXPORTER_OTLP_LOGS_ENDPOINT"
SOME = {ENDPOINT: "http://collector:4318"}


def settings(block: Mapping[str, Any] | None, **variables: str) -> Settings:
    """Return settings; names of variables are given without what all have in common."""
    found = read_settings(
        None if block is None else Otlp.model_validate(block),
        {f"OTEL_EXPORTER_OTLP_{name}": value for name, value in variables.items()},
    )
    assert found is not None
    return found


@pytest.mark.parametrize(
    "environ",
    [
        {},
        {"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_HEADERS": "a=b"},
        {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://h:1/v1/traces"},
        {ENDPOINT: ""},
        {LOGS_ENDPOINT: "  "},
    ],
)
def test_no_destination(environ: Mapping[str, str]) -> None:
    """Only an endpoint variable that is not empty stands for a missing block, and none of another signal."""
    assert None is read_settings(None, environ)


@pytest.mark.parametrize(
    ("block", "variables", "protocol", "endpoint"),
    [
        ({}, {}, "http/protobuf", "http://127.0.0.1:4318/v1/logs"),
        ({"protocol": "grpc"}, {}, "grpc", "http://127.0.0.1:4317"),
        ({"endpoint": "http://h:1"}, {}, "http/protobuf", "http://h:1/v1/logs"),
        ({"endpoint": "http://h:1/"}, {}, "http/protobuf", "http://h:1/v1/logs"),
        ({"endpoint": "http://h:1/otlp"}, {}, "http/protobuf", "http://h:1/otlp/v1/logs"),
        ({"endpoint": "https://h", "protocol": "grpc"}, {}, "grpc", "https://h:443"),
        ({"endpoint": "http://[::1]:4317/x", "protocol": "grpc"}, {}, "grpc", "http://[::1]:4317"),
        ({"endpoint": "/var/log/x", "protocol": "file"}, {"PROTOCOL": "grpc", "ENDPOINT": "http://h"}, "file", "/var/log/x"),
        (None, {"ENDPOINT": "http://h:1"}, "http/protobuf", "http://h:1/v1/logs"),
        (None, {"ENDPOINT": "http://h:1/base/"}, "http/protobuf", "http://h:1/base/v1/logs"),
        (None, {"LOGS_ENDPOINT": "http://h:1/mine"}, "http/protobuf", "http://h:1/mine"),
        (None, {"LOGS_ENDPOINT": "http://h:1"}, "http/protobuf", "http://h:1/"),
        (None, {"LOGS_ENDPOINT": "http://l/x", "ENDPOINT": "http://g"}, "http/protobuf", "http://l/x"),
        ({}, {"ENDPOINT": "http://h:1"}, "http/protobuf", "http://h:1/v1/logs"),
        ({"timeout": "1s"}, {"ENDPOINT": "http://h:1", "PROTOCOL": "grpc"}, "grpc", "http://h:1"),
        ({"endpoint": "http://f:1"}, {"ENDPOINT": "http://h:1"}, "http/protobuf", "http://f:1/v1/logs"),
        ({"endpoint": "http://f:1"}, {"LOGS_ENDPOINT": "http://h:1"}, "http/protobuf", "http://f:1/v1/logs"),
        ({"endpoint": "http://127.0.0.1:4318"}, {"ENDPOINT": "http://h:1"}, "http/protobuf", "http://127.0.0.1:4318/v1/logs"),
        ({"protocol": "http/protobuf"}, {"PROTOCOL": "grpc"}, "http/protobuf", "http://127.0.0.1:4318/v1/logs"),
        ({}, {"PROTOCOL": "grpc"}, "grpc", "http://127.0.0.1:4317"),
        ({}, {"PROTOCOL": "grpc", "LOGS_PROTOCOL": "http/protobuf"}, "http/protobuf", "http://127.0.0.1:4318/v1/logs"),
        (None, {"ENDPOINT": "h:1", "PROTOCOL": "grpc"}, "grpc", "https://h:1"),
        (None, {"ENDPOINT": "h:1", "PROTOCOL": "grpc", "INSECURE": "TRUE"}, "grpc", "http://h:1"),
        (None, {"ENDPOINT": "h:1", "PROTOCOL": "grpc", "INSECURE": "true", "LOGS_INSECURE": "false"}, "grpc", "https://h:1"),
        (None, {"ENDPOINT": "https://h:1", "PROTOCOL": "grpc", "INSECURE": "true"}, "grpc", "https://h:1"),
    ],
)  # fmt: skip
def test_endpoints(block: Mapping[str, Any] | None, variables: Mapping[str, str], protocol: str, endpoint: str) -> None:
    """The file wins, then the variable for logs, then the general one; only what is a base gets the path of logs."""
    found = settings(block, **variables)
    assert (protocol, endpoint) == (found.protocol, found.endpoint)


@pytest.mark.parametrize(
    ("block", "variables", "expected"),
    [
        ({}, {}, {}),
        ({}, {"HEADERS": "a=1,b=two%20words%2C,c=x=y, d = 4 ,"}, {"a": "1", "b": "two words,", "c": "x=y", "d": "4"}),
        ({}, {"HEADERS": "a=1,b=2", "LOGS_HEADERS": "a=3"}, {"a": "3"}),
        ({"headers": {"a": "file"}}, {"HEADERS": "a=1,b=2"}, {"a": "file"}),
        ({"headers": {}}, {"HEADERS": "a=1"}, {}),
    ],
)
def test_headers(block: Mapping[str, Any], variables: Mapping[str, str], expected: Mapping[str, str]) -> None:
    """Headers of the variable are decoded; those of the file stand in their place, not beside them."""
    assert expected == settings(block, **variables).headers()


def test_headers_of_the_environment_and_a_file(tmp_path: Path) -> None:
    """A headers file is a key of its own: it adds to the variable's headers, and is read again."""
    file = tmp_path / "headers"
    file.write_text("Authorization: one\n")
    found = settings({"headers_file": str(file)}, HEADERS="a=1")
    assert {"a": "1", "Authorization": "one"} == found.headers()
    file.write_text("Authorization: second\n")
    assert {"a": "1", "Authorization": "second"} == found.headers()


@pytest.mark.parametrize(
    ("block", "variables", "expected"),
    [
        ({}, {}, ("gzip", 10.0)),
        (None, {"ENDPOINT": "http://h"}, ("gzip", 10.0)),
        ({}, {"COMPRESSION": "none", "TIMEOUT": "1500"}, ("none", 1.5)),
        ({}, {"COMPRESSION": "none", "LOGS_COMPRESSION": "gzip", "TIMEOUT": "1", "LOGS_TIMEOUT": "2"}, ("gzip", 0.002)),
        ({"compression": "gzip", "timeout": "3s"}, {"COMPRESSION": "none", "TIMEOUT": "1500"}, ("gzip", 3.0)),
    ],
)
def test_compression_and_timeout(
    block: Mapping[str, Any] | None, variables: Mapping[str, str], expected: tuple[str, float]
) -> None:
    """The variable's timeout is in milliseconds."""
    found = settings(block, **variables)
    assert expected == (found.compression, found.timeout_seconds)


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Return files of an authority, a certificate and a key, and a second authority."""
    authority = trustme.CA()
    issued = authority.issue_cert("exporter.example")
    paths = {name: str(tmp_path / f"{name}.pem") for name in ("ca", "cert", "key", "other")}
    authority.cert_pem.write_to_path(paths["ca"])
    trustme.CA().cert_pem.write_to_path(paths["other"])
    issued.cert_chain_pems[0].write_to_path(paths["cert"])
    issued.private_key_pem.write_to_path(paths["key"])
    return paths


def test_tls(files: dict[str, str]) -> None:
    """Files of TLS may come from variables, key by key."""
    found = settings({}, CERTIFICATE=files["ca"], CLIENT_CERTIFICATE=files["cert"], CLIENT_KEY=files["key"]).tls
    assert (Path(files["ca"]), Path(files["cert"]), Path(files["key"])) == (
        found.ca_file,
        found.cert_file,
        found.key_file,
    )
    mixed = settings({"tls": {"ca_file": files["other"]}}, LOGS_CERTIFICATE=files["ca"]).tls
    assert Path(files["other"]) == mixed.ca_file
    mixed = settings({"tls": {"cert_file": files["cert"], "key_file": files["key"]}}, CERTIFICATE=files["ca"]).tls
    assert (Path(files["ca"]), Path(files["key"])) == (mixed.ca_file, mixed.key_file)
    mixed = settings({"tls": {"insecure_skip_verify": True}}, CERTIFICATE=files["ca"]).tls
    assert mixed.insecure_skip_verify


def test_what_only_the_file_says() -> None:
    """What has no variable comes from the file, or has its default."""
    found = settings({"lanes": 8, "batch": {"max_records": 10}, "dead_letter_limit": "1KiB"})
    assert (8, 10, 1024) == (found.lanes, found.batch.max_records, found.dead_letter_limit_bytes)
    found = settings(None, ENDPOINT="http://h")
    assert (4, Batch(), 100 * 1024 * 1024) == (found.lanes, found.batch, found.dead_letter_limit_bytes)


@pytest.mark.parametrize(
    ("variables", "message"),
    [
        ({"PROTOCOL": "http/json"}, "OTEL_EXPORTER_OTLP_PROTOCOL is 'http/json'; only grpc and http/protobuf are supported"),
        ({"LOGS_PROTOCOL": "file"}, "OTEL_EXPORTER_OTLP_LOGS_PROTOCOL is 'file'; only grpc and http/protobuf are supported"),
        ({"COMPRESSION": "zstd"}, "OTEL_EXPORTER_OTLP_COMPRESSION is 'zstd'; only gzip and none are supported"),
        ({"TIMEOUT": "10s"}, "OTEL_EXPORTER_OTLP_TIMEOUT is '10s', not a number of milliseconds from 1"),
        ({"TIMEOUT": "0"}, "OTEL_EXPORTER_OTLP_TIMEOUT is '0', not a number of milliseconds from 1"),
        ({"HEADERS": "secret"}, "OTEL_EXPORTER_OTLP_HEADERS has no '=' in part 1; write name=value,name=value"),
        ({"HEADERS": "a=secret%0Ax"}, "OTEL_EXPORTER_OTLP_HEADERS cannot be used: "),
        ({"ENDPOINT": "ftp://u:secret@h"}, "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: the URL must begin with http:// or https://"),
        ({"ENDPOINT": "http://u:secret@h"}, "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: the URL holds credentials"),
        ({"ENDPOINT": "h:1"}, "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: the URL must begin with http:// or https://"),
        ({"ENDPOINT": "u:secret@h:1", "PROTOCOL": "grpc"}, "OTEL_EXPORTER_OTLP_ENDPOINT cannot be used: the URL holds credentials"),
        ({"CERTIFICATE": "/nowhere/ca.pem"}, "OTEL_EXPORTER_OTLP_CERTIFICATE: /nowhere/ca.pem cannot be read"),
        ({"CLIENT_CERTIFICATE": __file__}, "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: cert_file without key_file"),
    ],
)  # fmt: skip
def test_variables_that_cannot_be_used(variables: Mapping[str, str], message: str) -> None:
    """What is wrong is said with the variable's name and, where it is no secret, its value."""
    with pytest.raises(SettingsError) as caught:
        settings({}, **variables)
    assert message == str(caught.value)[: len(message)]
    assert "secret" not in str(caught.value)
