"""The tables of log positions, and of records and spans that wait to be sent.

A row of `log_batch` holds what one lane sends together: groups of encoded records, each with its resource. Rows of one
lane are sent in the order of their numbers and deleted once they were accepted. `span_batch` is the same for spans, which
have a queue of their own.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from exporter.journal._groups import Group, pack, unpack

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Callable, Collection, Mapping, Sequence

Table = Literal["log_batch", "span_batch"]

LOGS: Final[Table] = "log_batch"
SPANS: Final[Table] = "span_batch"

SCHEMA = """
CREATE TABLE IF NOT EXISTS log_position (
    source TEXT NOT NULL,
    stream TEXT NOT NULL,
    position BLOB NOT NULL,
    PRIMARY KEY (source, stream)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS log_batch (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    events INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    read_seconds REAL NOT NULL,
    groups BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS span_batch (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    lane INTEGER NOT NULL,
    events INTEGER NOT NULL,
    count INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    read_seconds REAL NOT NULL,
    groups BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS log_lanes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;
"""
"""`log_lanes` says over how many lanes the pipelines of `log_batch` are spread."""

_WAITING = "seq, lane, events, count, bytes, read_seconds"


@dataclass(frozen=True, slots=True)
class PositionRow:
    """How far a stream has been read; None forgets it."""

    source: str
    stream: str
    position: bytes | None


@dataclass(frozen=True, slots=True)
class LogBatch:
    """What one lane sends together. `seq` is given by the journal."""

    lane: int
    events: bool
    """Status events, which have a reserve of their own."""
    count: int
    bytes: int
    read_seconds: float
    """When its oldest record was read."""
    groups: Sequence[Group]
    seq: int = 0


@dataclass(frozen=True, slots=True)
class LogCommit:
    """Records and the positions that cover them, and spans: written together or not at all."""

    positions: Sequence[PositionRow] = field(default_factory=tuple)
    batches: Sequence[LogBatch] = field(default_factory=tuple)
    spans: Sequence[LogBatch] = field(default_factory=tuple)


@dataclass(frozen=True, slots=True)
class Waiting:
    """A batch that waits in the journal, without its records."""

    seq: int
    lane: int
    events: bool
    count: int
    bytes: int
    read_seconds: float


def write(db: sqlite3.Connection, commit: LogCommit) -> list[Waiting]:
    """Write within the open transaction; return the batches of records, then those of spans, with their numbers."""
    for row in commit.positions:
        if row.position is None:
            db.execute("DELETE FROM log_position WHERE source = ? AND stream = ?", (row.source, row.stream))
        else:
            db.execute("INSERT OR REPLACE INTO log_position VALUES (?, ?, ?)", (row.source, row.stream, row.position))
    return [*_insert(db, commit.batches, LOGS), *_insert(db, commit.spans, SPANS)]


def _insert(db: sqlite3.Connection, batches: Sequence[LogBatch], table: Table) -> list[Waiting]:
    waiting = []
    columns = "lane, events, count, bytes, read_seconds, groups"
    statement = f"INSERT INTO {table} ({columns}) VALUES (?, ?, ?, ?, ?, ?)"  # noqa: S608  (one of two constants)
    for batch in batches:
        values = (batch.lane, batch.events, batch.count, batch.bytes, batch.read_seconds)
        cursor = db.execute(statement, (*values, pack(batch.groups)))
        waiting.append(Waiting(cursor.lastrowid or 0, *values))
    return waiting


def write_again(db: sqlite3.Connection, batches: Sequence[LogBatch], table: Table = LOGS) -> None:
    """Write batches with the numbers that they had, where these are not there."""
    for one in batches:
        values = (one.seq, one.lane, one.events, one.count, one.bytes, one.read_seconds)
        statement = f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?, ?, ?, ?, ?)"  # noqa: S608  (one of two constants)
        db.execute(statement, (*values, pack(one.groups)))


def read_positions(db: sqlite3.Connection, source: str) -> dict[str, bytes]:
    """Read how far each stream of a source has been read."""
    return dict(db.execute("SELECT stream, position FROM log_position WHERE source = ?", (source,)).fetchall())


def read_waiting(db: sqlite3.Connection, table: Table = LOGS) -> list[Waiting]:
    """Read what waits to be sent, oldest first, without the records."""
    rows = db.execute(f"SELECT {_WAITING} FROM {table} ORDER BY seq")  # noqa: S608  (constants)
    return [_waiting(row) for row in rows]


def _waiting(row: tuple[int, int, int, int, int, float]) -> Waiting:
    seq, lane, events, count, size, read = row
    return Waiting(seq, lane, bool(events), count, size, read)


def settle_lanes(db: sqlite3.Connection, wanted: int, table: Table = LOGS, *, keep: bool = True) -> int:
    """Return over how many lanes pipelines are spread: as many as wanted, unless records wait in others."""
    highest: int | None = db.execute(f"SELECT max(lane) FROM {table}").fetchone()[0]  # noqa: S608  (one of two constants)
    if table == SPANS:  # these have no order to keep: there are only to be lanes for those that wait
        return max(wanted, -1 if highest is None else highest + 1)
    found = db.execute("SELECT number FROM log_lanes").fetchone()
    if highest is not None and found is not None:
        return max(int(found[0]), highest + 1)
    number = wanted if highest is None else max(wanted, highest + 1)
    if keep and (found is None or found[0] != number):
        db.execute("INSERT OR REPLACE INTO log_lanes VALUES (1, ?)", (number,))
    return number


def read_groups(db: sqlite3.Connection, seq: int, table: Table = LOGS) -> list[Group]:
    """Read the records of a batch; none when it is gone."""
    found = db.execute(f"SELECT groups FROM {table} WHERE seq = ?", (seq,)).fetchone()  # noqa: S608  (one of two constants)
    return unpack(found[0]) if found else []


def delete(db: sqlite3.Connection, seqs: Sequence[int], table: Table = LOGS) -> None:
    """Delete batches that were accepted, or dropped by the user's own choice."""
    db.executemany(f"DELETE FROM {table} WHERE seq = ?", [(seq,) for seq in seqs])  # noqa: S608  (one of two constants)


def remove(
    db: sqlite3.Connection,
    seqs: Sequence[int],
    gone: Mapping[str, Collection[bytes] | None],
    split: Callable[[bytes], Sequence[bytes]],
    table: Table = LOGS,
) -> list[Waiting]:
    """Delete records from batches, by stream (None: all of it); return what waits of these batches now.

    `split` parts records that stand one after the other.
    """
    left = []
    for seq in seqs:
        groups = read_groups(db, seq, table)
        kept, count, size = _without(groups, gone, split)
        if not kept:
            delete(db, [seq], table)
            continue
        if count:
            values = (count, size, pack(kept), seq)
            change = f"UPDATE {table} SET count = count - ?, bytes = bytes - ?, groups = ? WHERE seq = ?"  # noqa: S608  (one of two constants)
            db.execute(change, values)
        left.append(seq)
    marks = ", ".join("?" * len(left))
    rows = db.execute(f"SELECT {_WAITING} FROM {table} WHERE seq IN ({marks}) ORDER BY seq", left)  # noqa: S608  (marks)
    return [_waiting(row) for row in rows]


def _without(
    groups: Sequence[Group],
    gone: Mapping[str, Collection[bytes] | None],
    split: Callable[[bytes], Sequence[bytes]],
) -> tuple[list[Group], int, int]:
    """Return groups without some of their records, and how many records and bytes went."""
    kept: list[Group] = []
    count = size = 0
    for group in groups:
        if group.stream not in gone:
            kept.append(group)
            continue
        leaving = gone[group.stream]
        records = [] if leaving is None else [record for item in group.records for record in split(item)]
        staying = [record for record in records if leaving is not None and record not in leaving]
        count += group.count - len(staying)
        size += sum(map(len, group.records)) - sum(map(len, staying))
        if staying:
            kept.append(Group(group.stream, group.resource, staying))
    return kept, count, size
