"""Which logs of jobs are open at once, where there are more of them than places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable

    from exporter.status.model import Job

ENDED_SHARE: Final = 10
"""One place in so many is for jobs that have ended: their logs are short to read, and the vendor deletes them."""


def choose(jobs: Iterable[Job], places: int) -> tuple[list[Job], int]:
    """Return the jobs whose logs get a place, running ones first and of these the newest, and how many have to wait."""
    newest = sorted(jobs, key=lambda job: job.started_ns, reverse=True)
    running = [job for job in newest if not job.result]
    ended = [job for job in newest if job.result]
    kept = min(len(ended), max(1, places // ENDED_SHARE))
    chosen = running[: places - kept]
    chosen += ended[: places - len(chosen)]
    return chosen, len(newest) - len(chosen)
