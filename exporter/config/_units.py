"""Durations, sizes and rates: text with a unit to numbers. Each function raises ValueError with what to write."""

from __future__ import annotations

import re
from decimal import Decimal

LONGEST_SECONDS = 365 * 24 * 3600.0
LARGEST_BYTES = 2**63 - 1

_NUMBER = r"[0-9]+(?:\.[0-9]+)?"
DURATION_PATTERN = rf"(?=[0-9])(?:{_NUMBER}h)?(?:{_NUMBER}m)?(?:{_NUMBER}s)?(?:{_NUMBER}ms)?"
SIZE_PATTERN = rf"{_NUMBER}(?:B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)"
RATE_PATTERN = rf"{_NUMBER}/[smh]"

_DURATION_PARTS = re.compile(rf"({_NUMBER})(ms|h|m|s)")
_SIZE_PARTS = re.compile(rf"({_NUMBER})([A-Za-z]+)")

_SECONDS = {"h": Decimal(3600), "m": Decimal(60), "s": Decimal(1), "ms": Decimal("0.001")}
_BYTES = {"B": 1} | {
    f"{prefix}{ending}": base**power
    for power, prefix in enumerate("KMGT", start=1)
    for ending, base in (("B", 1000), ("iB", 1024))
}
_LONGEST_TEXT = 64
"""More digits than this are a mistake, and some number types take long over millions of them."""


def parse_duration(text: str) -> float:
    """Return the seconds of `500ms`, `15s`, `1m`, `1h30m`, at most 365 days."""
    _require(text, DURATION_PATTERN, "duration", "500ms, 15s, 1m, 1h30m")
    seconds = float(sum(Decimal(number) * _SECONDS[unit] for number, unit in _DURATION_PARTS.findall(text)))
    if seconds > LONGEST_SECONDS:
        raise ValueError("{value} is too long; the longest duration is 8760h (365 days)")
    return seconds


def parse_size(text: str) -> int:
    """Return the bytes of `512B`, `64KiB`, `1GiB`, or decimal `10MB`."""
    _require(text, SIZE_PATTERN, "size", "512B, 64KiB, 3MiB, 1GiB")
    match = _SIZE_PARTS.fullmatch(text)
    assert match is not None  # noqa: S101 - the pattern above holds this one
    size = Decimal(match[1]) * _BYTES[match[2]]
    if size != size.to_integral_value():
        raise ValueError("{value} is not a whole number of bytes")
    if size > LARGEST_BYTES:
        raise ValueError("{value} is too large; the largest size is 2^63 - 1 bytes")
    return int(size)


def parse_rate(text: str) -> float:
    """Return the number per second of `10/s`, `600/m`, `3600/h`."""
    _require(text, RATE_PATTERN, "rate", "10/s, 600/m")
    number, _, unit = text.partition("/")
    return float(Decimal(number) / _SECONDS[unit])


def format_duration(seconds: float) -> str:
    """Return the shortest text that `parse_duration` reads as these seconds, to the millisecond."""
    left = round(seconds * 1000)
    parts = []
    for unit, size in (("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"


def format_size(size_bytes: int) -> str:
    """Return the shortest text that `parse_size` reads as exactly these bytes."""
    for power, unit in ((4, "TiB"), (3, "GiB"), (2, "MiB"), (1, "KiB")):
        count, left = divmod(size_bytes, 1024**power)
        if count and not left:
            return f"{count}{unit}"
    return f"{size_bytes}B"


def _require(text: str, pattern: str, kind: str, examples: str) -> None:
    if re.fullmatch(rf"[-+]?{_NUMBER}", text):
        raise ValueError(f"{{value}} has no unit; write it like {examples}")
    if len(text) > _LONGEST_TEXT or not re.fullmatch(pattern, text):
        raise ValueError(f"{{value}} is not a {kind}; write it like {examples}")
