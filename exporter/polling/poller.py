"""Poll one source: who is there, what changed, what happened.

list ─▶ new, renamed, changed, gone ─▶ commit, show          every cycle, two requests with the health
     └▶ histories of what changed ─▶ merge ─▶ commit, show    and once more a minute later, for late events
     └▶ histories of the others, evenly over `sweep`          with what the budget leaves over
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from exporter.journal import JournalError
from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError, StatusError
from exporter.status.exposition import STALE_INTERVALS
from exporter.status.tracker import merge

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from exporter.polling.tracked import Tracked, TrackedSource
    from exporter.providers.base import Provider
    from exporter.providers.budget import Budget
    from exporter.status.model import Listing, PipelineNow

RECHECK_SECONDS: Final = 60.0
"""The history of a changed pipeline is read once more after so long: events can be recorded late."""

STRETCH_INTERVALS: Final = 4
"""For the histories of changed pipelines a cycle may last so many intervals: what is now must not get older for them."""

MISSING_LISTS: Final = 5
"""So many lists with entries that cannot be read may leave out a pipeline before it is taken for deleted."""

MAX_BACKOFF_SECONDS: Final = 300.0
CONCURRENCY: Final = 4
BATCH: Final = 100
"""So many histories are read between two commits."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """How a source is polled."""

    name: str
    interval_seconds: float
    sweep_seconds: float
    selects: Callable[[str], bool]


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
        self._recheck: dict[str, float] = {}
        self._sweep: deque[str] = deque()
        self._sweep_credit = 0.0
        self._listed_monotonic: float | None = None
        self._health_failures = 0
        self._health_retry_seconds = 0.0
        self._problems: list[Exception] = []
        self._malformed = 0

    async def restore(self) -> None:
        """Take up the counts where the journal has them. Raises JournalError."""
        await self.source.restore(self.settings.selects)
        for pipeline_id, tracked in self.source.by_id.items():
            if tracked.pipeline.recheck_seconds is not None:
                self._recheck[pipeline_id] = tracked.pipeline.recheck_seconds

    async def poll(self) -> str:
        """Do one cycle and return how it ended: `success`, or the outcome of the first problem."""
        started = time.monotonic()
        self._problems, self._malformed = [], 0
        at_seconds = self._clock()
        try:
            listing = await self.provider.list()
        except ProviderError as error:
            self._down(error)
            return error.outcome
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
            await self._read(
                self._due(fresh), Priority.EVENTS, started + STRETCH_INTERVALS * self.settings.interval_seconds
            )
            await self._read(
                self._sweep_due(fresh, elapsed, first_list=first_list),
                Priority.SWEEP,
                started + self.settings.interval_seconds,
            )
        return self._outcome()

    def quiet(self) -> None:
        """Note that the vendor wants no request now: what was last seen may be true no more."""
        self.polled = True
        self.last_error = f"the vendor asked for quiet: no request for {self.budget.held_seconds:.0f} s"
        self.source.series.up = False
        self.source.series.set_all_up(up=False)

    def _down(self, error: ProviderError) -> None:
        if self.source.series.up or self.last_error is None:
            _log.warning("source %s is down: %s", self.settings.name, error)
        self.last_error = str(error)
        self.source.series.up = False
        self.source.series.set_all_up(up=False)

    async def _take_list(self, listing: Listing, at_seconds: float, *, first_list: bool) -> set[str]:
        """Take in a successful list; commit and show it. Returns the ids that it shows for the first time."""
        source = self.source
        self._malformed += listing.malformed
        selected = {now.id: now for now in listing.pipelines if self.settings.selects(now.name)}
        names = {now.name for now in selected.values()}
        fresh: set[str] = set()
        changed: set[str] = set()
        for pipeline_id, now in selected.items():
            if pipeline_id not in source.by_id:
                back = pipeline_id in source.gone
                source.add(now, at_seconds, first_list=first_list)
                if first_list and not back:
                    source.by_id[pipeline_id].pipeline.digest = now.digest
                elif not back:
                    fresh.add(pipeline_id)
            if self._update(source.by_id[pipeline_id], now):
                changed.add(pipeline_id)
        for pipeline_id in [one for one in source.by_id if one not in selected]:
            if self._may_be_there(pipeline_id, listing, names):
                source.by_id[pipeline_id].up = False
            else:
                source.vanish(pipeline_id, at_seconds)
                self._recheck.pop(pipeline_id, None)
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
        await source.commit(changed)
        self._set_up(source.by_id)
        self.on_list({pipeline_id: tracked.pipeline.name for pipeline_id, tracked in source.by_id.items()})
        return fresh

    def _may_be_there(self, pipeline_id: str, listing: Listing, names: set[str]) -> bool:
        """Whether a missing pipeline may be one of the entries that could not be read."""
        tracked = self.source.by_id[pipeline_id]
        tracked.missing += 1
        if tracked.pipeline.name in names:
            return False
        return pipeline_id in listing.malformed_ids or (listing.unidentified > 0 and tracked.missing < MISSING_LISTS)

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
        differs = tracked.now is not now
        tracked.now = now
        tracked.up = tracked.failures == 0 and not tracked.malformed
        tracked.missing = 0
        return differs

    async def _ask_health(self, *, describe: bool) -> None:
        """Ask for the health of the vendor's service, and after a start or an outage for its version."""
        if describe:
            with contextlib.suppress(ProviderError):  # only for people, and counted as a request
                self.description = await self.provider.describe()
        if self._clock() < self._health_retry_seconds:
            return
        try:
            health = await self.provider.health()
        except ProviderError as error:
            self._problem(error)
            self._health_failures += 1
            self._health_retry_seconds = self._clock() + (getattr(error, "retry_after_seconds", None) or 0.0)
            if self._health_failures >= STALE_INTERVALS:
                self.source.series.components = ()
        else:
            self._health_failures = 0
            self.source.series.components = () if health is None else tuple(health.components)

    def _set_up(self, pipeline_ids: Iterable[str]) -> None:
        series = self.source.series.pipelines
        for pipeline_id in pipeline_ids:
            if pipeline_id in series:
                series[pipeline_id].up = self.source.by_id[pipeline_id].up

    def _due(self, fresh: set[str]) -> list[str]:
        """Return the pipelines whose history is to be read now, those that changed longest ago first.

        One that the list shows for the first time waits for the next cycle: its counters are seen at zero first.
        """
        now_seconds = self._clock()
        due = []
        for pipeline_id, tracked in self.source.by_id.items():
            if pipeline_id in fresh or tracked.now is None or tracked.retry_seconds > now_seconds:
                continue
            recheck = self._recheck.get(pipeline_id)
            if (
                tracked.pipeline.digest != tracked.now.digest
                or tracked.failures
                or (recheck and recheck <= now_seconds)
            ):
                due.append(pipeline_id)
        return sorted(due, key=lambda one: self.source.by_id[one].pipeline.frozen_seconds or now_seconds)

    def _sweep_due(self, fresh: set[str], elapsed_seconds: float, *, first_list: bool) -> list[str]:
        """Return the unchanged pipelines whose turn it is: all of them once in `sweep`, evenly, running ones first.

        The baselines of a source's first list are read at once as far as the budget allows.
        """
        by_id = self.source.by_id
        if not self._sweep:
            self._sweep.extend(sorted(by_id, key=lambda one: not _is_wanted(by_id[one])))
        if first_list:
            self._sweep_credit = float(len(by_id))
        share = min(elapsed_seconds, 2 * self.settings.interval_seconds) / self.settings.sweep_seconds
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
                await self.source.commit(read)
                self._set_up(read)
            if rest:
                if priority is Priority.SWEEP:
                    self._sweep.extendleft(reversed([*rest, *due[start + BATCH :]]))
                return

    async def _work(self, rest: deque[str], read: set[str], priority: Priority, deadline: float) -> None:
        # However late it is, each cycle reads something that changed: else a small budget would starve it without end.
        while rest and (
            time.monotonic() + self.budget.wait_seconds() < deadline or (priority is Priority.EVENTS and not read)
        ):
            pipeline_id = rest.popleft()
            tracked = self.source.by_id[pipeline_id]
            if tracked.now is None:
                continue
            read.add(pipeline_id)
            try:
                await self._read_one(tracked, tracked.now, priority)
            except (ProviderError, JournalError) as error:
                self._read_failed(tracked, error)
            except Exception as error:  # noqa: BLE001  (one pipeline's data must not keep the others from being read)
                _log.exception("source %s: pipeline %s", self.settings.name, tracked.pipeline.name)
                self._read_failed(tracked, error)

    async def _read_one(self, tracked: Tracked, now: PipelineNow, priority: Priority) -> None:
        """Read one history and merge it. Raises ProviderError or JournalError, then nothing has changed."""
        source, pipeline = self.source, tracked.pipeline
        reading = await self.provider.history(now, priority)
        history = await source.load_history(tracked)
        if (
            pipeline.baseline is None
            and history.newest_key[0]
            and not any(event.key == history.newest_key for event in reading.events)
            and not await self.provider.confirm(now)
        ):
            # The name belongs to another pipeline by now: the next list will say so.
            return
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
        source.dirty.add(pipeline.id)
        source.note(tracked, merged.entries)
        if merged.gap:
            _log.warning(
                "source %s: pipeline %s: the vendor dropped events before they were read; transitions may be missing",
                self.settings.name,
                pipeline.name,
            )
        tracked.failures, tracked.malformed = 0, reading.malformed > 0
        tracked.up = not tracked.malformed
        self._malformed += reading.malformed
        self._recheck_later(tracked, again=pipeline.digest != now.digest or tracked.malformed)
        pipeline.digest = now.digest

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
            delay = min(self.settings.interval_seconds * 2**exponent, MAX_BACKOFF_SECONDS)
            tracked.retry_seconds = self._clock() + delay * random.uniform(0.8, 1.2)  # noqa: S311  (jitter)
        if isinstance(error, StatusError) and error.retry_after_seconds is not None:
            tracked.retry_seconds = max(tracked.retry_seconds, self._clock() + error.retry_after_seconds)
        if isinstance(error, NotFoundError) and tracked.failures == 1:
            return
        tracked.up = False
        self._problem(error)

    def _problem(self, error: Exception) -> None:
        self._problems.append(error)

    def _outcome(self) -> str:
        """Say how the cycle ended, and remember its first problem for people."""
        if self._malformed:
            problem, outcome = f"{self._malformed} entries of the vendor's answers could not be read", "error"
        elif self._problems:
            problem, outcome = (
                str(self._problems[0]) or repr(self._problems[0]),
                getattr(self._problems[0], "outcome", "error"),
            )
        else:
            self.last_error = None
            return "success"
        if self.last_error != problem:
            _log.warning("source %s: %s", self.settings.name, problem)
        self.last_error = problem
        return outcome


def _is_wanted(tracked: Tracked) -> bool:
    return tracked.now is not None and tracked.now.wanted
