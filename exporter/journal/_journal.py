"""One SQLite file, one writer thread, group commit.

    commit() ─┐
    commit() ─┼─▶ queue ─▶ writer thread: one transaction for all that wait ─▶ fsync ─▶ each caller resumes
    commit() ─┘
    read_*() ───▶ the same thread, in turn: a reader sees what was committed before it asked

The thread owns the connection. `_closed` is only touched on the event loop; the queue is the only thing shared.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
import time
from typing import TYPE_CHECKING, Final, TypeVar

from exporter.journal import _file, _logs, _status
from exporter.journal._errors import JournalError
from exporter.journal._logs import LOGS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path
    from typing import IO

    from exporter.journal._groups import Group

T = TypeVar("T")
Work = tuple["Callable[[sqlite3.Connection], object]", "asyncio.Future[object]", bool]

FILE_NAME: Final = "journal.db"
RETRY_SECONDS: Final = 1.0
"""A file that could not be opened for writing is tried again no sooner."""

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
        self.notice: str | None = None
        """What became of a corrupt file since the start."""
        self.on_replaced: Callable[[], None] = lambda: None
        """Called on the event loop when the file was begun anew: what is known in memory is to be written again."""
        self._loop: asyncio.AbstractEventLoop | None = None
        self._inode: int | None = None
        """Of the file that is open for writing."""
        self._last: dict[str, int] = {}
        """The highest number of a batch, by table."""
        self._lanes = 1
        """As asked for last."""
        self._unopened_seconds: float | None = None
        """When opening the file for writing failed last; None when it is open."""

    async def open(self) -> None:
        """Lock the directory, open or make the file, start the writer. Raises JournalError.

        On a full disk what can be read is, and every write fails until the file can be opened for writing.
        """
        self._loop = asyncio.get_running_loop()
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
        """Write a batch, and the events and spans that it made; returns when all are on the disk.

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

    async def read_waiting(self, table: _logs.Table = LOGS) -> list[_logs.Waiting]:
        """Read what waits to be sent, oldest first, without the records. Raises JournalError."""
        return await self._ask(lambda db: _logs.read_waiting(db, table), writes=False)

    async def settle_lanes(self, wanted: int, table: _logs.Table = LOGS) -> int:
        """Return over how many lanes pipelines are spread: as wanted, unless records wait in others. Raises JournalError."""
        if table == LOGS:
            self._lanes = wanted

        def settle(db: sqlite3.Connection) -> int:
            # Not as a write: it has to go on a full disk too. It is written down when that can be written to.
            return _logs.settle_lanes(db, wanted, table, keep=self._unopened_seconds is None)

        return await self._ask(settle, writes=False)

    async def read_groups(self, seq: int, table: _logs.Table = LOGS) -> list[Group]:
        """Read the records of a batch, none when it is gone. Raises JournalError."""
        return await self._ask(lambda db: _logs.read_groups(db, seq, table), writes=False)

    async def delete_batches(self, seqs: Sequence[int], table: _logs.Table = LOGS) -> None:
        """Delete batches that were accepted or dropped. Raises JournalError."""
        await self._ask(lambda db: _logs.delete(db, seqs, table), writes=True)

    async def write_again(self, batches: Sequence[_logs.LogBatch], table: _logs.Table = LOGS) -> None:
        """Write batches, with the numbers that they had, which a file that was begun anew lacks. Raises JournalError."""
        await self._ask(lambda db: _logs.write_again(db, batches, table), writes=True)

    async def remove_records(
        self,
        seqs: Sequence[int],
        gone: Mapping[str, Collection[bytes] | None],
        split: Callable[[bytes], Sequence[bytes]],
        table: _logs.Table = LOGS,
    ) -> list[_logs.Waiting]:
        """Delete records from batches, by stream (None: all of it); return what is left of these. Raises JournalError."""
        return await self._ask(lambda db: _logs.remove(db, seqs, gone, split, table), writes=True)

    async def read_source(self, name: str) -> tuple[_status.SourceRow | None, list[_status.PipelineRow]]:
        """Read a source's row and those of its pipelines, without histories. Raises JournalError."""
        return await self._ask(lambda db: _status.read_source(db, name), writes=False)

    async def read_jobs(self, source: str) -> list[bytes]:
        """Read what is known of the jobs of a source. Raises JournalError."""
        return await self._ask(lambda db: _status.read_jobs(db, source), writes=False)

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
        self._lock = _file.lock(self.path.parent)
        try:
            try:
                self._db = db = _file.connect(self.path)
            except sqlite3.DatabaseError as error:
                if not _file.is_corrupt(error):
                    raise
                db = self._begin_anew(error, None)
            self._last, self._inode = _file.last_numbers(db), _file.inode(self.path)
        except (sqlite3.DatabaseError, OSError) as error:
            try:
                self._db = self._to_read_only(error)
            except sqlite3.DatabaseError:
                self._lock.close()
                message = f"the journal {self.path} cannot be opened: {error}"
                raise JournalError(message) from error

    def _to_read_only(self, error: Exception) -> sqlite3.Connection:
        """Go on with what can be read while nothing can be written. Raises DatabaseError where that will not pass."""
        if not (isinstance(error, sqlite3.DatabaseError) and _file.may_pass(error)):
            raise sqlite3.DatabaseError from error
        db = _file.connect_to_read(self.path)
        self._unopened_seconds = time.monotonic()
        self.last_error = f"the journal {self.path} cannot be written: {error}"
        _log.error("%s; tried again until it can", self.last_error)
        return db

    def _open_to_write(self) -> bool:
        """Try again to open the file for writing, at most once a second; returns whether it is."""
        if self._unopened_seconds is None:
            return True
        if time.monotonic() < self._unopened_seconds + RETRY_SECONDS:
            return False
        self._unopened_seconds = time.monotonic()
        try:
            db = _file.connect(self.path)
            _logs.settle_lanes(db, self._lanes)
        except sqlite3.DatabaseError as error:
            self.last_error = f"the journal {self.path} cannot be written: {error}"
            return False
        self._db, old = db, self._db
        if old is not None:
            old.close()
        self._last, self._unopened_seconds = _file.last_numbers(db), None
        self._inode = _file.inode(self.path)
        _log.info("the journal %s can be written again", self.path)
        return True

    def _put_back(self, db: sqlite3.Connection) -> sqlite3.Connection:
        """Write the file again that was removed while it is open. Raises DatabaseError, OSError or JournalError."""
        if self._lock is not None and not (self.path.parent / "lock").exists():
            old, self._lock = self._lock, _file.lock(self.path.parent)
            old.close()
        aside = _file.move_aside(self.path)
        new = _file.connect(self.path)
        db.backup(new)
        db.close()
        self._db, self._inode = new, _file.inode(self.path)
        self.notice = f"the journal {self.path} was removed while it was in use, and written again at {_now()}"
        if aside.exists():
            self.notice += f"; what was in its place is {aside}"
        _log.error("%s", self.notice)
        return new

    def _begin_anew(self, error: Exception, last: dict[str, int] | None) -> sqlite3.Connection:
        """Keep a corrupt file for whoever wants to look at it; begin a new one with what can be read of it.

        Raises OSError or sqlite3.DatabaseError.
        """
        if self._db is not None:
            with contextlib.suppress(sqlite3.DatabaseError):
                self._db.close()
        aside = _file.move_aside(self.path)
        self.notice = (
            f"the journal {self.path} was corrupt ({error}): moved to {aside} at {_now()}, "
            "and begun anew with what could be read of it"
        )
        _log.error("%s", self.notice)
        try:
            self._db = db = _file.connect(self.path)
            self._inode = _file.inode(self.path)
            _file.take_over(aside, db, last)
        except sqlite3.DatabaseError as failure:
            self._db = db = self._to_read_only(failure)
        return db

    def _run(self) -> None:
        if self._db is None or self._lock is None:
            return
        going = True
        while going:
            waiting = [self._queue.get()]
            while not self._queue.empty():
                waiting.append(self._queue.get())
            going = None not in waiting
            self._transact([work for work in waiting if work is not None])
        self._db.close()
        self._lock.close()

    def _transact(self, waiting: Sequence[Work], *, again: bool = False) -> None:
        """Do all that waits in one transaction; if that fails, each alone, so that it fails only whom it must."""
        writes = any(work[2] for work in waiting)
        try:
            results = self._do(waiting, writes=writes)
        except Exception as error:  # noqa: BLE001  (the thread must outlive whatever one caller asked for)
            if not again and _file.is_corrupt(error) and self._replace(error):
                self._transact(waiting, again=True)
            elif len(waiting) > 1:
                for work in waiting:
                    self._transact([work], again=again)
            else:
                failure = JournalError(f"the journal {self.path} cannot be {'written' if writes else 'read'}: {error}")
                self.last_error = str(failure)
                _tell(waiting[0][1], error=failure)
            return
        if writes:
            self.last_error = None
        for (_, future, _), result in zip(waiting, results, strict=True):
            _tell(future, result=result)

    def _do(self, waiting: Sequence[Work], *, writes: bool) -> list[object]:
        if writes and not self._open_to_write():
            raise sqlite3.OperationalError((self.last_error or "").rpartition(": ")[2])
        db = self._db
        if db is None:
            message = "it is not open"
            raise sqlite3.OperationalError(message)
        if writes and _file.inode(self.path) != self._inode:
            db = self._put_back(db)
        with db:
            if writes:
                db.execute("BEGIN IMMEDIATE")
            results = [work(db) for work, _, _ in waiting]
            if writes:
                last = _file.last_numbers(db)
        if writes:
            self._last = last
        return results

    def _replace(self, error: Exception) -> bool:
        """Replace a file that became corrupt while it was in use; returns whether there is a new one."""
        try:
            self._begin_anew(error, self._last)
        except (sqlite3.DatabaseError, OSError) as failure:
            _log.error("the journal %s is corrupt and cannot be replaced: %s", self.path, failure)
            return False
        if self._loop is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self.on_replaced)
        return True


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


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
