"""Which histories of a source's pipelines are to be read, and reading them.

changed since they were read ─▶ due now      and once more a minute later, for late events
all others                   ─▶ sweep        evenly, with what the budget leaves over
of a vendor that keeps none  ─▶ what the lists showed since, without a request
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections import deque
from typing import TYPE_CHECKING, Final

from exporter.journal import JournalError
from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError, StatusError
from exporter.status.tracker import merge, observe

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.polling.problems import Problems
    from exporter.polling.settings import Settings
    from exporter.polling.tracked import Tracked, TrackedSource
    from exporter.providers.base import Provider
    from exporter.providers.budget import Budget
    from exporter.status.model import PipelineNow
    from exporter.status.tracker import Merged

RECHECK_SECONDS: Final = 60.0
"""The history of a changed pipeline is read once more after so long: events can be recorded late."""

MAX_BACKOFF_SECONDS: Final = 300.0
CONCURRENCY: Final = 4
BATCH: Final = 100
"""So many histories are read between two commits."""

_log = logging.getLogger(__name__)


class Histories:
    """The histories of one source's pipelines. What goes wrong is added to `problems`."""

    def __init__(
        self,
        settings: Settings,
        provider: Provider,
        budget: Budget,
        source: TrackedSource,
        problems: Problems,
        clock: Callable[[], float],
    ) -> None:
        self._settings = settings
        self._provider = provider
        self._budget = budget
        self._source = source
        self._problems = problems
        self._clock = clock
        self._recorded = source.context.vocabulary.recorded
        self._recheck: dict[str, float] = {}
        self._sweep: deque[str] = deque()
        self._sweep_credit = 0.0

    def restore(self) -> None:
        """Take up which histories are to be read once more."""
        for pipeline_id, tracked in self._source.by_id.items():
            if tracked.pipeline.recheck_seconds is not None:
                self._recheck[pipeline_id] = tracked.pipeline.recheck_seconds

    def forget(self, pipeline_id: str) -> None:
        """Let go of a pipeline that vanished."""
        self._recheck.pop(pipeline_id, None)

    async def read_changed(self, fresh: set[str], deadline: float) -> None:
        """Read the histories of pipelines that changed, until a moment of the monotonic clock.

        What lists showed is counted at once, however busy the vendor is: nothing else remembers it.
        """
        await self._read(self._due(fresh), Priority.EVENTS, deadline if self._recorded else math.inf)

    async def sweep(self, fresh: set[str], elapsed_seconds: float, deadline: float, *, first_list: bool) -> None:
        """Read the histories whose turn it is, of a vendor that keeps them."""
        if self._recorded:
            due = self._sweep_due(fresh, elapsed_seconds, first_list=first_list)
            await self._read(due, Priority.SWEEP, deadline)

    def _due(self, fresh: set[str]) -> list[str]:
        """Return the pipelines whose history is to be read now, those that changed longest ago first.

        One that the list shows for the first time waits for the next cycle: its counters are seen at zero first.
        """
        now_seconds = self._clock()
        due = []
        for pipeline_id, tracked in self._source.by_id.items():
            if pipeline_id in fresh or tracked.now is None or tracked.retry_seconds > now_seconds:
                continue
            recheck = self._recheck.get(pipeline_id)
            if (
                tracked.pipeline.digest != tracked.now.digest
                or tracked.failures
                or tracked.observed
                or (recheck and recheck <= now_seconds)
            ):
                due.append(pipeline_id)
        return sorted(due, key=lambda one: self._source.by_id[one].pipeline.frozen_seconds or now_seconds)

    def _sweep_due(self, fresh: set[str], elapsed_seconds: float, *, first_list: bool) -> list[str]:
        """Return the unchanged pipelines whose turn it is: all of them once in `sweep`, evenly, running ones first.

        The baselines of a source's first list are read at once as far as the budget allows.
        """
        by_id = self._source.by_id
        if not self._sweep:
            self._sweep.extend(sorted(by_id, key=lambda one: not _is_wanted(by_id[one])))
        if first_list:
            self._sweep_credit = float(len(by_id))
        share = min(elapsed_seconds, 2 * self._settings.interval_seconds) / self._settings.sweep_seconds
        self._sweep_credit = min(self._sweep_credit + share * len(by_id), max(1.0, float(len(by_id))))
        due = []
        while self._sweep and self._sweep_credit >= 1:
            pipeline_id = self._sweep.popleft()
            if pipeline_id in by_id and pipeline_id not in fresh and by_id[pipeline_id].now is not None:
                due.append(pipeline_id)
                self._sweep_credit -= 1
        return due

    async def _read(self, due: list[str], priority: Priority, deadline: float) -> None:
        """Read histories until all are read or the next poll is near; commit and show them in batches."""
        for start in range(0, len(due), BATCH):
            rest = deque(due[start : start + BATCH])
            read: set[str] = set()
            async with asyncio.TaskGroup() as group:
                for _ in range(CONCURRENCY):
                    group.create_task(self._work(rest, read, priority, deadline))
            if read:
                await self._source.commit(read)
                self._source.show_up(read)
            if rest:
                if priority is Priority.SWEEP:
                    self._sweep.extendleft(reversed([*rest, *due[start + BATCH :]]))
                return

    async def _work(self, rest: deque[str], read: set[str], priority: Priority, deadline: float) -> None:
        # However late it is, each cycle reads something that changed: else a small budget would starve it without end.
        while rest and (
            time.monotonic() + self._budget.wait_seconds() < deadline or (priority is Priority.EVENTS and not read)
        ):
            pipeline_id = rest.popleft()
            tracked = self._source.by_id[pipeline_id]
            if tracked.now is None:
                continue
            read.add(pipeline_id)
            try:
                await self._read_one(tracked, tracked.now, priority)
            except (ProviderError, JournalError) as error:
                self._read_failed(tracked, error)
            except Exception as error:  # noqa: BLE001  (one pipeline's data must not keep the others from being read)
                _log.exception("source %s: pipeline %s", self._settings.name, tracked.pipeline.name)
                self._read_failed(tracked, error)

    async def _read_one(self, tracked: Tracked, now: PipelineNow, priority: Priority) -> None:
        """Read one history and merge it. Raises ProviderError or JournalError, then nothing has changed."""
        merged = await (self._merge(tracked, now, priority) if self._recorded else self._observe(tracked))
        if merged is None:
            return
        self._source.dirty.add(tracked.pipeline.id)
        self._source.note(tracked, merged.entries)
        if merged.gap:
            _log.warning(
                "source %s: pipeline %s: the vendor dropped events before they were read; transitions may be missing",
                self._settings.name,
                tracked.pipeline.name,
            )
        tracked.failures = 0
        tracked.up = not tracked.malformed
        tracked.pipeline.digest = now.digest

    async def _merge(self, tracked: Tracked, now: PipelineNow, priority: Priority) -> Merged | None:
        """Merge what the vendor has recorded; None when it is another pipeline's."""
        source, pipeline = self._source, tracked.pipeline
        reading = await self._provider.history(now, priority)
        history = await source.load_history(tracked)
        if (
            pipeline.baseline is None
            and history.newest_key[0]
            and not any(event.key == history.newest_key for event in reading.events)
            and not await self._provider.confirm(now)
        ):
            # The name belongs to another pipeline by now: the next list will say so.
            return None
        merged = merge(
            pipeline,
            history,
            reading.events,
            source.context.vocabulary,
            source.context.words,
            horizon_seconds=source.listed_seconds,
            whole=not reading.malformed,
        )
        tracked.history = history
        tracked.malformed = reading.malformed > 0
        self._problems.malformed += reading.malformed
        self._recheck_later(tracked, again=pipeline.digest != now.digest or tracked.malformed)
        return merged

    async def _observe(self, tracked: Tracked) -> Merged:
        """Count what the lists showed since."""
        history = await self._source.load_history(tracked)
        context = self._source.context
        merged = observe(
            tracked.pipeline,
            history,
            tracked.observed,
            context.vocabulary,
            context.words,
            horizon_seconds=self._source.listed_seconds,
        )
        tracked.history = history
        tracked.observed.clear()
        return merged

    def _recheck_later(self, tracked: Tracked, *, again: bool) -> None:
        """After a change, or when not all could be read, read once more in a minute. A reading before that is not it."""
        now_seconds = self._clock()
        if again:
            tracked.pipeline.recheck_seconds = self._recheck[tracked.pipeline.id] = now_seconds + RECHECK_SECONDS
        elif self._recheck.get(tracked.pipeline.id, now_seconds) <= now_seconds:
            tracked.pipeline.recheck_seconds = None
            self._recheck.pop(tracked.pipeline.id, None)

    def _read_failed(self, tracked: Tracked, error: Exception) -> None:
        """Come back later, each time later. Not to be found once is no failure: the next list may say why."""
        tracked.failures += 1
        exponent = min(tracked.failures - 2, 16)
        if exponent >= 0:
            delay = min(self._settings.interval_seconds * 2**exponent, MAX_BACKOFF_SECONDS)
            tracked.retry_seconds = self._clock() + delay * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
        if isinstance(error, StatusError) and error.retry_after_seconds is not None:
            tracked.retry_seconds = max(tracked.retry_seconds, self._clock() + error.retry_after_seconds)
        if isinstance(error, NotFoundError) and tracked.failures == 1:
            return
        tracked.up = False
        self._problems.add(error)


def _is_wanted(tracked: Tracked) -> bool:
    return tracked.now is not None and tracked.now.wanted
