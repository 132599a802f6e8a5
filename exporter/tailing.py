"""The logs of one source's pipelines, on their way to the outbox: which are read, as the list of pipelines says.

streams   one a pipeline that goes on for ever                 Tailer
jobs      one a job, that ends; so many are open at once       JobTailer
tails     asked for again and again, one answer for all pods   TailPoller
"""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.log_readers import Readers
from exporter.log_sinks import PipelineLogs
from exporter.logs.places import choose
from exporter.logs.tailer import StreamState
from exporter.status.log_series import LogSeries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.config import Source
    from exporter.journal import Journal
    from exporter.log_readers import Reader, Reading
    from exporter.otlp.outbox import Outbox
    from exporter.polling.tracked import TrackedSource
    from exporter.providers.base import Provider
    from exporter.status.model import Job

BROKEN_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Log:
    """A log that is read."""

    reading: Reading
    task: asyncio.Task[None]


class SourceLogs:
    """All logs of a source. `sync()` is told after each list which pipelines there are."""

    def __init__(
        self,
        source: Source,
        provider: Provider,
        outbox: Outbox,
        journal: Journal,
        tracked: TrackedSource,
        clock: Callable[[], float] = time.time,
        *,
        jobs: Callable[[], Mapping[str, Job]] = dict,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._source = source
        self._provider = provider
        self._outbox = outbox
        self._journal = journal
        self._tracked = tracked
        self._context, self._series = tracked.context, tracked.series
        self._began_seconds = clock()
        self._clock = clock
        self._jobs = jobs
        self._sleep = sleep
        self._states: dict[str, StreamState] = {}
        """Of streams that are not read now. A pipeline that vanished may come back, and its log with it."""
        self._streams: dict[str, set[str]] = {}
        """The streams that were ever read, by pipeline."""
        self._readers = Readers(source, provider, outbox, tracked, clock, jobs, self._states, sleep)
        self._pipelines: dict[str, PipelineLogs] = {}
        self._logs: dict[str, _Log] = {}
        """By stream; of moving tails by pipeline."""
        self._stopping: set[asyncio.Task[None]] = set()
        self._skip_before_ns = 0
        self._synced = False
        self.queued = 0
        """Logs of jobs that wait for a place."""

    @property
    def open(self) -> int:
        """How many logs are read."""
        return len(self._logs)

    async def restore(self) -> None:
        """Read how far each stream has been read. Raises JournalError."""
        await self._outbox.flush()  # after a reload, what was read before it may not be in the journal yet
        for stream, data in (await self._journal.read_positions(self._source.name)).items():
            try:
                self._states[stream] = msgspec.msgpack.decode(data, type=StreamState)
            except msgspec.MsgspecError:
                _log.error("source %s: the journal's position of the log %s cannot be read", self._source.name, stream)
            else:
                self._streams.setdefault(self._states[stream].pipeline or stream, set()).add(stream)
        for pipeline_id, tracked in self._tracked.by_id.items():
            self._show(pipeline_id, tracked.pipeline.name)

    def write_again(self) -> None:
        """Have the states of what is read written: the journal was corrupt and has begun anew."""
        for reading in (log.reading for log in self._logs.values()):
            for stream, channel in reading.channels.items():
                if channel.state.position is not None:
                    reading.sinks[stream].note(channel.state)

    def sync(self, names: Mapping[str, str]) -> None:
        """Read the logs of these pipelines (names by id) and no others."""
        if not self._synced and self._source.logs.start == "end" and not self._states:
            self._skip_before_ns = int(self._clock() * 1e9)
        for pipeline_id in [one for one in self._pipelines if one not in names]:
            self._hide(pipeline_id)
        for pipeline_id, name in names.items():
            self._show(pipeline_id, name)
        self._start_and_stop()
        self._synced = True

    def _start_and_stop(self) -> None:
        """Read what is wanted now, and nothing else."""
        wanted = self._wanted()
        for key in [one for one in self._logs if one not in wanted]:
            self._stop(key)
        for key, (pipeline, job) in wanted.items():
            if key not in self._logs:
                self._start(key, pipeline, job)

    def _wanted(self) -> dict[str, tuple[PipelineLogs, Job | None]]:
        """Return what is to be read: all pipelines, or as many jobs as there are places."""
        if self._provider.logs != "jobs":
            return {pipeline_id: (pipeline, None) for pipeline_id, pipeline in self._pipelines.items()}
        unread = [job for job in self._jobs().values() if job.pipeline_id in self._pipelines and self._is_unread(job)]
        chosen, self.queued = choose(unread, self._source.logs.max_streams)
        return {job.key: (self._pipelines[job.pipeline_id], job) for job in chosen}

    def _is_unread(self, job: Job) -> bool:
        """Whether there is more to read of a job: it runs, or has ended since its log was read to the end."""
        state = self._states.get(job.key)
        return job.reads_log and (not job.result or state is None or state.ends < job.ends)

    def _show(self, pipeline_id: str, name: str) -> None:
        """Put a pipeline's log metrics on the exposition, by its name as it is now."""
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            pipeline = self._pipelines[pipeline_id] = PipelineLogs(self._source, pipeline_id, name)
            streams = self._streams.get(pipeline_id, set()) & self._states.keys()
            states = {stream: self._states[stream] for stream in streams}
            pipeline.totals.show(states)
            if self._provider.logs != "streams":
                pipeline.base = states.get(pipeline_id, pipeline.base)
        elif pipeline.name == name:
            return
        pipeline.name = name
        for reading in (log.reading for log in self._logs.values()):
            for sink in reading.sinks.values() if reading.pipeline_id == pipeline_id else ():
                sink.rename()
        with self._series.lock:
            self._series.logs[pipeline_id] = LogSeries(self._context, name, pipeline.stats, self._began_seconds)

    def _hide(self, pipeline_id: str) -> None:
        """Take a pipeline's log metrics off the exposition, and stop to read its logs."""
        for key in [key for key, log in self._logs.items() if log.reading.pipeline_id == pipeline_id]:
            self._stop(key)
        del self._pipelines[pipeline_id]
        with self._series.lock:
            self._series.logs.pop(pipeline_id, None)

    async def stop(self) -> None:
        """Stop all; what was handed on is in the outbox."""
        for key in list(self._logs):
            self._stop(key)
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _start(self, key: str, pipeline: PipelineLogs, job: Job | None) -> None:
        if job is not None:
            skip_before_ns = 0 if self._synced else self._skip_before_ns
            reading = self._readers.job(pipeline, job, skip_before_ns=skip_before_ns)
        elif self._provider.logs == "tails":
            reading = self._readers.tails(pipeline)
        else:
            reading = self._readers.stream(pipeline)
        self._streams.setdefault(pipeline.id, set()).update(reading.channels)
        name = f"log {self._source.name}/{pipeline.name}"
        self._logs[key] = _Log(reading, asyncio.create_task(self._supervise(key, reading.reader), name=name))

    def _stop(self, key: str) -> None:
        """Stop to read; what was handed on is in the outbox, and the states are kept."""
        log = self._logs.pop(key)
        for stream, channel in log.reading.channels.items():
            self._states[stream] = channel.state
        self._streams.setdefault(log.reading.pipeline_id, set()).update(log.reading.channels)
        log.task.cancel()
        self._stopping.add(log.task)
        log.task.add_done_callback(self._stopping.discard)

    async def _supervise(self, key: str, reader: Reader) -> None:
        """Keep a reader running: one that broke in a way that nobody foresaw goes on from its position, later."""
        while True:
            try:
                await reader.run()
            except Exception:  # noqa: BLE001  (logged with its trace, and the position is kept)
                _log.exception("the log %s of source %s broke and is opened again", key, self._source.name)
                await self._sleep(BROKEN_SECONDS)
            else:
                del self._logs[key]
                self._start_and_stop()  # there is a place for another one
                return
