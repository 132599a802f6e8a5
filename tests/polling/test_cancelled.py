"""A poll that is cancelled in the middle of its commit, as a reload does it."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from exporter.journal import LogBatch
from exporter.simulator import World
from tests.polling.harness import polling

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from exporter.journal import LogCommit, StatusBatch, Waiting
    from exporter.polling.tracked import Change


class _Events:
    """Notes how many events were committed."""

    def __init__(self) -> None:
        self.sent = 0
        self.told = asyncio.Event()

    async def batches(self, changes: Sequence[Change]) -> list[LogBatch]:
        return [LogBatch(0, events=True, count=len(changes), bytes=1, read_seconds=0.0, groups=[])]

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        assert len(waiting) == len(batches)
        self.sent += sum(one.count for one in waiting)
        self.told.set()

    def dropped(self, count: int) -> None:
        """Do nothing."""


async def test_events_that_were_written_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the journal writes although the poll was cancelled is sent by the same process."""
    world = World(chores=False)
    pipeline = world.create("orders")
    world.advance(20)
    async with polling(tmp_path, world) as prod:
        await prod.poll()
        events = prod.poller.source.events = _Events()
        pipeline.compile()
        commit = prod.journal.commit

        async def cancelled(status: StatusBatch, logs: LogCommit | None = None) -> list[Waiting]:
            if logs and logs.batches:
                polled.cancel()
            return await commit(status, logs)

        monkeypatch.setattr(prod.journal, "commit", cancelled)  # the moment cannot be had from outside
        world.advance(20)
        polled = asyncio.create_task(prod.poller.poll())
        with pytest.raises(asyncio.CancelledError):
            await polled
        waiting = await prod.journal.read_waiting()
        await events.told.wait()

    assert sum(one.count for one in waiting) == events.sent
