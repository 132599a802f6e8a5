"""The logs of one source's pipelines: a tailer for each, as the list of pipelines says, on its way to the outbox."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.logs.redact import Redactor
from exporter.logs.run import Run
from exporter.logs.stats import LogStats
from exporter.logs.tailer import StreamRefusedError, StreamState, Tailer, TailSettings
from exporter.otlp.encode import resource_attributes, resource_bytes
from exporter.otlp.encode_runs import encode_named
from exporter.otlp.outbox import Batch
from exporter.providers.budget import Priority
from exporter.providers.errors import NotFoundError, ProviderError, StatusError, TimedOutError
from exporter.status.log_series import LogSeries

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from exporter.config import Source
    from exporter.journal import Journal
    from exporter.logs.resume import Position
    from exporter.logs.tailer import Connection, Named
    from exporter.otlp.outbox import Outbox
    from exporter.polling.tracked import TrackedSource
    from exporter.providers.base import Provider

BROKEN_SECONDS = 30.0

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Tail:
    """One pipeline's tailer, the name by which the vendor knows it now, and its resource."""

    name: str
    resource: bytes
    stats: LogStats
    tailer: Tailer
    task: asyncio.Task[None] | None = None


class SourceLogs:
    """All tailers of a source. `sync()` is told after each list which pipelines there are."""

    def __init__(
        self,
        source: Source,
        provider: Provider,
        outbox: Outbox,
        journal: Journal,
        tracked: TrackedSource,
        clock: Callable[[], float] = time.time,
        *,
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
        self._sleep = sleep
        self._states: dict[str, StreamState] = {}
        """Of streams that are not read now. A pipeline that vanished may come back, and its log with it."""
        self._tails: dict[str, _Tail] = {}
        self._stopping: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Read how far each stream has been read. Raises JournalError."""
        await self._outbox.flush()  # after a reload, what was read before it may not be in the journal yet
        for stream, data in (await self._journal.read_positions(self._source.name)).items():
            try:
                self._states[stream] = msgspec.msgpack.decode(data, type=StreamState)
            except msgspec.MsgspecError:
                _log.error("source %s: the journal's position of the log %s cannot be read", self._source.name, stream)
            else:
                self._show_restored(stream)

    def sync(self, names: Mapping[str, str]) -> None:
        """Tail these pipelines (names by id) and no others."""
        for pipeline_id in [one for one in self._series.logs if one not in names]:
            if pipeline_id in self._tails:
                self._stop(pipeline_id, self._tails.pop(pipeline_id))
            self._show(pipeline_id)
        for pipeline_id, name in names.items():
            tail = self._tails.get(pipeline_id)
            if tail is None:
                self._tails[pipeline_id] = self._start(pipeline_id, name)
                self._show(pipeline_id)
            elif tail.name != name:
                tail.name, tail.resource = name, self._resource(pipeline_id, name)
                self._show(pipeline_id)

    def _show(self, pipeline_id: str) -> None:
        """Put a pipeline's log metrics on the exposition, or take them off."""
        tail = self._tails.get(pipeline_id)
        with self._series.lock:
            if tail is None:
                self._series.logs.pop(pipeline_id, None)
            else:
                self._series.logs[pipeline_id] = LogSeries(self._context, tail.name, tail.stats, self._began_seconds)

    def _show_restored(self, pipeline_id: str) -> None:
        """Show what was lost before a restart, for a pipeline that the journal shows too."""
        tracked = self._tracked.by_id.get(pipeline_id)
        if tracked is not None:
            stats = LogStats()
            _show_gaps(stats, self._states[pipeline_id])
            with self._series.lock:
                name = tracked.pipeline.name
                self._series.logs[pipeline_id] = LogSeries(self._context, name, stats, self._began_seconds)

    async def stop(self) -> None:
        """Stop all tailers; what they have handed on is in the outbox."""
        for pipeline_id, tail in self._tails.items():
            self._stop(pipeline_id, tail)
        self._tails.clear()
        if self._stopping:
            await asyncio.wait(self._stopping)

    def _start(self, pipeline_id: str, name: str) -> _Tail:
        logs = self._source.logs
        state = self._states.pop(pipeline_id, StreamState())
        known = state.position is not None
        if logs.start == "end" and not known:
            state.skip_before_ns = int(self._clock() * 1e9)
        stats = LogStats()
        _show_gaps(stats, state)

        async def open_stream(position: Position | None, again: bool) -> Connection:  # noqa: FBT001  (the tailer's own call)
            return await self._open(tail, position, Priority.REOPEN if again or known else Priority.OPEN)

        async def put(records: Sequence[Named], state: StreamState) -> None:
            await self._put(pipeline_id, tail, records, state)

        tailer = Tailer(
            f"{self._source.name}/{name}",
            open_stream,
            put,
            Redactor(defaults=logs.redact.defaults, patterns=logs.redact.patterns),
            TailSettings(logs.multiline.max_bytes, logs.multiline.timeout),
            stats,
            state,
            confirm=lambda: self._confirm(pipeline_id),
            sleep=self._sleep,
        )
        tail = _Tail(name, self._resource(pipeline_id, name), stats, tailer)
        tail.task = asyncio.create_task(_supervise(tailer, self._sleep), name=f"log {tailer.name}")
        return tail

    def _stop(self, pipeline_id: str, tail: _Tail) -> None:
        """Stop a tailer; what it has handed on is in the outbox, and its state is kept."""
        self._states[pipeline_id] = tail.tailer.state
        if tail.task is not None:
            tail.task.cancel()
            self._stopping.add(tail.task)
            tail.task.add_done_callback(self._stopping.discard)

    async def _open(self, tail: _Tail, position: Position | None, priority: Priority) -> Connection:
        """Open a stream; what goes wrong becomes the label of a reconnect."""
        try:
            return await self._provider.open_log(tail.name, position, priority)
        except ProviderError as error:
            raise _refused(error) from error

    async def _confirm(self, pipeline_id: str) -> bool:
        """Ask whether the name that a pipeline is known by is still its own."""
        tracked = self._tracked.by_id.get(pipeline_id)
        if tracked is None or tracked.now is None:
            return False
        try:
            return await self._provider.confirm(tracked.now, Priority.REOPEN)
        except ProviderError as error:
            raise _refused(error) from error

    async def _put(self, pipeline_id: str, tail: _Tail, records: Sequence[Named], state: StreamState) -> None:
        await self._outbox.put(
            Batch(
                key=(self._source.name, pipeline_id),
                source=self._source.name,
                stream=pipeline_id,
                resource=tail.resource,
                records=[encode_named(record, uid) for record, uid in records],
                counts=[one.count if isinstance(one, Run) else 1 for one, _ in records],
                position=msgspec.msgpack.encode(state),
                read_seconds=time.time(),
                committed=lambda: _show_gaps(tail.stats, state),
            )
        )

    def _resource(self, pipeline_id: str, name: str) -> bytes:
        return resource_bytes(
            resource_attributes(
                name=name,
                source=self._source.name,
                pipeline_id=pipeline_id,
                provider=self._source.provider,
                further=self._source.attributes,
            )
        )


def _show_gaps(stats: LogStats, state: StreamState) -> None:
    """Show the gaps that are committed."""
    if stats.gaps != state.gaps or stats.lines_lost != state.lines_lost:
        stats.gaps.clear()
        stats.gaps.update(state.gaps)
        stats.lines_lost = state.lines_lost
        stats.version += 1


def _refused(error: ProviderError) -> StreamRefusedError:
    """Say what kept a stream from opening in the words of the metrics."""
    reason = "refused"
    if isinstance(error, NotFoundError):
        reason = "not_found"
    elif isinstance(error, TimedOutError):
        reason = "timeout"
    after = error.retry_after_seconds if isinstance(error, StatusError) else None
    return StreamRefusedError(str(error), reason=reason, retry_after_seconds=after)


async def _supervise(tailer: Tailer, sleep: Callable[[float], Awaitable[None]]) -> None:
    """Keep a tailer running: one that broke in a way that nobody foresaw goes on from its position, later."""
    while True:
        try:
            await tailer.run()
        except Exception:  # noqa: BLE001  (logged with its trace, and the position is kept)
            _log.exception("the log of %s broke and is opened again", tailer.name)
            await sleep(BROKEN_SECONDS)
