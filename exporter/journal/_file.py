"""The file itself: opened and checked, moved aside when it is corrupt, and what can still be read of it taken over."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import sqlite3
import time
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from exporter.journal import _logs, _status
from exporter.journal._errors import JournalError, JournalInUseError
from exporter.journal._groups import unpack

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import IO

KEEP_GONE_SECONDS: Final = 30 * 86400.0
"""A vanished pipeline's counts are kept so long: a list that was empty by mistake must not reset them."""

_SUFFIXES: Final = ("", "-wal", "-shm")
_TABLES: Final = ("source", "pipeline", "history", "job", "log_position", "log_lanes")
_QUEUES: Final = ("log_batch", "span_batch")

_PAGE_BYTES: Final = 16 * 1024
"""Of a new file. Batches of records are megabytes; in pages of 4 KiB writing them takes twice the CPU time."""

_CHECKPOINT_BYTES: Final = 16 * 1024 * 1024
"""What was accepted by then is never written a second time, from the write-ahead log to the file."""


def lock(directory: Path) -> IO[str]:
    """Lock a data directory for as long as the file that is returned is open; make it if need be. Raises JournalError."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        file = (directory / "lock").open("w")
    except OSError as error:
        raise _unusable(directory, error) from error
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        message = f"the journal in {directory} is in use by another exporter: give each its own data_dir"
        raise JournalInUseError(message) from error
    except OSError as error:
        file.close()
        raise _unusable(directory, error) from error
    return file


def _unusable(directory: Path, error: OSError) -> JournalError:
    hint = (
        ": make it writable for the user that the exporter runs as"
        if error.errno in {errno.EACCES, errno.EROFS}
        else ""
    )
    return JournalError(f"the data directory {directory} cannot be used: {error}{hint}")


def connect(path: Path) -> sqlite3.Connection:
    """Open the file, or make it. Raises sqlite3.DatabaseError."""
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


def connect_to_read(path: Path) -> sqlite3.Connection:
    """Open what there is without writing a byte: the file as it is, or an empty one in memory. Raises DatabaseError."""
    if not path.exists() or path.stat().st_size == 0:
        db = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        db.executescript(_status.SCHEMA + _logs.SCHEMA)
        return db
    wal = path.with_name(path.name + "-wal")
    # Without a log of writes the file is all there is; with one, it takes SQLite's own ways to read both.
    how = "mode=ro" if wal.exists() and wal.stat().st_size else "immutable=1"
    db = sqlite3.connect(f"file:{quote(str(path))}?{how}", uri=True, isolation_level=None, check_same_thread=False)
    try:
        db.execute("SELECT count(*) FROM source")
    except BaseException:
        db.close()
        raise
    return db


def is_corrupt(error: Exception) -> bool:
    """Whether SQLite says that the file is no sound database."""
    signs = ("malformed", "not a database", "file is encrypted")
    return isinstance(error, sqlite3.DatabaseError) and any(sign in str(error) for sign in signs)


def may_pass(error: Exception) -> bool:
    """Whether SQLite could not write, but may be able to later: the disk is full, or does not work at the moment."""
    code = getattr(error, "sqlite_errorcode", None)
    return code is not None and code & 0xFF in {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


def move_aside(path: Path) -> Path:
    """Give a corrupt file another name, for whoever wants to look at it. Raises OSError."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    aside = path.with_name(f"{path.name}.corrupt-{stamp}")
    number = 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt-{stamp}-{number}")
    for suffix in _SUFFIXES:
        file = path.with_name(path.name + suffix)
        if file.exists():
            file.rename(aside.with_name(aside.name + suffix))
    return aside


def take_over(aside: Path, db: sqlite3.Connection, last: dict[str, int] | None) -> None:
    """Copy what can be read of a corrupt file into a new one.

    `last` are the highest numbers of batches given so far, of a journal that is in use: who has something in memory that
    cannot be read writes it again. Without them, at a start, the positions are left out when batches may be missing: lines
    that those covered are to be read again. Raises sqlite3.DatabaseError when the new file cannot be written.
    """
    db.execute("BEGIN IMMEDIATE")
    try:
        unread = [table for table in (*_TABLES, *_QUEUES) if not _copy(aside, db, table)]
        if last is None and unread:
            db.execute("DELETE FROM log_position")
        for table in _QUEUES:
            highest = max((last or {}).get(table, 0), last_numbers(db).get(table, 0))
            db.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
            db.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, highest))
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise


def _copy(aside: Path, db: sqlite3.Connection, table: str) -> bool:
    """Copy a table as far as it can be read; returns whether all of it could be."""
    with contextlib.closing(sqlite3.connect(f"file:{quote(str(aside))}?mode=ro", uri=True)) as old:
        for order in ("ASC", "DESC"):  # from its end too, where its middle cannot be read
            whole = True
            for row in _rows(old, table, order):
                if row is None:
                    whole = False
                    continue
                marks = ", ".join("?" * len(row))
                db.execute(f"INSERT OR IGNORE INTO {table} VALUES ({marks})", row)  # noqa: S608  (constants)
            if whole:
                return True
    return False


def _rows(old: sqlite3.Connection, table: str, order: str) -> Iterator[tuple[object, ...] | None]:
    """Give the rows of a table; None for what cannot be read."""
    try:
        for row in old.execute(f"SELECT * FROM {table} ORDER BY 1 {order}"):  # noqa: S608  (constants)
            yield row if table not in _QUEUES or _is_whole(row[-1]) else None
    except (sqlite3.DatabaseError, UnicodeDecodeError):
        yield None


def _is_whole(groups: bytes) -> bool:
    try:
        unpack(groups)
    except ValueError:
        return False
    return True


def inode(path: Path) -> int | None:
    """Return which file is at a path: SQLite goes on with one that was removed, and all that it writes there is lost."""
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def last_numbers(db: sqlite3.Connection) -> dict[str, int]:
    """Return the highest number of a batch ever given, by table."""
    return dict(db.execute("SELECT name, seq FROM sqlite_sequence"))
