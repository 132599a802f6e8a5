"""Jobs are kept with the counts that they led to, and forgotten with the positions of their logs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.journal import JobRow, Journal, LogCommit, PositionRow, SourceRow, StatusBatch

if TYPE_CHECKING:
    from pathlib import Path


def batch(*rows: JobRow, forgotten: tuple[str, ...] = (), source: str = "prod") -> StatusBatch:
    """Make a batch of jobs."""
    return StatusBatch(SourceRow(source, "target", 1.0, b""), jobs=rows, forgotten_jobs=forgotten)


async def test_jobs_are_there_after_reopening(tmp_path: Path) -> None:
    """What was committed of a source's jobs is read back, the newest state of each."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch(JobRow("run:1", b"old"), JobRow("run:2", b"two")))
    await journal.commit(batch(JobRow("run:1", b"new")))
    await journal.commit(batch(JobRow("run:1", b"other"), source="test"))
    await journal.close()
    journal = Journal(tmp_path)
    await journal.open()
    assert [b"new", b"two"] == sorted(await journal.read_jobs("prod"))
    await journal.close()


async def test_a_forgotten_job_takes_its_position_along(tmp_path: Path) -> None:
    """A job that is known no more is deleted with the position of its log; others stay."""
    journal = Journal(tmp_path)
    await journal.open()
    await journal.commit(batch(JobRow("run:1", b"one"), JobRow("run:2", b"two")))
    positions = [PositionRow("prod", f"run:{number}", b"here") for number in (1, 2)]
    await journal.commit_logs(LogCommit(positions=positions))
    await journal.commit(batch(forgotten=("run:1",)))
    assert ([b"two"], {"run:2": b"here"}) == (await journal.read_jobs("prod"), await journal.read_positions("prod"))
    await journal.close()
