"""Lines of `FELDERA_LOG_JSON=1`: one JSON object a line, of the pipeline or of the runner."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import msgspec

from exporter.logs import ansi, times

if TYPE_CHECKING:
    from exporter.logs.record import Attributes

BEGINNING: Final = b'{"timestamp":"'

_LEVELS: Final = frozenset(("TRACE", "DEBUG", "INFO", "WARN", "ERROR"))
_KNOWN: Final = frozenset(
    ("timestamp", "level", "target", "feldera-service", "pipeline-name", "pipeline-id", "fields", "span", "spans")
)
_MAX_FIELDS: Final = 64
_MAX_FIELD_BYTES: Final = 32 * 1024
"""Backends limit the attributes of a record (Loki: 64 KB and 128 of them); a line with more stays whole as its body."""


_decode: Final = msgspec.json.Decoder().decode


class JsonLine(NamedTuple):
    """What a JSON line says, in the order of a head."""

    time_ns: int
    level: bytes
    body: bytes
    target: bytes
    spans: bytes
    attributes: Attributes


def parse(text: bytes) -> JsonLine | None:
    """Return what a JSON line says, or None where it is not one of the vendor's."""
    try:
        line = _decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not isinstance(line, dict) or line.get("level") not in _LEVELS or not isinstance(line["timestamp"], str):
        return None
    fields = line.get("fields", {})
    if not isinstance(fields, dict):
        return None
    message = fields.get("message", fields.get("line"))
    said = "message" if "message" in fields else "line"
    attributes = _attributes(line, fields, said)
    if not isinstance(message, str) or attributes is None:
        body, attributes = text, attributes or ()
    else:
        body = ansi.strip(message.encode())
    target = line.get("target")
    return JsonLine(
        times.nanoseconds(line["timestamp"].encode()),
        line["level"].encode(),
        body,
        target.encode() if isinstance(target, str) else b"",
        _spans(line),
        attributes,
    )


def _attributes(line: dict[str, object], fields: dict[str, object], said: str) -> Attributes | None:
    """Return the fields as attributes, or None where they are too many or too large to be any."""
    extra = {} if line.keys() <= _KNOWN else {name: line[name] for name in line if name not in _KNOWN}
    if len(fields) == 1 and said in fields and not extra:
        return ()
    return field_attributes({**extra, **{name: value for name, value in fields.items() if name != said}})


def field_attributes(values: dict[str, object]) -> Attributes | None:
    """Return the fields of a JSON line as attributes, or None where they are too many or too large to be any."""
    attributes = tuple(
        (f"pipeline.log.field.{name}", _value(value)) for name, value in values.items() if value is not None
    )
    size = sum(len(name) + len(value) if isinstance(value, str) else len(name) for name, value in attributes)
    return attributes if len(attributes) <= _MAX_FIELDS and size <= _MAX_FIELD_BYTES else None


def _value(value: object) -> str | int | float | bool:
    """Return a JSON value as an attribute's: objects, lists and whole numbers beyond 64 bits as JSON text."""
    if isinstance(value, str):
        return ansi.strip(value.encode()).decode()
    if isinstance(value, bool | float):
        return value
    if isinstance(value, int) and -(1 << 63) <= value < 1 << 63:
        return value
    return msgspec.json.encode(value).decode()


def _spans(line: dict[str, object]) -> bytes:
    """Return the spans as a text line writes them: `outer:inner{worker=3}`."""
    if "span" not in line and "spans" not in line:
        return b""
    spans = line.get("spans")
    if not isinstance(spans, list):
        spans = [line["span"]] if "span" in line else []
    return b":".join(_span(span) for span in spans)


def _span(span: object) -> bytes:
    if not isinstance(span, dict):
        return ansi.strip(msgspec.json.encode(span))
    fields = b" ".join(
        name.encode() + b"=" + msgspec.json.encode(value) for name, value in span.items() if name != "name"
    )
    name = str(span.get("name", "")).encode()
    return ansi.strip(name + b"{" + fields + b"}" if fields else name)
