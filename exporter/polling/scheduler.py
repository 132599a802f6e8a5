"""Run the pollers on time, each for itself, and count the polls that were due and not made."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from apscheduler.events import EVENT_JOB_ERROR, EVENT_JOB_MAX_INSTANCES
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from apscheduler.triggers.interval import IntervalTrigger

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.events import JobEvent

    from exporter.polling.poller import Poller
    from exporter.telemetry import Telemetry

JITTER: Final = 0.05
"""Part of the interval by which a poll may be early or late, so that sources do not march in step."""

WATCH_SECONDS: Final = 1.0

_log = logging.getLogger(__name__)


class Punctuality:
    """Counts missed polls: those refused because the last one still ran, and whole intervals between two starts.

    A poll is missed once, however it comes to light: what was refused is taken off the intervals that the next start sees.
    """

    def __init__(self, interval_seconds: float, missed: Callable[[int], None]) -> None:
        self._interval_seconds = interval_seconds
        self._count = missed
        self.missed = 0
        self._counted = 0
        self._started: float | None = None

    def refused(self) -> None:
        """Count a poll that was due and not begun."""
        self._counted += 1
        self._miss(1)

    def start(self, monotonic_seconds: float) -> None:
        """Note that a poll begins."""
        if self._started is not None:
            passed = int((monotonic_seconds - self._started) / self._interval_seconds)
            unseen = max(0, passed - 1 - self._counted)
            if unseen:
                self._miss(unseen)
        self._started = monotonic_seconds
        self._counted = 0

    def _miss(self, polls: int) -> None:
        self.missed += polls
        self._count(polls)


class Scheduler:
    """The jobs of all sources."""

    def __init__(self, telemetry: Telemetry) -> None:
        self._telemetry = telemetry
        self._punctuality: dict[str, Punctuality] = {}
        self._running: dict[str, asyncio.Task[str]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._scheduler = AsyncIOScheduler(
            timezone=UTC, job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None}
        )
        self._scheduler.add_listener(self._refused, EVENT_JOB_MAX_INSTANCES)
        self._scheduler.add_listener(self._failed, EVENT_JOB_ERROR)

    def start(self) -> None:
        """Begin to run what was added and what will be."""
        self._scheduler.start()
        self._watching = asyncio.create_task(self._watch_clock(), name="clock")

    async def stop(self) -> None:
        """Run nothing more; polls under way are cancelled. What they had not committed is read again next time."""
        for name in list(self._punctuality):
            await self.remove(name)
        if self._watching is not None:
            self._watching.cancel()
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    def add(self, poller: Poller) -> None:
        """Poll a source now and then once every interval."""
        name, interval_seconds = poller.settings.name, poller.settings.interval_seconds
        missed = self._telemetry.polls_missed.labels(name)
        self._punctuality[name] = Punctuality(interval_seconds, missed.inc)
        self._scheduler.add_job(
            self._run,
            IntervalTrigger(seconds=interval_seconds, jitter=JITTER * interval_seconds, timezone=UTC),
            args=[poller],
            id=name,
            next_run_time=datetime.now(UTC),
        )

    async def remove(self, name: str) -> None:
        """Poll a source no more; a poll under way is cancelled."""
        self._scheduler.remove_job(name)
        del self._punctuality[name]
        running = self._running.pop(name, None)
        if running is not None:
            running.cancel()
            await asyncio.wait([running])

    async def _watch_clock(self) -> None:
        """Poll at once when the clock was set back: jobs are planned by it, and would wait until it is that late again."""
        while True:
            await asyncio.sleep(WATCH_SECONDS)
            now = datetime.now(UTC)
            for job in self._scheduler.get_jobs():
                latest = now + job.trigger.interval * (1 + 2 * JITTER)
                if job.next_run_time is not None and job.next_run_time > latest:
                    _log.warning("source %s: the clock was set back, polling goes on", job.id)
                    job.modify(next_run_time=now)

    async def _run(self, poller: Poller) -> None:
        name = poller.settings.name
        punctuality = self._punctuality.get(name)
        if punctuality is None:
            return
        if poller.budget.held_seconds > poller.settings.interval_seconds / 2:
            # The vendor asked for quiet (Retry-After): a poll that waited for the end of it would be late anyway.
            # One that waits a little, as after a 429, is still on time.
            poller.quiet()
            punctuality.refused()
            return
        started = time.monotonic()
        punctuality.start(started)
        polling = self._running[name] = asyncio.create_task(poller.poll(), name=f"poll {name}")
        await asyncio.wait([polling])
        if polling.cancelled():
            return  # by remove(): the source is no longer polled
        if self._running.get(name) is polling:
            del self._running[name]
        outcome = polling.result()
        poller.last_poll_seconds = time.monotonic() - started
        self._telemetry.poll_duration.labels(name).observe(poller.last_poll_seconds)
        self._telemetry.polls.labels(name, outcome).inc()

    def next_poll_seconds(self, name: str) -> float | None:
        """Return when the next poll of a source starts, in seconds since the epoch."""
        job = self._scheduler.get_job(name)
        return job.next_run_time.timestamp() if job is not None and job.next_run_time else None

    def missed(self, name: str) -> int:
        """Return how many polls of a source were due and not made."""
        return self._punctuality[name].missed if name in self._punctuality else 0

    def _refused(self, event: JobEvent) -> None:
        if event.job_id in self._punctuality:
            _log.warning("source %s: a poll was due and not made, as the last one has not ended", event.job_id)
            self._punctuality[event.job_id].refused()

    def _failed(self, event: JobEvent) -> None:
        """Count a poll that broke in a way that nobody foresaw; the next one comes all the same."""
        _log.error("source %s: a poll failed: %r\n%s", event.job_id, event.exception, event.traceback)
        if event.job_id in self._punctuality:
            self._telemetry.polls.labels(event.job_id, "error").inc()
