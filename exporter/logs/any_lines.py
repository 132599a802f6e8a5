"""Lines of which only the usual is known: a JSON object, or a leading time, a leading level word, both, or neither.

What stands at the head is read and nothing else: a level word inside a message says nothing.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from exporter.logs import ansi, times
from exporter.logs.heads import Head
from exporter.logs.json_lines import field_attributes

if TYPE_CHECKING:
    from collections.abc import Iterable

_SEVERITIES: Final = {
    "TRACE": "trace",
    "DEBUG": "debug",
    "INFO": "info",
    "NOTICE": "info",
    "WARN": "warn",
    "WARNING": "warn",
    "ERR": "error",
    "ERROR": "error",
    "FATAL": "fatal",
    "CRITICAL": "fatal",
    "PANIC": "fatal",
}

_TIME_KEYS: Final = ("timestamp", "time", "ts", "@timestamp", "datetime", "date")
_LEVEL_KEYS: Final = ("level", "severity", "lvl", "levelname", "log.level")
_MESSAGE_KEYS: Final = ("message", "msg", "body", "event", "log")

_WORDS: Final = "|".join(sorted(_SEVERITIES, key=len, reverse=True)).encode()
_TIME: Final = (
    rb"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:[.,][0-9]{1,9})?(?:Z|[+-][0-9]{2}:?[0-9]{2})?"
)
_LEVEL: Final = rb"(?:\[ ?(?P<boxed>(?i:%b)) ?\]:?|(?P<word>%b)(?::|(?=\s|\Z)))" % (_WORDS, _WORDS)
_LINE = re.compile(
    rb"(?:(?P<opened>\[)?(?P<time>%b)(?(opened)\])(?:\s+(?:[|-]\s+)?|\Z|(?=\[)))?(?:%b(?:\s+(?:[|-]\s+)?|\Z))?(?P<message>.*)"
    % (_TIME, _LEVEL),
    re.DOTALL,
)

_SECONDS_END: Final = 1e11
_MILLISECONDS_END: Final = 1e14
_MICROSECONDS_END: Final = 1e17
"""Numbers of so many seconds, milliseconds, microseconds since 1970 lie in this millennium; larger ones count in less."""

_decode: Final = msgspec.json.Decoder(dict[str, object]).decode


def parse(_line: bytes, text: bytes) -> Head | None:
    """Return the head of a line, or None where it is plain text."""
    if text.startswith(b"{"):
        return _json(text)
    match = _LINE.match(text)
    if match is None or (match["time"] is None and match["boxed"] is None and match["word"] is None):
        return None
    level = match["boxed"] or match["word"] or b""
    time_ns = 0 if match["time"] is None else _moment_ns(match["time"].decode())
    if match["time"] is not None and not time_ns:
        return None
    return Head(time_ns, _SEVERITIES[level.decode().upper()] if level else "none", level, match["message"])


def _json(text: bytes) -> Head | None:
    try:
        line = _decode(text)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    time_key, time_ns = next(
        ((key, value) for key in _TIME_KEYS if key in line and (value := _time_ns(line[key]))), ("", 0)
    )
    level_key, level = _first_text(line, _LEVEL_KEYS)
    message_key, message = _first_text(line, _MESSAGE_KEYS)
    severity = _SEVERITIES.get(level.upper(), "none")
    said = {time_key, level_key if severity != "none" else "", message_key}
    attributes = field_attributes({name: value for name, value in line.items() if name not in said})
    if not message_key or attributes is None:
        body, attributes = text, attributes or ()
    else:
        body = ansi.strip(message.encode())
    return Head(time_ns, severity, level.encode() if severity != "none" else b"", body, attributes=attributes)


def _first_text(line: dict[str, object], keys: Iterable[str]) -> tuple[str, str]:
    """Return the first of these keys that has a text, and that."""
    for key in keys:
        if isinstance(value := line.get(key), str):
            return key, value
    return "", ""


def _time_ns(value: object) -> int:
    """Return a time of a JSON line in nanoseconds: text, or a number of seconds, milliseconds, …; 0 where it is none."""
    if isinstance(value, str):
        return _moment_ns(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < 1e20:
        return 0
    units = ((_SECONDS_END, 10**9), (_MILLISECONDS_END, 10**6), (_MICROSECONDS_END, 10**3))
    time_ns = round(value * next((unit for end, unit in units if value < end), 1))
    return time_ns if time_ns < times.END_NS else 0


def _moment_ns(text: str) -> int:
    """Return an ISO time in nanoseconds, in UTC where it names no zone; 0 where it is none."""
    plain = text.replace(",", ".").replace(" ", "T")
    exact = times.nanoseconds(plain.encode("utf-8", "replace")) or times.nanoseconds(
        f"{plain}Z".encode("utf-8", "replace")
    )
    if exact:
        return exact
    try:
        moment = datetime.fromisoformat(plain)
    except ValueError:
        return 0
    if moment.tzinfo is None:
        return 0
    seconds = moment.timestamp()
    return round(seconds * 1_000_000) * 1000 if 0 < seconds < 1 << 33 else 0
