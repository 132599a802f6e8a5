"""Lanes deliver in order whatever the destination answers; what it refuses for good is put aside, alone."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from exporter.otlp.json_lines import from_json_line
from tests.otlp.carrying import IMPATIENT, MIB, Carrier, batch, carrier, open_journal, until
from tests.otlp.receiver import Received, Reply, grpc_receiver, http_receiver, rejecting

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractAsyncContextManager
    from pathlib import Path

    from tests.otlp.receiver import Receiver

    Receive = Callable[[], AbstractAsyncContextManager[Receiver]]

SECONDS = 30
"""Far more than anything here takes."""

PROTOCOLS = [("http/protobuf", http_receiver), ("grpc", grpc_receiver)]
both = pytest.mark.parametrize(("protocol", "receive"), PROTOCOLS, ids=["http", "grpc"])

CODES: dict[str, dict[str, int | str]] = {
    "http/protobuf": {"busy": 503, "data": 400, "destination": 401, "other": 500},
    "grpc": {
        "busy": "UNAVAILABLE",
        "data": "INVALID_ARGUMENT",
        "destination": "UNAUTHENTICATED",
        "other": "INTERNAL",
    },
}


def bodies(*names: str) -> list[str]:
    """Return the names as they are, to compare with."""
    return list(names)


def dead(one: Carrier) -> list[str]:
    """Return what the dead letters say."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

    lines = one.letters.path.read_bytes().splitlines() if one.letters.path.exists() else []
    lines = [line for line in lines if line != b"{}"]  # which only takes room
    requests = [ExportLogsServiceRequest.FromString(from_json_line(line)) for line in lines]
    return [Received(request, {}, "", "").bodies[0] for request in requests]


def answering(refused: Callable[[list[str]], Reply | None]) -> tuple[Callable[[Received], Reply], list[str]]:
    """Return an answer to each request by its bodies, and the list of what it accepted."""
    accepted: list[str] = []

    def answer(received: Received) -> Reply:
        reply = refused(received.bodies)
        if reply is None:
            accepted.extend(received.bodies)
        return reply or Reply()

    return answer, accepted


def of(pipeline: str, found: list[str]) -> list[str]:
    """Return the bodies of one pipeline."""
    return [body for body in found if body.startswith(pipeline)]


@both
async def test_accepted_is_deleted(tmp_path: Path, protocol: str, receive: Receive) -> None:
    """What is accepted leaves the journal and is counted, with the time since it was read."""
    async with asyncio.timeout(SECONDS), receive() as receiver, carrier(tmp_path, receiver.url, protocol) as one:
        await one.hand_in(batch("a", "a1", "a2"))
        await one.drained()
        assert [] == await one.journal.read_waiting()
        assert ({"sent": 2}, [2.0]) == (one.counted.outcomes, one.counted.latencies)
    assert bodies("a1", "a2") == receiver.bodies


@both
async def test_lanes_keep_order(tmp_path: Path, protocol: str, receive: Receive) -> None:
    """A batch that has to be sent again is not overtaken by those behind it, however often it fails."""
    busy = Reply(CODES[protocol]["busy"])
    async with asyncio.timeout(SECONDS), receive() as receiver:
        fails = iter([True, True, False, True, False, False, True] + [False] * 100)
        answer, accepted = answering(lambda _: busy if next(fails) else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, protocol, lanes=2, max_records=2) as one:
            for number in range(8):
                await one.hand_in(batch("a", f"a{number}"), batch("b", f"b{number}"))
            await one.drained()
        for pipeline in "ab":
            assert [f"{pipeline}{number}" for number in range(8)] == of(pipeline, accepted)


async def test_one_request_in_flight_a_lane(tmp_path: Path) -> None:
    """While a request of a lane waits for its answer, nothing more of that lane is sent; other lanes go on."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.answer = lambda received: Reply(hang="a1" in received.bodies)
        async with carrier(tmp_path, receiver.url, lanes=2) as one:
            first = one.outbox.lane_of(("prod", "a"))
            other = next(name for name in "bcdefgh" if one.outbox.lane_of(("prod", name)) != first)
            await one.hand_in(batch("a", "a1"))
            await receiver.wait_for(lambda found: "a1" in found.bodies)
            await one.hand_in(batch("a", "a2"), batch(other, "o1"))
            await receiver.wait_for(lambda found: "o1" in found.bodies)
            assert ["a1", "o1"] == receiver.bodies


@pytest.mark.parametrize(
    ("protocol", "receive", "reply"),
    [
        ("http/protobuf", http_receiver, Reply(429, headers={"Retry-After": "600"})),
        ("grpc", grpc_receiver, Reply("RESOURCE_EXHAUSTED", retry_seconds=600)),
    ],
)
async def test_retry_after_holds_the_whole_destination(
    tmp_path: Path, protocol: str, receive: Receive, reply: Reply
) -> None:
    """A destination that asks for quiet is sent nothing more, by no lane."""
    async with asyncio.timeout(SECONDS), receive() as receiver:
        receiver.replies.append(reply)
        async with carrier(tmp_path, receiver.url, protocol) as one:
            await one.hand_in(batch("a", "a1"))
            await until(lambda: one.destination.problem is not None)
            await one.hand_in(*[batch(name, f"{name}1") for name in "bcdefgh"])
            for _ in range(200):
                await asyncio.sleep(0)
            assert ["a1"] == receiver.bodies
            assert 8 == one.outbox.waiting_records


@both
async def test_bad_records_are_put_aside_alone(tmp_path: Path, protocol: str, receive: Receive) -> None:
    """A batch with bad records is split until they are alone; they become dead letters, all others arrive in order."""
    bad = {"a3", "b0", "a17"}
    async with asyncio.timeout(SECONDS), receive() as receiver:
        reply = Reply(CODES[protocol]["data"], message="too long")
        answer, accepted = answering(lambda found: reply if bad & set(found) else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, protocol, lanes=1) as one:
            await one.hand_in(*[batch(p, *(f"{p}{number}" for number in range(20))) for p in "abc"])
            await one.drained()
            assert bad == set(dead(one))
            assert {"sent": 57, "dead_lettered": 3} == one.counted.outcomes
            assert [] == await one.journal.read_waiting()
    for pipeline in "abc":
        names = [f"{pipeline}{number}" for number in range(20)]
        assert [name for name in names if name not in bad] == of(pipeline, accepted)


async def test_a_split_batch_holds_only_the_pipeline_that_waits(tmp_path: Path) -> None:
    """Once a batch is split by pipeline, one that has to be tried again does not keep the others waiting."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:

        def refused(found: list[str]) -> Reply | None:
            if len({body[0] for body in found}) > 1:
                return Reply(413)
            return Reply(503) if found[0].startswith("a") and "c1" not in accepted else None

        answer, accepted = answering(refused)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"), batch("b", "b1"), batch("c", "c1"))
            await one.drained()
    assert ["b1", "c1", "a1"] == accepted


@both
async def test_a_refusing_destination_is_held(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, protocol: str, receive: Receive
) -> None:
    """An answer about the destination drops nothing: it is said once, and tried again until it is accepted."""
    refused = Reply(CODES[protocol]["destination"])
    async with asyncio.timeout(SECONDS), receive() as receiver:
        receiver.replies += [refused] * 5
        async with carrier(tmp_path, receiver.url, protocol, lanes=1) as one:
            await one.hand_in(batch("a", "a1", "a2"))
            await one.drained()
            assert None is one.destination.problem
            assert {"sent": 2} == one.counted.outcomes
    assert ["a1", "a2"] * 6 == receiver.bodies
    errors = [entry for entry in caplog.records if entry.levelno == logging.ERROR]
    assert ["logs are held, nothing is lost"] == [entry.getMessage()[:30] for entry in errors]


async def test_a_held_destination_is_tried_by_one_lane(tmp_path: Path) -> None:
    """While a destination refuses to be used, one request is made in each period, whatever the number of lanes."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.answer = lambda _: Reply(403)
        patience = replace(IMPATIENT, hold_seconds=3600.0)
        async with carrier(tmp_path, receiver.url, lanes=8, patience=patience) as one:
            one.destination.doubt(0.0, "it was refused before")
            await one.hand_in(*[batch(name, f"{name}1") for name in "abcdefghijkl"])
            await receiver.wait_for(lambda found: bool(found.requests))
            for _ in range(200):
                await asyncio.sleep(0)
            assert 1 == len(receiver.requests)
            assert "answered 403" in str(one.destination.problem)


async def test_lanes_take_turns_at_a_held_destination(tmp_path: Path) -> None:
    """Each lane tries a held destination in its turn: one whose records are the reason does not hold the others."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(401) if "a1" in found and not accepted else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=2) as one:
            first = one.outbox.lane_of(("prod", "a"))
            other = next(name for name in "bcdefgh" if one.outbox.lane_of(("prod", name)) != first)
            await one.hand_in(batch("a", "a1"))
            await receiver.wait_for(lambda found: len(found.requests) > 2)
            await one.hand_in(batch(other, "o1"))
            await one.drained()
    assert ["o1", "a1"] == accepted


async def test_what_comes_during_a_hold_is_taken_along(tmp_path: Path) -> None:
    """A lone bad record holds the destination once: the next attempt has what came behind it, by which it is judged."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if "a1" in found else None)
        receiver.answer = answer
        patience = replace(IMPATIENT, hold_seconds=0.5)
        async with carrier(tmp_path, receiver.url, lanes=1, patience=patience) as one:
            await one.hand_in(batch("a", "a1"))
            await until(lambda: one.destination.problem)
            before = len(receiver.requests)
            await one.hand_in(batch("b", "b1"))
            await one.drained()
            assert (["b1"], ["a1"]) == (accepted, dead(one))
    assert {"a1", "b1"} == set(receiver.requests[before].bodies)


async def test_every_record_refused_holds_the_destination(tmp_path: Path) -> None:
    """When all of a split batch is refused and nothing else was accepted, nothing is put aside; one request tries again."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda _: Reply(400) if len(receiver.requests) < 9 else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1", "a2"))
            await one.drained()
            assert [] == dead(one)
            assert {"sent": 2} == one.counted.outcomes
    # The batch, its pipeline, each record; then the whole batch, once in each period.
    assert [2, 2, 1, 1, 2, 2, 2, 2, 2] == [len(received.bodies) for received in receiver.requests]
    assert ["a1", "a2"] == accepted


async def test_a_bad_record_alone_goes_with_the_next(tmp_path: Path) -> None:
    """A batch of bad records only is found to be so once what came behind it is accepted."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if "a1" in found else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"))
            await until(lambda: one.destination.problem is not None)
            await one.hand_in(batch("a", "a2"))
            await one.drained()
            assert ["a1"] == dead(one)
    assert ["a2"] == accepted


@pytest.mark.parametrize(
    ("limit", "filling"), [({"max_records": 4}, ""), ({"max_bytes": 5_400}, "." * 1_000)], ids=["records", "bytes"]
)
async def test_a_bad_record_alone_goes_with_the_next_that_is_a_whole_request(
    tmp_path: Path, limit: dict[str, Any], filling: str
) -> None:
    """Also where the two do not fit one request, which none exceeds; and the order stays."""
    names = [f"a{number}{filling}" for number in range(2, 6)]
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if "a1" in found else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1, **limit) as one:
            await one.hand_in(batch("a", "a1"))
            await until(lambda: one.destination.problem is not None)
            await one.hand_in(batch("a", *names))
            await one.hand_in(batch("a", "a6"))
            await one.drained()
            assert ["a1"] == dead(one)
    assert [*names, "a6"] == accepted
    assert all(len(received.bodies) <= limit.get("max_records", 5_000) for received in receiver.requests)
    assert all(received.request.ByteSize() <= limit.get("max_bytes", 3 * MIB) for received in receiver.requests)


async def test_all_that_is_refused_is_not_looked_at_for_ever(tmp_path: Path) -> None:
    """One request more than what was refused is looked at, record by record; after that one request tries again."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        asked = count(1)
        answer, accepted = answering(lambda _: Reply(400) if next(asked) < 40 else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1, max_records=2) as one:
            for number in range(1, 7, 2):
                await one.hand_in(batch("a", f"a{number}", f"a{number + 1}"))
            await one.drained()
            assert [] == dead(one)
    names = [received.bodies for received in receiver.requests]
    first, both = ["a1", "a2"], [["a1", "a2"], ["a1"], ["a2"], ["a3", "a4"], ["a3"], ["a4"]]
    assert [first, first, ["a1"], ["a2"], *both] == names[:10]
    assert [first] * 30 == names[10:40]
    assert [f"a{number}" for number in range(1, 7)] == accepted


async def test_bad_records_of_one_lane_while_others_pass(tmp_path: Path) -> None:
    """A batch of bad records only is put aside when another lane's were accepted since."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(422) if set(found) & {"a1", "a2"} else None)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=2) as one:
            first = one.outbox.lane_of(("prod", "a"))
            other = next(name for name in "bcdefgh" if one.outbox.lane_of(("prod", name)) != first)
            await one.hand_in(batch("a", "a1", "a2"))
            await until(lambda: one.destination.problem is not None)
            await one.hand_in(batch(other, "o1"))
            await one.drained()
            assert ["a1", "a2"] == dead(one)
    assert ["o1"] == accepted


@both
async def test_a_stubborn_refusal_is_one_about_the_data(tmp_path: Path, protocol: str, receive: Receive) -> None:
    """A batch that is refused otherwise for long while others pass is split, and the record that is refused put aside."""
    other = Reply(CODES[protocol]["other"])
    async with asyncio.timeout(SECONDS), receive() as receiver:
        answer, accepted = answering(lambda found: other if "a2" in found else None)
        receiver.answer = answer
        patience = replace(IMPATIENT, stubborn_seconds=0.3)
        async with carrier(tmp_path, receiver.url, protocol, lanes=2, patience=patience) as one:
            first = one.outbox.lane_of(("prod", "a"))
            name = next(name for name in "bcdefgh" if one.outbox.lane_of(("prod", name)) != first)
            await one.hand_in(batch("a", "a1", "a2", "a3"))
            number = 0
            while of("a", accepted) != ["a1", "a3"] or one.outbox.waiting_records:
                await one.hand_in(batch(name, f"{name}{number}"))
                number += 1
                await asyncio.sleep(0.01)  # the others pass at a modest rate
            assert ["a2"] == dead(one)


async def test_other_refusals_are_tried_again(tmp_path: Path) -> None:
    """While nothing else passes, any other refusal is tried again without end, and nothing is put aside."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.replies += [Reply(500)] * 20
        patience = replace(IMPATIENT, stubborn_seconds=0.0)
        async with carrier(tmp_path, receiver.url, lanes=1, patience=patience) as one:
            await one.hand_in(batch("a", "a1", "a2"))
            await one.drained()
            assert ({"sent": 2}, 20) == (one.counted.outcomes, one.counted.codes["500"])


@both
async def test_partial_success_is_not_sent_again(tmp_path: Path, protocol: str, receive: Receive) -> None:
    """Records that the destination rejects while it accepts the request are counted and gone."""
    async with asyncio.timeout(SECONDS), receive() as receiver:
        receiver.replies.append(rejecting(2, "too old"))
        async with carrier(tmp_path, receiver.url, protocol) as one:
            await one.hand_in(batch("a", "a1", "a2", "a3"))
            await one.drained()
            assert {"sent": 1, "rejected": 2} == one.counted.outcomes
            assert [] == dead(one)
    assert 1 == len(receiver.requests)


@both
async def test_a_warning_beside_acceptance_is_told_once(
    protocol: str, receive: Receive, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that rejects nothing is a warning by the specification: it is logged, and not with every request."""
    async with asyncio.timeout(SECONDS), receive() as receiver:
        receiver.replies += [rejecting(0, "use the new endpoint"), rejecting(0, "use the new endpoint")]
        async with carrier(tmp_path, receiver.url, protocol, lanes=1) as one:
            for text in ("a1", "a2", "a3"):
                await one.hand_in(batch("a", text))
                await one.drained()
            assert {"sent": 3} == one.counted.outcomes
    assert 1 == sum("use the new endpoint" in record.message for record in caplog.records)


async def test_full_dead_letters_hold_the_pipeline(tmp_path: Path) -> None:
    """While the dead letters have no room, the bad record waits with what its pipeline says next; others go on.

    Room is looked for more often than a destination is asked that refuses to be used.
    """
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if "a2" in found else None)
        receiver.answer = answer
        (tmp_path / "dead-letter.jsonl").write_bytes(b"{}\n" * 300)
        patience = replace(IMPATIENT, hold_seconds=3600.0)
        async with carrier(tmp_path, receiver.url, lanes=1, dead_letter_limit=1000, patience=patience) as one:
            await one.hand_in(batch("a", "a1", "a2", "a3"), batch("b", "b1"))
            await until(lambda: one.letters.told)
            await one.hand_in(batch("a", "a4"), batch("b", "b2"))
            await one.hand_in(batch("b", "b3"), batch("a", "a5", "a6"))
            await until(lambda: "b3" in accepted and one.outbox.waiting_records == 4)
            assert (["a1", "a3"], ["b1", "b2", "b3"]) == (of("a", accepted), of("b", accepted))
            one.letters.path.unlink()
            await one.drained()
            assert ["a2"] == dead(one)
            assert [] == await one.journal.read_waiting()
            await one.hand_in(batch("a", "a7"))
            await one.drained()
    assert ["a1", "a3", "a4", "a5", "a6", "a7"] == of("a", accepted)


async def test_several_pipelines_wait_for_room(tmp_path: Path) -> None:
    """Pipelines of one lane that wait each for themselves, found one after the other, all come to their end in order."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(413) if {"a2", "b2", "b4"} & set(found) else None)
        receiver.answer = answer
        (tmp_path / "dead-letter.jsonl").write_bytes(b"{}\n" * 300)
        async with carrier(tmp_path, receiver.url, lanes=1, dead_letter_limit=2000) as one:
            one.letters._limit_bytes = 1000
            for number in range(1, 6):
                await one.hand_in(*[batch(name, f"{name}{number}") for name in "abc"])
                await until(partial(accepted.__contains__, f"c{number}"))
            assert ["a1", "b1"] == [body for body in accepted if body[0] in "ab"]
            one.letters._limit_bytes = 100_000
            # What is refused when nothing else has been accepted since may be the destination's fault: more has to come.
            for number in count(6):
                await one.hand_in(batch("c", f"c{number}"))
                await until(partial(accepted.__contains__, f"c{number}"))
                if {"a5", "b5"} <= set(accepted):
                    break
            await one.drained()
            assert {"a2", "b2", "b4"} == set(dead(one))
    assert ["a1", "a3", "a4", "a5"] == of("a", accepted)
    assert ["b1", "b3", "b5"] == of("b", accepted)


async def test_a_bad_record_alone_behind_a_pipeline_that_waits(tmp_path: Path) -> None:
    """What a pipeline that waited has next is judged by what comes behind that, as a lane's batches are."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if {"a2", "a4"} & set(found) else None)
        receiver.answer = answer
        (tmp_path / "dead-letter.jsonl").write_bytes(b"{}\n" * 300)
        async with carrier(tmp_path, receiver.url, lanes=1, dead_letter_limit=1000) as one:
            await one.hand_in(batch("a", "a1", "a2", "a3"))
            await until(lambda: one.letters.told)
            for name in ("a4", "a5", "a6"):
                await one.hand_in(batch("a", name))
            one.letters.path.unlink()
            await one.drained()
            assert ["a2", "a4"] == dead(one)
            assert [] == await one.journal.read_waiting()
    assert ["a1", "a3", "a5", "a6"] == accepted


async def test_a_kill_while_a_pipeline_waits_repeats_nothing(tmp_path: Path) -> None:
    """Of a batch that was split only what was not accepted is left in the journal."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        answer, accepted = answering(lambda found: Reply(400) if "a2" in found else None)
        receiver.answer = answer
        (tmp_path / "dead-letter.jsonl").write_bytes(b"{}\n" * 300)
        async with carrier(tmp_path, receiver.url, lanes=1, dead_letter_limit=1000) as one:
            await one.hand_in(batch("a", "a1", "a2"), batch("b", "b1"))
            await until(lambda: one.letters.told)
            await one.hand_in(batch("a", "a3"), batch("b", "b2"))
            await until(lambda: "b2" in accepted and one.outbox.waiting_records == 2)
        (tmp_path / "dead-letter.jsonl").unlink()
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.drained()
            assert ["a2"] == dead(one)
    assert (["a1", "a3"], ["b1", "b2"]) == (of("a", accepted), of("b", accepted))


async def test_a_part_that_is_tried_again_holds_only_its_pipeline(tmp_path: Path) -> None:
    """While one pipeline's part of a split batch has to wait, what comes behind it of other pipelines is delivered."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:

        def refused(found: list[str]) -> Reply | None:
            if "a1" not in found:
                return None
            return Reply(400) if "b1" in found else Reply(503) if "b9" not in accepted else None

        answer, accepted = answering(refused)
        receiver.answer = answer
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"), batch("b", "b1"))
            for number in range(2, 10):
                await one.hand_in(batch("a", f"a{number}"), batch("b", f"b{number}"))
            await one.drained()
    for pipeline in "ab":
        assert [f"{pipeline}{number}" for number in range(1, 10)] == of(pipeline, accepted)


async def test_a_stop_hears_the_answer(tmp_path: Path) -> None:
    """A request that is in flight when the service stops is waited for: what was accepted is not sent again."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.until = late = asyncio.Event()
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"))
            await receiver.wait_for(lambda found: bool(found.requests))
            await one.stop(sender_seconds=SECONDS, then=late.set)
            assert [] == await one.journal.read_waiting()
    assert ["a1"] == receiver.bodies


async def test_a_stop_waits_no_longer_than_it_may(tmp_path: Path) -> None:
    """A destination that does not answer is given up, and what was sent is still in the journal."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.answer = lambda _: Reply(hang=True)
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"))
            await receiver.wait_for(lambda found: bool(found.requests))
            await one.stop(sender_seconds=0.01)
            assert 1 == len(await one.journal.read_waiting())


async def test_a_kill_sends_again_what_was_not_deleted(tmp_path: Path) -> None:
    """What was sent but not deleted is sent again by the next exporter, before what came later, with the same ids."""
    async with asyncio.timeout(SECONDS), http_receiver() as receiver:
        receiver.answer = lambda _: Reply(hang=True)
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.hand_in(batch("a", "a1"))
            await receiver.wait_for(lambda found: bool(found.requests))
            await one.hand_in(batch("a", "a2"))
        receiver.answer = None
        async with carrier(tmp_path, receiver.url, lanes=1) as one:
            await one.drained()
    assert ["a1", "a1", "a2"] == receiver.bodies
    first, again = (received.records[0] for received in receiver.requests[:2])
    assert first == again
    async with open_journal(tmp_path) as journal:
        assert [] == await journal.read_waiting()
