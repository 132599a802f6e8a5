"""Knows every line that each stream of a vendor wrote, and judges every record that was accepted.

A stream is a job's log, or a pod's. Its lines are what its records must give back, in order: each record goes on where
the last one ended, or is a repeat with the same id and body. A repeat is excused only by a kill, and only if the record
was in the last request of its lane that was accepted before the kill.
"""

from __future__ import annotations

import zlib
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from exporter.otlp.trace_ids import span_id, trace_id

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.common.v1.common_pb2 import KeyValue
    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs
    from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

LANES = 4
_SHOWN = 20


class Hole(NamedTuple):
    """Lines that were not given back although later ones were."""

    start: int
    end: int


@dataclass(slots=True)
class Stream:
    """What one stream wrote, and how far it has come."""

    name: str
    kind: str = ""
    """`run` or `build`: its records carry the ids of its trace. Empty: they have none."""
    lines: list[str] = field(default_factory=list)
    accepted: int = 0
    """So many lines were accepted, or are in a hole."""
    holes: list[Hole] = field(default_factory=list)
    excused: bool = False
    """Deleted by the vendor: what was not read by then is no loss."""

    @property
    def waiting(self) -> int:
        """How many lines are still to come."""
        return 0 if self.excused else len(self.lines) - self.accepted


@dataclass(slots=True)
class _Lane:
    """The last request of a lane that was accepted."""

    uids: frozenset[str] = frozenset()
    repeatable: frozenset[str] = frozenset()
    """What may come once more, because of a kill since."""


class Oracle:
    """Judges; `problems` says what is wrong, `counts` what was seen."""

    def __init__(self, source: str) -> None:
        self.problems: list[str] = []
        self.counts: Counter[str] = Counter()
        self.streams: dict[str, Stream] = {}
        self.spans: dict[tuple[str, str], bytes] = {}
        """By trace and span id, in hexadecimal: the span as it came first."""
        self._source = source
        self._lanes = [_Lane() for _ in range(LANES)]
        self._bodies: dict[str, str] = {}
        self._span_kills = 0

    def know(self, key: str, name: str, kind: str = "") -> Stream:
        """Expect records of a stream."""
        self.streams[key] = Stream(name, kind)
        return self.streams[key]

    @property
    def waiting(self) -> int:
        """How many lines were not accepted yet."""
        return sum(one.waiting for one in self.streams.values())

    def excuse(self) -> None:
        """Excuse one repeated batch a lane: the exporter was killed."""
        self.counts["excuses"] += 1
        self._span_kills += 1
        for lane in self._lanes:
            lane.repeatable = lane.uids

    def accept(self, resources: Sequence[ResourceLogs]) -> None:
        """Judge a request with log records that is accepted."""
        self.counts["requests"] += 1
        uids: list[str] = []
        repeats: set[str] = set()
        lanes: set[int] = set()
        for resource in resources:
            about = attributes(resource.resource.attributes)
            pipeline_id = about["service.instance.id"]
            lanes.add(zlib.crc32(f"{self._source}\0{pipeline_id}".encode()) % LANES)
            for record in resource.scope_logs[0].log_records:
                uids.append(attributes(record.attributes)["log.record.uid"])
                if self._take(about, uids[-1], record):
                    repeats.add(uids[-1])
        if len(lanes) != 1:
            self._problem(f"a request of {len(lanes)} lanes")
        self._judge_repeats(self._lanes[min(lanes)], uids, repeats)

    def _judge_repeats(self, lane: _Lane, uids: Sequence[str], repeats: set[str]) -> None:
        if len(uids) != len(set(uids)):
            self._problem("a request holds a record twice")
        self.counts["records repeated"] += len(repeats)
        if foreign := repeats - lane.repeatable:
            bodies = [self._bodies[uid] for uid in foreign][:3]
            self._problem(f"{len(foreign)} of {len(uids)} records came again without a reason: {bodies}")
        lane.uids, lane.repeatable = frozenset(uids), frozenset()

    def accept_spans(self, resources: Sequence[ResourceSpans]) -> None:
        """Take in spans: of equal ids only the same one may come again, and only after a kill."""
        for resource in resources:
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self._take_span(span)

    def _take_span(self, span: Span) -> None:
        key = (span.trace_id.hex(), span.span_id.hex())
        content = span.SerializeToString(deterministic=True)
        self.counts["spans"] += 1
        if key in self.spans:
            self.counts["spans repeated"] += 1
            if self.spans[key] != content:
                self._problem(f"span {key} came again and differs: {span}")
            if not self._span_kills:
                self._problem(f"span {key} came again without a kill")
        self.spans.setdefault(key, content)

    def _take(self, about: dict[str, str], uid: str, record: LogRecord) -> bool:
        """Take in a record; return whether it came before."""
        body = record.body.string_value
        if uid in self._bodies:
            if self._bodies[uid] != body:
                self._problem(f"{uid} came again as {body!r}, before it was {self._bodies[uid]!r}")
            return True
        self._bodies[uid] = body
        if record.event_name:
            self.counts["events"] += 1
            return False
        self.counts["records"] += 1
        key = about.get("cicd.pipeline.run.id") or about.get("k8s.pod.name", "")
        stream = self.streams.get(key)
        if stream is None:
            self._problem(f"a record of an unknown stream {key!r}: {body!r}")
            return False
        if about["service.name"] != stream.name:
            self._problem(f"a record of {stream.name} says that it is of {about['service.name']}")
        self._judge_trace(stream, key, record)
        for text in body.split("\n"):
            if text:
                self._line(stream, key, text)
        return False

    def _judge_trace(self, stream: Stream, key: str, record: LogRecord) -> None:
        expected = (trace_id(stream.kind, key), span_id(stream.kind, key)) if stream.kind else (b"", b"")
        if expected != (record.trace_id, record.span_id):
            self._problem(f"a record of {stream.name} {key} has the trace {record.trace_id.hex()}")

    def _line(self, stream: Stream, key: str, text: str) -> None:
        """Judge the next line; after a hole go on where it stands, so that one mistake is told once."""
        lines, place = stream.lines, stream.accepted
        if place < len(lines) and lines[place] == text:
            stream.accepted += 1
            self.counts["lines"] += 1
            return
        after = next((at for at in range(place, len(lines)) if lines[at] == text), None)
        if after is not None:
            stream.holes.append(Hole(place, after))
            stream.accepted = after + 1
            self.counts["lines"] += 1
        elif text in lines[max(0, place - 20_000) : place]:
            self._problem(f"{stream.name} {key}: {text!r} came again with another id, or late")
        else:
            self._problem(f"{stream.name} {key}: {text!r} was never written")

    def finish(self, *, holes: bool = False) -> None:
        """Judge what is missing now that nothing more comes. With `holes` they are somebody else's to judge."""
        for key, stream in self.streams.items():
            if stream.waiting:
                first = stream.lines[stream.accepted]
                self._problem(f"{stream.name} {key}: {stream.waiting} lines never came, the first is {first!r}")
            for hole in () if holes else stream.holes:
                first = stream.lines[hole.start]
                self._problem(f"{stream.name} {key}: {hole.end - hole.start} lines are missing from {first!r} on")

    def _problem(self, text: str) -> None:
        self.counts["problems"] += 1
        if len(self.problems) < _SHOWN:
            self.problems.append(text)


def attributes(found: Sequence[KeyValue]) -> dict[str, str]:
    """Return the texts of attributes."""
    return {one.key: one.value.string_value for one in found}
