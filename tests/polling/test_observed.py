"""Vendors that keep no history: what their lists show is counted, each change once; and counts of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.journal import JournalError
from tests.polling.scripted import scripted

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

RUNNING, PAUSED, FAILED = ("phase", "RUNNING"), ("phase", "PAUSED"), ("phase", "FAILED")


async def test_the_first_list_is_where_counting_begins(tmp_path: Path) -> None:
    """What it shows is no entry; what differs from it later is one, once."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()
        await world.poll()
        assert {} == world.transitions("a")
        world.phases["a"] = "FAILED"
        await world.poll()
        await world.poll()
        assert {FAILED: 1} == world.transitions("a")
        await world.restart()
        await world.poll()

        assert {FAILED: 1} == world.transitions("a")
        assert 1.0 == world.samples("hosted_pipeline_events_total")["a",]


async def test_a_phase_that_the_first_list_could_not_read(tmp_path: Path) -> None:
    """What the pipeline shows when it can be read at last had held before: it is no entry, also after a restart."""
    async with scripted(tmp_path) as world:
        world.phases |= {"a": None, "b": None}
        await world.poll()
        world.phases["a"] = "FAILED"
        await world.poll()
        await world.restart()
        world.phases["b"] = "RUNNING"
        await world.poll()
        assert [{}, {}] == [world.transitions(one) for one in "ab"]
        world.phases |= {"a": "RUNNING", "b": "PAUSED"}
        await world.poll()

        assert [{RUNNING: 1}, {PAUSED: 1}] == [world.transitions(one) for one in "ab"]


async def test_a_pipeline_that_appears_later(tmp_path: Path) -> None:
    """It enters its first status, and shows zeros before; a restart in between counts it once all the same."""
    async with scripted(tmp_path) as world:
        await world.poll()
        world.phases |= {"a": "RUNNING", "b": None}
        await world.poll()
        assert 0.0 == world.samples("hosted_pipeline_status_transitions_total")["a", *RUNNING]
        await world.restart()
        assert {} == world.transitions("a")
        world.phases["b"] = "PAUSED"
        await world.poll()
        await world.poll()

        assert [{RUNNING: 1}, {PAUSED: 1}] == [world.transitions(one) for one in "ab"]


async def test_a_look_that_cannot_be_read_changes_nothing(tmp_path: Path) -> None:
    """A status that was not read is no status: what was read before holds, and its time goes on."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()
        world.phases["a"] = None
        await world.poll()
        world.phases["a"] = "RUNNING"
        await world.poll()

        assert ({}, 30.0) == (world.transitions("a"), world.seconds("RUNNING"))


async def test_changes_wait_for_a_journal_that_can_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look that differed is counted when the counts can be taken up again, also where the last equals the first."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()

        async def broken(*_: object) -> bytes:
            message = "no"
            raise JournalError(message)

        with monkeypatch.context() as patch:
            patch.setattr(world.journal, "read_history", broken)
            for phase in ("FAILED", "RUNNING"):
                world.phases["a"] = phase
                await world.poll()
            assert {} == world.transitions("a")
        await world.poll(600)

        assert {FAILED: 1, RUNNING: 1} == world.transitions("a")


async def test_changes_wait_for_a_journal_that_can_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing shows that the journal does not hold; then all of it does, once."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        world.records["a"] = 10
        await world.poll()

        async def broken(*_: object) -> list[object]:
            message = "full"
            raise JournalError(message)

        with monkeypatch.context() as patch:
            patch.setattr(world.journal, "commit", broken)
            for phase in ("FAILED", "RUNNING", "PAUSED"):
                world.phases["a"] = phase
                world.records["a"] += 5
                await world.poll()
            assert ({}, 10.0) == (world.transitions("a"), world.total())
        await world.poll()
        assert ({FAILED: 1, RUNNING: 1, PAUSED: 1}, 25.0) == (world.transitions("a"), world.total())
        await world.restart()

        assert ({FAILED: 1, RUNNING: 1, PAUSED: 1}, 25.0) == (world.transitions("a"), world.total())


async def test_a_busy_vendor_delays_no_count(tmp_path: Path) -> None:
    """Counting what lists showed takes no request: a budget that is used up changes nothing."""
    async with scripted(tmp_path, budget=0.001) as world:
        names = [f"p{number}" for number in range(250)]
        world.phases = dict.fromkeys(names, "RUNNING")
        await world.poll()
        world.poller.budget.hold(600)
        world.phases = dict.fromkeys(names, "FAILED")
        await world.poll()

        counted = world.samples("hosted_pipeline_status_transitions_total")
        assert [1.0] * 250 == [counted[one, *FAILED] for one in names]


async def test_a_pipeline_that_comes_back(tmp_path: Path) -> None:
    """A list without it does not make it new: its counts go on, and what differs by then is an entry."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        world.records["a"] = 7
        await world.poll()
        world.phases["a"] = "PAUSED"
        await world.poll()
        del world.phases["a"]
        await world.poll()
        assert {} == world.transitions("a")
        await world.restart()
        world.phases["a"] = "RUNNING"
        world.records["a"] = 9
        await world.poll()

        assert ({PAUSED: 1, RUNNING: 1}, 9.0) == (world.transitions("a"), world.total())


async def test_another_target_begins_anew_for_what_is_not_known(tmp_path: Path) -> None:
    """With a wider selection, what is found first is no entry; what is known goes on."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()
        world.target = "other"
        await world.restart()
        world.phases |= {"a": "PAUSED", "b": "FAILED"}
        await world.poll()
        await world.poll()

        assert [{PAUSED: 1}, {}] == [world.transitions(one) for one in "ab"]


async def test_the_vendors_counts_only_grow(tmp_path: Path) -> None:
    """They begin at the first value; one that fell began anew at zero, also while the exporter was down."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()
        assert None is world.total()
        shown = []
        for value in (100, 130, 130, 20, 25):
            world.records["a"] = value
            await world.poll()
            shown.append(world.total())
        await world.restart()
        shown.append(world.total())
        world.records["a"] = 5
        await world.poll()
        shown.append(world.total())
        del world.records["a"]
        await world.poll()
        shown.append(world.total())

        assert [100.0, 130.0, 130.0, 150.0, 155.0, 155.0, 160.0, 160.0] == shown


async def test_a_plug_in_that_breaks_breaks_nothing_else(tmp_path: Path) -> None:
    """An error that no provider may raise is a problem of the poll; what is read beside it is counted, once."""
    async with scripted(tmp_path) as world:
        world.phases["a"] = "RUNNING"
        await world.poll()
        world.broken = RuntimeError("no provider may raise this")
        world.phases["a"] = "FAILED"
        assert "error" == await world.poll()
        assert {FAILED: 1} == world.transitions("a")
        world.broken = None
        assert "success" == await world.poll()

        assert {FAILED: 1} == world.transitions("a")
