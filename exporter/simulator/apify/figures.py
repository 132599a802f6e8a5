"""What a job used and what that costs: preliminary until some seconds after each end, then settled."""

from __future__ import annotations

from typing import NamedTuple

USD_A_COMPUTE_UNIT = 0.3
USD_A_DATASET_WRITE = 0.000005


class Usage(NamedTuple):
    """What one job used, over all its lives or in one of them."""

    compute_units: float = 0.0
    dataset_writes: int = 0
    usd: float = 0.0

    def plus(self, other: Usage) -> Usage:
        """Return both together."""
        return Usage(*(round(mine + theirs, 9) for mine, theirs in zip(self, other, strict=True)))  # type: ignore[arg-type]

    def times(self, part: float) -> Usage:
        """Return so much of it."""
        return Usage(round(self.compute_units * part, 9), int(self.dataset_writes * part), round(self.usd * part, 9))


def usage_of(run_seconds: float, memory_mbytes: int, dataset_writes: int = 0) -> Usage:
    """Return what a job uses: a compute unit is a gigabyte for an hour."""
    compute_units = memory_mbytes / 1024 * run_seconds / 3600
    usd = compute_units * USD_A_COMPUTE_UNIT + dataset_writes * USD_A_DATASET_WRITE
    return Usage(round(compute_units, 9), dataset_writes, round(usd, 9))
