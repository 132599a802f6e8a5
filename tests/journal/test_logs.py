"""Records and the positions that cover them are in the journal together or not at all, in order, over restarts."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from typing import TYPE_CHECKING

import pytest

from exporter.journal import (
    Group,
    Journal,
    JournalError,
    LogBatch,
    LogCommit,
    PositionRow,
    SourceRow,
    StatusBatch,
)

if TYPE_CHECKING:
    from pathlib import Path


def batch(*records: bytes, lane: int = 0, events: bool = False) -> LogBatch:
    """Make a batch of one pipeline."""
    groups = [Group("prod\0a", b"resource", list(records))]
    return LogBatch(lane, events, len(records), sum(map(len, records)), 5.0, groups)


async def opened(directory: Path) -> Journal:
    """Open a journal."""
    journal = Journal(directory)
    await journal.open()
    return journal


async def test_what_waits_is_there_after_reopening(tmp_path: Path) -> None:
    """Batches come back oldest first, with their records; numbers are never used again."""
    journal = await opened(tmp_path)
    first = await journal.commit_logs(
        LogCommit([PositionRow("prod", "a", b"p1")], [batch(b"1", b"2"), batch(b"3", lane=2)])
    )
    second = await journal.commit_logs(LogCommit([PositionRow("prod", "a", b"p2")], [batch(b"4", events=True)]))
    await journal.close()
    journal = await opened(tmp_path)
    assert first + second == await journal.read_waiting()
    assert [(0, False, 2, 2), (2, False, 1, 1), (0, True, 1, 1)] == [
        (one.lane, one.events, one.count, one.bytes) for one in first + second
    ]
    assert [Group("prod\0a", b"resource", [b"1", b"2"])] == await journal.read_groups(first[0].seq)
    assert {"a": b"p2"} == await journal.read_positions("prod")
    await journal.delete_batches([one.seq for one in first + second])
    (third,) = await journal.commit_logs(LogCommit(batches=[batch(b"5")]))
    assert third.seq > second[0].seq
    assert [] == await journal.read_groups(second[0].seq)
    await journal.close()


async def test_together_or_not_at_all(tmp_path: Path) -> None:
    """When a batch cannot be written, neither are the positions, the other batches or the counts of its commit."""
    journal = await opened(tmp_path)
    unwritable = LogBatch(0, events=False, count=1, bytes=1, read_seconds=object(), groups=[])  # type: ignore[arg-type]
    bad = LogCommit([PositionRow("prod", "a", b"p1")], [batch(b"1"), unwritable])
    with pytest.raises(JournalError):
        await journal.commit_logs(bad)
    with pytest.raises(JournalError):
        await journal.commit(StatusBatch(SourceRow("prod", "target", 1.0, b"")), bad)
    assert ({}, [], (None, [])) == (
        await journal.read_positions("prod"),
        await journal.read_waiting(),
        await journal.read_source("prod"),
    )
    await journal.close()


@pytest.mark.parametrize(
    ("stored", "lane", "wanted", "used"),
    [(None, None, 4, 4), (4, None, 8, 8), (4, 1, 8, 4), (8, 1, 4, 8), (None, 5, 4, 6), (None, 1, 4, 4)],
)
async def test_lanes(tmp_path: Path, stored: int | None, lane: int | None, wanted: int, used: int) -> None:
    """The number of lanes changes only while nothing waits; without a stored one each lane in use exists."""
    journal = await opened(tmp_path)
    if stored is not None:
        assert stored == await journal.settle_lanes(stored)
    if lane is not None:
        await journal.commit_logs(LogCommit(batches=[batch(b"1", lane=lane)]))
    assert used == await journal.settle_lanes(wanted)
    await journal.close()
    journal = await opened(tmp_path)
    assert used == await journal.settle_lanes(used if lane is None else wanted)
    await journal.close()


WRITER = """
import asyncio, pathlib, sys
from exporter.journal import Journal, LogCommit, PositionRow
from tests.journal.test_logs import batch

async def write():
    journal = Journal(pathlib.Path(sys.argv[1]))
    await journal.open()
    number = 0
    while True:
        number += 1
        text = str(number).encode()
        await journal.commit_logs(LogCommit([PositionRow("prod", "a", text)], [batch(text)]))
        print(number, flush=True)

asyncio.run(write())
"""


async def test_a_kill_at_any_moment(tmp_path: Path) -> None:
    """After `kill -9` the position is that of the newest record, and all that was said to be written is there."""
    for lines in (1, 7, 20):
        directory = tmp_path / str(lines)
        process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, str(directory), stdout=-1)
        assert process.stdout is not None
        said = [int(await process.stdout.readline()) for _ in range(lines)]
        os.kill(process.pid, signal.SIGKILL)
        said += [int(line) for line in (await process.stdout.read()).splitlines()]
        await process.wait()
        journal = await opened(directory)
        waiting = await journal.read_waiting()
        newest = (await journal.read_groups(waiting[-1].seq))[0].records[-1]
        assert {"a": newest} == await journal.read_positions("prod")
        assert int(newest) == len(waiting)
        assert said[-1] <= len(waiting) <= said[-1] + 1
        await journal.close()


async def test_some_records_of_batches_are_deleted(tmp_path: Path) -> None:
    """A stream's records go, all or those named; the rest stays in its place, and an empty batch goes as a whole."""
    journal = await opened(tmp_path)
    groups = [Group("a", b"r", [b"1", b"22"]), Group("b", b"r", [b"3"])]
    first = LogBatch(0, events=False, count=3, bytes=100, read_seconds=5.0, groups=groups)
    one, two = await journal.commit_logs(LogCommit(batches=[first, batch(b"4")]))
    gone = {"a": {b"22"}, "prod\0a": None}
    left = await journal.remove_records([one.seq, two.seq], gone, lambda item: [item])
    assert [(one.seq, 2, 98)] == [(row.seq, row.count, row.bytes) for row in left]
    assert [Group("a", b"r", [b"1"]), Group("b", b"r", [b"3"])] == await journal.read_groups(one.seq)
    assert left == await journal.read_waiting()
    await journal.close()
