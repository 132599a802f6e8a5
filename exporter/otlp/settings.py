"""What the configuration and the standard environment variables say of the destinations, put together.

The file wins over the environment, key by key; a variable for the signal wins over the general one; an empty one counts as
unset. What is said of one signal alone does not move the other. Status events are logs.
https://opentelemetry.io/docs/specs/otel/protocol/exporter/
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pydantic import ValidationError

from exporter.config import DEFAULT_ENDPOINTS, Otlp, Tls

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.config import Batch
    from exporter.otlp.names import Signal

_PATHS: Mapping[Signal, str] = {"logs": "/v1/logs", "traces": "/v1/traces"}
_TRACES_FILE_SUFFIX = ".traces"


class SettingsError(ValueError):
    """A destination that cannot be used as it is configured."""


@dataclass(frozen=True, slots=True)
class Settings:
    """One destination of one signal."""

    signal: Signal
    protocol: str
    """`http/protobuf`, `grpc` or `file`."""
    endpoint: str
    """The whole URL of requests; for gRPC `http://host:port` or `https://host:port`; or a path."""
    headers: Callable[[], Mapping[str, str]]
    """The headers of a request, as they are now. Raises SecretError or ValueError when their file cannot be used."""
    compression: str
    """`gzip` or `none`."""
    timeout_seconds: float
    tls: Tls
    batch: Batch
    lanes: int
    dead_letter_limit_bytes: int


@dataclass(frozen=True, slots=True)
class Destinations:
    """Where each signal goes; None: nowhere."""

    logs: Settings | None
    traces: Settings | None


def read_destinations(otlp: Otlp | None, environ: Mapping[str, str]) -> Destinations:
    """Return the destinations of all signals. Raises SettingsError."""
    return Destinations(read_settings(otlp, environ), read_settings(otlp, environ, "traces"))


def read_settings(otlp: Otlp | None, environ: Mapping[str, str], signal: Signal = "logs") -> Settings | None:
    """Return the destination of a signal; None where neither the file nor a variable names one, or the file wants none.

    Raises SettingsError.
    """
    variables = _Variables(environ, signal)
    if otlp is None:
        if not variables.find("ENDPOINT"):
            return None
        otlp = Otlp.model_validate({})
    if signal == "traces" and not otlp.traces:
        return None
    if otlp.protocol == "file" and "protocol" in otlp.model_fields_set:
        return _settings(otlp, otlp.endpoint + (_TRACES_FILE_SUFFIX if signal == "traces" else ""), signal)
    changes: dict[str, Any] = {}
    for key, (suffix, parse) in _KEYS.items():
        found = variables.find(suffix)
        if key not in otlp.model_fields_set and found:
            changes[key] = _parsed(found, parse)
    changes["tls"] = _tls(otlp.tls, variables)
    otlp = otlp.model_copy(update=changes)
    return _settings(otlp, _endpoint(otlp, variables), signal)


@dataclass(frozen=True, slots=True)
class _Variable:
    name: str
    value: str
    for_signal: bool
    """It is about one signal, not the general one."""


class _Variables:
    """The variables of the exporter. Those for the signal win."""

    def __init__(self, environ: Mapping[str, str], signal: Signal) -> None:
        self._environ = environ
        self.signal = signal

    def find(self, suffix: str) -> _Variable | None:
        own = f"OTEL_EXPORTER_OTLP_{self.signal.upper()}_{suffix}"
        for name in (own, f"OTEL_EXPORTER_OTLP_{suffix}"):
            value = self._environ.get(name, "").strip()
            if value:
                return _Variable(name, value, name == own)
        return None


def _parsed(variable: _Variable, parse: Callable[[str], Any]) -> Any:
    try:
        return parse(variable.value)
    except ValueError as error:
        raise SettingsError(f"{variable.name} {error}") from None


def _protocol(value: str) -> str:
    if value not in ("grpc", "http/protobuf"):
        raise ValueError(f"is {value!r}; only grpc and http/protobuf are supported")
    return value


def _compression(value: str) -> str:
    if value not in ("gzip", "none"):
        raise ValueError(f"is {value!r}; only gzip and none are supported")
    return value


def _timeout_seconds(value: str) -> float:
    if not (value.isascii() and value.isdecimal() and int(value)):
        raise ValueError(f"is {value!r}, not a number of milliseconds from 1")
    return int(value) / 1000


def _headers(value: str) -> Mapping[str, str]:
    """Read `name=value,name=value`, with values encoded as in URLs. What is wrong is said without any value."""
    headers: dict[str, str] = {}
    for number, pair in enumerate(value.split(","), start=1):
        name, separator, text = pair.partition("=")
        if not pair.strip():
            continue
        if not separator:
            raise ValueError(f"has no '=' in part {number}; write name=value,name=value")
        headers[unquote(name.strip())] = unquote(text.strip())
    return _validated("headers", headers)["headers"]  # type: ignore[no-any-return]


_KEYS: Mapping[str, tuple[str, Callable[[str], Any]]] = {
    "protocol": ("PROTOCOL", _protocol),
    "headers": ("HEADERS", _headers),
    "compression": ("COMPRESSION", _compression),
    "timeout": ("TIMEOUT", _timeout_seconds),
}

_TLS_KEYS = {"ca_file": "CERTIFICATE", "cert_file": "CLIENT_CERTIFICATE", "key_file": "CLIENT_KEY"}


def _tls(tls: Tls, variables: _Variables) -> Tls:
    found = {
        key: variable
        for key, suffix in _TLS_KEYS.items()
        if key not in tls.model_fields_set and (variable := variables.find(suffix))
    }
    if not found:
        return tls
    given = {key: str(value) for key, value in tls.model_dump(exclude_unset=True).items() if value is not None}
    given |= {"insecure_skip_verify": tls.insecure_skip_verify}  # type: ignore[dict-item]
    try:
        return Tls.model_validate(given | {key: variable.value for key, variable in found.items()})
    except ValidationError as error:
        place = error.errors()[0]["loc"]
        about = found.get(str(place[0])) if place else None
        names = about.name if about else ", ".join(variable.name for variable in found.values())
        raise SettingsError(f"{names}: {_said(error, about.value if about else 'the value')}") from None


def _validated(key: str, value: Any) -> Mapping[str, Any]:
    """Return a value as the configuration's own validators make it. Raises ValueError."""
    try:
        return {key: getattr(Otlp.model_validate({key: value}), key)}
    except ValidationError as error:
        raise ValueError(f"cannot be used: {_said(error)}") from None


def _said(error: ValidationError, value: str = "the value") -> str:
    first = error.errors(include_input=False, include_url=False)[0]
    return first["msg"].removeprefix("Value error, ").replace("{value}", value)


def _endpoint(otlp: Otlp, variables: _Variables) -> str:
    """Return the base of the file or of the general variable with the path added, or the signal's own URL as it is."""
    variable = None if "endpoint" in otlp.model_fields_set else variables.find("ENDPOINT")
    if variable is None:
        base = otlp.endpoint if "endpoint" in otlp.model_fields_set else DEFAULT_ENDPOINTS[otlp.protocol]
    else:
        base = variable.value
    if otlp.protocol == "grpc":
        return _grpc_endpoint(base, variable, variables)
    if variable is not None:
        _parsed(variable, lambda value: _validated("endpoint", value))
        if variable.for_signal:
            return base if urlsplit(base).path else f"{base}/"
    return base.rstrip("/") + _PATHS[variables.signal]


def _grpc_endpoint(base: str, variable: _Variable | None, variables: _Variables) -> str:
    """Return scheme, host and port. Without a scheme, as other exporters allow, `…_INSECURE` says whether TLS is used."""
    if variable is not None and "://" not in base:
        insecure = variables.find("INSECURE")
        base = f"{'http' if insecure and insecure.value.lower() == 'true' else 'https'}://{base}"
    if variable is not None:
        _parsed(variable, lambda _: _validated("endpoint", base))
    parts = urlsplit(base)
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return f"{parts.scheme}://{host}:{parts.port or (443 if parts.scheme == 'https' else 80)}"


def _settings(otlp: Otlp, endpoint: str, signal: Signal) -> Settings:
    if otlp.protocol == "grpc" and otlp.tls.insecure_skip_verify:
        raise SettingsError(
            "tls.insecure_skip_verify cannot be used with protocol grpc; give the server's certificate as tls.ca_file"
        )
    return Settings(
        signal=signal,
        protocol=otlp.protocol,
        endpoint=endpoint,
        headers=otlp.headers_now,
        compression=otlp.compression,
        timeout_seconds=otlp.timeout,
        tls=otlp.tls,
        batch=otlp.batch,
        lanes=otlp.lanes,
        dead_letter_limit_bytes=otlp.dead_letter_limit,
    )
