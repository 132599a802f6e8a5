"""Poll one source: who is there, what changed, what happened.

list ─▶ new, renamed, changed, gone ─▶ commit, show          every cycle, two requests with the health
     └▶ histories of what changed ─▶ merge ─▶ commit, show    `histories.py`
     └▶ figures of jobs that ended ─▶ commit, show            `jobs.py`
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from typing import TYPE_CHECKING, Final

from exporter.polling.histories import Histories
from exporter.polling.jobs import SourceJobs
from exporter.polling.problems import Problems
from exporter.providers.errors import ProviderError
from exporter.status.exposition import STALE_INTERVALS
from exporter.status.model import Known
from exporter.status.tracker import count_on

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from exporter.polling.settings import Settings
    from exporter.polling.tracked import Tracked, TrackedSource
    from exporter.providers.base import Provider
    from exporter.providers.budget import Budget
    from exporter.status.model import Listing, PipelineNow

STRETCH_INTERVALS: Final = 4
"""For the histories of changed pipelines a cycle may last so many intervals: what is now must not get older for them."""

MISSING_LISTS: Final = 5
"""So many lists with entries that cannot be read may leave out a pipeline before it is taken for deleted."""

_log = logging.getLogger(__name__)


class Poller:
    """Polls one source. `poll()` is one cycle; it never raises for anything that the vendor does."""

    def __init__(
        self,
        settings: Settings,
        provider: Provider,
        budget: Budget,
        source: TrackedSource,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.provider = provider
        self.budget = budget
        self.source = source
        self.polled = False
        """Whether one cycle has ended, with success or not."""
        self.last_error: str | None = None
        self.last_poll_seconds: float | None = None
        """How long the newest cycle took."""
        self.description = ""
        """The vendor's server and its version, once known."""
        self.on_list: Callable[[Mapping[str, str]], None] = lambda _names: None
        """Told after each successful list which pipelines there are: names by id."""
        self._clock = clock
        self._monotonic = monotonic
        self._listed_monotonic: float | None = None
        self._health_failures = 0
        self._health_retry_seconds = 0.0
        self._problems = Problems()
        self._histories = Histories(settings, provider, budget, source, self._problems, clock)
        self.jobs = SourceJobs(source, provider, budget, clock)

    async def restore(self) -> None:
        """Take up the counts where the journal has them. Raises JournalError."""
        await self.source.restore(self.settings.selects)
        self._histories.restore()

    async def poll(self) -> str:
        """Do one cycle and return how it ended: `success`, or the outcome of the first problem."""
        started = time.monotonic()
        self._problems.clear()
        at_seconds = self._clock()
        try:
            listing = await self.provider.list(self._known())
        except ProviderError as error:
            self._down(error)
            return error.outcome
        except Exception as error:
            self._down(error)  # a plug-in's fault: the scheduler counts and logs it
            raise
        finally:
            self.polled = True
        first_list = self.source.known_target != self.source.target
        listed = self._monotonic()
        elapsed = listed - self._listed_monotonic if self._listed_monotonic is not None else 0.0
        self._listed_monotonic = listed
        was_up = self.source.series.up
        fresh = await self._take_list(listing, at_seconds, first_list=first_list)
        async with asyncio.TaskGroup() as group:
            group.create_task(self._ask_health(describe=not was_up))
            interval_seconds = self.settings.interval_seconds
            await self._histories.read_changed(fresh, started + STRETCH_INTERVALS * interval_seconds)
            await self.jobs.settle(started + STRETCH_INTERVALS * interval_seconds)
            await self._histories.sweep(fresh, elapsed, started + interval_seconds, first_list=first_list)
        return self._outcome()

    def _known(self) -> Known:
        """Return what is known before a look."""
        names = {pipeline_id: tracked.pipeline.name for pipeline_id, tracked in self.source.by_id.items()}
        return Known(
            names,
            self.jobs.known(),
            self.jobs.newest_ns(),
            first=self.source.known_target != self.source.target,
            since_ns=self.jobs.since_ns(),
            selects=self.settings.selects,
        )

    def quiet(self) -> None:
        """Note that the vendor wants no request now: what was last seen may be true no more."""
        self.polled = True
        self.last_error = f"the vendor asked for quiet: no request for {self.budget.held_seconds:.0f} s"
        self.source.series.up = False
        self.source.series.set_all_up(up=False)

    def _down(self, error: Exception) -> None:
        if self.source.series.up or self.last_error is None:
            _log.warning("source %s is down: %s", self.settings.name, error)
        self.last_error = str(error) or repr(error)
        self.source.series.up = False
        self.source.series.set_all_up(up=False)

    async def _take_list(self, listing: Listing, at_seconds: float, *, first_list: bool) -> set[str]:
        """Take in a successful list; commit and show it. Returns the ids that it shows for the first time."""
        source = self.source
        selected = {now.id: now for now in listing.pipelines if self.settings.selects(now.name)}
        fresh = self._add_new(selected, at_seconds, first_list=first_list)
        changed = {pipeline_id for pipeline_id, now in selected.items() if self._update(source.by_id[pipeline_id], now)}
        self._remove_gone(selected, listing, at_seconds)
        if source.context.vocabulary.jobs:
            changed |= self.jobs.take(listing, first=first_list, at_seconds=at_seconds)
        self._note_problems(listing)
        source.known_target = source.target
        # A clock that was set back must not take away time that has been shown.
        source.listed_seconds = max(source.listed_seconds, at_seconds)
        if not source.series.up:
            _log.info(
                "source %s is up%s: %d pipelines, %d of them selected",
                self.settings.name,
                " again" if self.last_error is not None else "",
                len(listing.pipelines),
                len(selected),
            )
        source.series.last_success_seconds = at_seconds
        source.series.up = True
        source.series.account = listing.account or source.series.account
        await source.commit(changed)
        source.show_up(source.by_id)
        self.on_list({pipeline_id: tracked.pipeline.name for pipeline_id, tracked in source.by_id.items()})
        return fresh

    def _add_new(self, selected: Mapping[str, PipelineNow], at_seconds: float, *, first_list: bool) -> set[str]:
        """Start to track what is new. Returns the ids of pipelines that appeared after the first list."""
        source = self.source
        fresh: set[str] = set()
        for pipeline_id in [one for one in selected if one not in source.by_id]:
            back = pipeline_id in source.gone
            tracked = source.add(selected[pipeline_id], at_seconds, first_list=first_list)
            if back:
                continue
            if first_list:
                source.begin_with(tracked, selected[pipeline_id])
            else:
                fresh.add(pipeline_id)
        return fresh

    def _remove_gone(self, selected: Mapping[str, PipelineNow], listing: Listing, at_seconds: float) -> None:
        """Stop to track what the list no longer has."""
        names = {now.name for now in selected.values()}
        for pipeline_id in [one for one in self.source.by_id if one not in selected]:
            if self._may_be_there(pipeline_id, listing, names):
                self.source.by_id[pipeline_id].up = False
            else:
                self.source.vanish(pipeline_id, at_seconds)
                self._histories.forget(pipeline_id)

    def _note_problems(self, listing: Listing) -> None:
        """Note what of a list could not be read."""
        self._problems.malformed += listing.malformed
        for error in (listing.problem, *listing.failures.values()):
            if error is not None:
                self._problems.add(error)
        for pipeline_id in listing.failures.keys() & self.source.by_id.keys():
            self.source.by_id[pipeline_id].up = False

    def _may_be_there(self, pipeline_id: str, listing: Listing, names: set[str]) -> bool:
        """Whether a missing pipeline may be one of the entries that could not be read."""
        tracked = self.source.by_id[pipeline_id]
        tracked.missing += 1
        if tracked.pipeline.name in names:
            return False
        return (
            listing.problem is not None
            or pipeline_id in listing.malformed_ids
            or (listing.unidentified > 0 and tracked.missing < MISSING_LISTS)
        )

    def _update(self, tracked: Tracked, now: PipelineNow) -> bool:
        """Take in a pipeline's entry of the list. Returns whether anything that is shown differs."""
        pipeline = tracked.pipeline
        if pipeline.name != now.name:
            _log.info("source %s: pipeline %s is now called %s", self.settings.name, pipeline.name, now.name)
            pipeline.name = now.name
            self.source.dirty.add(now.id)
        if pipeline.digest != now.digest and pipeline.frozen_seconds is None:
            pipeline.frozen_seconds = self.source.listed_seconds
            self.source.dirty.add(now.id)
        if count_on(pipeline, now.counters):
            self.source.dirty.add(now.id)
        tracked.see(now)
        differs = tracked.now is not now
        tracked.now = now
        tracked.up = tracked.failures == 0 and not tracked.malformed
        tracked.missing = 0
        return differs

    async def _ask_health(self, *, describe: bool) -> None:
        """Ask for the health of the vendor's service, and after a start or an outage for its version."""
        try:
            if describe:
                with contextlib.suppress(ProviderError):  # only for people, and counted as a request
                    self.description = await self.provider.describe()
            if self._clock() < self._health_retry_seconds:
                return
            health = await self.provider.health()
        except Exception as error:  # noqa: BLE001  (a plug-in's fault must not break off what goes on beside it)
            if not isinstance(error, ProviderError):
                _log.exception("source %s: its health", self.settings.name)
            self._problems.add(error)
            self._health_failures += 1
            self._health_retry_seconds = self._clock() + (getattr(error, "retry_after_seconds", None) or 0.0)
            if self._health_failures >= STALE_INTERVALS:
                self.source.series.components = ()
        else:
            self._health_failures = 0
            self.source.series.components = () if health is None else tuple(health.components)

    def _outcome(self) -> str:
        """Say how the cycle ended, and remember its first problem for people."""
        found = self._problems.first()
        if found is None:
            self.last_error = None
            return "success"
        outcome, problem = found
        if self.last_error != problem:
            _log.warning("source %s: %s", self.settings.name, problem)
        self.last_error = problem
        return outcome
