"""From the records of a pipeline's streams to the outbox, with the positions that cover them."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from exporter.logs.resume import OverlapPosition
from exporter.logs.run import Run
from exporter.logs.stats import LogStats
from exporter.logs.tailer import StreamState
from exporter.logs.totals import Totals
from exporter.otlp.encode import resource_attributes, resource_bytes, stream_fields
from exporter.otlp.encode_runs import encode_named
from exporter.otlp.names import CICD_PIPELINE_NAME, CICD_PIPELINE_RUN_ID, K8S_POD_NAME
from exporter.otlp.outbox import Batch
from exporter.otlp.trace_ids import span_id, trace_id

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from exporter.config import Source
    from exporter.logs.tailer import Named
    from exporter.otlp.outbox import Outbox
    from exporter.status.model import Job

KEPT_DIGESTS = 64 * 8
"""Of the log of a job that has ended so much is remembered: should it be resurrected, its log goes on."""


class PipelineLogs:
    """What the streams of one pipeline have in common: its name, its counts, and what they have lost in all."""

    def __init__(self, source: Source, pipeline_id: str, name: str) -> None:
        self.id = pipeline_id
        self.stats = LogStats()
        self.totals = Totals(self.stats)
        self.base = StreamState()
        """What streams have lost that are let go of. Kept as the position of the pipeline itself."""
        self._source = source
        self.name = name

    def resource(self, further: Mapping[str, str]) -> bytes:
        """Return the encoded resource of a stream's records."""
        return resource_bytes(
            resource_attributes(
                name=self.name,
                source=self._source.name,
                pipeline_id=self.id,
                provider=self._source.provider,
                further=dict(self._source.attributes) | dict(further),
            )
        )


@dataclass(frozen=True, slots=True)
class About:
    """What the records of a stream say beside their pipeline."""

    pod: str = ""
    job: Job | None = None

    def resource(self, name: str) -> dict[str, str]:
        """Return the attributes of the resource."""
        attributes = {K8S_POD_NAME: self.pod} if self.pod else {}
        if self.job is not None:
            attributes |= {CICD_PIPELINE_NAME: name, CICD_PIPELINE_RUN_ID: self.job.id}
        return attributes

    def fields(self) -> bytes:
        """Return the fields that each record has."""
        if self.job is None:
            return b""
        kind, job_id = self.job.kind, self.job.id
        return stream_fields(trace_id=trace_id(kind, job_id), span_id=span_id(kind, job_id))


class Sink:
    """Where the records of one stream go."""

    def __init__(self, outbox: Outbox, source: str, pipeline: PipelineLogs, stream: str, about: About) -> None:
        self.pipeline = pipeline
        self._outbox = outbox
        self._source = source
        self._stream = stream
        self._about = about
        self._fields = about.fields()
        self._resource = b""
        self.rename()

    def rename(self) -> None:
        """Take up the pipeline's name."""
        self._resource = self.pipeline.resource(self._about.resource(self.pipeline.name))

    async def put(self, records: Sequence[Named], state: StreamState) -> None:
        """Hand on records and the state that covers them; waits while there is no room."""
        encoded = [encode_named(one, uid, self._fields) for one, uid in records]
        counts = [one.count if isinstance(one, Run) else 1 for one, _ in records]
        await self._outbox.put(self._batch(encoded, counts, state, {}, {self._stream: state}))

    def let_go(self, state: StreamState, ends: int | None) -> StreamState:
        """Keep of a stream only what it takes to go on should it come back; None: nothing. Its gaps go to the pipeline.

        It waits for nothing: cancelled half way, the gaps would be counted here and there.
        """
        pipeline = self.pipeline
        gaps = {reason: pipeline.base.gaps.get(reason, 0) + count for reason, count in state.gaps.items()}
        pipeline.base = StreamState(
            gaps=pipeline.base.gaps | gaps, lines_lost=pipeline.base.lines_lost + state.lines_lost
        )
        left = StreamState(position=state.position, pipeline=state.pipeline, ends=ends or 0)
        if isinstance(left.position, OverlapPosition):
            left.position = OverlapPosition(left.position.read, left.position.recent[-KEPT_DIGESTS:])
        base = {pipeline.id: msgspec.msgpack.encode(pipeline.base)}
        further: dict[str, bytes | None] = dict(base) if gaps or state.lines_lost else {}
        if ends is None:
            further[self._stream] = None
        self._outbox.note(self._batch([], [], left, further, {self._stream: left, pipeline.id: pipeline.base}))
        return left

    def _batch(
        self,
        records: Sequence[bytes],
        counts: Sequence[int],
        state: StreamState,
        further: Mapping[str, bytes | None],
        shown: Mapping[str, StreamState],
    ) -> Batch:
        return Batch(
            key=(self._source, self.pipeline.id),
            source=self._source,
            stream=self._stream,
            resource=self._resource,
            records=records,
            counts=counts,
            position=msgspec.msgpack.encode(state),
            read_seconds=time.time(),
            further=further,
            committed=lambda: self.pipeline.totals.show(shown),
        )
