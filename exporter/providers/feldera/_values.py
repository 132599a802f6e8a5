"""Single values of answers, whatever a server sends."""

from __future__ import annotations

from typing import Any

from exporter.providers.times import parse_rfc3339_ns

_MAX_NAME = 256
_MAX_WORD = 64
_MAX_MESSAGE = 300


def name(value: Any) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or value in {".", ".."}:
        raise ValueError(value)
    return value


def word(value: Any) -> str | None:
    """Return a status word as it is; one that is too long to become a label is cut, so that it takes no room."""
    if value is None or not isinstance(value, str):
        return None
    return value if len(value) <= _MAX_WORD else value[:_MAX_WORD] + "…"


def text(value: Any) -> str:
    return str(value)[:_MAX_MESSAGE] if isinstance(value, str | int | float) else ""


def time_ns(value: Any) -> int:
    try:
        return parse_rfc3339_ns(value) if isinstance(value, str) else 0
    except ValueError:
        return 0
