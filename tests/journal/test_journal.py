"""The journal keeps what was committed, and says so when it cannot."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest

from exporter.journal import Journal, JournalError, JournalInUseError, PipelineRow, SourceRow, StatusBatch

if TYPE_CHECKING:
    from pathlib import Path


def batch(listed: float = 1.0, *rows: PipelineRow) -> StatusBatch:
    """Make a batch of the source `prod`."""
    return StatusBatch(SourceRow("prod", "target", listed, b"words"), rows)


async def test_commit_is_there_after_reopening(tmp_path: Path) -> None:
    """What was committed is read back by the next exporter."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(
        batch(5.0, PipelineRow("a", None, b"state", b"events"), PipelineRow("b", time.time(), b"gone"))
    )
    await journal.close()
    journal = Journal(tmp_path)
    await journal.open()
    source, rows = await journal.read_source("prod")
    assert source == SourceRow("prod", "target", 5.0, b"words")
    assert [("a", b"state"), ("b", b"gone")] == [(row.id, row.state) for row in rows]
    assert (b"events", None) == (await journal.read_history("prod", "a"), await journal.read_history("prod", "b"))
    await journal.close()


async def test_history_stays_when_a_row_comes_without_one(tmp_path: Path) -> None:
    """A row without history leaves the history that is there."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch(1.0, PipelineRow("a", None, b"1", b"events")))
    await journal.commit(batch(2.0, PipelineRow("a", None, b"2")))
    assert b"events" == await journal.read_history("prod", "a")
    await journal.close()


async def test_concurrent_commits_all_land(tmp_path: Path) -> None:
    """Commits that wait together are written together."""
    journal = Journal(tmp_path)
    await journal.open()
    await asyncio.gather(*(journal.commit(batch(1.0, PipelineRow(str(n), None, b""))) for n in range(50)))
    assert 50 == len((await journal.read_source("prod"))[1])
    await journal.close()


async def test_second_exporter_is_refused(tmp_path: Path) -> None:
    """A directory that another exporter works with is refused with a clear error."""
    journal = Journal(tmp_path)
    await journal.open()
    with pytest.raises(JournalInUseError, match="in use by another exporter"):
        await Journal(tmp_path).open()
    await journal.close()


async def test_corrupt_file_is_moved_aside(tmp_path: Path) -> None:
    """A corrupt file is kept under another name and the service starts with a new one."""
    (tmp_path / "journal.db").write_bytes(b"this is no database" * 100)
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch())
    await journal.close()
    assert 1 == len(list(tmp_path.glob("journal.db.corrupt-*")))


async def test_directory_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    """A data directory that cannot be used is named in the error."""
    (tmp_path / "file").touch()
    with pytest.raises(JournalError, match="file/data"):
        await Journal(tmp_path / "file" / "data").open()


async def test_failed_commit_raises_and_the_next_one_works(tmp_path: Path) -> None:
    """A commit that fails raises and leaves nothing; the journal recovers by itself."""
    journal = Journal(tmp_path)
    await journal.open()
    other = sqlite3.connect(tmp_path / "journal.db", isolation_level=None)
    assert journal._db is not None
    journal._db.execute("PRAGMA busy_timeout = 0")
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(JournalError, match="cannot be written"):
        await journal.commit(batch())
    assert journal.last_error is not None
    other.execute("ROLLBACK")
    other.close()
    await journal.commit(batch())
    assert journal.last_error is None
    await journal.close()


async def test_long_gone_pipelines_are_forgotten(tmp_path: Path) -> None:
    """A pipeline that vanished long ago is deleted when the journal is opened."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch(1.0, PipelineRow("a", 1.0, b"", b"events")))
    await journal.close()
    journal = Journal(tmp_path)
    await journal.open()
    assert [] == (await journal.read_source("prod"))[1]
    await journal.close()


async def test_one_bad_write_fails_alone(tmp_path: Path) -> None:
    """Writes and reads that waited with one that fails are done all the same, and so are later ones."""
    journal = Journal(tmp_path)
    await journal.open()
    bad = StatusBatch(SourceRow("bad", "target", 1.0, object()))  # type: ignore[arg-type]
    results = await asyncio.gather(
        journal.commit(batch()), journal.commit(bad), journal.read_source("x"), return_exceptions=True
    )
    assert [list, JournalError, tuple] == [type(result) for result in results]
    await journal.commit(batch(2.0))
    source, _ = await journal.read_source("prod")
    assert source is not None
    assert 2.0 == source.listed_seconds
    await journal.close()
