"""What a pipeline's logs have lost in all: the sum over its streams, of what the journal holds."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.logs.stats import LogStats
    from exporter.logs.tailer import StreamState


class Totals:
    """The gaps of one pipeline's streams as they were committed, shown in its counts.

    A stream that is let go of hands its gaps to the pipeline's own state, in one transaction, so that they stay.
    """

    def __init__(self, stats: LogStats) -> None:
        self._stats = stats
        self._states: dict[str, StreamState] = {}

    def show(self, states: Mapping[str, StreamState]) -> None:
        """Take in what was committed of streams. Only those that lost something are remembered: jobs come and go."""
        for stream, state in states.items():
            if state.gaps or state.lines_lost:
                self._states[stream] = state
            else:
                self._states.pop(stream, None)
        gaps: Counter[str] = Counter()
        for state in self._states.values():
            gaps.update(state.gaps)
        lines_lost = sum(state.lines_lost for state in self._states.values())
        if gaps != self._stats.gaps or lines_lost != self._stats.lines_lost:
            self._stats.gaps, self._stats.lines_lost = gaps, lines_lost
            self._stats.version += 1
