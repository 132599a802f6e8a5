"""Records put together into batches that each fit one request."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from exporter.journal import Group, LogBatch
from exporter.otlp.wire import split_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

GROUP_BYTES: Final = 64
"""At most so many bytes come to a group's resource and records in a request: scope, tags, lengths."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much may be pending, waiting and in one request."""

    journal_bytes: int
    drop_oldest: bool
    max_records: int
    max_bytes: int
    max_delay_seconds: float

    def allow(self, records: int, size_bytes: int) -> bool:
        """Whether one request may have so much."""
        return records <= self.max_records and size_bytes <= self.max_bytes


def is_judge(batch: int, taken: Sequence[int], hopeless: Collection[int]) -> bool:
    """Whether a batch is taken although it does not fit: all before it are hopeless, and only others can tell what is bad."""
    return batch not in hopeless and all(one in hopeless for one in taken)


@dataclass(frozen=True, slots=True)
class Batch:
    """Encoded records of one stream, in order, with what covers them."""

    key: tuple[str, str]
    """Source and pipeline: what has to stay in order."""
    source: str
    stream: str
    resource: bytes
    records: Sequence[bytes]
    """Each item is one record, or as many as `counts` says."""
    position: bytes
    read_seconds: float
    further: Mapping[str, bytes | None] = field(default_factory=dict)
    """Positions of other streams that move with it; None forgets one."""
    counts: Sequence[int] | None = None
    committed: Callable[[], None] = lambda: None
    """Called once it is in the journal."""


class Packing:
    """The batches of one lane. `done` are complete."""

    def __init__(self, lane: int, limits: Limits) -> None:
        self.done: list[LogBatch] = []
        self._lane = lane
        self._limits = limits
        self._groups: list[Group] = []
        self._records: list[bytes] = []
        self._from: Batch | None = None
        self._count = self._size = self._begun = 0
        self._oldest = 0.0

    def add(self, batch: Batch, data: bytes, count: int) -> None:
        """Add records that stand together in one item; where they do not fit, they begin a new batch."""
        if batch is not self._from:
            self._end_group()
            self._from = batch
        head = GROUP_BYTES + len(batch.resource)
        more = len(data) + (0 if self._records else head)
        if not self._limits.allow(self._count + count, self._size + more):
            self.close()
            if count > 1 and not self._limits.allow(count, len(data) + head):
                for record in split_fields(data):
                    self.add(batch, record, 1)
                return
            self._from, more = batch, len(data) + head
        self._records.append(data)
        self._count, self._size, self._begun = self._count + count, self._size + more, self._begun + count
        self._oldest = self._oldest or batch.read_seconds

    def close(self) -> None:
        """End the batch, if anything is in it."""
        self._end_group()
        if self._groups:
            oldest = self._oldest or time.time()
            batch = LogBatch(
                self._lane, events=False, count=self._count, bytes=self._size, read_seconds=oldest, groups=self._groups
            )
            self.done.append(batch)
        self._groups = []
        self._count = self._size = 0
        self._oldest = 0.0

    def _end_group(self) -> None:
        if self._records and self._from is not None:
            further = self._begun - len(self._records)
            self._groups.append(Group("\0".join(self._from.key), self._from.resource, self._records, further))
        self._from, self._records, self._begun = None, [], 0
