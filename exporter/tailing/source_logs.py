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

from exporter.log import report_broken
from exporter.logs.places import choose
from exporter.status.log_series import LogSeries
from exporter.tailing.positions import Positions
from exporter.tailing.readers import Readers
from exporter.tailing.sinks import PipelineLogs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from exporter.config import Source
    from exporter.journal import Journal
    from exporter.otlp.outbox import Outbox
    from exporter.polling.tracked import TrackedSource
    from exporter.providers.base import Provider
    from exporter.status.model import Job
    from exporter.tailing.readers import Reader, Reading

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
        self._positions = Positions(source.name, outbox)
        self._readers = Readers(source, provider, outbox, tracked, clock, jobs, self._positions, sleep)
        self._pipelines: dict[str, PipelineLogs] = {}
        self._logs: dict[str, _Log] = {}
        """By stream; of moving tails by pipeline."""
        self._unread: dict[str, Job] = {}
        """Jobs of which there was more to read at the newest list, without those that were read to their end since."""
        self._stopping: set[asyncio.Task[None]] = set()
        self.queued = 0
        """Logs of jobs that wait for a place."""

    @property
    def open(self) -> int:
        """How many logs are read."""
        return len(self._logs)

    async def restore(self) -> None:
        """Read how far each stream has been read. Raises JournalError."""
        await self._outbox.flush()  # after a reload, what was read before it may not be in the journal yet
        self._positions.restore(await self._journal.read_positions(self._source.name))
        for pipeline_id, tracked in self._tracked.by_id.items():
            self._show(pipeline_id, tracked.pipeline.name)

    def write_again(self) -> None:
        """Have all states written: the journal was corrupt and has begun anew."""
        self._positions.write_again()
        if self._provider.logs != "streams":
            for pipeline in self._pipelines.values():
                self._positions.note(pipeline.id, pipeline.id, pipeline.base)
        for reading in (log.reading for log in self._logs.values()):
            for stream, channel in reading.channels:
                self._positions.note(reading.pipeline_id, stream, channel.state)

    def sync(self, names: Mapping[str, str]) -> None:
        """Read the logs of these pipelines (names by id) and no others."""
        for pipeline_id in [one for one in self._pipelines if one not in names]:
            self._hide(pipeline_id)
        for pipeline_id, name in names.items():
            self._show(pipeline_id, name)
        if self._tracked.known_target == self._tracked.target:
            # Else a list that shows all is still to come: what is not known yet may be there all the same.
            self._forget()
        if self._provider.logs == "jobs":
            self._unread = {key: job for key, job in self._jobs().items() if self._is_unread(key, job)}
        self._start_and_stop()

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
        chosen, self.queued = choose(self._unread.values(), self._source.logs.max_streams)
        return {job.key: (self._pipelines[job.pipeline_id], job) for job in chosen}

    def _is_unread(self, key: str, job: Job) -> bool:
        """Whether there is more to read of a job: it runs, or has ended since its log was read to the end."""
        if not job.reads_log or job.pipeline_id not in self._pipelines:
            return False
        state = self._positions.of(job.pipeline_id).get(key)
        return not job.result or state is None or state.ends < job.ends

    def _forget(self) -> None:
        """Let go of streams that do not come back; what those of a pipeline's jobs had lost stays counted."""
        self._positions.forget_others(self._tracked.by_id.keys() | self._tracked.gone.keys())
        if self._provider.logs == "jobs":
            jobs = self._jobs()
            for pipeline_id, pipeline in self._pipelines.items():
                for stream in [one for one in self._positions.of(pipeline_id) if one not in jobs]:
                    self._readers.forget(pipeline, stream)

    def _show(self, pipeline_id: str, name: str) -> None:
        """Put a pipeline's log metrics on the exposition, by its name as it is now."""
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            pipeline = self._pipelines[pipeline_id] = PipelineLogs(self._source, pipeline_id, name)
            pipeline.totals.show(self._positions.of(pipeline_id))
            if self._provider.logs != "streams":
                pipeline.base = self._positions.take(pipeline_id, pipeline_id)
        elif pipeline.name == name:
            return
        else:
            pipeline.name = name
            for log in (self._logs[key] for key in self._keys(pipeline_id)):
                for sink in log.reading.sinks:
                    sink.rename()
        with self._series.lock:
            self._series.logs[pipeline_id] = LogSeries(self._context, name, pipeline.stats, self._began_seconds)

    def _hide(self, pipeline_id: str) -> None:
        """Take a pipeline's log metrics off the exposition, and stop to read its logs. It may come back."""
        for key in self._keys(pipeline_id):
            self._stop(key)
        pipeline = self._pipelines.pop(pipeline_id)
        if self._provider.logs != "streams":
            self._positions.keep(pipeline_id, pipeline_id, pipeline.base)
        with self._series.lock:
            self._series.logs.pop(pipeline_id, None)

    def _keys(self, pipeline_id: str) -> list[str]:
        """Return the keys of the logs of a pipeline that are read."""
        if self._provider.logs != "jobs":
            return [pipeline_id] if pipeline_id in self._logs else []
        return [key for key, log in self._logs.items() if log.reading.pipeline_id == pipeline_id]

    async def stop(self) -> None:
        """Stop all; what was handed on is in the outbox."""
        for key in list(self._logs):
            self._stop(key)
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _start(self, key: str, pipeline: PipelineLogs, job: Job | None) -> None:
        if job is not None:
            reading = self._readers.job(pipeline, job)
        elif self._provider.logs == "tails":
            reading = self._readers.tails(pipeline)
        else:
            reading = self._readers.stream(pipeline)
        name = f"log {self._source.name}/{pipeline.name}"
        task = asyncio.create_task(self._supervise(key, reading.reader), name=name)
        task.add_done_callback(report_broken)
        self._logs[key] = _Log(reading, task)

    def _stop(self, key: str) -> None:
        """Stop to read; what was handed on is in the outbox, and the states are kept."""
        log = self._logs.pop(key)
        for stream, channel in log.reading.channels:
            self._positions.keep(log.reading.pipeline_id, stream, channel.state)
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
                # Whether it runs again is for the next list to say: the newest one may still show it running.
                self._unread.pop(key, None)
                if self.queued:
                    self._start_and_stop()
                return
