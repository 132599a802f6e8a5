"""The head of a line: time, level, spans and target before the message. A line without one continues a record."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.logs import json_lines, times

if TYPE_CHECKING:
    from exporter.logs.record import Attributes

    _Said = tuple[bytes, bytes, bytes, Attributes, bool]

SEVERITIES: Final = {b"TRACE": "trace", b"DEBUG": "debug", b"INFO": "info", b"WARN": "warn", b"ERROR": "error"}

_TARGET: Final = rb"[A-Za-z0-9_]+(?:::[A-Za-z0-9_]+)*"
TARGET_SHAPE: Final = re.compile(_TARGET)

RUNNER: Final = b"[manager] "
CONTROL_PLANE: Final = b"[control-plane] "
_OLD_PIPELINE: Final = b"[pipeline-"

_HEAD = re.compile(
    rb"(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )"
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z) "
    rb" ?(TRACE|DEBUG|INFO|WARN|ERROR) (.*)"
)
_TARGET_TWO_SPACES = re.compile(rb"(%b):  (.*)" % _TARGET)
_TARGET_ONE_SPACE = re.compile(rb"(%b):  ?(.*)" % _TARGET)
_SPANS = re.compile(rb"(.*?): (%b):  (.*)" % _TARGET)
_SPANS_SHAPE = re.compile(rb"[^\s{}]+(?:: [^\s{}]+)*(?:\{.*\}(?::[^\s{}]+)?(?:: [^\s{}]+)*)?")
"""Names joined by colons, each maybe with fields in braces: `eval:step{worker=3}` or `eval: step{worker=3}`.

Other white space stands only in braces. No part of a text fits in two ways, so a long one takes no long time.
"""

_CLOSING = re.compile(rb' pipeline-id="[^"]*" pipeline-name="[^"]*"\Z')


class Head(NamedTuple):
    """What the head of a line says, and the message after it."""

    time_ns: int
    severity: str
    severity_text: bytes
    body: bytes
    target: bytes = b""
    spans: bytes = b""
    attributes: Attributes = ()
    unfinished: bool = False
    """A runner's line whose message goes on: its closing fields come on a later line."""


def parse(line: bytes, text: bytes) -> Head | None:
    """Return the head of a line, or None where it has none. `text` is the line without terminal sequences."""
    if text.startswith(json_lines.BEGINNING):
        fields = json_lines.parse(text)
        return None if fields is None else Head(fields.time_ns, SEVERITIES[fields.level], *fields[1:])
    match = _HEAD.fullmatch(text)
    if match is None:
        return None
    prefix, time, level, rest = match.groups()
    # The runner never writes colours: a coloured [manager] is a pipeline of that name.
    if prefix == RUNNER and line[len(prefix) : len(prefix) + 1] == time[:1]:
        target, message = _target(_TARGET_ONE_SPACE, rest)
        body = closed(message)
        said: _Said = (message if body is None else body, target, b"", (), body is None)
    else:
        said = _message(prefix, rest)
    return Head(times.nanoseconds(time), SEVERITIES[level], level, *said)


def _message(prefix: bytes, rest: bytes) -> _Said:
    """Return message, target and spans of a line that is not the runner's, as the fields of a head."""
    spans = b""
    target, message = (b"", rest) if prefix == CONTROL_PLANE else _target(_TARGET_TWO_SPACES, rest)
    if not target and prefix != CONTROL_PLANE:
        match = _SPANS.fullmatch(rest)
        if match and _SPANS_SHAPE.fullmatch(match[1]):
            spans, target, message = match.groups()
        elif prefix.startswith(_OLD_PIPELINE):
            target, message = _target(_TARGET_ONE_SPACE, rest)
    return message, target, spans, (), False


def closed(message: bytes) -> bytes | None:
    """Return a runner's message without its closing `pipeline-id= pipeline-name=`, or None where it has none."""
    end = _CLOSING.search(message, max(len(message) - 512, 0))
    return None if end is None else message[: end.start()]


def _target(pattern: re.Pattern[bytes], rest: bytes) -> tuple[bytes, bytes]:
    match = pattern.fullmatch(rest)
    return (b"", rest) if match is None else (match[1], match[2])
