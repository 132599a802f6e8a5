"""What a GoldRush worker counts since it started."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

_RECORDS_A_BLOCK = 150


@dataclass(slots=True)
class WorkerMetrics:
    """The figures of one worker. They can be set to anything; those that count start at zero with the worker."""

    records_per_second: float = 0.0
    """How fast records come while the worker runs."""
    records_consumed: int = 0
    last_offset: int = 0
    last_block_height: int = 20_000_000
    pending_records: int = 0
    processing_delay_ms: float = 0
    normalization_errors: int = 0
    _counted_to_us: int = 0
    _rest: float = 0.0

    def restart(self, now_us: int) -> None:
        """Begin to count anew. The offset is the topic's and the height the chain's: they stay."""
        self.records_consumed = self.normalization_errors = self.pending_records = 0
        self._rest = 0.0
        self._counted_to_us = now_us

    def count_to(self, now_us: int, *, running: bool) -> None:
        """Count what has come since the last time."""
        if running:
            exact = self._rest + self.records_per_second * (now_us - self._counted_to_us) / 1_000_000
            records = int(exact)
            self._rest = exact - records
            self.records_consumed += records
            self.last_offset += records
            self.last_block_height += records // _RECORDS_A_BLOCK
        self._counted_to_us = now_us

    def document(self, *, running: bool) -> dict[str, Any]:
        """Return the snapshot."""
        return {
            "records_consumed": self.records_consumed,
            "last_offset": self.last_offset,
            "last_block_height": self.last_block_height,
            "pending_records": self.pending_records,
            "processing_delay_ms": self.processing_delay_ms,
            "records_per_second": self.records_per_second if running else 0,
            "normalization_errors": self.normalization_errors,
        }
