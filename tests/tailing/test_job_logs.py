"""The logs of a source's jobs: which are open, what is read again and what is not, and what stays counted."""

from __future__ import annotations

import msgspec

from exporter.logs.tailer import StreamState
from tests.tailing.job_logs import ACTOR, bodies, lines, reading, seen


async def test_a_newer_job_takes_the_place_of_an_older_one() -> None:
    """With one place the newest that runs has it; the older one goes on where it was as soon as there is room."""
    async with reading(max_streams=1) as world:
        world.vendor.run("run:old", lines(0, 3))
        world.look(seen("old"))
        await world.until(lambda: world.vendor.opened == ["run:old"])
        world.vendor.run("run:old", lines(3, 5))
        await world.until(lambda: len(world.bodies) >= 3)
        world.vendor.run("run:new", lines(100, 102))
        world.look(seen("old"), seen("new", at=60))
        await world.until(lambda: world.vendor.opened == ["run:new"])
        assert (1, 1) == (world.logs.open, world.logs.queued)
        world.vendor.finish("run:new", lines(102, 103))
        world.look(seen("old"), seen("new", at=60, ended=True))
        await world.until(lambda: bool(world.slept))
        world.wake()
        await world.until(lambda: world.vendor.opened == ["run:old"])
        world.vendor.finish("run:old", lines(5, 6))
        world.look(seen("old", ended=True), seen("new", at=60, ended=True))
        await world.read_to_the_end()

        assert sorted(bodies(0, 6) + bodies(100, 103)) == sorted(world.bodies)
        assert (0, 0) == (world.logs.open, world.logs.queued)


async def test_the_queue_is_read_to_its_end_without_a_list() -> None:
    """Each job that is read to its end gives its place to the next."""
    async with reading(max_streams=2) as world:
        jobs = [seen(f"job{number}", at=number, ended=True) for number in range(7)]
        for number in range(7):
            world.vendor.finish(f"run:job{number}", lines(number, number + 1))
        world.look(*jobs)
        assert (2, 5) == (world.logs.open, world.logs.queued)
        while world.logs.open:
            await world.until(lambda: len([gate for gate in world._gates if not gate.done()]) >= world.logs.open)
            before = len(world.bodies)
            world.wake()
            await world.until(lambda before=before: len(world.bodies) > before)  # type: ignore[misc]

        assert bodies(0, 7) == sorted(world.bodies)
        assert 7 == len(world.vendor.asked)


async def test_a_log_that_was_read_to_its_end_is_not_read_again() -> None:
    """Neither after the next list nor after a restart."""
    async with reading() as world:
        world.vendor.finish("run:a", lines(0, 3))
        world.look(seen("a", ended=True))
        await world.read_to_the_end()
        world.look(seen("a", ended=True))
        await world.restart()
        world.look(seen("a", ended=True))

        assert (bodies(0, 3), 0, [("run:a", True)]) == (world.bodies, world.logs.open, world.vendor.asked)


async def test_an_end_that_only_the_vendor_told_of() -> None:
    """A log that was read to its end before a list shows the end is not opened once more for that."""
    async with reading() as world:
        world.vendor.run("run:a", lines(0, 3))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a", lines(3, 4))
        await world.read_to_the_end()
        world.look(seen("a", ended=True))

        assert (bodies(0, 4), 0) == (world.bodies, world.logs.open)
        assert [("run:a", False), ("run:a", True)] == world.vendor.asked


async def test_a_job_that_runs_again_before_its_rest_is_read() -> None:
    """It is followed again: the text of a job that runs is not whole, and its next end is waited for."""
    async with reading() as world:
        world.vendor.run("run:a", lines(0, 3))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a")
        world.look(seen("a", ended=True))
        await world.asleep(1)
        world.vendor.run("run:a", lines(3, 4) + lines(4, 5)[:30])
        world.look(seen("a"))
        world.wake()
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a", lines(4, 5)[30:] + lines(5, 6))
        world.look(seen("a", ended=True, finished=2000))
        await world.read_to_the_end()

        assert bodies(0, 6) == world.bodies
        assert [False, False, True] == [whole for _, whole in world.vendor.asked]


async def test_a_job_that_ends_again_while_its_rest_is_read() -> None:
    """Lines of after the moment at which the rest was asked for are read all the same."""
    async with reading() as world:
        world.vendor.run("run:a", lines(0, 3))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a")
        world.look(seen("a", ended=True))
        await world.asleep(1)
        world.room.clear()
        world.vendor.texts["run:a"] += lines(3, 4)
        world.wake()
        await world.until(lambda: ("run:a", True) in world.vendor.asked)
        world.vendor.run("run:a")
        world.look(seen("a"))
        world.vendor.finish("run:a", lines(4, 6))
        world.look(seen("a", ended=True, finished=2000))
        world.room.set()
        world.vendor.tell()
        await world.until(lambda: not world.logs.open)
        world.look(seen("a", ended=True, finished=2000))
        await world.read_to_the_end()

        assert bodies(0, 6) == world.bodies


async def test_a_run_that_is_resurrected_goes_on_where_its_log_ended() -> None:
    """Also after a restart."""
    async with reading() as world:
        world.vendor.finish("run:a", lines(0, 90))
        world.look(seen("a", ended=True))
        await world.read_to_the_end()
        await world.restart()
        world.vendor.run("run:a", lines(90, 92))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a", lines(92, 93))
        world.look(seen("a", ended=True, finished=2000))
        await world.read_to_the_end()

        assert bodies(0, 93) == world.bodies
        assert 0 == world.gaps


async def test_what_jobs_have_lost_stays_counted() -> None:
    """Their sum outlives their streams, a restart, and a time in which the list does not have the pipeline."""
    async with reading() as world:
        for number, job in enumerate(("a", "b", "c")):
            key = f"run:{job}"
            world.vendor.run(key, lines(0, 3))
            world.look(seen(job))
            await world.until(lambda key=key: world.vendor.opened == [key])  # type: ignore[misc]
            world.vendor.run(key, lines(3, 4))
            await world.until(lambda number=number: len(world.bodies) >= 5 * number + 3)  # type: ignore[misc]
            await world.restart()
            world.vendor.texts[key] = ""
            world.vendor.finish(key, lines(9, 10))
            world.look(seen(job, ended=True))
            await world.read_to_the_end()
            assert number + 1 == world.gaps
            world.logs.sync({})
            world.sync()
            assert number + 1 == world.gaps
            await world.restart()
            assert number + 1 == world.gaps


async def test_a_reader_ends_although_the_journal_is_full() -> None:
    """What was lost is handed from the job to its pipeline at once: it cannot be counted for both."""
    async with reading() as world:
        world.vendor.run("run:a", lines(0, 3))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.finish("run:a")
        await world.asleep(1)
        world.room.clear()
        await world.read_to_the_end()

        assert 1 == msgspec.msgpack.decode(world.positions["run:a"], type=StreamState).ends


async def test_a_job_that_is_known_no_more() -> None:
    """Its log is not read on, its position is deleted, and what it had lost stays counted."""
    async with reading() as world:
        world.vendor.run("run:a", lines(0, 3))
        world.look(seen("a"))
        await world.until(lambda: world.vendor.opened == ["run:a"])
        world.vendor.run("run:a", lines(3, 4))
        await world.until(lambda: len(world.bodies) >= 3)
        await world.restart()
        world.vendor.texts["run:a"] = lines(9, 12)
        world.look(seen("a"))
        await world.until(lambda: world.gaps == 1)
        world.ledger.retire("run:a")
        world.sync()
        await world.until(lambda: not world.vendor.opened)
        world.sync()
        assert ({ACTOR}, 1) == (set(world.positions), world.gaps)
        await world.restart()

        assert 1 == world.gaps


async def test_positions_of_pipelines_that_are_known_no_more_are_deleted() -> None:
    """Also those of their jobs and pods, which are streams of other names; not before a list has shown all there is."""
    async with reading() as world:
        for stream, pipeline in (("gone", ""), ("gone/pod", "gone"), ("run:x", "gone"), (ACTOR, "")):
            world.positions[stream] = msgspec.msgpack.encode(StreamState(gaps={"window": 1}, pipeline=pipeline))
        world.partial = True
        await world.restart()
        world.sync()
        assert 4 == len(world.positions)
        world.partial = False
        await world.restart()
        world.sync()

        assert ({ACTOR}, 1) == (set(world.positions), world.gaps)


async def test_a_journal_that_has_begun_anew() -> None:
    """It is given all positions, also of logs that were read to their end: else they would be read again."""
    async with reading() as world:
        for job in ("a", "b"):
            world.vendor.finish(f"run:{job}", lines(0, 3))
        world.look(seen("a", ended=True))
        await world.read_to_the_end()
        world.look(seen("b", ended=True))
        await world.asleep(2)
        kept = world.positions["run:a"]
        world.positions.clear()
        world.logs.write_again()

        assert kept == world.positions["run:a"]
        assert {ACTOR, "run:a", "run:b"} == set(world.positions)


async def test_start_end_leaves_out_what_jobs_had_logged_before() -> None:
    """Of those that run when counting begins, also where they have to wait for a place."""
    async with reading(start="end", max_streams=1) as world:
        world.now += 10
        world.tracked.by_id[ACTOR].pipeline.began_seconds = world.now
        for job in ("a", "b"):
            world.vendor.finish(f"run:{job}", lines(0, 20))
        world.ledger.look(
            [seen("a", at=1), seen("b", at=2)], first=True, at_seconds=world.now, reads_logs=True, shown=[ACTOR]
        )
        world.look(seen("a", at=1, ended=True), seen("b", at=2, ended=True))
        await world.asleep(1)
        world.wake()
        await world.until(lambda: len(world.bodies) >= 10 and world.logs.open == 1)
        await world.asleep(2)
        await world.read_to_the_end()

        assert bodies(10, 20) * 2 == world.bodies


async def test_start_end_reads_all_of_a_job_that_begins_later() -> None:
    """Also where that was while the exporter was down, and nothing had been read before."""
    async with reading(start="end") as world:
        world.look(first=True)
        await world.restart()
        world.now += 3600
        world.tracked.by_id[ACTOR].pipeline.began_seconds = world.now
        world.vendor.finish("run:a", lines(5, 20))
        world.look(seen("a", at=5, ended=True))
        await world.read_to_the_end()

        assert bodies(5, 20) == world.bodies
