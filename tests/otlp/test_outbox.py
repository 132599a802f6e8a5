"""Between reading and acceptance nothing is lost: pending, then in the journal with its position, then taken in order."""

from __future__ import annotations

import asyncio
import logging
import os
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.journal import JournalError, PositionRow, SourceRow, StatusBatch
from exporter.journal import LogCommit as Commit
from exporter.otlp import outbox as module
from exporter.otlp.encode import export_request
from exporter.otlp.outbox import Outbox
from tests.otlp.carrying import batch, limits, open_journal, until
from tests.otlp.receiver import Received

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from exporter.journal import Group, Journal, Waiting

SECONDS = 10


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[Journal]:
    """Open a journal."""
    async with asyncio.timeout(SECONDS), open_journal(tmp_path) as opened:
        yield opened


async def make(journal: Journal, lanes: int = 1, dropped: list[int] | None = None, **changes: Any) -> Outbox:
    """Open an outbox over a journal."""
    counts = [] if dropped is None else dropped
    outbox = Outbox(journal, limits(**changes), lanes, counts.append)
    await outbox.open()
    return outbox


def bodies(groups: Sequence[Group]) -> list[str]:
    """Return what records say, in order, by their ids."""
    request = ExportLogsServiceRequest.FromString(export_request((one.resource, one.records) for one in groups))
    return Received(request, {}, "", "").bodies


async def drain(outbox: Outbox, lane: int = 0) -> list[str]:
    """Take all that waits in a lane."""
    found: list[str] = []
    while outbox._lanes[lane].waiting:
        taken = await outbox.take(lane)
        found += bodies(await outbox.groups(taken))
        await outbox.done(lane, taken)
    return found


async def blocked(work: asyncio.Future[Any]) -> bool:
    """Say whether a task still waits after everything else had its turn."""
    for _ in range(20):
        await asyncio.sleep(0)
    return not work.done()


async def test_in_order_with_the_position(journal: Journal) -> None:
    """Batches of several puts come out in their order, and the position is that of the last."""
    outbox = await make(journal)
    told: list[str] = []
    await outbox.put(batch("a", "a1", "a2", committed=lambda: told.append("a")))
    await outbox.put(batch("b", "b1"))
    await outbox.put(batch("a", "a3"))
    assert ([], {}) == (told, await journal.read_positions("prod"))
    await outbox.flush()
    assert (["a"], {"a": b"a3", "b": b"b1"}) == (told, await journal.read_positions("prod"))
    assert 4 == outbox.waiting_records
    assert 1.0 == outbox.oldest_seconds
    assert ["a1", "a2", "b1", "a3"] == await drain(outbox)
    assert (0, 0) == (outbox.waiting_records, outbox.waiting_bytes)
    assert outbox.oldest_seconds is None


async def test_a_position_without_records(journal: Journal) -> None:
    """A position alone is written too, and nothing is sent for it."""
    outbox = await make(journal)
    await outbox.put(batch("a"))
    await outbox.flush()
    assert ({"a": b""}, 0) == (await journal.read_positions("prod"), outbox.waiting_records)


async def test_requests_have_their_limits(journal: Journal) -> None:
    """No request has more records or bytes than it may, resources and framing included; none is empty."""
    outbox = await make(journal, max_records=7, max_bytes=2000)
    for number in range(10):
        await outbox.put(
            batch(f"p{number % 3}", *(f"p{number % 3} {number} {one} {'x' * one * 9}" for one in range(9)))
        )
        if number % 2:
            await outbox.flush()
    found = []
    while outbox.waiting_records:
        taken = await outbox.take(0)
        groups = await outbox.groups(taken)
        assert 0 < sum(len(group.records) for group in groups) <= 7
        assert len(export_request((group.resource, group.records) for group in groups)) <= 2000
        found += bodies(groups)
        await outbox.done(0, taken)
    expected = [f"p{number % 3} {number} {one} {'x' * one * 9}" for number in range(10) for one in range(9)]
    assert expected == found


async def test_many_small_groups_fit(journal: Journal) -> None:
    """A request of many pipelines with a record each is no larger than it may be."""
    outbox = await make(journal, max_bytes=4000)
    for number in range(200):
        await outbox.put(batch(f"p{number}", "x"))
        if number % 50 == 49:
            await outbox.flush()
    while outbox.waiting_records:
        taken = await outbox.take(0)
        groups = await outbox.groups(taken)
        assert 4000 >= len(export_request((group.resource, group.records) for group in groups))
        await outbox.done(0, taken)


async def test_a_record_larger_than_a_request_goes_alone(journal: Journal) -> None:
    """A record that is larger than a request may be is sent all the same, alone."""
    outbox = await make(journal, max_bytes=1000)
    await outbox.put(batch("a", "a1", "y" * 5000, "a2"))
    await outbox.flush()
    sizes = []
    while outbox.waiting_records:
        taken = await outbox.take(0)
        sizes.append([len(body) for body in bodies(await outbox.groups(taken))])
        await outbox.done(0, taken)
    assert [[2], [5000], [2]] == sizes


async def test_restart_takes_up_what_waits(journal: Journal) -> None:
    """The next exporter sends what waits before what it reads itself, in order, also what was being sent."""
    outbox = await make(journal)
    for number in range(3):
        await outbox.put(batch("a", f"a{number}"))
        await outbox.flush()
    await outbox.take(0)
    outbox = await make(journal)
    assert 3 == outbox.waiting_records
    await outbox.put(batch("a", "a3"))
    await outbox.flush()
    assert ["a0", "a1", "a2", "a3"] == await drain(outbox)


@pytest.mark.parametrize(("before", "after"), [(4, 8), (8, 4), (4, 1), (1, 4)])
async def test_lanes_changed_between_starts(journal: Journal, before: int, after: int) -> None:
    """While records wait the old number of lanes is used, so that new ones do not overtake; then the new number."""
    names = [f"p{number}" for number in range(12)]
    outbox = await make(journal, lanes=before)
    lanes = {name: outbox.lane_of(("prod", name)) for name in names}
    for name in names:
        await outbox.put(batch(name, f"{name} old"))
    await outbox.flush()
    outbox = await make(journal, lanes=after)
    assert before == outbox.lanes
    assert lanes == {name: outbox.lane_of(("prod", name)) for name in names}
    for name in names:
        await outbox.put(batch(name, f"{name} new"))
    await outbox.flush()
    for lane in range(outbox.lanes):
        found = await drain(outbox, lane)
        for name in names:
            assert [f"{name} old", f"{name} new"] == [body for body in found if body.startswith(f"{name} ")] or (
                lanes[name] != lane
            )
    assert after == (await make(journal, lanes=after)).lanes


async def test_one_transaction(journal: Journal) -> None:
    """When the records cannot be written their position is not either; both stay pending and are written later."""
    outbox = await make(journal)
    await outbox.put(batch("a", "a1"))
    await run_sql(journal, "CREATE TRIGGER broken BEFORE INSERT ON log_batch BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(JournalError, match="full"):
        await outbox.flush()
    assert ({}, 0) == (await journal.read_positions("prod"), outbox.waiting_records)
    await outbox.put(batch("a", "a2"))
    await run_sql(journal, "DROP TRIGGER broken")
    await outbox.flush()
    assert {"a": b"a2"} == await journal.read_positions("prod")
    assert ["a1", "a2"] == await drain(outbox)


async def run_sql(journal: Journal, statement: str) -> None:
    """Run a statement in the journal's own thread."""
    await journal._ask(lambda db: db.execute(statement).fetchall(), writes=True)


async def test_a_full_disk_pauses_and_recovers(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """While SQLite has no room for another page reading pauses and what is pending stays; it goes on by itself."""
    monkeypatch.setattr(module, "_RETRY_SECONDS", 0.001)
    caplog.set_level(logging.INFO)
    outbox = await make(journal)
    await run_sql(journal, "PRAGMA max_page_count = 1")
    running = asyncio.create_task(outbox.run())
    await outbox.put(batch("a", *(f"a{number} {os.urandom(2000).hex()}" for number in range(50))))
    await until(lambda: outbox.full)
    put = asyncio.create_task(outbox.put(batch("a", "last")))
    assert await blocked(put)
    await run_sql(journal, "PRAGMA max_page_count = 1000000")
    await put
    await until(lambda: outbox.waiting_records == 51)
    assert not outbox.full
    running.cancel()
    await asyncio.wait([running])
    assert [f"a{number}" for number in range(50)] + ["last"] == [one.split()[0] for one in await drain(outbox)]
    said = [entry.levelname for entry in caplog.records if "reading logs" in entry.getMessage()]
    assert ["ERROR", "INFO"] == said


async def test_pending_has_a_limit(journal: Journal) -> None:
    """What is not committed yet may fill two requests; then reading waits, though the journal is not full."""
    outbox = await make(journal, max_bytes=1000)
    await outbox.put(batch("a", "x" * 2000))
    put = asyncio.create_task(outbox.put(batch("b", "b1")))
    assert await blocked(put)
    assert not outbox.full
    await outbox.flush()
    await put


async def test_a_full_journal_pauses_reading(journal: Journal, caplog: pytest.LogCaptureFixture) -> None:
    """With `pause`, reading waits while the journal is full and goes on once a tenth of it is free; nothing is dropped."""
    caplog.set_level(logging.INFO)
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped, journal_bytes=10_000)
    while outbox.waiting_bytes < 10_000:
        await outbox.put(batch("a", f"{outbox.waiting_records}" + "x" * 1000))
        await outbox.flush()
    put = asyncio.create_task(outbox.put(batch("a", "last")))
    assert await blocked(put)
    assert outbox.full
    taken = await outbox.take(0)
    await outbox.done(0, taken[:1])
    assert 9000 < outbox.waiting_bytes < 10_000
    assert await blocked(put)
    await outbox.done(0, taken[1:3])
    await put
    assert not outbox.full
    await outbox.flush()
    assert [*(str(number) for number in range(3, len(taken))), "l"] == [body[0] for body in await drain(outbox)]
    assert [] == dropped
    said = [entry.levelname for entry in caplog.records if "the journal" in entry.getMessage()]
    assert ["WARNING", "INFO"] == said


async def test_drop_oldest(journal: Journal) -> None:
    """With `drop_oldest`, reading goes on: the oldest records go, counted, but never those in flight, nor events."""
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped, journal_bytes=10_000, drop_oldest=True, max_records=1)
    await put_events(outbox, journal, "event")
    for number in range(3):
        await outbox.put(batch("a", f"{number}" + "x" * 1000))
        await outbox.flush()
    event = await outbox.take(0)
    assert [True] == [one.events for one in event]
    await outbox.done(0, event)
    in_flight = await outbox.take(0)
    assert ["0"] == [body[0] for body in bodies(await outbox.groups(in_flight))]
    await put_events(outbox, journal, "event")
    for number in range(3, 20):
        await outbox.put(batch("a", f"{number:02}" + "x" * 1000))
        await outbox.flush()
        assert outbox.waiting_bytes <= 10_000
    assert not outbox.full
    assert ["0"] == [body[0] for body in bodies(await outbox.groups(in_flight))]
    await outbox.done(0, in_flight)
    kept = await drain(outbox)
    assert ["event", *(f"{number:02}" for number in range(21 - len(kept), 20))] == [
        body[:5].rstrip("x") for body in kept
    ]
    assert 21 == len(kept) + 1 + sum(dropped) - (1 if len(kept) == 21 else 0)


async def test_nothing_takes_what_is_being_dropped(journal: Journal) -> None:
    """A batch that is being dropped is not taken at the same time: it would be counted twice."""
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped, journal_bytes=3000, drop_oldest=True, max_records=1)
    for number in range(2):
        await outbox.put(batch("a", f"{number}" + "x" * 1000))
        await outbox.flush()
    await outbox.put(batch("a", "2" + "x" * 1000))
    flushing = asyncio.create_task(outbox.flush())
    await until(lambda: outbox._leaving)
    taken = await outbox.take(0)
    assert ["1"] == [body[0] for body in bodies(await outbox.groups(taken))]
    await flushing
    assert [1] == dropped
    await outbox.done(0, taken)
    assert ["2"] == [body[0] for body in await drain(outbox)]


async def put_events(outbox: Outbox, journal: Journal, *names: str) -> Sequence[Waiting]:
    """Commit events with a count, as a poll does."""
    one = batch("a", *names)
    batches = outbox.events(one.key, one.resource, one.records, 1.0)
    await outbox.make_room_for_events(sum(made.bytes for made in batches))
    waiting = await journal.commit(StatusBatch(SourceRow("prod", "target", 1.0, b"")), Commit(batches=batches))
    outbox.committed(waiting, batches)
    return waiting


async def test_events_have_a_reserve(journal: Journal) -> None:
    """When the journal is full, events go beyond the limit by 5 %; then the oldest event is dropped, never a log record."""
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped, journal_bytes=10_000)
    while outbox.waiting_bytes < 10_000:
        await outbox.put(batch("a", f"log {outbox.waiting_records}" + "x" * 500))
        await outbox.flush()
    logs, logs_bytes = outbox.waiting_records, outbox.waiting_bytes
    for number in range(10):
        await put_events(outbox, journal, f"event {number}")
        assert outbox.waiting_bytes <= logs_bytes + 500  # the logs may exceed the limit by one batch
    assert 0 < sum(dropped) < 10
    found = await drain(outbox)
    assert logs == len([body for body in found if body.startswith("log")])
    assert [f"event {number}" for number in range(sum(dropped), 10)] == found[logs:]


async def test_many_events_fit_requests(journal: Journal) -> None:
    """The events of one poll are put into as many requests as they need."""
    outbox = await make(journal, max_records=10)
    waiting = await put_events(outbox, journal, *(f"event {number}" for number in range(25)))
    assert [(True, 10), (True, 10), (True, 5)] == [(one.events, one.count) for one in waiting]


async def test_cancelled_in_the_middle_of_a_commit(journal: Journal) -> None:
    """When the service stops while it commits, what is written is not pending any more, and the rest is written."""
    outbox = await make(journal)
    running = asyncio.create_task(outbox.run())
    await outbox.put(batch("a", "a1"))
    await until(outbox._flushing.locked)
    await outbox.put(batch("a", "a2"))
    running.cancel()
    await asyncio.wait([running])
    assert ["a1", "a2"] == await drain(await make(journal))


async def test_a_failed_deletion_keeps_what_waits(journal: Journal) -> None:
    """A batch that cannot be deleted is still there."""
    outbox = await make(journal)
    await outbox.put(batch("a", "a1"))
    await outbox.flush()
    taken = await outbox.take(0)
    await run_sql(journal, "CREATE TRIGGER broken BEFORE DELETE ON log_batch BEGIN SELECT raise(ABORT, 'full'); END")
    with pytest.raises(JournalError):
        await outbox.done(0, taken)
    assert 1 == outbox.waiting_records
    await run_sql(journal, "DROP TRIGGER broken")
    await outbox.done(0, taken)
    assert [] == await journal.read_waiting()


async def test_memory_for_what_waits_is_bounded(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What does not fit the memory for committed records is read from the journal again."""
    monkeypatch.setattr(module, "CACHE_BYTES", 3000)
    outbox = await make(journal)
    for number in range(6):
        await outbox.put(batch("a", f"{number}" + "x" * 1000))
        await outbox.flush()
    assert 2 == len(outbox._cached)
    assert list("012345") == [body[0] for body in await drain(outbox)]
    assert (0, 0) == (len(outbox._cached), outbox._cached_bytes)


async def test_positions_can_be_forgotten(journal: Journal) -> None:
    """A position is replaced by a newer one, and goes away when it is asked for."""
    await journal.commit_logs(Commit([PositionRow("prod", "a", b"1"), PositionRow("dev", "a", b"other")]))
    await journal.commit_logs(Commit([PositionRow("prod", "a", b"2")]))
    assert {"a": b"2"} == await journal.read_positions("prod")
    await journal.commit_logs(Commit([PositionRow("prod", "a", None)]))
    assert ({}, {"a": b"other"}) == (await journal.read_positions("prod"), await journal.read_positions("dev"))


async def test_what_is_set_apart_is_passed_by(journal: Journal) -> None:
    """A batch of which a part was removed is counted as less, and is not taken again before the next start."""
    outbox = await make(journal)
    for one in (batch("a", "a1", "a2"), batch("b", "b1")):
        await outbox.put(one)
    await outbox.flush()
    taken = await outbox.take(0)
    before = outbox.waiting_bytes
    (_, other) = await outbox.groups(taken)
    await outbox.remove(0, taken, {other.stream: None})
    assert (2, before - len(other.records[0])) == (outbox.waiting_records, outbox.waiting_bytes)
    outbox.set_apart(taken)
    await outbox.put(batch("b", "b2"))
    await outbox.flush()
    assert ["b2"] == bodies(await outbox.groups(await outbox.take(0)))
    again = await make(journal)
    assert ["a1", "a2", "b2"] == await drain(again)


async def test_a_journal_begun_anew_gets_what_is_in_memory(journal: Journal, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits is written again with its number; what was in the file only is lost, and counted once."""
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped)
    await outbox.put(batch("a", "a1"))
    await outbox.flush()
    monkeypatch.setattr(module, "CACHE_BYTES", 0)
    await outbox.put(batch("a", "a2", "a3"))
    await outbox.flush()
    waiting = await journal.read_waiting()
    await journal.delete_batches([one.seq for one in waiting])
    await outbox.write_again()
    assert waiting[:1] == await journal.read_waiting()
    taken = await outbox.take(0)
    assert ["a1"] == bodies(await outbox.groups(taken))
    assert ["a1"] == bodies(await outbox.groups(taken))
    await outbox.done(0, taken)
    assert ([2], 0) == (dropped, outbox.waiting_records)


async def test_a_position_that_is_noted(journal: Journal) -> None:
    """A position without records is written behind what is pending, though there is no room."""
    outbox = await make(journal, journal_bytes=0)
    outbox.note(replace(batch("a"), position=b"p"))
    await outbox.flush()
    assert {"a": b"p"} == await journal.read_positions("prod")


async def test_logs_beyond_the_limit_take_no_event_away(journal: Journal) -> None:
    """Where more log records wait than may, as after the limit was lowered, events have their reserve all the same."""
    dropped: list[int] = []
    outbox = await make(journal, dropped=dropped, journal_bytes=10_000)
    await outbox.put(batch("a", "x" * 30_000))
    await outbox.flush()
    await put_events(outbox, journal, "event 1")
    assert ([], 2) == (dropped, outbox.waiting_records)
