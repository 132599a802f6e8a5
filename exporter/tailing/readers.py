"""What reads a log: one stream of a pipeline, the log of a job, or the tails of a pipeline's pods."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, Protocol

from exporter.logs.job_tailer import JobTailer
from exporter.logs.redact import Redactor
from exporter.logs.tailer import Channel, Tailer, TailSettings
from exporter.providers.base import LogStream
from exporter.providers.budget import Priority
from exporter.providers.errors import ProviderError
from exporter.tailing.job_watch import JobWatch
from exporter.tailing.refusals import refused
from exporter.tailing.sinks import About, PipelineLogs, Sink
from exporter.tailing.tail_poller import TailPoller

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, Mapping

    from exporter.config import Source
    from exporter.logs.resume import Position
    from exporter.logs.tailer import Connection, StreamState
    from exporter.otlp.outbox import Outbox
    from exporter.polling.tracked import TrackedSource
    from exporter.providers.base import Provider
    from exporter.status.model import Job
    from exporter.tailing.positions import Positions

LIVE_STATES: Final = frozenset(("starting", "running", "degraded", "stopping"))
"""In these a pipeline may log at any moment."""


class Reader(Protocol):
    """What reads a log, or all of a pipeline's; it ends when there is nothing more to read, if ever."""

    async def run(self) -> None:
        """Read on."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A reader with what it writes to. Of one stream this is in tuples: there may be thousands, and a dict is large."""

    pipeline_id: str
    reader: Reader
    sinks: Collection[Sink]
    channels: Collection[tuple[str, Channel]]
    """By stream."""


class _Opening:
    """How the stream of one pipeline is opened, by the name that it has at that moment."""

    __slots__ = ("_known", "_name", "_pipeline", "_readers")

    def __init__(self, readers: Readers, pipeline: PipelineLogs, *, known: bool) -> None:
        self._readers = readers
        self._pipeline = pipeline
        self._known = known
        self._name = pipeline.name
        """The name that the newest stream was opened by."""

    async def open(self, position: Position | None, again: bool) -> Connection:  # noqa: FBT001  (the tailer's own call)
        """Open it, to go on after a position."""
        pipeline = self._pipeline
        self._name = pipeline.name
        priority = Priority.REOPEN if again or self._known else Priority.OPEN
        return await self._readers.open(LogStream(pipeline.id, pipeline.id, pipeline.name), position, priority)

    async def confirm(self) -> bool:
        """Ask whether the name that the stream was opened by is the pipeline's own: a list may have told a new one since."""
        return await self._readers.confirm(self._pipeline.id, self._name)

    async def exists(self) -> bool:
        """Ask whether the pipeline is still there, by the name that it has now."""
        return await self._readers.confirm(self._pipeline.id, self._pipeline.name)


class Readers:
    """Makes the readers of one source."""

    def __init__(
        self,
        source: Source,
        provider: Provider,
        outbox: Outbox,
        tracked: TrackedSource,
        clock: Callable[[], float],
        jobs: Callable[[], Mapping[str, Job]],
        positions: Positions,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._provider = provider
        self._outbox = outbox
        self._tracked = tracked
        self._clock = clock
        self._jobs = jobs
        self._positions = positions
        self._sleep = sleep
        self._settings = TailSettings(source.logs.multiline.max_bytes, source.logs.multiline.timeout, provider.dialect)

    def stream(self, pipeline: PipelineLogs) -> Reading:
        """Make what reads the one stream of a pipeline."""
        state = self._positions.take(pipeline.id, pipeline.id)
        known = state.position is not None
        if not known:
            state.skip_before_ns = self._now_ns()
        sink = self._sink(pipeline, pipeline.id, About())
        opening = _Opening(self, pipeline, known=known)
        tailer = Tailer(
            f"{self._source.name}/{pipeline.name}",
            opening.open,
            sink.put,
            self._redactor(),
            self._settings,
            pipeline.stats,
            state,
            confirm=opening.confirm,
            exists=opening.exists,
            sleep=self._sleep,
        )
        return Reading(pipeline.id, tailer, (sink,), ((pipeline.id, tailer),))

    def job(self, pipeline: PipelineLogs, job: Job) -> Reading:
        """Make what reads the log of a job."""
        state = self._positions.take(pipeline.id, job.key)
        state.pipeline = pipeline.id
        if not job.result:
            state.ends = min(state.ends, job.ends)  # the lists never showed the end that the vendor told of
        known = state.position is not None
        if not known:
            state.skip_before_ns = self._skip_before_ns(job)
        sink = self._sink(pipeline, job.key, About(job=job))

        async def finished(state: StreamState, ends: int) -> None:
            self._positions.keep(pipeline.id, job.key, sink.let_go(state, ends))

        watch = JobWatch(job, self._jobs, self._provider, self._clock, finished)

        async def open_stream(position: Position | None, again: bool, whole: bool) -> Connection:  # noqa: FBT001  (the tailer's own call)
            stream = LogStream(job.key, pipeline.id, pipeline.name, watch.seen(whole=whole))
            return await self.open(stream, position, Priority.REOPEN if again or known else Priority.OPEN)

        tailer = JobTailer(
            f"{self._source.name}/{pipeline.name} {job.kind} {job.id}",
            open_stream,
            sink.put,
            self._redactor(),
            self._settings,
            pipeline.stats,
            state,
            watch=watch,
            sleep=self._sleep,
        )
        return Reading(pipeline.id, tailer, (sink,), ((job.key, tailer),))

    def tails(self, pipeline: PipelineLogs) -> Reading:
        """Make what asks for the tails of a pipeline's pods."""
        sinks: dict[str, Sink] = {}
        channels: dict[str, Channel] = {}
        begin = f"{pipeline.id}/"
        pods = [stream.removeprefix(begin) for stream in self._positions.of(pipeline.id)]
        skip_before_ns = 0 if pods else self._now_ns()

        def channel(pod: str) -> Channel:
            stream = begin + pod
            state = self._positions.take(pipeline.id, stream)
            state.pipeline = pipeline.id
            if state.position is None:
                state.skip_before_ns = skip_before_ns
            sinks[stream] = sink = self._sink(pipeline, stream, About(pod=pod))
            name = f"{self._source.name}/{pipeline.name} {pod}"
            channels[stream] = Channel(name, sink.put, self._redactor(), self._settings, pipeline.stats, state)
            return channels[stream]

        async def forget(pod: str) -> None:
            stream = begin + pod
            if stream not in channels:
                channel(pod)
            sinks.pop(stream).let_go(channels.pop(stream).state, None)

        poller = TailPoller(
            f"{self._source.name}/{pipeline.name}",
            lambda priority: self._provider.read_tails(pipeline.id, priority),
            channel,
            pipeline.stats,
            interval_seconds=self._source.interval,
            live=lambda: self._is_live(pipeline.id),
            first_sight=bool(skip_before_ns),
            pods=pods,
            forget=forget,
            sleep=self._sleep,
        )
        return Reading(pipeline.id, poller, sinks.values(), channels.items())

    def forget(self, pipeline: PipelineLogs, stream: str) -> None:
        """Let go of a stream that is not read and does not come back."""
        self._sink(pipeline, stream, About()).let_go(self._positions.take(pipeline.id, stream), None)

    def _skip_before_ns(self, job: Job) -> int:
        """Return what lines of a job have to be newer than: with `start: end` than the start of counting, if it ran then.

        That moment is the same after a restart, and for a job that had to wait for a place.
        """
        tracked, marks = self._tracked.by_id.get(job.pipeline_id), self._tracked.jobs.marks
        is_older = job.started_ns <= marks.since.get(job.pipeline_id, marks.since_ns)
        if self._source.logs.start != "end" or tracked is None or not is_older:
            return 0
        return int(tracked.pipeline.began_seconds * 1e9)

    def _now_ns(self) -> int:
        """Return what lines of something new have to be newer than: with `start: end` than now."""
        return int(self._clock() * 1e9) if self._source.logs.start == "end" else 0

    def _sink(self, pipeline: PipelineLogs, stream: str, about: About) -> Sink:
        return Sink(self._outbox, self._source.name, pipeline, stream, about)

    def _redactor(self) -> Redactor:
        """Return what replaces secrets in one stream: it remembers where a key of several lines has begun."""
        redact = self._source.logs.redact
        return Redactor(defaults=redact.defaults, patterns=redact.patterns)

    def _is_live(self, pipeline_id: str) -> bool:
        """Whether a pipeline may log at any moment."""
        tracked = self._tracked.by_id.get(pipeline_id)
        return tracked is not None and tracked.now is not None and tracked.now.state in LIVE_STATES

    async def open(self, stream: LogStream, position: Position | None, priority: Priority) -> Connection:
        """Open a stream; what goes wrong becomes the label of a reconnect."""
        try:
            return await self._provider.open_log(stream, position, priority)
        except ProviderError as error:
            raise refused(error) from error

    async def confirm(self, pipeline_id: str, name: str) -> bool:
        """Ask whether a name is that of a pipeline."""
        tracked = self._tracked.by_id.get(pipeline_id)
        if tracked is None or tracked.now is None:
            return False
        try:
            return await self._provider.confirm(replace(tracked.now, name=name), Priority.REOPEN)
        except ProviderError as error:
            raise refused(error) from error
