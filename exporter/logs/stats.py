"""What is counted of one pipeline's log stream. It starts at zero with the process, but for gaps and lost lines."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

SEVERITIES = ("trace", "debug", "info", "warn", "error", "fatal", "none")
RECONNECT_REASONS = ("end", "cut", "refused", "timeout", "not_found", "slow_reader")
GAP_REASONS = ("overflow", "restart", "window")


@dataclass(slots=True)
class LogStats:
    """The counts of one pipeline. `version` grows with every change, so that lines are rendered again only then."""

    lines: Counter[str] = field(default_factory=Counter)
    bytes: int = 0
    open_streams: int = 0
    reconnects: Counter[str] = field(default_factory=Counter)
    redactions: int = 0
    last_line_seconds: float | None = None
    gaps: Counter[str] = field(default_factory=Counter)
    """Committed ones only."""
    lines_lost: int = 0
    version: int = 0
