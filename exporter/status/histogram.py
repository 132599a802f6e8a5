"""Observations by bucket, as the journal keeps them."""

from __future__ import annotations

from bisect import bisect_left
from typing import Final

import msgspec

BUCKETS_SECONDS: Final = (1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3600.0, 21600.0)
"""Upper bounds of the histograms of start durations and of run durations."""


class Histogram(msgspec.Struct, array_like=True):
    """Observations by bucket (not cumulative; the last is +Inf) and their sum."""

    counts: list[int] = msgspec.field(default_factory=lambda: [0] * (len(BUCKETS_SECONDS) + 1))
    sum: float = 0.0

    def observe(self, value: float) -> None:
        """Count a value, in the unit of the buckets."""
        self.counts[bisect_left(BUCKETS_SECONDS, value)] += 1
        self.sum += value
