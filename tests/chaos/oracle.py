"""Knows every line that was written, and judges every record that was accepted.

A pipeline's lines, in the order of their writing, are what its records must give back, one after the other:

    written    1 2 3 4 5 6 7 8 9        each accepted record either goes on right there,
    accepted   1 2 3 4 5 │              or is a repeat of one that was accepted: the same id, the same body

A repeat is excused only by a kill, or by an answer that never arrived, and only if the record was in the last request
with records of its pipeline that was accepted before. Where no batch was refused of late, and so none was split by
pipeline, it must have been the last of the whole lane: at most one batch a lane and kill.
"""

from __future__ import annotations

import time
import zlib
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from tests.chaos.script import POISON

if TYPE_CHECKING:
    from collections.abc import Sequence

    from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs

    from exporter.simulator import Pipeline
    from tests.chaos.dead import Dead
    from tests.chaos.script import Written

LANES = 4
_SHOWN = 20
_TRAIL = 300
_SPLIT_EXCUSES = 12
"""About six kills after a refusal, all parts of what was split are done."""


@dataclass(slots=True)
class _Line:
    text: str
    size_bytes: int
    begins: bool


@dataclass(slots=True)
class _Last:
    """The last request of a lane, or with records of a pipeline, that was accepted."""

    of: str
    ids: frozenset[str] = frozenset()
    open: frozenset[str] = frozenset()
    """What may come again: the exporter was killed, or got no answer. Once something new has come nothing older may."""
    accepted: int = 0
    whole_after: int = 0
    """A lane's batches may be split by pipeline until so many excuses were made."""


@dataclass(slots=True)
class _Pipeline:
    name: str
    lines: list[_Line] = field(default_factory=list)
    accepted: int = 0
    """So many lines were accepted, in order."""
    waiting_bytes: int = 0
    changes: list[str] = field(default_factory=list)
    told: int = 0
    """So many status changes were told, in order."""
    poisoned: list[str] = field(default_factory=list)
    """Records that the collector refuses: they become dead letters."""
    sent: _Last = field(default_factory=lambda: _Last("pipeline"))


class Ticket(NamedTuple):
    """An acceptance."""

    lasts: Sequence[tuple[_Last, int]]
    excuses: int
    number: int


class Oracle:
    """Judges; `problems` says what is wrong, `counts` what was seen."""

    def __init__(self, source: str) -> None:
        self.problems: list[str] = []
        self.trail: list[str] = []
        """What happened before the first problem."""
        self.counts: Counter[str] = Counter()
        self._source = source
        self._pipelines: dict[str, _Pipeline] = {}
        self._lanes = [_Last("lane") for _ in range(LANES)]
        self._bodies: dict[str, str] = {}
        self._excuses = 0
        self._trail: deque[str] = deque(maxlen=_TRAIL)

    def note(self, text: str) -> None:
        """Note what happened, for who looks for the cause of a problem."""
        self._trail.append(f"{time.time():.3f} {text}")

    def know(self, pipeline_id: str, name: str) -> None:
        """Expect records of a pipeline."""
        self._pipelines[pipeline_id] = _Pipeline(name)

    def wrote(self, pipeline_id: str, record: Sequence[Written]) -> None:
        """Note a record that was printed. Blank lines may be left out at a record's end, so they are not looked at."""
        pipeline = self._pipelines[pipeline_id]
        for written in record:
            if POISON in written.text:
                pipeline.poisoned.append(written.text)
            elif written.text:
                pipeline.lines.append(_Line(written.text, len(written.line) + 1, written.begins))
                pipeline.waiting_bytes += len(written.line) + 1

    def changed(self, pipeline_id: str, text: str) -> None:
        """Note a status change, of which an event must tell with this text."""
        self._pipelines[pipeline_id].changes.append(text)

    def began(self, pipeline: Pipeline) -> None:
        """Note a pipeline that was made after counting began: its first statuses are told."""
        words = (("resources", "Stopped"), ("program", pipeline.state.program), ("storage", "Cleared"))
        for facet, word in words:
            self.changed(pipeline.id, f"{facet}: {word}")

    def has_all(self, pipeline_id: str) -> bool:
        """Whether all of a pipeline was accepted."""
        one = self._pipelines[pipeline_id]
        return (one.accepted, one.told) == (len(one.lines), len(one.changes))

    def waiting_bytes(self, pipeline_id: str) -> int:
        """Return how much a pipeline has printed that was not accepted yet."""
        return self._pipelines[pipeline_id].waiting_bytes

    @property
    def waiting(self) -> int:
        """How many lines and status changes were not accepted yet."""
        return sum(len(one.lines) - one.accepted + len(one.changes) - one.told for one in self._pipelines.values())

    def excuse(self) -> None:
        """Excuse one repeated batch a lane: the exporter was killed, or answers under way are lost."""
        self._excuses += 1
        for last in (*self._lanes, *(pipeline.sent for pipeline in self._pipelines.values())):
            last.open |= last.ids

    def answered(self, ticket: Ticket) -> None:
        """Note that the exporter heard of an acceptance: no excuse is left, unless it came since."""
        for last, accepted in ticket.lasts:
            if (last.accepted, self._excuses) == (accepted, ticket.excuses):
                last.open -= last.ids
        self.note(f"answered {ticket.number}")

    def refused(self, resources: Sequence[ResourceLogs]) -> None:
        """Note that a request is refused for its data: its lane splits it by pipeline, also after the next kills."""
        self.counts["requests refused"] += 1
        ids = [_attributes(resource.resource)["service.instance.id"] for resource in resources]
        self.note(f"refused {[self._pipelines[one].name for one in ids if one in self._pipelines]}")
        for one in ids:
            self._lane(one).whole_after = self._excuses + _SPLIT_EXCUSES

    def accept(self, resources: Sequence[ResourceLogs]) -> Ticket:
        """Judge a request that is accepted; the ticket is for `answered`."""
        self.counts["requests"] += 1
        ids: dict[str, list[str]] = {}
        repeats: set[str] = set()
        for resource in resources:
            pipeline_id = _attributes(resource.resource)["service.instance.id"]
            for scope in resource.scope_logs:
                for record in scope.log_records:
                    uid = _attributes(record)["log.record.uid"]
                    ids.setdefault(pipeline_id, []).append(uid)
                    if uid in self._bodies:
                        repeats.add(uid)
                        self._repeated(uid, record)
                    else:
                        self._new(pipeline_id, uid, record)
        everything = [uid for some in ids.values() for uid in some]
        if len(everything) != len(set(everything)):
            self._problem("a request holds a record twice")
        self.counts["requests repeated"] += bool(repeats)
        self.counts["records repeated"] += len(repeats)
        known = {one: some for one, some in ids.items() if one in self._pipelines}
        lasts = [self._judge(self._pipelines[one].sent, some, repeats) for one, some in known.items()]
        if (lanes := len({id(self._lane(one)) for one in ids})) != 1:
            self._problem(f"a request of {lanes} lanes")
        lasts.append(self._judge(self._lane(next(iter(ids))), everything, repeats))
        said = ", ".join(f"{len(some)} of {self._pipelines[one].name} from {some[0]}" for one, some in known.items())
        self.note(f"accepted {self.counts['requests']}: {said}; {len(repeats)} repeated")
        return Ticket(lasts, self._excuses, self.counts["requests"])

    def _lane(self, pipeline_id: str) -> _Last:
        return self._lanes[zlib.crc32(f"{self._source}\0{pipeline_id}".encode()) % LANES]

    def _judge(self, last: _Last, ids: Sequence[str], all_repeats: set[str]) -> tuple[_Last, int]:
        repeats = [uid for uid in ids if uid in all_repeats]
        foreign = [uid for uid in repeats if uid not in last.open]
        if foreign and last.whole_after <= self._excuses:
            text = f"{len(foreign)} of {len(ids)} records came again that the {last.of} had no reason to repeat"
            self._problem(f"{text}, the first is {foreign[0]}: {self._bodies[foreign[0]]!r}")
        last.ids = frozenset(ids)
        last.open = last.ids if len(repeats) < len(ids) else last.open | last.ids
        last.accepted += 1
        return last, last.accepted

    def _repeated(self, uid: str, record: LogRecord) -> None:
        if self._bodies[uid] != record.body.string_value:
            self._problem(f"{uid} came again as {record.body.string_value!r}, before it was {self._bodies[uid]!r}")

    def _new(self, pipeline_id: str, uid: str, record: LogRecord) -> None:
        body = self._bodies[uid] = record.body.string_value
        self.counts["records"] += 1
        pipeline = self._pipelines.get(pipeline_id)
        if pipeline is None:
            self._problem(f"a record of an unknown pipeline {pipeline_id}: {body!r}")
            return
        if record.event_name:
            self._event(pipeline, body)
            return
        if pipeline.accepted < len(pipeline.lines) and not pipeline.lines[pipeline.accepted].begins:
            self.counts["records torn by a cut stream"] += 1
        for text in body.split("\n"):
            if text:
                self._line(pipeline, text)

    def _event(self, pipeline: _Pipeline, body: str) -> None:
        self.counts["events"] += 1
        expected = pipeline.changes[pipeline.told] if pipeline.told < len(pipeline.changes) else None
        if body != expected:
            self._problem(f"{pipeline.name}: the status changed as {expected!r}, and the event says {body!r}")
        pipeline.told += 1

    def _line(self, pipeline: _Pipeline, text: str) -> None:
        """Judge the next line; after a wrong one go on where it stands, so that one mistake is told once."""
        lines, place = pipeline.lines, pipeline.accepted
        if place < len(lines) and lines[place].text == text:
            self._pass(pipeline, place + 1)
            return
        after = next((at for at in range(place, len(lines)) if lines[at].text == text), None)
        if after is not None:
            self._problem(
                f"{pipeline.name}: {after - place} lines are missing before {text!r}: {lines[place].text!r} …"
            )
            self._pass(pipeline, after + 1)
        elif any(line.text == text for line in lines[max(0, place - 20_000) : place]):
            self._problem(f"{pipeline.name}: {text!r} came again with another id, or late")
        else:
            self._problem(f"{pipeline.name}: {text!r} was never written")

    def _pass(self, pipeline: _Pipeline, to: int) -> None:
        pipeline.waiting_bytes -= sum(line.size_bytes for line in pipeline.lines[pipeline.accepted : to])
        self.counts["lines"] += to - pipeline.accepted
        pipeline.accepted = to

    def undelivered(self, dead: Sequence[Dead]) -> set[tuple[str, str]]:
        """Return the refused records that are not among the dead letters, by pipeline and text."""
        expected = {(key, text) for key, one in self._pipelines.items() for text in one.poisoned}
        return expected - {(one.pipeline_id, one.body) for one in dead}

    def _judge_dead(self, dead: Sequence[Dead]) -> None:
        for _, text in sorted(self.undelivered(dead)):
            self._problem(f"{text!r} was refused and is not among the dead letters")
        uids: dict[str, str] = {}
        for one in dead:
            self.counts["dead letters"] += 1
            known = self._pipelines.get(one.pipeline_id)
            if known is None or one.body not in known.poisoned:
                self._problem(f"{one.body!r} is among the dead letters and was not refused")
            if uids.setdefault(one.body, one.uid) != one.uid:
                self._problem(f"{one.body!r} is among the dead letters with two ids")

    def finish(self, dead: Sequence[Dead] = ()) -> None:
        """Judge what is still missing now that nothing more comes."""
        self._judge_dead(dead)
        for pipeline in self._pipelines.values():
            if missing := pipeline.changes[pipeline.told :]:
                self._problem(
                    f"{pipeline.name}: {len(missing)} status changes were never told, the first is {missing[0]!r}"
                )
            if lost := pipeline.lines[pipeline.accepted :]:
                self._problem(f"{pipeline.name}: {len(lost)} lines never came, the first is {lost[0].text!r}")

    def _problem(self, text: str) -> None:
        self.counts["problems"] += 1
        if not self.problems:
            self.trail = list(self._trail)
        if len(self.problems) < _SHOWN:
            self.problems.append(text)


def _attributes(holder: object) -> dict[str, str]:
    return {one.key: one.value.string_value for one in holder.attributes}  # type: ignore[attr-defined]  # both have them
