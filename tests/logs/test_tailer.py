"""Following one log over everything that can happen to a stream: each record once, in order, and what was lost counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from exporter.logs.backoff import FIRST_SECONDS
from exporter.simulator import End, Faults
from exporter.simulator.log_follower import QUEUE_LINES
from tests.logs.following import BOTH, CURSORS, LEGACY, following, one_pipeline, say

if TYPE_CHECKING:
    from pathlib import Path

REASONS = {End.CLEAN: "end", End.GONE: "end", End.CUT: "cut", End.RESET: "cut", End.KILLED: "cut"}


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("end", list(End))
async def test_records_come_once_over_every_end(tmp_path: Path, version: str, end: End) -> None:
    """Whatever ends a stream, what was logged before, meanwhile and after comes once and in order."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "a", "b", "b")
        assert ["a", "b", "b"] == await follow.bodies(4)
        for number in range(1, 4):
            pipeline.end_streams(end, torn=b"half of a li" if end is End.KILLED else b"")
            await follow.asleep(number)
            say(pipeline, f"away {number}", "b")
            follow.wake()
            await follow.bodies(4 + 3 * number - 1)
            say(pipeline, f"after {number}")
            await follow.bodies(4 + 3 * number)
        actual = await follow.bodies(13)
        marked = end is End.GONE and version == LEGACY

        assert ["a", "b", "b", *(word for n in "123" for word in (f"away {n}", "b", f"after {n}"))] == actual
        assert {"slow_reader" if marked else REASONS[end]: 3} == follow.count("reconnects_total")
        assert {} == follow.count("gaps_total")
        assert 13 == len({record.uid for record in follow.records})


@pytest.mark.parametrize("version", BOTH)
async def test_lines_that_the_buffer_dropped_meanwhile_are_counted(tmp_path: Path, version: str) -> None:
    """A gap `overflow` says how many lines were lost while nobody read, and reading goes on after them."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "before")
        await follow.bodies(2)
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        say(pipeline, *(f"line {number}" for number in range(12_000)))
        kept = len(pipeline.logs.buffer.lines)
        follow.wake()
        actual = await follow.bodies(2 + kept)

        assert ["before", *(f"line {number}" for number in range(12_000 - kept, 12_000))] == actual
        assert ({"overflow": 1}, {"": 12_000 - kept}) == (follow.count("gaps_total"), follow.count("lines_lost_total"))


@pytest.mark.parametrize("version", BOTH)
@pytest.mark.parametrize("end", [End.CLEAN, End.CUT])
async def test_a_runner_that_is_restarted_makes_a_gap(tmp_path: Path, version: str, end: End) -> None:
    """What was sent before the end is read also where a cut follows at once; the new buffer is read from its start."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "one")
        await follow.bodies(2)
        say(pipeline, *(f"last words {number}" for number in range(500)))
        world.runner.stop(end)
        await follow.asleep(1)
        follow.wake()
        await follow.asleep(2)
        world.advance(1)
        world.runner.start()
        world.advance(3)
        say(pipeline, "two")
        follow.wake()
        actual = await follow.bodies(504)

        assert ["one", *(f"last words {number}" for number in range(500)), "two"] == actual
        assert ({"restart": 1}, {}) == (follow.count("gaps_total"), follow.count("lines_lost_total"))
        assert {REASONS[end]: 1, "refused": 1} == follow.count("reconnects_total")
        assert 5.0 <= follow.slept[1]


async def test_a_server_that_is_upgraded_and_rolled_back(tmp_path: Path) -> None:
    """Each change between a cursor and a replay goes on where the other stopped."""
    world, pipeline = one_pipeline(LEGACY)
    expected = []
    async with following(tmp_path, world) as follow:
        for number, version in enumerate((CURSORS, LEGACY, CURSORS, CURSORS, LEGACY, LEGACY), start=1):
            say(pipeline, f"line {number}", "same")
            expected += [f"line {number}", "same"]
            await follow.bodies(len(expected) + 1)
            pipeline.end_streams(End.CUT)
            await follow.asleep(number)
            say(pipeline, "away")
            expected.append("away")
            world.version = version
            follow.wake()
        assert expected == await follow.bodies(len(expected) + 1)
        assert {} == follow.count("gaps_total")


@pytest.mark.parametrize("version", BOTH)
async def test_a_manager_that_is_stopped_is_read_to_its_end(tmp_path: Path, version: str) -> None:
    """After SIGTERM lines go on, then nobody answers, then the pipeline has no log for a while: all is asked again."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        await follow.server.terminate()
        say(pipeline, "while it stops")
        await follow.bodies(2)
        await follow.server.exit()
        await follow.asleep(1)
        follow.wake()
        await follow.asleep(2)
        world.advance(1)
        await follow.server.restart()
        follow.wake()
        await follow.asleep(3)
        world.advance(3)
        say(pipeline, "back")
        follow.wake()

        assert ["while it stops", "back"] == await follow.bodies(4)
        assert {"end": 1, "refused": 1, "not_found": 1} == follow.count("reconnects_total")
        assert {"restart": 1} == follow.count("gaps_total")


@pytest.mark.parametrize("version", BOTH)
async def test_a_torn_line_of_a_killed_manager_is_no_record(tmp_path: Path, version: str) -> None:
    """The half of a line is left out; the lines before it are not."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "whole")
        await follow.bodies(2)
        await follow.server.kill(torn=b"half of a li")
        await follow.asleep(1)
        world.advance(1)
        await follow.server.restart()
        world.advance(3)
        say(pipeline, "back")
        follow.wake()

        assert ["whole", "back"] == await follow.bodies(4)
        assert {"cut": 1} == follow.count("reconnects_total")


async def test_a_log_that_is_not_there_yet_is_asked_for_again(tmp_path: Path) -> None:
    """An empty 404 after creation is no deletion."""
    world, pipeline = one_pipeline()
    world.runner.discovery_seconds = 2.0
    async with following(tmp_path, world) as follow:
        await follow.asleep(1)
        world.advance(3)
        say(pipeline, "here")
        follow.wake()

        assert ["here"] == await follow.bodies(2)
        assert {"not_found": 1} == follow.count("reconnects_total")


@pytest.mark.parametrize(
    ("fault", "at_least"),
    [
        ("runner_down", 5.0),
        ("channel_full", 5.0),
        ("channel_closed", 0.0),
        ("database_down", 0.0),
        ("bad_gateway", 0.0),
        ("html", 0.0),
        ("garbage", 0.0),
        ("cut_before", 0.0),
    ],
)
async def test_a_refused_stream_is_opened_again(tmp_path: Path, fault: str, at_least: float) -> None:
    """No answer but a log begins a stream, and `Retry-After` is honoured; what was read before is not read again."""
    world, pipeline = one_pipeline()
    faults = Faults()
    async with following(tmp_path, world, faults=faults) as follow:
        say(pipeline, "before")
        await follow.bodies(2)
        pipeline.end_streams(End.CLEAN)
        await follow.asleep(1)
        faults.next(2, "/v0/pipelines/*/logs", fault)
        for number in (2, 3):
            follow.wake()
            await follow.asleep(number)
        say(pipeline, "after")
        follow.wake()

        assert ["before", "after"] == await follow.bodies(3)
        assert {"end": 1, "refused": 2} == follow.count("reconnects_total")
        assert at_least <= follow.slept[2]


async def test_a_stream_that_does_not_begin_times_out(tmp_path: Path) -> None:
    """A server that never answers is given up after the source's timeout."""
    world, _ = one_pipeline()
    faults = Faults()
    async with following(tmp_path, world, faults=faults, timeout="2s") as follow:
        await follow.bodies(1)
        world.pipelines[next(iter(world.pipelines))].end_streams(End.CLEAN)
        await follow.asleep(1)
        faults.next(1, "/v0/pipelines/*/logs", "silent")
        follow.wake()
        await follow.asleep(2)

        assert {"end": 1, "timeout": 1} == follow.count("reconnects_total")


@pytest.mark.parametrize("version", BOTH)
async def test_a_stream_that_goes_on_is_opened_again_soon(tmp_path: Path, version: str) -> None:
    """However often connections end, the waits stay short as long as each brought something new."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        for number in range(1, 7):
            say(pipeline, f"line {number}")
            await follow.bodies(1 + number)
            pipeline.end_streams(End.CUT)
            await follow.asleep(number)
            follow.wake()

        assert FIRST_SECONDS * 1.5 >= max(follow.slept)


@pytest.mark.parametrize("version", BOTH)
async def test_a_reader_dropped_at_once_comes_again(tmp_path: Path, version: str) -> None:
    """A stream without headers and lines changes nothing of where reading stands."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "before")
        await follow.bodies(2)
        world.runner.drops = 2
        pipeline.end_streams(End.CLEAN)
        for number in (1, 2, 3):
            await follow.asleep(number)
            follow.wake()
        say(pipeline, "after")

        assert ["before", "after"] == await follow.bodies(3)
        assert {} == follow.count("gaps_total")


@pytest.mark.parametrize(("version", "reason"), [(CURSORS, "end"), (LEGACY, "slow_reader")])
async def test_a_reader_that_was_too_slow_counts_what_it_lost(tmp_path: Path, version: str, reason: str) -> None:
    """Its queue comes to the end, then the buffer goes on, and the lines between are a gap of that many."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        many = QUEUE_LINES + 60_000
        pipeline.log_lines([b"[p] 2026-11-19T09:26:40.000000Z  INFO a::b:  %d" % n for n in range(many)])
        kept = len(pipeline.logs.buffer.lines)
        await follow.asleep(1)
        follow.wake()
        actual = await follow.bodies(1 + QUEUE_LINES + kept)

        assert [str(n) for n in (*range(QUEUE_LINES), *range(many - kept, many))] == actual
        assert {reason: 1} == follow.count("reconnects_total")
        assert {"": many - kept - QUEUE_LINES} == follow.count("lines_lost_total")


async def test_a_line_without_end_is_given_out_in_parts(tmp_path: Path) -> None:
    """A very long line comes whole, in records of the size that is allowed, and reading goes on right after it."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        long = "x" * (5 << 20)
        say(pipeline, long, "next")
        await follow.until(lambda: follow.records[-1:] != [] and follow.records[-1].body == "next")
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        say(pipeline, "after")
        follow.wake()
        await follow.until(lambda: follow.records[-1].body == "after")
        bodies = [record.body for record in follow.records]

        assert [long, "next", "after"] == ["".join(bodies[1:-2]), *bodies[-2:]]
        assert len(bodies) == len({record.uid for record in follow.records})
        assert {} == follow.count("gaps_total")
        assert 256 * 1024 == max(map(len, bodies))


async def test_a_quiet_stream_stays_open(tmp_path: Path) -> None:
    """The source's timeout is none for a stream that has begun."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world, timeout="2s", logs={"multiline": {"timeout": "2500ms"}}) as follow:
        await follow.bodies(1)  # held for longer than the timeout
        say(pipeline, "still here")

        assert ["still here"] == await follow.bodies(2)
        assert 1 == follow.server.counts["/v0/pipelines/p/logs"]


async def test_what_is_open_is_given_out_by_time(tmp_path: Path) -> None:
    """A panic, and a record of several lines, do not wait for the next one."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        pipeline.log("\nthread 'x' panicked at src/x.rs:1:2:\nno\nstack backtrace:\n   0: f")
        await follow.bodies(2)
        say(pipeline, "first")
        pipeline.log("  second")

        assert "first\n  second" == (await follow.bodies(3))[-1]
        assert ("thread 'x' panicked at src/x.rs:1:2:\nno\nstack backtrace:\n   0: f", "panic") == (
            follow.records[1].body,
            follow.records[1].attributes["exception.type"],
        )


async def test_every_line_is_counted_under_its_records_severity(tmp_path: Path) -> None:
    """Lines of a multi-line record count under its head's, and all lines, blank ones too, and all bytes are counted."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        say(pipeline, "a", level="WARN")
        pipeline.log("\n  more of it")
        say(pipeline, "b", "c")
        pipeline.log("thread 'x' panicked at src/x.rs:1:2:\nno")
        await follow.bodies(5)

        assert {"info": 3, "warn": 3, "error": 2} == follow.count("lines_total")
        size = sum(len(line) + 1 for line in pipeline.logs.buffer.lines)
        assert {"": size} == follow.count("bytes_total")


async def test_secrets_are_replaced_and_counted(tmp_path: Path) -> None:
    """A password does not get into a record."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        say(pipeline, "reading postgresql://app:hunter22@db.example.com/shop")

        assert ["reading postgresql://app:[redacted]@db.example.com/shop"] == await follow.bodies(2)
        assert {"": 1} == follow.count("redactions_total")


@pytest.mark.parametrize("version", BOTH)
async def test_what_could_not_be_handed_on_is_read_again(tmp_path: Path, version: str) -> None:
    """A tailer that breaks while it hands records on goes on with these records."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "a")
        await follow.bodies(2)
        follow.fail = RuntimeError("nobody foresaw this")
        say(pipeline, "b", "c")
        await follow.asleep(1)
        say(pipeline, "d")
        follow.wake()

        assert ["a", "b", "c", "d"] == await follow.bodies(5)


@pytest.mark.parametrize("version", BOTH)
async def test_what_came_before_a_cut_is_read_after_a_pause(tmp_path: Path, version: str) -> None:
    """Lines that had arrived while reading paused are not lost with the connection: a dead runner has no other copy."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        follow.room.clear()
        say(pipeline, "a")
        await follow.full.wait()
        say(pipeline, "b", "c")
        world.runner.stop(End.CUT)
        await follow.server.streams(0)
        await follow.harness.poll()  # by its answer, what was sent before has arrived
        follow.room.set()

        assert ["a", "b", "c"] == await follow.bodies(4)


async def test_a_pause_loses_nothing_and_repeats_nothing(tmp_path: Path) -> None:
    """A tailer that is stopped while it waits for room has not moved on: the next one reads what it could not hand on."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        follow.room.clear()
        say(pipeline, "a")
        await follow.full.wait()
        await follow.stop()
        follow.room.set()
        await follow.start()

        assert ["a"] == await follow.bodies(2)


async def test_lines_split_anywhere_are_put_together(tmp_path: Path) -> None:
    """Chunks that end inside lines and characters change nothing."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world, log_chunk_bytes=7) as follow:
        say(pipeline, "grüße 🦀", "\u2028 is no end\r")

        assert ["grüße 🦀", "\u2028 is no end\r"] == await follow.bodies(3)


async def test_secrets_of_one_pipeline_are_not_looked_for_in_another(tmp_path: Path) -> None:
    """A private key that goes on over lines is that stream's alone."""
    world, pipeline = one_pipeline()
    other = world.create("q", compile_as=None)
    async with following(tmp_path, world) as follow:
        await follow.bodies(2)
        pipeline.log("-----BEGIN RSA PRIVATE KEY-----")
        await follow.until(lambda: len(follow.records) == 3)
        other.log("MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9OiJjRazXBZ1BjP5CE")
        await follow.until(lambda: len(follow.records) == 4)

        assert "MIIEpAIBAAKCAQEA3Tz2mr7SZiAMfQyuvBjM9OiJjRazXBZ1BjP5CE" == follow.records[-1].body
