"""Sample lines of the text formats: https://github.com/prometheus/docs (text 0.0.4) and OpenMetrics 1.0.

Both formats write samples alike; OpenMetrics has a `_created` line after each counter and histogram.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def escape(value: str) -> str:
    """Escape a label value."""
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def label_pairs(labels: Mapping[str, str]) -> str:
    """Return labels as they stand between braces."""
    return ",".join(f'{name}="{escape(value)}"' for name, value in labels.items())


def number(value: float) -> str:
    """Write a value: whole ones without a fraction, others to the microsecond, which is more than is known."""
    return str(value) if isinstance(value, int) else repr(round(value, 6))


def encode(lines: str) -> bytes:
    """Encode lines; what is no valid text (a lone surrogate in a vendor's JSON) is replaced."""
    return lines.encode("utf-8", "replace")
