"""Cursor and absolute index against the model of the runner's buffer: exactly once, whatever happens."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

from exporter.logs.resume import CursorPosition, Fed, Gap, OverlapPosition, Position
from exporter.logs.resume._position import digests
from tests.logs.runner_model import MAX_BYTES, Buffer, Line, Wire, connect

ENDED = b"Logs have ended"
TEXTS = st.sampled_from(
    [
        b"a",
        b"b",
        b"",
        b"twelve bytes",
        ENDED,
        b"[x] x: ... 3 prior log lines were discarded due to",
        b"x" * (MAX_BYTES + 1),
    ]
)


ALL = 1 << 20


class Plan(NamedTuple):
    """What a connection has to give: everything after a number, and a gap before it."""

    read: int
    gap: Gap | None


class Resuming(RuleBasedStateMachine):
    """A runner, a network and an exporter that is killed."""

    @initialize(cursor=st.booleans())
    def start(self, cursor: bool) -> None:
        """Begin with a pipeline never seen."""
        self.cursor = cursor
        self.forget()

    def forget(self) -> None:
        """Have a pipeline with a new id."""
        self.buffer = Buffer()
        self.position: Position | None = None
        self.truth: Line | None = None
        self.wire: Wire | None = None
        self.causes: set[tuple[str, int, int, int]] = set()

    @rule(texts=st.lists(TEXTS, min_size=1, max_size=9))
    def log(self, texts: list[bytes]) -> None:
        """Lines are logged."""
        for text in texts:
            line = self.buffer.append(text)
            if self.wire:
                self.wire.due.append(line)

    @rule()
    def restart_runner(self) -> None:
        """Restart the runner: a new buffer, and the stream is cut."""
        self.buffer = Buffer()
        self.wire = None

    @rule(marker=st.booleans())
    def recreate(self, marker: bool) -> None:
        """Delete the pipeline, its log ends, and make one with the same name."""
        if self.wire:
            if marker and not self.cursor_wire:
                self.wire.due.append(Line(ENDED))
            self.receive(ALL)
            self.take(self.wire.stream.end(), quiet=False)
        self.forget()

    @rule()
    def change_version(self) -> None:
        """Upgrade the server or roll it back: the next connection is of the other kind."""
        self.cursor = not self.cursor

    @precondition(lambda self: self.wire is None)
    @rule()
    def connect(self) -> None:
        """Connect with what is committed."""
        self.cursor_wire = self.cursor
        self.wire = connect(self.buffer, self.position, cursor=self.cursor)
        self.plan: Plan | None = None
        self.reported: list[Gap] = []
        self.committed: int | None = None
        self.settled = 0
        self.receive(0)

    @precondition(lambda self: self.wire is not None)
    @rule(count=st.one_of(st.integers(1, 40), st.just(ALL)))
    def receive(self, count: int) -> None:
        """Bytes arrive, cut anywhere."""
        assert self.wire
        self.take(self.wire.stream.feed(self.wire.take(count)), quiet=False)

    @precondition(lambda self: self.wire is not None)
    @rule()
    def fall_quiet(self) -> None:
        """Everything has come, and nothing more for a while: nothing is held any longer."""
        assert self.wire
        self.receive(ALL)
        self.take(self.wire.stream.settle(), quiet=True)

    def take(self, fed: Fed, *, quiet: bool) -> None:
        """Compare what is given out with what is new in truth."""
        assert self.wire
        self.wire.given += fed.block
        self.reported += fed.gaps
        self.settled = len(self.wire.came) if quiet else self.settled
        self.plan = self.plan or self.make_plan(self.wire, quiet=quiet)
        expected = b""
        gaps: list[Gap] = []
        if self.plan:
            expected = b"".join(line.text + b"\n" for line in self.new_lines(self.wire, self.plan))
            gaps = [self.plan.gap] if self.plan.gap else []
        assert expected == self.wire.given
        assert gaps == self.reported

    def new_lines(self, wire: Wire, plan: Plan) -> list[Line]:
        """Return the lines that came and had not been read before."""
        return [line for line in self.lines(wire) if line.number > plan.read]

    def lines(self, wire: Wire) -> list[Line]:
        """Return the lines of the buffer that came; the last may still turn out to be the marker of the end."""
        came = wire.came
        if not self.cursor_wire and len(came) > self.settled and came[-1].text == ENDED:
            came = came[:-1]
        return [line for line in came if line.number]

    def make_plan(self, wire: Wire, *, quiet: bool) -> Plan | None:
        """Say from the truth what this connection has to give; None: it cannot be known yet."""
        first = wire.before_first
        if not wire.came and (first == 0 or not self.cursor_wire):
            return None
        if self.position is None or self.truth is None:
            return Plan(first, None)
        assert not isinstance(self.position, OverlapPosition)
        read = self.truth.number
        same = self.truth.buffer == wire.buffer
        if not same and (first == 0 or first < self.position.discarded or self.both_cursor()):
            return Plan(first, Gap("restart", first or None))
        if first >= read:
            return Plan(first, Gap("overflow", first - read) if first > read else None)
        return self.compare(wire, read, quiet=quiet, same=same)

    def compare(self, wire: Wire, read: int, *, quiet: bool, same: bool) -> Plan | None:
        """Say what the lines remembered tell, which may be a lie where a new buffer repeats the old one."""
        assert self.position
        first = wire.before_first
        lines = self.lines(wire)
        if len(lines) < read - first:
            assert not (quiet and same)
            return Plan(first, Gap("restart", first)) if quiet and lines else None
        remembered = self.position.recent
        compared = digests([line.text for line in lines[: read - first]])[-len(remembered) :]
        hidden = bool(compared) and remembered.endswith(compared)
        return Plan(read, None) if same or hidden else Plan(first, Gap("restart", first))

    def both_cursor(self) -> bool:
        """Say whether the server was asked with a cursor."""
        return self.cursor_wire and isinstance(self.position, CursorPosition)

    @precondition(lambda self: self.wire is not None)
    @rule(share=st.floats(0, 1))
    def commit(self, share: float) -> None:
        """Commit any line that is not before the last one committed, with the gaps."""
        assert self.wire
        already = self.committed or 0
        lines = already + round(share * (self.wire.given.count(b"\n") - already))
        position = self.wire.stream.covered(lines)
        if self.plan is None:
            assert self.position == position
            return
        assert position
        if self.committed is None:
            for gap in self.reported:
                assert self.truth
                cause = (gap.reason, self.truth.buffer, self.truth.number, self.wire.buffer)
                assert cause not in self.causes
                self.causes.add(cause)
        self.committed = lines
        new = self.new_lines(self.wire, self.plan)
        self.truth = new[lines - 1] if lines else Line(b"", self.wire.buffer, self.plan.read)
        self.position = msgspec.msgpack.decode(msgspec.msgpack.encode(position), type=Position)
        assert not isinstance(self.position, OverlapPosition)
        assert self.truth.number == self.position.lines

    @rule()
    def kill(self) -> None:
        """Kill the exporter, or cut the network: only what is committed remains."""
        self.wire = None


TestResuming = Resuming.TestCase
TestResuming.settings = settings(max_examples=120, stateful_step_count=40, deadline=None)
