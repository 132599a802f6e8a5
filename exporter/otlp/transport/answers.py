"""What destinations say beyond their code: partial success, reasons, and when to come back."""

from __future__ import annotations

import email.utils
import time
from dataclasses import dataclass
from typing import Final

import msgspec

from exporter.otlp.transport.outcome import Accepted
from exporter.otlp.wire import read_fields, signed

MAX_RETRY_AFTER_SECONDS: Final = 3600.0
"""A destination is not left alone for longer, whatever it says."""

MAX_ANSWER_BYTES: Final = 64 * 1024
"""An honest answer is a few bytes, or a message."""

_EXCERPT_CHARACTERS = 300


@dataclass(frozen=True, slots=True)
class PartialSuccess:
    """What a destination that accepts a request says of it."""

    rejected: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True)
class Status:
    """A google.rpc.Status, as far as it matters here."""

    message: str = ""
    retry_seconds: float | None = None
    """The delay of its RetryInfo; None where there is none."""


def read_partial_success(message: bytes) -> PartialSuccess:
    """Read an Export…ServiceResponse: those of logs and traces have the same form. Raises WireError."""
    rejected, text = 0, ""
    for part in _messages(message, 1):
        for number, _, value in read_fields(part):
            if number == 1 and isinstance(value, int):
                rejected = signed(value)
            elif number == 2 and isinstance(value, bytes):
                text = one_line(value.decode("utf-8", "replace"))
    return PartialSuccess(rejected, text)


def read_partial_success_json(content: bytes) -> PartialSuccess:
    """Read an Export…ServiceResponse in JSON, as some servers send it. Raises ValueError."""
    found = msgspec.json.decode(content)
    partial = found.get("partialSuccess") if isinstance(found, dict) else None
    if not isinstance(partial, dict):
        return PartialSuccess()
    name = "rejectedSpans" if "rejectedSpans" in partial else "rejectedLogRecords"
    rejected = partial.get(name) or 0
    if not isinstance(rejected, int | str):
        raise ValueError(f"{name} is {rejected!r:.64}")  # noqa: TRY004  (the content is wrong, no type)
    return PartialSuccess(int(rejected), one_line(str(partial.get("errorMessage") or "")))


def read_status(message: bytes) -> Status:
    """Read a google.rpc.Status. Raises WireError."""
    text, delay = "", None
    for number, _, value in read_fields(message):
        if number == 2 and isinstance(value, bytes):
            text = one_line(value.decode("utf-8", "replace"))
        elif number == 3 and isinstance(value, bytes):
            delay = _retry_info(value) if delay is None else delay
    return Status(text, delay)


def _retry_info(detail: bytes) -> float | None:
    """Return the seconds of a RetryInfo within a google.protobuf.Any."""
    fields = {number: value for number, _, value in read_fields(detail)}
    kind, content = fields.get(1, b""), fields.get(2, b"")
    if not isinstance(kind, bytes) or kind.rpartition(b"/")[2] != b"google.rpc.RetryInfo":
        return None
    seconds = 0.0
    for part in _messages(content if isinstance(content, bytes) else b"", 1):
        for number, _, value in read_fields(part):
            if isinstance(value, int):
                seconds += signed(value) * {1: 1.0, 2: 1e-9}.get(number, 0.0)
    return bounded(seconds)


def _messages(message: bytes, wanted: int) -> list[bytes]:
    return [value for number, _, value in read_fields(message) if number == wanted and isinstance(value, bytes)]


def retry_after(value: str | None) -> float | None:
    """Return the seconds of a Retry-After header: a number of them, or a date (RFC 9110, section 10.2.3)."""
    if value is None:
        return None
    try:
        return bounded(
            float(value)
            if value.strip().isdecimal() and value.isascii()
            else email.utils.parsedate_to_datetime(value).timestamp() - time.time()
        )
    except (ValueError, OverflowError):
        return None


def bounded(seconds: float) -> float:
    """Return a delay that can be honoured."""
    return min(max(seconds, 0.0), MAX_RETRY_AFTER_SECONDS)


def accepted(code: str, partial: PartialSuccess, records: int) -> Accepted:
    """Return the outcome of an answer; no more records can be rejected than were sent."""
    return Accepted(code, min(max(partial.rejected, 0), records), partial.message)


def one_line(text: str) -> str:
    """Return the beginning of what the other side said, without what could begin a line of its own or colour it."""
    return "".join(one if one.isprintable() else " " for one in text[:_EXCERPT_CHARACTERS]).strip()
