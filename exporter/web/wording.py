"""Numbers and times in words for people."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))
_SIZES = ("B", "KiB", "MiB", "GiB", "TiB")


def span(seconds: float) -> str:
    """Say how long, with the two greatest units: `3 d 2 h`, `45 s`."""
    rest = max(round(seconds), 0)
    for place, (unit, name) in enumerate(_UNITS):
        if rest >= unit:
            count, rest = divmod(rest, unit)
            if place + 1 < len(_UNITS) and (finer := rest // _UNITS[place + 1][0]):
                return f"{count} {name} {finer} {_UNITS[place + 1][1]}"
            return f"{count} {name}"
    return "0 s"


def distance(at_seconds: float, now_seconds: float) -> str:
    """Say when, seen from now: `5 s ago`, `in 10 s`, `now`."""
    away = round(now_seconds - at_seconds)
    if away == 0:
        return "now"
    return f"{span(away)} ago" if away > 0 else f"in {span(-away)}"


def duration(seconds: float) -> str:
    """Say how long something short took: `12 ms`, `1.5 s`."""
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def size(size_bytes: int) -> str:
    """Say how much, in binary units: `1.5 MiB`."""
    amount = float(size_bytes)
    for unit in _SIZES[:-1]:
        if amount < 1024:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= 1024
    return f"{amount:.1f} {_SIZES[-1]}"


def count(number: float) -> str:
    """Write a count with thin groups of thousands: `10 000`, in the notation of many countries."""
    return f"{number:,.0f}".replace(",", "\N{NARROW NO-BREAK SPACE}")


def rate(per_second: float) -> str:
    """Write how many a second, with a digit behind the point where there are few: `1 200`, `0.4`."""
    return count(per_second) if per_second >= 10 or per_second == 0 else f"{max(per_second, 0.1):.1f}"


def utc(at_seconds: float) -> str:
    """Write a time in ISO 8601, UTC, to the second; as a bare number if it is out of the calendar's reach."""
    try:
        return datetime.fromtimestamp(at_seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, ValueError, OSError):
        return str(at_seconds)
