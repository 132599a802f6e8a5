"""The tables of log positions and of records that wait to be sent.

A row of `log_batch` holds what one lane sends together: groups of encoded records, each with its resource. Rows of one
lane are sent in the order of their numbers and deleted once they were accepted.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

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
CREATE TABLE IF NOT EXISTS log_lanes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    number INTEGER NOT NULL
) STRICT;
"""
"""`log_lanes` says over how many lanes the pipelines of `log_batch` are spread."""


class Group(msgspec.Struct, array_like=True, frozen=True):
    """Encoded records of one resource, in order."""

    stream: str
    """What must stay in order: the pipeline (of a source)."""
    resource: bytes
    records: list[bytes]
    """As they stand in a request; each item is one record or several, whole."""
    further: int = 0
    """How many more records than items there are."""

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.records) + self.further


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
    """Records and the positions that cover them: written together or not at all."""

    positions: Sequence[PositionRow] = field(default_factory=tuple)
    batches: Sequence[LogBatch] = field(default_factory=tuple)


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
    """Write within the open transaction; return the batches with their numbers."""
    for row in commit.positions:
        if row.position is None:
            db.execute("DELETE FROM log_position WHERE source = ? AND stream = ?", (row.source, row.stream))
        else:
            db.execute("INSERT OR REPLACE INTO log_position VALUES (?, ?, ?)", (row.source, row.stream, row.position))
    waiting = []
    for batch in commit.batches:
        values = (batch.lane, batch.events, batch.count, batch.bytes, batch.read_seconds)
        cursor = db.execute(
            "INSERT INTO log_batch (lane, events, count, bytes, read_seconds, groups) VALUES (?, ?, ?, ?, ?, ?)",
            (*values, msgspec.msgpack.encode(batch.groups)),
        )
        waiting.append(Waiting(cursor.lastrowid or 0, *values))
    return waiting


def read_positions(db: sqlite3.Connection, source: str) -> dict[str, bytes]:
    """Read how far each stream of a source has been read."""
    return dict(db.execute("SELECT stream, position FROM log_position WHERE source = ?", (source,)).fetchall())


def read_waiting(db: sqlite3.Connection) -> list[Waiting]:
    """Read what waits to be sent, oldest first, without the records."""
    rows = db.execute("SELECT seq, lane, events, count, bytes, read_seconds FROM log_batch ORDER BY seq")
    return [Waiting(seq, lane, bool(events), count, size, read) for seq, lane, events, count, size, read in rows]


def settle_lanes(db: sqlite3.Connection, wanted: int) -> int:
    """Return over how many lanes pipelines are spread: as many as wanted, unless records wait in others."""
    highest: int | None = db.execute("SELECT max(lane) FROM log_batch").fetchone()[0]
    found = db.execute("SELECT number FROM log_lanes").fetchone()
    if highest is not None and found is not None:
        return max(int(found[0]), highest + 1)
    number = wanted if highest is None else max(wanted, highest + 1)
    db.execute("INSERT OR REPLACE INTO log_lanes VALUES (1, ?)", (number,))
    return number


def read_groups(db: sqlite3.Connection, seq: int) -> list[Group]:
    """Read the records of a batch; none when it is gone."""
    found = db.execute("SELECT groups FROM log_batch WHERE seq = ?", (seq,)).fetchone()
    return msgspec.msgpack.decode(found[0], type=list[Group]) if found else []


def delete(db: sqlite3.Connection, seqs: Sequence[int]) -> None:
    """Delete batches that were accepted, or dropped by the user's own choice."""
    db.executemany("DELETE FROM log_batch WHERE seq = ?", [(seq,) for seq in seqs])
