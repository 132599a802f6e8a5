"""The log of a job is followed while it runs and read once more when it has settled, each line once."""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest

from exporter.logs import job_tailer, tailer
from exporter.logs.dialects import STAMPED
from exporter.logs.job_tailer import JobTailer
from exporter.logs.redact import Redactor
from exporter.logs.resume import open_overlap
from exporter.logs.run import singles
from exporter.logs.stats import LogStats
from exporter.logs.tailer import StreamRefusedError, StreamState, TailSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from exporter.logs.resume import Position
    from exporter.logs.tailer import Named


def line(number: int) -> str:
    """Return a line as Apify writes it."""
    return f"2026-11-21T10:00:{number // 10:02}.{number % 10}00Z line {number}\n"


def lines(start: int, stop: int) -> str:
    """Return several."""
    return "".join(line(number) for number in range(start, stop))


class Connection:
    """A stream that holds a text."""

    def __init__(self, text: str, before: Position | None, *, complete: bool, end: str) -> None:
        self._data = deque([text.encode()]) if text else deque()
        self.complete = complete
        self.end: str | None = end
        self.resume = open_overlap(before, reason="overflow", follow=not complete)

    async def read(self) -> bytes:
        """Return the text, then nothing; a stream that hangs never comes to its end."""
        if not self._data and self.end == "hangs":
            await asyncio.Event().wait()
        return self._data.popleft() if self._data else b""

    def uid(self, _line: int) -> None:
        """Leave the id to the channel."""

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Script:
    """What a vendor does, and what becomes of it. `streams` are texts and how they end, or why they do not open."""

    streams: Sequence[tuple[str, str] | StreamRefusedError]
    whole: Sequence[tuple[str, str] | StreamRefusedError]
    ended_after: int = 1
    """After so many streams the lists show the end."""
    asked: bool = False
    """What the vendor answers when it is asked whether the job has ended."""
    late: float = 10.0
    bodies: list[str] = field(default_factory=list)
    slept: list[float] = field(default_factory=list)
    opened: list[bool] = field(default_factory=list)
    asks: int = 0
    state: StreamState | None = None

    async def open(self, position: Position | None, _again: bool, whole: bool) -> Connection:
        """Open the next stream."""
        texts = self.whole if whole else self.streams
        found = texts[self.opened.count(whole)]
        self.opened.append(whole)
        if isinstance(found, StreamRefusedError):
            raise found
        return Connection(found[0], position, complete=whole, end=found[1])

    async def put(self, records: Sequence[Named], _state: StreamState) -> None:
        """Take records in."""
        self.bodies += [one.body.decode() for one in singles(record for record, _ in records)]

    async def sleep(self, seconds: float) -> None:
        """Note a wait."""
        self.slept.append(seconds)

    def ended(self) -> bool:
        """Whether the lists show the end."""
        return self.opened.count(False) >= self.ended_after

    def resumed(self) -> bool:
        """Whether it runs again."""
        return False

    async def ask(self) -> bool:
        """Answer whether it has ended."""
        self.asks += 1
        return self.asked

    def settle_seconds(self) -> float:
        """Return when the log is whole."""
        return self.late

    async def finished(self, state: StreamState) -> None:
        """Note the end."""
        self.state = state


async def read(script: Script, state: StreamState | None = None) -> LogStats:
    """Read a job's log to its end."""
    stats = LogStats()
    settings = TailSettings(1 << 18, 0.5, STAMPED)
    redactor = Redactor(defaults=True, patterns=())
    start = state or StreamState()
    await JobTailer(
        "job", script.open, script.put, redactor, settings, stats, start, watch=script, sleep=script.sleep
    ).run()
    return stats


def bodies(start: int, stop: int) -> list[str]:
    """Return what the lines become."""
    return [f"line {number}" for number in range(start, stop)]


async def test_a_cut_stream_goes_on_where_it_was() -> None:
    """Each stream replays all from the start; what was read is not read again, nor what the last look repeats."""
    script = Script([(lines(0, 5), "cut"), (lines(0, 9), "end")], [(lines(0, 12), "end")], ended_after=2)
    stats = await read(script)
    assert bodies(0, 12) == script.bodies
    assert {"cut": 1, "end": 1} == stats.reconnects
    assert 10.0 == script.slept[-1]
    assert script.state is not None


async def test_the_vendor_is_asked_when_a_stream_that_brought_lines_ends() -> None:
    """Its answer that the job has ended saves the wait for the next list."""
    script = Script([(lines(0, 5), "end")], [(lines(0, 5), "end")], ended_after=99, asked=True)
    stats = await read(script)
    assert (bodies(0, 5), 1, {}) == (script.bodies, script.asks, stats.reconnects)


async def test_an_empty_stream_is_opened_again_without_asking() -> None:
    """A job that has logged nothing yet: soon, then at least every 7.5 s."""
    script = Script([("", "end")] * 8, [(lines(0, 3), "end")], ended_after=8)
    await read(script)
    assert (bodies(0, 3), 0) == (script.bodies, script.asks)
    assert [True] * 8 == [wait <= 7.5 for wait in script.slept[:8]]
    assert 0.75 >= script.slept[0]


async def test_a_last_line_without_a_newline_is_read_when_the_job_has_ended() -> None:
    """While it runs such a line may grow; once it has ended the line is whole."""
    script = Script([(lines(0, 2) + line(2)[:30], "end")], [((lines(0, 3)).rstrip("\n"), "end")], asked=True)
    await read(script)
    assert bodies(0, 3) == script.bodies


async def test_a_line_that_a_resurrected_job_has_begun_is_not_whole() -> None:
    """The job runs again while its log is read as a whole, and is within a line: that one is left for the next stream."""
    script = Script([(lines(0, 2), "cut")], [(lines(0, 2) + line(2)[:30], "end")], asked=False)
    await read(script)
    assert (bodies(0, 2), 1) == (script.bodies, script.asks)


async def test_a_job_that_ended_before_it_was_seen_is_read_once() -> None:
    """One look at the settled log is enough."""
    script = Script([], [(lines(0, 4), "end")], ended_after=0, late=0.0)
    await read(script)
    assert (bodies(0, 4), [True]) == (script.bodies, script.opened)


async def test_the_log_of_a_deleted_job_is_let_go() -> None:
    """There is nothing to read any more."""
    gone = StreamRefusedError("gone", reason="not_found")
    script = Script([(lines(0, 4), "cut")], [gone])
    stats = await read(script)
    assert (bodies(0, 4), {"cut": 1}) == (script.bodies, stats.reconnects)
    assert script.state is not None


@pytest.mark.parametrize("reason", ["refused", "timeout"])
async def test_a_last_look_that_fails_is_made_again(reason: str) -> None:
    """What is left is not given up; a wait that the vendor asks for is honoured."""
    failed = StreamRefusedError("later", reason=reason, retry_after_seconds=40)
    script = Script([], [failed, (lines(0, 2), "cut"), (lines(0, 4), "end")], ended_after=0)
    stats = await read(script)
    assert (bodies(0, 4), {reason: 1, "cut": 1}) == (script.bodies, stats.reconnects)
    assert 40 <= script.slept[1]


async def test_a_head_that_was_cut_while_away_is_a_gap() -> None:
    """Where nothing of what was read is there any more, what is there is new."""
    first = Script([(lines(0, 5), "cut")], [(lines(0, 5), "end")])
    await read(first)
    script = Script([], [(lines(7, 12), "end")], ended_after=0)
    stats = await read(script, first.state)
    assert bodies(7, 12) == script.bodies
    assert script.state is not None
    assert ({"overflow": 1}, {}) == (script.state.gaps, stats.gaps)


async def test_a_stream_that_stays_open_after_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is left some time after the job's end, and what is left is read."""
    monkeypatch.setattr(job_tailer, "LEFT_SECONDS", 0.01)
    script = Script([(lines(0, 5), "hangs")], [(lines(0, 7), "end")])
    stats = await read(script)
    assert (bodies(0, 7), {"cut": 1}, 0) == (script.bodies, stats.reconnects, stats.open_streams)


async def test_a_rest_that_stalls_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Silence within a text of which less came than was read before does not make it another one."""
    monkeypatch.setattr(tailer, "STALLED_SECONDS", 0.01)
    monkeypatch.setattr(tailer, "SETTLE_SECONDS", 0.001)
    script = Script([(lines(0, 5), "end")], [(lines(0, 3), "hangs"), (lines(0, 7), "end")])
    stats = await read(script)
    assert (bodies(0, 7), {"end": 1, "timeout": 1}) == (script.bodies, stats.reconnects)
    assert script.state is not None
    assert {} == script.state.gaps
