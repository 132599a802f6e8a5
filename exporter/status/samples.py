"""Lines of counters and histograms, in both formats."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final, NamedTuple

from exporter.status.histogram import BUCKETS_SECONDS
from exporter.status.lines import encode, number

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.status.families import Family
    from exporter.status.histogram import Histogram

_BOUNDS: Final = (*(repr(bound) for bound in BUCKETS_SECONDS), "+Inf")


class Lines(NamedTuple):
    """The lines of one family and pipeline, in both formats."""

    text: bytes
    openmetrics: bytes


NOTHING: Final = Lines(b"", b"")


def created_line(name: str, pairs: str, created: str) -> str:
    """Return the line that follows a counter in OpenMetrics. `created` is its end, from the space on."""
    return f"{name.removesuffix('_total')}_created{pairs}{created}"


def counters(family: Family, rows: Iterable[tuple[str, float]], created: str) -> Lines:
    """Return counters: labels in braces, and values."""
    name = family.sample_name
    pairs = [(f"{name}{labels} {number(value)}\n", created_line(name, labels, created)) for labels, value in rows]
    return Lines(encode("".join(line for line, _ in pairs)), encode("".join(line + after for line, after in pairs)))


def histograms(family: Family, rows: Iterable[tuple[str, Histogram]], created: str) -> Lines:
    """Return histograms: labels in braces, and observations."""
    name = family.name
    pairs = [(_histogram(name, labels, one), created_line(name, labels, created)) for labels, one in rows]
    return Lines(encode("".join(lines for lines, _ in pairs)), encode("".join(lines + after for lines, after in pairs)))


def _histogram(name: str, labels: str, one: Histogram) -> str:
    opened = labels.removesuffix("}")
    cumulative = list(accumulate(one.counts))
    buckets = "".join(
        f'{name}_bucket{opened},le="{bound}"}} {count}\n' for bound, count in zip(_BOUNDS, cumulative, strict=True)
    )
    return f"{buckets}{name}_sum{labels} {number(one.sum)}\n{name}_count{labels} {cumulative[-1]}\n"
