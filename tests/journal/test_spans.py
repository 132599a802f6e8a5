"""Spans wait in the journal apart from records, committed with whatever they tell of."""

from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from exporter.journal import SPANS, Group, JournalError, LogBatch, LogCommit, SourceRow, StatusBatch
from tests.journal.test_logs import batch, opened

if TYPE_CHECKING:
    from pathlib import Path

STATUS = StatusBatch(SourceRow("prod", "target", 1.0, b""))


async def test_spans_wait_apart(tmp_path: Path) -> None:
    """Records and spans of one commit come back each from their own queue, after reopening too."""
    journal = await opened(tmp_path)
    record, span = await journal.commit(STATUS, LogCommit(batches=[batch(b"record")], spans=[batch(b"span")]))
    await journal.close()
    journal = await opened(tmp_path)
    assert [record] == await journal.read_waiting()
    assert [span] == await journal.read_waiting(SPANS)
    assert [Group("prod\0a", b"resource", [b"record"])] == await journal.read_groups(record.seq)
    assert [Group("prod\0a", b"resource", [b"span"])] == await journal.read_groups(span.seq, SPANS)
    await journal.delete_batches([span.seq], SPANS)
    assert ([record], []) == (await journal.read_waiting(), await journal.read_waiting(SPANS))
    await journal.close()


async def test_some_spans_of_a_batch_go(tmp_path: Path) -> None:
    """What is left of a batch of spans stays in their queue, and records with the same number stay as they are."""
    journal = await opened(tmp_path)
    record, span = await journal.commit(STATUS, LogCommit(batches=[batch(b"1", b"2")], spans=[batch(b"1", b"2")]))
    (left,) = await journal.remove_records([span.seq], {"prod\0a": {b"1"}}, lambda item: [item], SPANS)
    assert (1, 1) == (left.count, left.bytes)
    assert [b"2"] == (await journal.read_groups(span.seq, SPANS))[0].records
    assert [b"1", b"2"] == (await journal.read_groups(record.seq))[0].records
    assert [] == await journal.remove_records([span.seq], {"prod\0a": None}, lambda item: [item], SPANS)
    assert [] == await journal.read_waiting(SPANS)
    await journal.close()


async def test_spans_and_counts_together_or_not_at_all(tmp_path: Path) -> None:
    """When a span cannot be written, neither is the settling of its job."""
    journal = await opened(tmp_path)
    unwritable = LogBatch(0, events=True, count=1, bytes=1, read_seconds=object(), groups=[])  # type: ignore[arg-type]
    with pytest.raises(JournalError):
        await journal.commit(STATUS, LogCommit(spans=[batch(b"1"), unwritable]))
    assert ((None, []), []) == (await journal.read_source("prod"), await journal.read_waiting(SPANS))
    await journal.close()


async def test_lanes_of_spans(tmp_path: Path) -> None:
    """There are as many lanes as wanted, and at least those in which spans wait; records have no say in it."""
    journal = await opened(tmp_path)
    assert 4 == await journal.settle_lanes(4)
    assert 2 == await journal.settle_lanes(2, SPANS)
    await journal.commit(STATUS, LogCommit(batches=[batch(b"1", lane=3)], spans=[batch(b"1", lane=1)]))
    assert (2, 1 + 1) == (await journal.settle_lanes(2, SPANS), await journal.settle_lanes(1, SPANS))
    await journal.close()


async def test_a_journal_without_spans_opens(tmp_path: Path) -> None:
    """The file of a version that knew no spans is taken as it is."""
    journal = await opened(tmp_path)
    await journal.commit_logs(LogCommit(batches=[batch(b"1")]))
    await journal.close()
    with sqlite3.connect(tmp_path / "journal.db") as db:
        db.execute("DROP TABLE span_batch")
    db.close()
    journal = await opened(tmp_path)
    assert (1, 0) == (len(await journal.read_waiting()), len(await journal.read_waiting(SPANS)))
    await journal.close()
