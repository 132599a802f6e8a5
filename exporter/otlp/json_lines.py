"""Requests as OTLP JSON, one a line, and back: the form of the file destination and of the dead letters.

The mapping is protobuf's, but for hexadecimal ids and enums as numbers:
https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
"""

from __future__ import annotations

import base64
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import msgspec

from exporter.otlp.wire import WireError, field_bytes, read_fields, signed, tag, varint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.otlp.names import Signal

_Kind = Literal["text", "bytes", "hex", "int64", "number", "bool", "fixed64", "fixed32", "double"]
_WIRE_TYPES: Final[Mapping[str, int]] = {
    "int64": 0, "number": 0, "bool": 0, "fixed64": 1, "double": 1, "fixed32": 5,
}  # fmt: skip

_DEEPEST_VALUE = 64


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a message: its name in JSON, and what it holds."""

    name: str
    kind: _Kind | Mapping[int, _Field] = "text"
    repeated: bool = False


_VALUE: dict[int, _Field] = {
    1: _Field("stringValue"),
    2: _Field("boolValue", "bool"),
    3: _Field("intValue", "int64"),
    4: _Field("doubleValue", "double"),
    7: _Field("bytesValue", "bytes"),
}
_KEY_VALUE = {1: _Field("key"), 2: _Field("value", _VALUE)}
_VALUE[5] = _Field("arrayValue", {1: _Field("values", _VALUE, repeated=True)})
_VALUE[6] = _Field("kvlistValue", {1: _Field("values", _KEY_VALUE, repeated=True)})

_ATTRIBUTES = _Field("attributes", _KEY_VALUE, repeated=True)
_RECORD = {
    1: _Field("timeUnixNano", "fixed64"),
    11: _Field("observedTimeUnixNano", "fixed64"),
    2: _Field("severityNumber", "number"),
    3: _Field("severityText"),
    5: _Field("body", _VALUE),
    6: _ATTRIBUTES,
    7: _Field("droppedAttributesCount", "number"),
    8: _Field("flags", "fixed32"),
    9: _Field("traceId", "hex"),
    10: _Field("spanId", "hex"),
    12: _Field("eventName"),
}
_SCOPE = {1: _Field("name"), 2: _Field("version"), 3: _ATTRIBUTES, 4: _Field("droppedAttributesCount", "number")}
_SCOPE_LOGS = {
    1: _Field("scope", _SCOPE),
    2: _Field("logRecords", _RECORD, repeated=True),
    3: _Field("schemaUrl"),
}
_RESOURCE_LOGS = {
    1: _Field("resource", {1: _ATTRIBUTES, 2: _Field("droppedAttributesCount", "number")}),
    2: _Field("scopeLogs", _SCOPE_LOGS, repeated=True),
    3: _Field("schemaUrl"),
}

_LINK = {
    1: _Field("traceId", "hex"),
    2: _Field("spanId", "hex"),
    3: _Field("traceState"),
    4: _ATTRIBUTES,
    5: _Field("droppedAttributesCount", "number"),
    6: _Field("flags", "fixed32"),
}
_EVENT = {
    1: _Field("timeUnixNano", "fixed64"),
    2: _Field("name"),
    3: _ATTRIBUTES,
    4: _Field("droppedAttributesCount", "number"),
}
_SPAN = {
    1: _Field("traceId", "hex"),
    2: _Field("spanId", "hex"),
    3: _Field("traceState"),
    4: _Field("parentSpanId", "hex"),
    16: _Field("flags", "fixed32"),
    5: _Field("name"),
    6: _Field("kind", "number"),
    7: _Field("startTimeUnixNano", "fixed64"),
    8: _Field("endTimeUnixNano", "fixed64"),
    9: _ATTRIBUTES,
    10: _Field("droppedAttributesCount", "number"),
    11: _Field("events", _EVENT, repeated=True),
    12: _Field("droppedEventsCount", "number"),
    13: _Field("links", _LINK, repeated=True),
    14: _Field("droppedLinksCount", "number"),
    15: _Field("status", {2: _Field("message"), 3: _Field("code", "number")}),
}
_SCOPE_SPANS = {1: _SCOPE_LOGS[1], 2: _Field("spans", _SPAN, repeated=True), 3: _Field("schemaUrl")}
_RESOURCE_SPANS = {
    1: _RESOURCE_LOGS[1],
    2: _Field("scopeSpans", _SCOPE_SPANS, repeated=True),
    3: _Field("schemaUrl"),
}
_REQUESTS = {
    "logs": {1: _Field("resourceLogs", _RESOURCE_LOGS, repeated=True)},
    "traces": {1: _Field("resourceSpans", _RESOURCE_SPANS, repeated=True)},
}

_double = struct.Struct("<d")
_fixed64 = struct.Struct("<Q")
_fixed32 = struct.Struct("<I")
_encode_json = msgspec.json.Encoder().encode


def to_json_line(request: bytes, *, signal: Signal = "logs", repair: bool = False) -> bytes:
    """Return an Export…ServiceRequest as a line of OTLP JSON. Raises WireError for anything else.

    With `repair`, bytes that are no UTF-8 text are replaced instead of raised about.
    """
    return _encode_json(_read(request, _REQUESTS[signal], repair=repair)) + b"\n"


def from_json_line(line: bytes, *, signal: Signal = "logs") -> bytes:
    """Return the Export…ServiceRequest of a line of OTLP JSON; unknown fields are left out, as the specification says.

    Raises ValueError, which says what is wrong.
    """
    try:
        found = msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"no JSON: {error}") from None
    return _write(found, _REQUESTS[signal], "the line")


def _read(message: bytes, fields: Mapping[int, _Field], depth: int = 0, *, repair: bool) -> dict[str, Any]:
    if depth > _DEEPEST_VALUE:
        raise WireError(f"messages within messages, more than {_DEEPEST_VALUE} deep")
    result: dict[str, Any] = {}
    for number, wire_type, value in read_fields(message):
        field = fields.get(number)
        if field is None:
            continue
        expected = _WIRE_TYPES.get(field.kind, 2) if isinstance(field.kind, str) else 2
        if wire_type != expected:
            raise WireError(f"{field.name} has the wire type {wire_type}, not {expected}")
        if isinstance(value, int):
            read: Any = _read_number(value, field.kind)
        elif isinstance(field.kind, str):
            read = _read_bytes(value, field, repair=repair)
        else:
            read = _read(value, field.kind, depth + 1, repair=repair)
        if field.repeated:
            result.setdefault(field.name, []).append(read)
        else:
            result[field.name] = read
    return result


def _read_number(value: int, kind: object) -> Any:
    if kind == "int64":
        return str(signed(value))
    if kind == "fixed64":
        return str(value)
    if kind == "double":
        number = _double.unpack(_fixed64.pack(value))[0]
        return number if number - number == 0 else {"inf": "Infinity", "-inf": "-Infinity"}.get(str(number), "NaN")
    return bool(value) if kind == "bool" else value


def _read_bytes(value: bytes, field: _Field, *, repair: bool) -> str:
    if field.kind == "hex":
        return value.hex()
    if field.kind == "bytes":
        return base64.b64encode(value).decode()
    try:
        return value.decode(errors="replace" if repair else "strict")
    except UnicodeDecodeError:
        raise WireError(f"{field.name} is no UTF-8 text: {value[:64]!r}") from None


def _write(found: Any, fields: Mapping[int, _Field], place: str, depth: int = 0) -> bytes:
    if not isinstance(found, dict):
        raise ValueError(f"{place} is {found!r:.64}, not an object")  # noqa: TRY004  (the content is wrong, no type)
    if depth > _DEEPEST_VALUE:
        raise ValueError(f"{place} is more than {_DEEPEST_VALUE} objects deep")
    parts: list[bytes] = []
    for number, field in fields.items():
        value = found.get(field.name)
        if value is None:
            continue
        if not field.repeated:
            values = [value]
        elif isinstance(value, list):
            values = value
        else:
            raise ValueError(f"{field.name} is {value!r:.64}, not a list")
        for one in values:
            if isinstance(field.kind, str):
                parts.append(_write_scalar(number, field.name, field.kind, one))
            else:
                parts.append(field_bytes(number, _write(one, field.kind, field.name, depth + 1)))
    return b"".join(parts)


def _write_scalar(number: int, name: str, kind: _Kind, value: Any) -> bytes:
    try:
        if kind in ("text", "bytes", "hex"):
            return field_bytes(number, _write_text(kind, value))
        return tag(number, _WIRE_TYPES[kind]) + _write_number(kind, value)
    except (ValueError, TypeError, OverflowError, struct.error):
        raise ValueError(f"{name} is {value!r:.64}, which is not {_DESCRIBED[kind]}") from None


_DESCRIBED: Final[Mapping[_Kind, str]] = {
    "text": "text",
    "bytes": "base64",
    "hex": "a hexadecimal id",
    "int64": "an integer of 64 bits",
    "fixed64": "a number of nanoseconds",
    "fixed32": "an integer of 32 bits",
    "number": "an integer of 32 bits",
    "double": "a number",
    "bool": "true or false",
}


def _write_text(kind: _Kind, value: str) -> bytes:
    if not isinstance(value, str):
        raise TypeError
    if kind == "hex":
        return bytes.fromhex(value)
    return base64.b64decode(value, validate=True) if kind == "bytes" else value.encode()


def _write_number(kind: _Kind, value: Any) -> bytes:
    if kind == "bool":
        if not isinstance(value, bool):
            raise TypeError
        return varint(value)
    if isinstance(value, bool):
        raise TypeError
    if kind == "double":
        return _double.pack(float(value))
    whole = int(value)
    if isinstance(value, float) and whole != value:
        raise ValueError
    if kind == "fixed64":
        return _fixed64.pack(whole)
    if kind == "fixed32":
        return _fixed32.pack(whole)
    least, end = (-(1 << 63), 1 << 63) if kind == "int64" else (0, 1 << 32)
    if not least <= whole < end:
        raise OverflowError
    return varint(whole)
