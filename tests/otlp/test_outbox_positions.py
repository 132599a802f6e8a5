"""The positions that the outbox writes together with records."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from exporter.otlp.outbox import Outbox
from tests.otlp.carrying import batch, limits, open_journal

if TYPE_CHECKING:
    from pathlib import Path


async def test_positions_that_move_together(tmp_path: Path) -> None:
    """A batch may move other positions and forget some, its own too, in the transaction that writes its records."""
    async with open_journal(tmp_path) as journal:
        outbox = Outbox(journal, limits(), 1, lambda _count: None)
        await outbox.open()
        await outbox.put(batch("a", "a1"))
        await outbox.put(batch("b", "b1"))
        await outbox.flush()
        before = await journal.read_positions("prod")
        outbox.note(replace(batch("a"), further={"a": None, "sum": b"1"}))
        assert before == await journal.read_positions("prod")
        await outbox.flush()
        assert {"b": before["b"], "sum": b"1"} == await journal.read_positions("prod")
        await outbox.put(batch("a", "a2"))
        await outbox.flush()

        assert {"a", "b", "sum"} == (await journal.read_positions("prod")).keys()
