"""The destination of logs, events and traces."""

import re
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Final, Literal, Self

from pydantic import (
    BeforeValidator,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    field_validator,
    model_validator,
)

from exporter.config._errors import SecretError
from exporter.config._secret import Secret
from exporter.config._tls import Tls
from exporter.config._types import (
    Delay,
    Duration,
    Headers,
    Model,
    OptionalFile,
    Size,
    Switch,
    Text,
    choice,
    described,
    header_name,
    header_value,
    path,
    url,
    whole,
)
from exporter.config._units import parse_duration, parse_size

DEFAULT_ENDPOINTS: Final[Mapping[str, str]] = {
    "http/protobuf": "http://127.0.0.1:4318",
    "grpc": "http://127.0.0.1:4317",
}


class Batch(Model):
    """How large a request may become, and how long a record waits for others."""

    max_records: Annotated[int, *whole(1, 1_000_000)] = Field(default=5000, description="Most records in a request")
    max_bytes: Size = described("3MiB", parse_size, "Largest request, uncompressed; gRPC servers refuse over 4 MiB")
    max_delay: Delay = described("200ms", parse_duration, "Longest time that a record waits for others")


class Otlp(Model):
    """Where logs, events and traces go. Without this block no log is read."""

    protocol: Annotated[
        Literal["http/protobuf", "grpc", "file"], BeforeValidator(choice("http/protobuf", "grpc", "file"))
    ] = Field(default="http/protobuf", description="How the collector is spoken to; file: OTLP JSON lines")
    endpoint: Text = Field(
        description="The base URL (http/protobuf adds /v1/logs and /v1/traces), or the path of a file", min_length=1
    )
    headers: Headers = Field(default={}, repr=False, description="Further headers of every request")
    headers_file: OptionalFile = Field(
        default=None,
        description="A file of lines `Name: value` that are added to the headers; read again when it changes",
    )
    compression: Annotated[Literal["gzip", "none"], BeforeValidator(choice("gzip", "none"))] = Field(
        default="gzip", description="Compression of requests"
    )
    timeout: Duration = described("10s", parse_duration, "Time that one request may take")
    tls: Tls = Field(default=Tls(), description="How TLS connections to the collector are made")
    batch: Batch = Field(default=Batch(), description="How records are put together in requests")
    lanes: Annotated[int, *whole(1, 256)] = Field(
        default=4, description="Requests in flight at once; the records of one pipeline always use the same lane"
    )
    dead_letter_limit: Size = described(
        "100MiB", parse_size, "Largest dead-letter.jsonl; a full one holds the pipeline whose record is refused"
    )
    traces: Switch = Field(default=True, description="Send spans for ended jobs")

    @model_validator(mode="wrap")
    @classmethod
    def _fill_in(cls, data: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        """Add the endpoint, whose default depends on the protocol. It does not count as set: the environment may say it."""
        if not isinstance(data, dict):
            return handler(data)
        protocol = data.get("protocol", "http/protobuf")
        if protocol == "file" or "endpoint" in data:
            return handler(data)
        made = handler(data | {"endpoint": DEFAULT_ENDPOINTS["grpc" if protocol == "grpc" else "http/protobuf"]})
        made.model_fields_set.discard("endpoint")
        return made

    @field_validator("endpoint")
    @classmethod
    def _check_endpoint(cls, value: str, info: ValidationInfo) -> str:
        protocol = info.data.get("protocol")
        if protocol == "file":
            return str(path(value, info))
        return url(value) if protocol else value

    @field_validator("headers_file")
    @classmethod
    def _check_headers_file(cls, value: Any) -> Any:
        if value is not None:
            try:
                _parse_headers(Secret.file(value, one_line=False).get())
            except SecretError as error:
                raise ValueError(f"{{value}} {error.reason}") from None
        return value

    def headers_now(self) -> Mapping[str, str]:
        """Return the headers of a request, those of the file as it is now.

        Raises SecretError when the file is missing or unreadable, ValueError when a line in it is no header.
        """
        if self._headers_secret is None:
            return self.headers
        return {**self.headers, **_parse_headers(self._headers_secret.get())}

    @cached_property
    def _headers_secret(self) -> Secret | None:
        return Secret.file(self.headers_file, one_line=False) if self.headers_file else None


def _parse_headers(content: str) -> dict[str, str]:
    headers: dict[str, str] = {}
    for number, line in enumerate(re.split(r"\r?\n", content), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, _, value = line.partition(":")
        try:
            headers[header_name(name.strip())] = header_value(value.strip())
        except ValueError as error:
            raise ValueError(f"line {number} of the headers file: {error}; write `Name: value`") from None
    return headers
