"""The lines of one pipeline's log metrics, rendered again when a count has changed since the last scrape."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.logs.stats import GAP_REASONS, RECONNECT_REASONS, SEVERITIES
from exporter.status import families
from exporter.status.lines import encode, label_pairs, number
from exporter.status.samples import NOTHING, Lines, counters

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.logs.stats import LogStats
    from exporter.status.families import Family
    from exporter.status.series import Context


class LogSeries:
    """One pipeline's log metrics. `began_seconds` is when the process began to count."""

    def __init__(self, context: Context, name: str, stats: LogStats, began_seconds: float) -> None:
        self._labels = context.labels(name)
        self._stats = stats
        self._created = f" {number(began_seconds)}\n"
        self._version = -1
        self._lines: Mapping[Family, Lines] = {}

    @property
    def lines_read(self) -> int:
        """How many lines were read."""
        return sum(self._stats.lines.values())

    def lines(self, family: Family) -> Lines:
        """Return the lines of a family as they are now."""
        version = self._stats.version
        if version != self._version:
            self._lines, self._version = self._render(), version
        return self._lines.get(family, NOTHING)

    def _render(self) -> dict[Family, Lines]:
        stats = self._stats
        severities = [("severity", one, stats.lines[one]) for one in SEVERITIES]
        reconnects = [("reason", one, stats.reconnects[one]) for one in RECONNECT_REASONS]
        gaps = [("reason", one, stats.gaps[one]) for one in GAP_REASONS]
        result = {
            families.LOG_LINES: self._counters(families.LOG_LINES, severities),
            families.LOG_BYTES: self._counters(families.LOG_BYTES, [("", "", stats.bytes)]),
            families.LOG_CONNECTED: self._gauge(families.LOG_CONNECTED, int(stats.open_streams > 0)),
            families.LOG_RECONNECTS: self._counters(families.LOG_RECONNECTS, reconnects),
            families.LOG_LOST: self._counters(families.LOG_LOST, [("", "", stats.lines_lost)]),
            families.LOG_GAPS: self._counters(families.LOG_GAPS, gaps),
            families.LOG_REDACTIONS: self._counters(families.LOG_REDACTIONS, [("", "", stats.redactions)]),
        }
        if stats.last_line_seconds is not None:
            result[families.LOG_LAST_LINE] = self._gauge(families.LOG_LAST_LINE, stats.last_line_seconds)
        return result

    def _gauge(self, family: Family, value: float) -> Lines:
        line = encode(f"{family.sample_name}{{{self._labels}}} {number(value)}\n")
        return Lines(line, line)

    def _counters(self, family: Family, rows: Sequence[tuple[str, str, int]]) -> Lines:
        pairs = (f"{self._labels},{label_pairs({label: value})}" if label else self._labels for label, value, _ in rows)
        counts = (count for _, _, count in rows)
        return counters(
            family, [(f"{{{one}}}", count) for one, count in zip(pairs, counts, strict=True)], self._created
        )
