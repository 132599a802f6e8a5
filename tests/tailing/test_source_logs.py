"""The logs of a source's pipelines as the list says, and the events of their status changes, through the journal."""

from __future__ import annotations

import socket
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import TYPE_CHECKING

import msgspec
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from exporter.delivery import StatusEvents
from exporter.journal import Journal, LogCommit, PipelineRow, PositionRow, SourceRow, StatusBatch
from exporter.logs.tailer import StreamState
from exporter.otlp.encode import export_request
from exporter.otlp.outbox import Limits, Outbox
from exporter.providers.base import LogStream
from exporter.providers.budget import Priority
from exporter.simulator import End, World
from exporter.tailing.readers import Readers
from tests.logs.following import BOTH, CURSORS, LEGACY, following, one_pipeline, say
from tests.polling.harness import polling

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.providers.budget import Budget
    from tests.polling.harness import Harness

LIMITS = Limits(1 << 30, drop_oldest=False, max_records=5000, max_bytes=3 << 20, max_delay_seconds=0.0)


async def test_streams_are_closed_at_a_stop(tmp_path: Path) -> None:
    """The server sees that its readers have left, and each pipeline had one connection."""
    world = World(chores=False, logs=False)
    for number in range(5):
        world.create(f"p{number}", compile_as=None)
    async with following(tmp_path, world) as follow:
        await follow.bodies(5)
        await follow.server.streams(5)
        await follow.harness.poll()
        await follow.logs.stop()
        await follow.server.streams(0)

        assert [1] * 5 == [follow.server.counts[f"/v0/pipelines/p{number}/logs"] for number in range(5)]


@pytest.mark.parametrize("version", BOTH)
async def test_a_name_that_is_given_to_another_pipeline(tmp_path: Path, version: str) -> None:
    """After a deletion the new pipeline of that name is not read as the old one; its own tailer reads it once."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "old")
        await follow.bodies(2)
        world.advance(1)
        other = pipeline.recreate(None)
        say(other, "new")
        await follow.asleep(1)
        follow.wake()
        await follow.asleep(2)
        assert {"end": 1, "not_found": 1} == follow.count("reconnects_total")
        assert {} == follow.count("gaps_total")
        await follow.harness.poll()

        assert ["old", "new"] == await follow.bodies(4)
        assert {} == follow.count("reconnects_total")


@pytest.mark.parametrize("version", BOTH)
async def test_a_list_tells_of_the_new_name_while_the_old_one_is_being_read(
    tmp_path: Path, version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was opened by a name that another pipeline has now is not read as this one's, whatever this one's name is by then."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "old")
        await follow.bodies(2)
        pipeline.rename("q")
        world.advance(1)
        say(world.create("p", compile_as=None), "new")
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        confirm = Readers.confirm

        async def poll_first(readers: Readers, *names: str) -> bool:
            await follow.harness.poll()
            return await confirm(readers, *names)

        monkeypatch.setattr(Readers, "confirm", poll_first)
        follow.wake()
        await follow.asleep(2)
        say(pipeline, "more")
        follow.wake()
        await follow.bodies(5)

        read = [(one.pipeline, one.body) for one in follow.records if "Fresh start" not in one.body]
        assert [("p", "new"), ("p", "old"), ("q", "more")] == sorted(read)
        assert {"cut": 1, "not_found": 1} == follow.count("reconnects_total", "q")
        assert {} == follow.count("gaps_total", "q")


@pytest.mark.parametrize("version", BOTH)
async def test_a_name_that_is_given_to_a_pipeline_with_a_longer_log(tmp_path: Path, version: str) -> None:
    """That its buffer has discarded more lines than were read of the old one does not make it the same buffer."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "old")
        await follow.bodies(2)
        pipeline.rename("q")
        other = world.create("p", compile_as=None)
        say(other, *(f"line {number}" for number in range(12_000)))
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        follow.wake()
        await follow.asleep(2)
        assert {"cut": 1, "not_found": 1} == follow.count("reconnects_total")
        assert {} == follow.count("gaps_total")

        assert ["old"] == await follow.bodies(2)


@pytest.mark.parametrize("version", BOTH)
async def test_a_name_that_is_given_away_before_its_log_could_be_opened(tmp_path: Path, version: str) -> None:
    """Only the first attempt goes by the list alone: when it fails, the name may be another pipeline's by the next."""
    world, pipeline = one_pipeline(version)
    world.runner.discovery_seconds = 2.0
    async with following(tmp_path, world) as follow:
        await follow.asleep(1)
        other = pipeline.recreate(None)
        world.advance(3)
        say(other, "new")
        follow.wake()
        await follow.asleep(2)
        assert {"not_found": 2} == follow.count("reconnects_total")
        assert [] == follow.records
        await follow.harness.poll()

        assert ["new"] == await follow.bodies(2)


@pytest.mark.parametrize("version", BOTH)
async def test_a_deleted_pipeline_is_let_go(tmp_path: Path, version: str) -> None:
    """Its metrics end with the list that no longer has it."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        pipeline.delete()
        await follow.asleep(1)
        assert {"end": 1} == follow.count("reconnects_total")
        await follow.harness.poll()

        assert {} == follow.harness.samples("hosted_pipeline_log_reconnects_total")


@pytest.mark.parametrize("version", BOTH)
async def test_a_rename_keeps_the_stream(tmp_path: Path, version: str) -> None:
    """Records after it carry the new name, on the connection that was open, and so do the counts."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "before")
        await follow.bodies(2)
        pipeline.rename("q")
        await follow.harness.poll()
        say(pipeline, "after")
        assert ["before", "after"] == await follow.bodies(3)
        assert ["p", "p", "q"] == [record.pipeline for record in follow.records]
        assert {"info": 3} == follow.count("lines_total", "q")
        assert {} == follow.count("lines_total")
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        say(pipeline, "again")
        follow.wake()

        assert ["before", "after", "again"] == await follow.bodies(4)
        assert [1, 1] == [follow.server.counts[f"/v0/pipelines/{name}/logs"] for name in "pq"]


@pytest.mark.parametrize("version", BOTH)
async def test_a_restart_goes_on_from_what_was_committed(tmp_path: Path, version: str) -> None:
    """What was not committed is read again, what was is not; gaps and lost lines are there again, other counts are not."""
    world, pipeline = one_pipeline(version)
    async with following(tmp_path, world) as follow:
        say(pipeline, "a")
        await follow.bodies(2)
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        say(pipeline, *("x" * 1000 for _ in range(1500)))
        kept = len(pipeline.logs.buffer.lines)
        lost = 1500 - kept
        follow.wake()
        await follow.bodies(2 + kept)
        follow.commits = False
        say(pipeline, "b")
        await follow.bodies(3 + kept)
        await follow.stop()
        await follow.restore()
        assert {"": lost} == follow.count("lines_lost_total")
        await follow.harness.poll()
        assert {} == follow.count("reconnects_total")
        say(pipeline, "c")
        actual = await follow.bodies(5 + kept)

        assert ["b", "b", "c"] == actual[-3:]
        assert {"overflow": 1} == follow.count("gaps_total")
        uids = [record.uid for record in follow.records if record.body == "b"]
        assert {CURSORS: 1, LEGACY: 2}[version] == len(set(uids))


async def test_what_was_lost_shows_once_committed(tmp_path: Path) -> None:
    """A gap is on no page that the journal does not hold."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        await follow.bodies(1)
        pipeline.end_streams(End.CUT)
        await follow.asleep(1)
        follow.commits = False
        say(pipeline, *("x" * 1000 for _ in range(1500)))
        follow.wake()
        await follow.bodies(2)
        assert ({}, {}) == (follow.count("gaps_total"), follow.count("lines_lost_total"))
        follow.commits = True
        say(pipeline, "more")
        await follow.until(lambda: follow.records[-1].body == "more")

        assert {"overflow": 1} == follow.count("gaps_total")


async def test_a_pipeline_that_comes_back_is_read_from_where_it_was(tmp_path: Path) -> None:
    """A list without a pipeline, and then one with it, repeats none of its lines."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        say(pipeline, "a")
        await follow.bodies(2)
        follow.logs.sync({})
        await follow.server.streams(0)
        say(pipeline, "b")
        await follow.harness.poll()

        assert ["a", "b"] == await follow.bodies(3)


async def test_start_end_leaves_out_what_is_older(tmp_path: Path) -> None:
    """Lines of before the first sight of a pipeline are read and not sent; a restart does not begin anew."""
    world, pipeline = one_pipeline()
    say(pipeline, "old")
    pipeline.log("  more of the old")
    world.advance(1)
    async with following(tmp_path, world, logs={"start": "end", "multiline": {"timeout": "20ms"}}) as follow:
        world.advance(1)
        say(pipeline, "new")
        assert ["new"] == await follow.bodies(1)
        await follow.stop()
        say(pipeline, "meanwhile")
        world.advance(1)
        await follow.start()

        assert ["new", "meanwhile"] == await follow.bodies(2)


async def test_credentials_that_are_refused(tmp_path: Path) -> None:
    """401 is a refusal like others: the stream is opened when the key is good again."""
    world, pipeline = one_pipeline()
    key = tmp_path / "key"
    key.write_text("good")
    async with following(tmp_path, world, api_key="good", api_key_file=str(key)) as follow:
        await follow.bodies(1)
        key.write_text("a bad one")
        pipeline.end_streams(End.CLEAN)
        await follow.asleep(1)
        follow.wake()
        await follow.asleep(2)
        key.write_text("good")
        say(pipeline, "back")
        follow.wake()

        assert ["back"] == await follow.bodies(2)
        assert {"end": 1, "refused": 1} == follow.count("reconnects_total")


async def test_two_hundred_streams_open_within_the_budget(tmp_path: Path) -> None:
    """Each opening takes a place of the budget, and a list goes before all of them."""
    world = World(chores=False, logs=False)
    async with following(tmp_path, world) as follow:
        budget: Budget = follow.harness.poller.budget
        budget.set_rate(10)
        pipelines = [world.create(f"p{number}", compile_as=None) for number in range(200)]
        follow.logs.sync({pipeline.id: pipeline.name for pipeline in pipelines})
        await follow.bodies(10)
        await budget.acquire(Priority.LIST)
        first = sum(follow.server.counts[f"/v0/pipelines/{pipeline.name}/logs"] for pipeline in pipelines)
        budget.set_rate(100_000)
        await follow.bodies(200)
        counts = [follow.server.counts[f"/v0/pipelines/{pipeline.name}/logs"] for pipeline in pipelines]

        assert [1] * 200 == counts
        assert 20 > first


async def test_a_dead_peer_is_looked_for(tmp_path: Path) -> None:
    """The network asks for a peer that has been silent for a minute, and gives it up after another."""
    world, _ = one_pipeline()
    async with following(tmp_path, world) as follow:
        log = await follow.harness.poller.provider.open_log(LogStream("p", "p", "p"), None, Priority.OPEN)
        sock = log._stream._body._transport.get_extra_info("socket")  # type: ignore[attr-defined]
        options = ("TCP_KEEPIDLE", "TCP_KEEPINTVL", "TCP_KEEPCNT")
        actual = [sock.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) for name in options]
        switched_on = sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        await log.close()

        assert ([60, 15, 4], 1) == (actual, switched_on)


@asynccontextmanager
async def events(folder: Path) -> AsyncIterator[tuple[Harness, Outbox]]:
    """Poll a world whose status changes become events."""
    async with polling(folder) as harness:
        outbox = Outbox(harness.journal, LIMITS, 4, lambda _count: None)
        await outbox.open()
        sending = SimpleNamespace(outbox=outbox)  # the part of a delivery that events need
        harness.poller.source.events = StatusEvents(sending, "feldera", "prod", {})  # type: ignore[arg-type]
        yield harness, outbox


async def sent(harness: Harness) -> list[dict[str, str]]:
    """Return the events in the journal."""
    result = []
    for waiting in await harness.journal.read_waiting():
        for group in await harness.journal.read_groups(waiting.seq):
            request = ExportLogsServiceRequest.FromString(export_request([(group.resource, group.records)]))
            for record in request.resource_logs[0].scope_logs[0].log_records:
                found = {one.key.removeprefix("pipeline.status."): one.value.string_value for one in record.attributes}
                del found["log.record.uid"]
                result.append(
                    found
                    | {"name": record.event_name, "severity": record.severity_text, "body": record.body.string_value}
                )
    return result


async def test_status_changes_are_events_in_the_journal(tmp_path: Path) -> None:
    """Each counted entry is an event with its facet, from and to, and is in the journal with the count."""
    async with events(tmp_path) as (harness, outbox):
        await harness.poll()
        pipeline = harness.world.create("p", compile_as=None)
        pipeline.compile("sql_error")
        await harness.poll(20)
        await harness.poll(20)
        actual = [one for one in await sent(harness) if one["facet"] == "program"]
        kept = harness.poller.source.recent

        assert [
            ("Pending", None, "INFO", None),
            ("CompilingSql", "Pending", "INFO", None),
            ("SqlError", "CompilingSql", "ERROR", "SqlError"),
        ] == [(one["to"], one.get("from"), one["severity"], one.get("error.type")) for one in actual]
        assert "program: CompilingSql → SqlError" == actual[-1]["body"]
        assert {"pipeline.status.changed"} == {one["name"] for one in actual}
        assert len(kept) == outbox.waiting_records == len(await sent(harness))


async def test_a_crash_is_an_error_event(tmp_path: Path) -> None:
    """Where the vendor says error the event is one, with the vendor's code."""
    async with events(tmp_path) as (harness, _):
        pipeline = harness.world.create("p")
        harness.advance(20)
        pipeline.start()
        await harness.poll(20)
        pipeline.crash()
        await harness.poll(20)
        errors = [one for one in await sent(harness) if one["severity"] == "ERROR"]

        assert [("resources", "Stopping"), ("resources", "Stopped")] == [(one["facet"], one["to"]) for one in errors]
        assert 1 == len({one["error.type"] for one in errors})


async def test_a_position_that_cannot_be_read_is_left_aside(tmp_path: Path) -> None:
    """Such a log is read from its beginning, which may repeat its lines."""
    world, pipeline = one_pipeline()
    async with following(tmp_path, world) as follow:
        say(pipeline, "a")
        await follow.bodies(2)
        state = msgspec.msgpack.decode(follow.positions[pipeline.id], type=StreamState)
        assert state.position is not None
        assert 2 == state.position.lines
        await follow.stop()
        follow.positions[pipeline.id] = b"\xc1 not ours"
        await follow.start()

        assert ["a", "a"] == await follow.bodies(4)


async def test_the_journal_forgets_positions_with_their_pipelines(tmp_path: Path) -> None:
    """The position of a pipeline that vanished long ago is deleted with its counts, and no other is."""
    journal = Journal(tmp_path)
    await journal.open()
    rows = [PipelineRow("gone", 1.0, b"", None), PipelineRow("b", None, b"", None), PipelineRow("c", 5.0, b"", None)]
    await journal.commit(
        StatusBatch(SourceRow("prod", "target", 1.0, b""), rows),
        LogCommit([PositionRow("prod", one, b"x") for one in ("gone", "b", "c", "d")]),
    )
    await journal.commit(StatusBatch(SourceRow("prod", "target", 1.0, b""), forgotten=["c"]))
    assert {"gone", "b", "d"} == set(await journal.read_positions("prod"))
    await journal.close()
    again = Journal(tmp_path)
    await again.open()
    actual = await again.read_positions("prod")
    await again.close()

    assert {"b", "d"} == set(actual)
