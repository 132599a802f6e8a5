"""The head of a line: time, level, spans and target before the message. A line without one continues a record."""

from __future__ import annotations

import re
from typing import Final, NamedTuple

from exporter.logs import json_lines, times
from exporter.logs.record import Attributes

SEVERITIES: Final = {b"TRACE": "trace", b"DEBUG": "debug", b"INFO": "info", b"WARN": "warn", b"ERROR": "error"}

_TARGET: Final = rb"[A-Za-z0-9_]+(?:::[A-Za-z0-9_]+)*"
TARGET_SHAPE: Final = re.compile(_TARGET)

RUNNER: Final = b"[manager] "
_OLD_PIPELINE: Final = b"[pipeline-"
_CONTROL_PLANE: Final = b"[control-plane] "

_HEAD = re.compile(
    rb"(\[[0-9A-Za-z_.-]+(?: host=[^\]\s]+)?\] )"
    rb"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z) "
    rb" ?(TRACE|DEBUG|INFO|WARN|ERROR) (.*)"
)
_TARGET_TWO_SPACES = re.compile(rb"(%b):  (.*)" % _TARGET)
_TARGET_ONE_SPACE = re.compile(rb"(%b):  ?(.*)" % _TARGET)
_SPANS = re.compile(rb"(.*?): (%b):  (.*)" % _TARGET)
_SPANS_SHAPE = re.compile(rb"[^\s{}]+(?:\{.*\}(?::[^\s{}]+)?)?")
"""Names joined by colons, each maybe with fields in braces: `eval:step{worker=3}`. White space only in braces."""

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
    time_ns = times.nanoseconds(time)
    severity = SEVERITIES[level]
    # The runner never writes colours: a coloured [manager] is a pipeline of that name.
    if prefix == RUNNER and line[len(prefix) : len(prefix) + 1] == time[:1]:
        target, message = _target(_TARGET_ONE_SPACE, rest)
        body = closed(message)
        return Head(time_ns, severity, level, body or message, target, unfinished=body is None)
    if prefix == _CONTROL_PLANE:
        return Head(time_ns, severity, level, rest)
    target, message = _target(_TARGET_TWO_SPACES, rest)
    if target:
        return Head(time_ns, severity, level, message, target)
    if (spans := _SPANS.fullmatch(rest)) and _SPANS_SHAPE.fullmatch(spans[1]):
        return Head(time_ns, severity, level, spans[3], spans[2], spans[1])
    if prefix.startswith(_OLD_PIPELINE):
        target, message = _target(_TARGET_ONE_SPACE, rest)
    return Head(time_ns, severity, level, message, target)


def closed(message: bytes) -> bytes | None:
    """Return a runner's message without its closing `pipeline-id= pipeline-name=`, or None where it has none."""
    end = _CLOSING.search(message, max(len(message) - 512, 0))
    return None if end is None else message[: end.start()]


def _target(pattern: re.Pattern[bytes], rest: bytes) -> tuple[bytes, bytes]:
    match = pattern.fullmatch(rest)
    return (b"", rest) if match is None else (match[1], match[2])
