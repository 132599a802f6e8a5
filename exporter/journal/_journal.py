"""One SQLite file, one writer thread, group commit.

    commit() ─┐
    commit() ─┼─▶ queue ─▶ writer thread: one transaction for all that wait ─▶ fsync ─▶ each caller resumes
    commit() ─┘
    read_*() ───▶ the same thread, in turn: a reader sees what was committed before it asked

The thread owns the connection. `_closed` is only touched on the event loop; the queue is the only thing shared.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from exporter.journal import _logs, _status
from exporter.journal._errors import JournalError, JournalInUseError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from typing import IO

T = TypeVar("T")
Work = tuple["Callable[[sqlite3.Connection], object]", "asyncio.Future[object]", bool]

FILE_NAME: Final = "journal.db"
KEEP_GONE_SECONDS: Final = 30 * 86400.0
"""A vanished pipeline's counts are kept so long: a list that was empty by mistake must not reset them."""

_PAGE_BYTES: Final = 16 * 1024
"""Of a new file. Batches of records are megabytes; in pages of 4 KiB writing them takes twice the CPU time."""

_CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
"""What was accepted by then is never written a second time, from the write-ahead log to the file."""

_log = logging.getLogger(__name__)


class Journal:
    """The journal of one data directory. One exporter at a time; opening a second raises JournalInUseError."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / FILE_NAME
        self.last_error: str | None = None
        """Why the newest commit failed; None when it did not."""
        self._queue: queue.SimpleQueue[Work | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock: IO[str] | None = None
        self._db: sqlite3.Connection | None = None
        self._closed = False

    async def open(self) -> None:
        """Lock the directory, open or make the file, start the writer. Raises JournalError."""
        await asyncio.to_thread(self._open)
        self._thread = threading.Thread(target=self._run, name="journal", daemon=True)
        self._thread.start()

    async def close(self) -> None:
        """Finish what was asked for and close the file. Safe to call more than once."""
        if self._closed or self._thread is None:
            return
        self._closed = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    async def commit(self, batch: _status.StatusBatch, logs: _logs.LogCommit | None = None) -> list[_logs.Waiting]:
        """Write a batch, and the events that it made; returns when both are on the disk.

        Raises JournalError, then nothing of it was written.
        """

        def write(db: sqlite3.Connection) -> list[_logs.Waiting]:
            _status.write(db, batch)
            return _logs.write(db, logs) if logs is not None else []

        return await self._ask(write, writes=True)

    async def commit_logs(self, commit: _logs.LogCommit) -> list[_logs.Waiting]:
        """Write records with the positions that cover them. Raises JournalError, then nothing of it was written."""
        return await self._ask(lambda db: _logs.write(db, commit), writes=True)

    async def read_positions(self, source: str) -> dict[str, bytes]:
        """Read how far each stream of a source has been read. Raises JournalError."""
        return await self._ask(lambda db: _logs.read_positions(db, source), writes=False)

    async def read_waiting(self) -> list[_logs.Waiting]:
        """Read what waits to be sent, oldest first, without the records. Raises JournalError."""
        return await self._ask(_logs.read_waiting, writes=False)

    async def settle_lanes(self, wanted: int) -> int:
        """Return over how many lanes pipelines are spread: as wanted, unless records wait in others. Raises JournalError."""
        return await self._ask(lambda db: _logs.settle_lanes(db, wanted), writes=True)

    async def read_groups(self, seq: int) -> list[_logs.Group]:
        """Read the records of a batch, none when it is gone. Raises JournalError."""
        return await self._ask(lambda db: _logs.read_groups(db, seq), writes=False)

    async def delete_batches(self, seqs: Sequence[int]) -> None:
        """Delete batches that were accepted or dropped. Raises JournalError."""
        await self._ask(lambda db: _logs.delete(db, seqs), writes=True)

    async def read_source(self, name: str) -> tuple[_status.SourceRow | None, list[_status.PipelineRow]]:
        """Read a source's row and those of its pipelines, without histories. Raises JournalError."""
        return await self._ask(lambda db: _status.read_source(db, name), writes=False)

    async def read_history(self, source: str, pipeline_id: str) -> bytes | None:
        """Read a pipeline's kept events, None where there are none. Raises JournalError."""
        return await self._ask(lambda db: _status.read_history(db, source, pipeline_id), writes=False)

    def size_bytes(self) -> int:
        """Return the size of the file and its write-ahead log."""
        files = (self.path, self.path.with_name(FILE_NAME + "-wal"))
        return sum(file.stat().st_size for file in files if file.exists())

    async def _ask(self, work: Callable[[sqlite3.Connection], T], *, writes: bool) -> T:
        if self._closed:
            message = f"the journal {self.path} is closed"
            raise JournalError(message)
        future: asyncio.Future[object] = asyncio.get_running_loop().create_future()
        self._queue.put((work, future, writes))
        return await future  # type: ignore[return-value]  # what work returned

    def _open(self) -> None:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._lock = _locked(self.path.parent / "lock")
        except BlockingIOError as error:
            message = f"the journal in {self.path.parent} is in use by another exporter: give each its own data_dir"
            raise JournalInUseError(message) from error
        except OSError as error:
            message = f"the data directory {self.path.parent} cannot be used: {error}"
            raise JournalError(message) from error
        try:
            self._db = _connect(self.path)
        except sqlite3.DatabaseError as error:
            if not _is_corrupt(error):
                message = f"the journal {self.path} cannot be opened: {error}"
                raise JournalError(message) from error
            self._move_aside(error)

    def _move_aside(self, error: sqlite3.DatabaseError) -> None:
        """Keep a corrupt file for whoever wants to look at it, and begin a new one."""
        stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        aside = self.path.with_name(f"{FILE_NAME}.corrupt-{stamp}")
        for suffix in ("", "-wal", "-shm"):
            file = self.path.with_name(FILE_NAME + suffix)
            if file.exists():
                file.rename(aside.with_name(aside.name + suffix))
        _log.error("the journal %s is corrupt (%s): moved to %s, counting starts anew", self.path, error, aside)
        self._db = _connect(self.path)

    def _run(self) -> None:
        if self._db is None or self._lock is None:
            return
        going = True
        while going:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            going = None not in waiting
            self._transact(self._db, [work for work in waiting if work is not None])
        self._db.close()
        self._lock.close()

    def _transact(self, db: sqlite3.Connection, waiting: Sequence[Work]) -> None:
        """Do all that waits in one transaction; if that fails, each alone, so that it fails only whom it must."""
        results: list[object] = []
        writes = any(work[2] for work in waiting)
        try:
            with db:
                if writes:
                    db.execute("BEGIN IMMEDIATE")
                results = [work(db) for work, _, _ in waiting]
        except Exception as error:  # noqa: BLE001  (the thread must outlive whatever one caller asked for)
            if len(waiting) > 1:
                for work in waiting:
                    self._transact(db, [work])
                return
            failure = JournalError(f"the journal {self.path} cannot be {'written' if writes else 'read'}: {error}")
            self.last_error = str(failure)
            for _, future, _ in waiting:
                _tell(future, error=failure)
            return
        if writes:
            self.last_error = None
        for (_, future, _), result in zip(waiting, results, strict=True):
            _tell(future, result=result)


def _tell(future: asyncio.Future[object], *, result: object = None, error: Exception | None = None) -> None:
    """Resolve a future of the event loop from the writer thread; one whose caller went away is left alone."""

    def resolve() -> None:
        if future.done():
            return
        if error is not None:
            future.set_exception(error)
        else:
            future.set_result(result)

    loop = future.get_loop()
    if not loop.is_closed():
        loop.call_soon_threadsafe(resolve)


def _connect(path: Path) -> sqlite3.Connection:
    # Autocommit: transactions are begun by hand, as the module `sqlite3` begins its own too late.
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    try:
        db.execute(f"PRAGMA page_size = {_PAGE_BYTES}")
        db.execute("PRAGMA journal_mode = WAL")
        db.execute(f"PRAGMA wal_autocheckpoint = {_CHECKPOINT_BYTES // _PAGE_BYTES}")
        db.execute("PRAGMA synchronous = FULL")
        db.executescript(_status.SCHEMA + _logs.SCHEMA)
        _check(db)
        _status.forget_gone(db, time.time() - KEEP_GONE_SECONDS)
    except BaseException:
        db.close()
        raise
    return db


def _check(db: sqlite3.Connection) -> None:
    if db.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
        message = "database disk image is malformed"
        raise sqlite3.DatabaseError(message)


def _locked(path: Path) -> IO[str]:
    """Open a file and lock it for as long as it is open; raises BlockingIOError when another process has it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise
    return file


def _is_corrupt(error: sqlite3.DatabaseError) -> bool:
    return any(sign in str(error) for sign in ("malformed", "not a database", "file is encrypted"))
