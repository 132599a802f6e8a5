"""All jobs of one kind, in the order of their start."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.apify.job import Job


class Jobs:
    """Jobs by id, ordered by start, as they were made."""

    def __init__(self) -> None:
        self._by_id: dict[str, Job] = {}

    def __iter__(self) -> Iterator[Job]:
        return iter(self._by_id.values())

    def __len__(self) -> int:
        return len(self._by_id)

    def add(self, job: Job) -> None:
        """Add the newest job."""
        self._by_id[job.id] = job

    def remove(self, job: Job) -> None:
        """Forget a job."""
        del self._by_id[job.id]

    def find(self, job_id: str) -> Job | None:
        """Return a job, also one that lists and paths do not know yet."""
        return self._by_id.get(job_id)

    def listed(self) -> list[Job]:
        """Return those that lists know, oldest first."""
        return [job for job in self._by_id.values() if job.listed]
