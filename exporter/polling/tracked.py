"""The pipelines of one source: what is known of each now, what has been counted, and what the journal does not hold yet."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol, TypeVar

import msgspec

from exporter.journal import KEEP_GONE_SECONDS, JobRow, JournalError, LogCommit, PipelineRow, SourceRow, StatusBatch
from exporter.status.jobs import Jobs, Marks
from exporter.status.model import Job
from exporter.status.rebuild import rebuild
from exporter.status.series import SecondsLines, Series, render_kept, render_now, render_up
from exporter.status.tracker import History, Pipeline, begin, observe

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from exporter.journal import Journal, LogBatch, Waiting
    from exporter.status.exposition import SourceSeries
    from exporter.status.families import Family
    from exporter.status.fold import Entry
    from exporter.status.model import EndedJob, Event, PipelineNow
    from exporter.status.samples import Lines
    from exporter.status.series import Context

T = TypeVar("T")

_log = logging.getLogger(__name__)


class Change(NamedTuple):
    """A counted entry."""

    at_ns: int
    pipeline_id: str
    pipeline: str
    facet: str
    before: str | None
    word: str
    has_error: bool
    error_code: str | None


class Events(Protocol):
    """Where counted entries go, in the transaction that counts them."""

    async def batches(self, changes: Sequence[Change]) -> list[LogBatch]:
        """Encode changes. Raises JournalError when there is no room for them."""

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Take in what was committed."""


class Traces(Protocol):
    """Where the spans of ended jobs go, in the transaction that settles these."""

    async def batches(self, jobs: Sequence[EndedJob]) -> list[LogBatch]:
        """Encode ends of jobs. Raises JournalError when there is no room for them."""

    def committed(self, waiting: Sequence[Waiting], batches: Sequence[LogBatch]) -> None:
        """Take in what was committed."""


@dataclass(slots=True)
class Tracked:
    """One pipeline. `history` is here only while the journal does not hold it."""

    pipeline: Pipeline
    now: PipelineNow | None = None
    history: History | None = None
    failures: int = 0
    """Readings of its history that failed, one after the other."""
    retry_seconds: float = 0.0
    """Its history is not read before this moment."""
    malformed: bool = False
    """Whether the newest reading had events that could not be read."""
    up: bool = True
    gone_seconds: float | None = None
    """When it vanished from the list."""
    missing: int = 0
    """Lists, one after the other, that did not show it and could not be read as a whole."""
    observed: list[Event] = field(default_factory=list)
    """What lists showed since it was counted, where the vendor keeps no history."""
    active: Mapping[tuple[str, str], int] = field(default_factory=dict)
    """How many of its jobs have not ended, by kind and the vendor's word."""

    def see(self, now: PipelineNow) -> None:
        """Note a look that is an event: something differs from what was counted and from the look before."""
        seen = self.pipeline.digest if self.now is None else self.now.digest
        if now.observed is not None and now.digest != seen:
            self.observed.append(now.observed)


class _SourceState(msgspec.Struct):
    """What the journal keeps of a source beside its pipelines."""

    unknown_words: dict[str, list[str]] = msgspec.field(default_factory=dict)
    job_marks: Marks = msgspec.field(default_factory=Marks)
    jobs: int = 0
    """How many are known."""


@dataclass(slots=True)
class TrackedSource:
    """All pipelines of a source. Changed only by its poller; committed, then shown."""

    context: Context
    target: str
    journal: Journal
    series: SourceSeries
    by_id: dict[str, Tracked] = field(default_factory=dict)
    gone: dict[str, Tracked] = field(default_factory=dict)
    """Pipelines that vanished: should one come back, its counts go on."""
    listed_seconds: float = 0.0
    """When the newest successful list was asked for; 0 where there has been none."""
    known_target: str = ""
    """What the counts in the journal belong to; empty before the first list."""
    dirty: set[str] = field(default_factory=set)
    """Pipelines that differ from the journal."""
    events: Events | None = None
    unsent: list[Change] = field(default_factory=list)
    """Counted entries whose events are not in the journal yet."""
    traces: Traces | None = None
    unsent_spans: list[EndedJob] = field(default_factory=list)
    """Settled ends of jobs that the journal does not hold yet; without `traces` they are forgotten at the next commit."""
    recent: deque[Change] = field(default_factory=lambda: deque(maxlen=50))
    jobs: Jobs = field(default_factory=Jobs)

    async def restore(self, selects: Callable[[str], bool]) -> None:
        """Take up the counts where the journal has them, and show those of selected names. Raises JournalError."""
        source, rows = await self.journal.read_source(self.context.source)
        if source is None:
            return
        jobs = await self.journal.read_jobs(self.context.source)
        self.known_target, self.listed_seconds = source.target, source.listed_seconds
        await asyncio.to_thread(self._restore, source, rows, jobs, selects)

    def _restore(
        self, source: SourceRow, rows: Sequence[PipelineRow], jobs: Sequence[bytes], selects: Callable[[str], bool]
    ) -> None:
        state = _decode(source.state, _SourceState) or _SourceState()
        self.context.words.unknown.update(state.unknown_words)
        for row in rows:
            pipeline = _decode(row.state, Pipeline)
            if pipeline is None:
                _log.error(
                    "source %s: the journal's counts of pipeline %s cannot be read, it starts at zero",
                    self.context.source,
                    row.id,
                )
                continue
            shown = row.gone_seconds is None and selects(pipeline.name)
            tracked = Tracked(pipeline, up=False, gone_seconds=row.gone_seconds)
            (self.by_id if shown else self.gone)[row.id] = tracked
        known = [job for job in (_decode(row, Job) for row in jobs) if job is not None]
        if len(known) < state.jobs:
            _log.error("source %s: %d jobs in the journal cannot be read", self.context.source, state.jobs - len(known))
        self.jobs.restore(known, state.job_marks, lost=len(known) < state.jobs)
        self.series.last_success_seconds = source.listed_seconds
        self.show(self.by_id, committed=self.by_id, horizon_seconds=source.listed_seconds)

    def add(self, now: PipelineNow, at_seconds: float, *, first_list: bool) -> Tracked:
        """Start to track a pipeline that the list shows and that is not tracked, or go on with one that came back."""
        tracked = self.gone.pop(now.id, None)
        if tracked is None:
            pipeline, history = begin(
                now, self.context.vocabulary, self.context.words, at_seconds=at_seconds, first_list=first_list
            )
            tracked = Tracked(pipeline, history=history)
        else:
            tracked.gone_seconds = None
            tracked.pipeline.digest = b""  # whatever happened while it was away is to be read
        self.by_id[now.id] = tracked
        self.dirty.add(now.id)
        return tracked

    def begin_with(self, tracked: Tracked, now: PipelineNow) -> None:
        """Begin to count with a source's first list. A history that there is, is read for times later.

        Where nothing of it could be read, the first look that shows something is what counting begins with.
        """
        tracked.pipeline.digest = now.digest
        if not self.context.vocabulary.recorded and now.observed is not None and tracked.history is not None:
            observe(
                tracked.pipeline, tracked.history, (), self.context.vocabulary, self.context.words, horizon_seconds=0.0
            )

    def show_up(self, pipeline_ids: Iterable[str]) -> None:
        """Show of each of these pipelines whether its newest poll succeeded."""
        for pipeline_id in pipeline_ids:
            if pipeline_id in self.series.pipelines:
                self.series.pipelines[pipeline_id].up = self.by_id[pipeline_id].up

    def vanish(self, pipeline_id: str, at_seconds: float) -> None:
        """Stop to show a pipeline that the list no longer has. Its time stands still from the last list that had it."""
        tracked = self.by_id.pop(pipeline_id)
        tracked.now, tracked.gone_seconds = None, at_seconds
        if tracked.pipeline.frozen_seconds is None:
            tracked.pipeline.frozen_seconds = self.listed_seconds
        self.gone[pipeline_id] = tracked
        self.dirty.add(pipeline_id)

    async def load_history(self, tracked: Tracked) -> History:
        """Return a pipeline's history, from the journal if need be. Raises JournalError."""
        if tracked.history is not None:
            return tracked.history
        found = await self.journal.read_history(self.context.source, tracked.pipeline.id)
        history = None if found is None else _decode(found, History)
        if history is None and tracked.now is not None and self.journal.notice is not None:
            # It was corrupt. What was counted is known all the same.
            _log.error("source %s: the events of pipeline %s are lost", self.context.source, tracked.pipeline.name)
            history = rebuild(tracked.pipeline, self.series.horizon_seconds, wanted=tracked.now.wanted)
        if history is None:
            message = f"the journal has no readable history of pipeline {tracked.pipeline.name} ({tracked.pipeline.id})"
            raise JournalError(message)
        return history

    def write_again(self) -> None:
        """Have all that is known written with the next commit: the journal has begun anew."""
        self.dirty.update(self.by_id, self.gone)
        self.jobs.write_again()

    def note(self, tracked: Tracked, entries: Iterable[Entry]) -> None:
        """Remember counted entries: for the page, and to be sent as events."""
        facets, errors = tuple(self.context.vocabulary.facets), self.context.vocabulary.errors
        code = tracked.now.error_code if tracked.now else None
        for entry in entries:
            change = Change(
                entry.event.at_ns,
                tracked.pipeline.id,
                tracked.pipeline.name,
                facets[entry.facet],
                entry.before,
                entry.word,
                entry.event.has_error or entry.word in errors,
                entry.word if entry.word in errors else code if entry.event.has_error else None,
            )
            self.recent.append(change)
            if self.events is not None:
                self.unsent.append(change)

    async def commit(self, changed: Collection[str] = ()) -> None:
        """Write what differs from the journal and the time of the last list, then show it.

        When writing fails, what is now is shown all the same, and the counts once a later commit succeeds.
        """
        dirty, listed_seconds = set(self.dirty), self.listed_seconds
        forgotten = self._long_gone()
        unsent, unsent_spans = list(self.unsent), list(self.unsent_spans)
        self.jobs.forget_pipelines(forgotten)
        jobs, forgotten_jobs = list(self.jobs.dirty), list(self.jobs.forgotten)
        try:
            outgoing = await self._outgoing(unsent, unsent_spans)
            status = await asyncio.to_thread(self._batch, dirty, forgotten, jobs, forgotten_jobs)
            # Cancelled by a reload, it is written all the same: then its events have to be sent.
            await asyncio.shield(self._write(status, outgoing))
        except JournalError as error:
            _log.error(
                "source %s: %s; counts go on in memory and are shown once they are written", self.context.source, error
            )
            committed: Collection[str] = ()
            horizon_seconds = self.series.horizon_seconds
        else:
            committed = dirty
            horizon_seconds = listed_seconds
            del self.unsent[: len(unsent)]
            del self.unsent_spans[: len(unsent_spans)]
            self.known_target = self.target
            self.dirty -= dirty
            self.jobs.written(jobs, forgotten_jobs)
            for pipeline_id in forgotten:
                self.gone.pop(pipeline_id, None)
            for pipeline_id in dirty:
                tracked = self.by_id.get(pipeline_id) or self.gone[pipeline_id]
                tracked.history = None
        # In the vendor's order, as `dirty` has them: of what stands in order less is compressed again at a scrape.
        ids = dict.fromkeys((*committed, *changed))
        shown = {pipeline_id: self.by_id[pipeline_id] for pipeline_id in ids if pipeline_id in self.by_id}
        await asyncio.to_thread(self.show, shown, committed=committed, horizon_seconds=horizon_seconds)

    async def _outgoing(self, changes: Sequence[Change], jobs: Sequence[EndedJob]) -> LogCommit:
        """Make what is to be sent of entries and of ended jobs. Raises JournalError."""
        batches = await self.events.batches(changes) if self.events is not None and changes else []
        spans = await self.traces.batches(jobs) if self.traces is not None and jobs else []
        return LogCommit(batches=batches, spans=spans)

    async def _write(self, status: StatusBatch, outgoing: LogCommit) -> None:
        """Write counts, their events and spans, and have these sent. Raises JournalError."""
        waiting = await self.journal.commit(status, outgoing)
        events = len(outgoing.batches)
        if self.events is not None:
            self.events.committed(waiting[:events], outgoing.batches)
        if self.traces is not None:
            self.traces.committed(waiting[events:], outgoing.spans)

    def show(self, shown: Mapping[str, Tracked], *, committed: Collection[str], horizon_seconds: float) -> None:
        """Render pipelines and put them on the exposition; the counts only of those that are committed."""
        before = self.series.pipelines
        fresh = {key: self._render(tracked, before.get(key), key in committed) for key, tracked in shown.items()}
        self.series.replace(fresh, [key for key in before if key not in self.by_id], horizon_seconds)

    def _render(self, tracked: Tracked, before: Series | None, committed: bool) -> Series:  # noqa: FBT001  (a private step)
        pipeline, now = tracked.pipeline, tracked.now
        kept: Mapping[Family, Lines] = {}
        seconds = None
        if committed:
            kept = render_kept(self.context, pipeline)
            seconds = SecondsLines(self.context, self.context.labels(pipeline.name), pipeline)
        elif before is not None and before.name == pipeline.name:
            kept, seconds = before.kept, before.seconds
        return Series(
            name=pipeline.name,
            now={} if now is None else render_now(self.context, now, pipeline, tracked.active),
            kept=kept,
            seconds=seconds,
            up=tracked.up,
            up_lines=render_up(self.context, pipeline.name),
        )

    def _long_gone(self) -> list[str]:
        """Return the pipelines that vanished so long ago that they will not come back."""
        before = self.listed_seconds - KEEP_GONE_SECONDS
        return [
            key for key, one in self.gone.items() if key not in self.dirty and (one.gone_seconds or before) < before
        ]

    def _batch(
        self, dirty: Collection[str], forgotten: Sequence[str], jobs: Sequence[str], forgotten_jobs: Sequence[str]
    ) -> StatusBatch:
        rows = []
        for pipeline_id in dirty:
            tracked = self.by_id.get(pipeline_id) or self.gone[pipeline_id]
            history = None if tracked.history is None else msgspec.msgpack.encode(tracked.history)
            rows.append(
                PipelineRow(pipeline_id, tracked.gone_seconds, msgspec.msgpack.encode(tracked.pipeline), history)
            )
        state = _SourceState(self.context.words.unknown, self.jobs.marks, len(self.jobs.by_key))
        return StatusBatch(
            SourceRow(self.context.source, self.target, self.listed_seconds, msgspec.msgpack.encode(state)),
            rows,
            forgotten,
            [JobRow(key, msgspec.msgpack.encode(self.jobs.by_key[key])) for key in jobs],
            forgotten_jobs,
        )


def _decode(data: bytes, type_: type[T]) -> T | None:
    """Decode what the journal holds; None when it cannot be read."""
    try:
        return msgspec.msgpack.decode(data, type=type_)
    except msgspec.MsgspecError:
        return None
