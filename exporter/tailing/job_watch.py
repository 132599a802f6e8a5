"""Whether the job behind a log has ended: as the lists show, or as the vendor says when its stream ends."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Final

import msgspec

from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError
from exporter.tailing.refusals import refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.logs.tailer import StreamState
    from exporter.providers.base import Provider
    from exporter.status.model import Job

SETTLE_SECONDS: Final = 10.0
"""So long after its end, what a job has logged late is there."""


class JobWatch:
    """What is known of one job, from the ledger of all."""

    def __init__(
        self,
        job: Job,
        jobs: Callable[[], Mapping[str, Job]],
        provider: Provider,
        clock: Callable[[], float],
        finished: Callable[[StreamState, int], Awaitable[None]],
    ) -> None:
        self._first = job
        self._jobs = jobs
        self._provider = provider
        self._clock = clock
        self._finished = finished
        self._told: str = ""
        """How it ended, as the vendor said when it was asked."""
        self._told_ends = 0
        """The number of that end, as the lists will count it."""
        self._ended_at: float | None = None
        self._ends = 0

    @property
    def job(self) -> Job:
        """The job as it is known now."""
        return self._jobs().get(self._first.key, self._first)

    def ended(self) -> bool:
        """Whether the newest look showed its end."""
        return bool(self.job.result)

    def resumed(self) -> bool:
        """Whether it runs again after the end that was waited for; then that one is forgotten."""
        job = self.job
        if job.result or (self._told and job.ends < self._told_ends):
            return False
        self._told, self._ended_at = "", None
        return True

    async def ask(self) -> bool:
        """Ask the vendor whether it has ended. Raises StreamRefusedError."""
        job = self.job
        ends = job.ends + (not job.result)
        try:
            seen = await self._provider.job(job.kind, job.id, Priority.REOPEN)
        except NotFoundError:
            self._told = "unknown"
        except ProviderError as error:
            raise refused(error) from error
        else:
            self._told = seen.result
        if self._told:
            self._told_ends, self._ended_at = ends, time.monotonic()
        return bool(self._told)

    def settle_seconds(self) -> float:
        """Return how long to wait until the log of the job, which has ended, is whole."""
        if self._ended_at is not None:
            return max(0.0, SETTLE_SECONDS - (time.monotonic() - self._ended_at))
        settles = self.job.settle_seconds
        if settles is None:
            return SETTLE_SECONDS if self.job.unsettled else 0.0  # an end that is not counted yet, or settled already
        return min(max(0.0, settles - self._clock()), SETTLE_SECONDS)

    def seen(self, *, whole: bool) -> Job:
        """Return the job as its log is to be opened: `whole` when it has ended."""
        job = self.job
        if not whole:
            return msgspec.structs.replace(job, result="")
        self._ends = max(job.ends, self._told_ends)
        return msgspec.structs.replace(job, result=job.result or self._told or "unknown")

    async def finished(self, state: StreamState) -> None:
        """Note that its log has been read to the end."""
        await self._finished(state, self._ends)
