"""The journal keeps what was committed, and says so when it cannot."""

from __future__ import annotations

import asyncio
import errno
import os
import shutil
import sqlite3
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from exporter.journal import (
    Group,
    Journal,
    JournalError,
    JournalInUseError,
    LogBatch,
    LogCommit,
    PipelineRow,
    PositionRow,
    SourceRow,
    StatusBatch,
    _file,
    _journal,
)

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


def damage(journal: Journal) -> None:
    """Bring all to the file and spoil its pages but the first, as a disk does that fails."""
    assert journal._db is not None
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    size = journal.path.stat().st_size
    with journal.path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xa5" * (size - 4096))
    journal._db.execute("PRAGMA shrink_memory")


async def test_a_file_that_becomes_corrupt_is_replaced(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The write that finds out is made to a new file; it is told, and numbers of batches are not used again."""
    journal = Journal(tmp_path)
    replaced = asyncio.Event()
    journal.on_replaced = replaced.set
    await journal.open()
    old = LogBatch(0, events=False, count=1, bytes=1, read_seconds=1.0, groups=[Group("a", b"r", [b"x" * 20_000])])
    (first,) = await journal.commit_logs(LogCommit(batches=[old]))
    damage(journal)
    (second,) = await journal.commit_logs(LogCommit(batches=[old]))
    await asyncio.wait_for(replaced.wait(), 10)
    assert first.seq < second.seq
    assert [second] == await journal.read_waiting()
    assert journal.notice is not None
    assert [journal.notice] == [entry.getMessage() for entry in caplog.records if entry.levelname == "ERROR"]
    assert journal.last_error is None
    await journal.write_again([replace(old, seq=first.seq), replace(old, seq=second.seq, groups=[])])
    await journal.close()
    journal = Journal(tmp_path)
    await journal.open()
    assert [first, second] == await journal.read_waiting()
    assert old.groups == await journal.read_groups(second.seq)
    assert 1 == len(list(tmp_path.glob("journal.db.corrupt-????????T??????Z")))
    await journal.close()


@pytest.mark.parametrize("running", [True, False])
async def test_what_can_be_read_of_a_corrupt_file_is_taken_over(tmp_path: Path, running: bool) -> None:
    """Tables that are whole go on; at a start where batches may be missing, the lines are read again."""
    journal = Journal(tmp_path)
    await journal.open()
    position = PositionRow("prod", "a", b"p")
    await journal.commit(
        batch(5.0, PipelineRow("a", None, b"state", b"events")),
        LogCommit([position], [LogBatch(0, events=False, count=1, bytes=1, read_seconds=1.0, groups=[])]),
    )
    assert journal._db is not None
    (page,) = journal._db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'log_batch'").fetchone()
    (page_bytes,) = journal._db.execute("PRAGMA page_size").fetchone()
    journal._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with journal.path.open("r+b") as file:
        file.seek(page_bytes * (page - 1))
        file.write(b"\xa5" * page_bytes)
    if running:
        journal._db.execute("PRAGMA shrink_memory")
    else:
        await journal.close()
        journal = Journal(tmp_path)
        await journal.open()
    assert [] == await journal.read_waiting()
    source, rows = await journal.read_source("prod")
    assert (5.0, [b"state"], b"events") == (
        None if source is None else source.listed_seconds,
        [row.state for row in rows],
        await journal.read_history("prod", "a"),
    )
    assert ({"a": b"p"} if running else {}) == await journal.read_positions("prod")
    await journal.close()


@pytest.mark.parametrize("other", [False, True])
async def test_a_file_that_is_removed_is_written_again(tmp_path: Path, other: bool) -> None:
    """All that the open file holds is in the new one, also where the whole folder went; what took its place is kept."""
    journal = Journal(tmp_path / "data")
    await journal.open()
    await journal.commit(batch(5.0, PipelineRow("a", None, b"state", b"events")))
    shutil.rmtree(tmp_path / "data")
    if other:
        (tmp_path / "data").mkdir()
        journal.path.write_bytes(b"something else")
    (first,) = await journal.commit_logs(
        LogCommit(batches=[LogBatch(0, events=False, count=1, bytes=1, read_seconds=1.0, groups=[])])
    )
    assert "was removed while it was in use" in (journal.notice or "")
    with pytest.raises(JournalInUseError):
        await Journal(tmp_path / "data").open()
    await journal.close()
    journal = Journal(tmp_path / "data")
    await journal.open()
    assert b"events" == await journal.read_history("prod", "a")
    assert [first] == await journal.read_waiting()
    assert other == any(journal.path.parent.glob("journal.db.corrupt-*"))
    await journal.close()


class _Full(sqlite3.OperationalError):
    sqlite_errorcode = sqlite3.SQLITE_FULL


async def test_a_full_disk_at_the_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is there is read, nothing is written, and the file is opened as soon as it can be."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch(5.0))
    await journal.close()
    for directory, listed in ((tmp_path, [5.0]), (tmp_path / "new", [])):
        journal = Journal(directory)
        with monkeypatch.context() as patch:
            patch.setattr(_file, "connect", _fails)
            patch.setattr(_journal, "RETRY_SECONDS", 0.0)
            await journal.open()
            source, _ = await journal.read_source("prod")
            assert listed == ([] if source is None else [source.listed_seconds])
            assert 4 == await journal.settle_lanes(4)
            with pytest.raises(JournalError, match="cannot be written: the disk is full"):
                await journal.commit(batch(6.0))
            assert "the disk is full" in (journal.last_error or "")
        journal._unopened_seconds = 0.0
        await journal.commit(batch(7.0))
        assert None is journal.last_error
        await journal.close()
        assert (directory / "journal.db").exists()


async def test_a_folder_that_may_not_be_written_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not pass by itself ends the start, and the error says what to do."""

    def refuses(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(tmp_path / "lock"))

    monkeypatch.setattr("pathlib.Path.open", refuses)
    with pytest.raises(JournalError, match="make it writable for the user that the exporter runs as"):
        await Journal(tmp_path).open()


def _fails(_: object) -> None:
    raise _Full("the disk is full")
