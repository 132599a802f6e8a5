"""The tables of the tracker's state and the statements on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence

SCHEMA = """
CREATE TABLE IF NOT EXISTS source (
    name TEXT PRIMARY KEY,
    target TEXT NOT NULL,
    listed_seconds REAL NOT NULL,
    state BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS pipeline (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    gone_seconds REAL,
    state BLOB NOT NULL,
    PRIMARY KEY (source, id)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS history (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    events BLOB NOT NULL,
    PRIMARY KEY (source, id)
) STRICT;
CREATE TABLE IF NOT EXISTS job (
    source TEXT NOT NULL,
    key TEXT NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (source, key)
) STRICT, WITHOUT ROWID;
"""
"""`target` says what a source's counts belong to: with another one counting starts anew for unknown pipelines."""


@dataclass(frozen=True, slots=True)
class SourceRow:
    """A source: the time of its last successful list, and the words it has given labels to."""

    name: str
    target: str
    listed_seconds: float
    state: bytes


@dataclass(frozen=True, slots=True)
class PipelineRow:
    """A pipeline's counts; `gone_seconds` is when it vanished from the list. `history` None leaves what is there."""

    id: str
    gone_seconds: float | None
    state: bytes
    history: bytes | None = None


@dataclass(frozen=True, slots=True)
class JobRow:
    """What is known of a job. Its log's position, if any, is that of the stream of its key."""

    key: str
    state: bytes


@dataclass(frozen=True, slots=True)
class StatusBatch:
    """What one poll commits, all or nothing."""

    source: SourceRow
    pipelines: Sequence[PipelineRow] = field(default_factory=tuple)
    forgotten: Sequence[str] = field(default_factory=tuple)
    """Ids of pipelines that are deleted for good."""
    jobs: Sequence[JobRow] = field(default_factory=tuple)
    forgotten_jobs: Sequence[str] = field(default_factory=tuple)
    """Keys of jobs that are known no more."""


def write(db: sqlite3.Connection, batch: StatusBatch) -> None:
    """Write a batch within the open transaction."""
    source = batch.source
    db.execute(
        "INSERT OR REPLACE INTO source VALUES (?, ?, ?, ?)",
        (source.name, source.target, source.listed_seconds, source.state),
    )
    db.executemany(
        "INSERT OR REPLACE INTO pipeline VALUES (?, ?, ?, ?)",
        [(source.name, row.id, row.gone_seconds, row.state) for row in batch.pipelines],
    )
    db.executemany(
        "INSERT OR REPLACE INTO history VALUES (?, ?, ?)",
        [(source.name, row.id, row.history) for row in batch.pipelines if row.history is not None],
    )
    db.executemany(
        "INSERT OR REPLACE INTO job VALUES (?, ?, ?)", [(source.name, row.key, row.state) for row in batch.jobs]
    )
    _forget(db, source.name, batch.forgotten)
    _forget_jobs(db, source.name, batch.forgotten_jobs)


def _forget(db: sqlite3.Connection, source: str, ids: Sequence[str]) -> None:
    for table in ("pipeline", "history"):
        db.executemany(f"DELETE FROM {table} WHERE source = ? AND id = ?", [(source, one) for one in ids])  # noqa: S608
    db.executemany("DELETE FROM log_position WHERE source = ? AND stream = ?", [(source, one) for one in ids])


def _forget_jobs(db: sqlite3.Connection, source: str, keys: Sequence[str]) -> None:
    db.executemany("DELETE FROM job WHERE source = ? AND key = ?", [(source, one) for one in keys])
    db.executemany("DELETE FROM log_position WHERE source = ? AND stream = ?", [(source, one) for one in keys])


def read_source(db: sqlite3.Connection, name: str) -> tuple[SourceRow | None, list[PipelineRow]]:
    """Read a source and its pipelines without their histories; the ones that are gone too."""
    found = db.execute("SELECT name, target, listed_seconds, state FROM source WHERE name = ?", (name,)).fetchone()
    rows = db.execute("SELECT id, gone_seconds, state FROM pipeline WHERE source = ?", (name,))
    return (SourceRow(*found) if found else None), [PipelineRow(*row) for row in rows]


def read_jobs(db: sqlite3.Connection, source: str) -> list[bytes]:
    """Read what is known of the jobs of a source."""
    return [state for (state,) in db.execute("SELECT state FROM job WHERE source = ?", (source,))]


def read_history(db: sqlite3.Connection, source: str, pipeline_id: str) -> bytes | None:
    """Read the kept events of a pipeline."""
    found = db.execute("SELECT events FROM history WHERE source = ? AND id = ?", (source, pipeline_id)).fetchone()
    return found[0] if found else None


def forget_gone(db: sqlite3.Connection, before_seconds: float) -> None:
    """Delete pipelines that vanished before a moment."""
    gone = "SELECT source, id FROM pipeline WHERE gone_seconds < ?"
    db.execute(f"DELETE FROM history WHERE (source, id) IN ({gone})", (before_seconds,))  # noqa: S608  (a constant)
    db.execute(f"DELETE FROM log_position WHERE (source, stream) IN ({gone})", (before_seconds,))  # noqa: S608
    db.execute("DELETE FROM pipeline WHERE gone_seconds < ?", (before_seconds,))
