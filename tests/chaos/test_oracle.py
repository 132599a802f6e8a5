"""The oracle itself: it must see every kind of loss, and excuse only what may be."""

from __future__ import annotations

import pytest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, ResourceLogs, ScopeLogs
from opentelemetry.proto.resource.v1.resource_pb2 import Resource

from tests.chaos.dead import Dead
from tests.chaos.oracle import Oracle
from tests.chaos.script import POISON, Written


def _text(text: str) -> AnyValue:
    return AnyValue(string_value=text)


def _request(*records: tuple[str, str], pipeline_id: str = "id") -> list[ResourceLogs]:
    logs = [
        LogRecord(body=_text(body), attributes=[KeyValue(key="log.record.uid", value=_text(uid))])
        for uid, body in records
    ]
    resource = Resource(attributes=[KeyValue(key="service.instance.id", value=_text(pipeline_id))])
    return [ResourceLogs(resource=resource, scope_logs=[ScopeLogs(log_records=logs)])]


@pytest.fixture
def oracle() -> Oracle:
    """Make an oracle that knows of four lines."""
    oracle = Oracle("s")
    oracle.know("id", "p")
    for text in "abcd":
        oracle.wrote("id", [Written(text.encode(), text, begins=True)])
    return oracle


def test_all_in_order(oracle: Oracle) -> None:
    """Lines that come in order, alone or several in a record, are right."""
    oracle.answered(oracle.accept(_request(("1", "a"), ("2", "b\n\nc"))))
    oracle.answered(oracle.accept(_request(("3", "d"))))
    oracle.finish()

    assert ([], 0) == (oracle.problems, oracle.waiting)


@pytest.mark.parametrize(
    ("records", "problem"),
    [
        ([("1", "a"), ("2", "c"), ("3", "d")], "p: 1 lines are missing before 'c': 'b' …"),
        ([("1", "b"), ("2", "a"), ("3", "c"), ("4", "d")], "p: 'a' came again with another id, or late"),
        ([("1", "a"), ("2", "b"), ("3", "c")], "p: 1 lines never came, the first is 'd'"),
        ([("1", "a"), ("2", "x"), ("3", "b"), ("4", "c"), ("5", "d")], "p: 'x' was never written"),
        ([("1", "a"), ("2", "a"), ("3", "b"), ("4", "c"), ("5", "d")], "p: 'a' came again with another id, or late"),
    ],
)
def test_what_is_wrong(oracle: Oracle, records: list[tuple[str, str]], problem: str) -> None:
    """A line that is missing, late, invented or repeated with another id is told."""
    oracle.answered(oracle.accept(_request(*records)))
    oracle.finish()

    assert problem == oracle.problems[-1]


def _unexcused(*uids: str, of: str = "pipeline") -> str:
    return f"1 of 1 records came again that the {of} had no reason to repeat, the first is {uids[0]}: {uids[1]!r}"


def test_one_batch_may_come_again_after_a_kill(oracle: Oracle) -> None:
    """The last batch of the lane, and no other; and only once a kill."""
    oracle.answered(oracle.accept(_request(("1", "a"))))
    oracle.answered(oracle.accept(_request(("2", "b"))))
    oracle.excuse()
    oracle.answered(oracle.accept(_request(("2", "b"), ("3", "c"))))
    assert [] == oracle.problems
    oracle.answered(oracle.accept(_request(("3", "c"))))
    assert [_unexcused("3", "c"), _unexcused("3", "c", of="lane")] == oracle.problems
    oracle.excuse()
    oracle.accept(_request(("1", "a")))

    assert [_unexcused("1", "a"), _unexcused("1", "a", of="lane")] == oracle.problems[2:]


def test_a_batch_may_come_again_in_parts(oracle: Oracle) -> None:
    """What came in one request may come again in several, until something new has come."""
    oracle.accept(_request(("1", "a"), ("2", "b"), ("3", "c")))
    oracle.excuse()
    oracle.answered(oracle.accept(_request(("1", "a"))))
    oracle.answered(oracle.accept(_request(("2", "b"))))
    assert [] == oracle.problems
    oracle.answered(oracle.accept(_request(("4", "d"))))
    oracle.accept(_request(("3", "c")))

    assert [_unexcused("3", "c"), _unexcused("3", "c", of="lane")] == oracle.problems


def test_a_split_batch_is_judged_by_pipeline(oracle: Oracle) -> None:
    """After a refusal the parts of a lane's batch are sent for themselves, and answers to several may be lost."""
    other = next(f"id{number}" for number in range(99) if oracle._lane(f"id{number}") is oracle._lane("id"))
    oracle.know(other, "q")
    oracle.wrote(other, [Written(b"x", "x", begins=True)])
    oracle.refused(_request(("1", "a")))
    oracle.accept(_request(("1", "a")))
    oracle.answered(oracle.accept(_request(("9", "x"), pipeline_id=other)))
    oracle.answered(oracle.accept(_request(("1", "a"), ("2", "b"))))
    assert [] == oracle.problems
    oracle.accept(_request(("9", "x"), pipeline_id=other))

    assert [_unexcused("9", "x")] == oracle.problems


def test_an_answer_that_never_arrived_excuses(oracle: Oracle) -> None:
    """Who did not hear that a batch was accepted sends it again; its content must be the same."""
    oracle.accept(_request(("1", "a")))
    oracle.accept(_request(("1", "a")))
    assert [] == oracle.problems
    oracle.accept(_request(("1", "A")))

    assert ["1 came again as 'A', before it was 'a'"] == oracle.problems


def test_dead_letters_are_looked_at(oracle: Oracle) -> None:
    """A record that is refused must be among the dead letters, under one id, and nothing else may."""
    bad = f"e, {POISON}"
    oracle.wrote("id", [Written(b"e", bad, begins=True)])
    oracle.accept(_request(("1", "a"), ("2", "b\nc"), ("3", "d")))
    assert ({("id", bad)}, 0) == (oracle.undelivered([]), oracle.waiting)
    oracle.finish([Dead("id", "5", bad), Dead("id", "5", bad)])
    assert [] == oracle.problems
    oracle.finish([Dead("id", "5", bad), Dead("id", "6", bad), Dead("id", "7", "d")])

    assert [
        f"{bad!r} is among the dead letters with two ids",
        "'d' is among the dead letters and was not refused",
    ] == oracle.problems


def test_a_refused_record_that_is_nowhere(oracle: Oracle) -> None:
    """A record that is neither accepted nor a dead letter is missing."""
    oracle.wrote("id", [Written(b"e", POISON, begins=True)])
    oracle.accept(_request(("1", "a"), ("2", "b\nc"), ("3", "d")))
    oracle.finish()

    assert [f"{POISON!r} was refused and is not among the dead letters"] == oracle.problems
