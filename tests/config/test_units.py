"""Durations, sizes and rates."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config._units import (
    LONGEST_SECONDS,
    format_duration,
    format_size,
    parse_duration,
    parse_rate,
    parse_size,
)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("15s", 15.0), ("1m", 60.0), ("1h", 3600.0), ("1h30m", 5400.0), ("1.5s", 1.5), ("1m1ms", 60.001)],
)
def test_durations(text: str, seconds: float) -> None:
    """Durations are seconds, also of several units."""
    assert seconds == parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size_bytes"),
    [("512B", 512), ("64KiB", 65536), ("3MiB", 3145728), ("1GiB", 1073741824), ("10MB", 10_000_000), ("1.5KB", 1500)],
)
def test_sizes(text: str, size_bytes: int) -> None:
    """Sizes are bytes, binary and decimal."""
    assert size_bytes == parse_size(text)


@pytest.mark.parametrize(("text", "per_second"), [("10/s", 10.0), ("600/m", 10.0), ("0.5/s", 0.5), ("1800/h", 0.5)])
def test_rates(text: str, per_second: float) -> None:
    """Rates are per second."""
    assert per_second == parse_rate(text)


@pytest.mark.parametrize(
    "text", ["", "s", "1d", "1m1h", "1s1s", "1 s", "+1s", "1e3s", "\u0661s", "1.s", "NaNs", "1s\n"]
)
def test_no_duration(text: str) -> None:
    """Anything else is refused, with what to write."""
    with pytest.raises(ValueError, match="is not a duration; write it like 500ms, 15s, 1m, 1h30m"):
        parse_duration(text)


@given(st.integers(0, int(LONGEST_SECONDS) * 1000))
def test_duration_round_trip(milliseconds: int) -> None:
    """A duration written by us is read as the same."""
    assert milliseconds / 1000 == parse_duration(format_duration(milliseconds / 1000))


@given(st.integers(0, 2**63 - 1))
def test_size_round_trip(size_bytes: int) -> None:
    """A size written by us is read as the same."""
    assert size_bytes == parse_size(format_size(size_bytes))


@given(st.text() | st.from_regex(r"[0-9.]{0,80}(ms|s|h|KiB|B|TB|/s|/h)?", fullmatch=True))
def test_arbitrary_text(text: str) -> None:
    """Arbitrary text is a finite value of the right range or a ValueError."""
    for parse, most in ((parse_duration, LONGEST_SECONDS), (parse_size, 2**63), (parse_rate, float("1e80"))):
        with suppress(ValueError):
            assert 0 <= parse(text) <= most
