"""GoldRush pipelines and their workers, by the world's clock."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from exporter.simulator.goldrush_pod import FAILED_FETCH, Window
from exporter.simulator.goldrush_world import GoldRushWorld

if TYPE_CHECKING:
    from exporter.simulator.goldrush_pipeline import GoldRushPipeline

_START_US = 1_795_000_000_000_000


def _running(replicas: int = 1, **options: Any) -> tuple[GoldRushWorld, GoldRushPipeline]:
    world = GoldRushWorld(now_us=_START_US, **options)
    return world, world.create("orders", phase="RUNNING", replicas=replicas)


def _logs(pipeline: GoldRushPipeline) -> dict[str, str]:
    return {pod["pod"]: pod["logs"] for pod in pipeline.logs_document()["pods"]}


def _status(pipeline: GoldRushPipeline) -> tuple[str, int, int]:
    document = pipeline.status_document()
    return document["status"], document["replicas"], document["ready"]


def test_a_new_pipeline_is_deployed_and_then_runs() -> None:
    """Its pods are there from the start, cannot be read while it deploys, and are ready when it runs."""
    world = GoldRushWorld(now_us=_START_US)
    pipeline = world.create("orders", replicas=2)
    deploying = _status(pipeline), set(_logs(pipeline).values())
    world.advance(8)

    assert (("DEPLOYING", 2, 0), {FAILED_FETCH}) == deploying
    assert (("RUNNING", 2, 2), {""}) == (_status(pipeline), set(_logs(pipeline).values()))
    assert "2026-11-18T11:06:40Z" == pipeline.status_document()["start_time"]


def test_pause_and_resume_take_time_and_new_pods() -> None:
    """What the user wants changes at once, the phase follows, and the pods after a resume have other names."""
    world, pipeline = _running()
    (first,) = _logs(pipeline)
    seen = []
    pipeline.pause()
    seen.append((pipeline.document()["status"], *_status(pipeline)))
    world.advance(3)
    seen.append((pipeline.document()["status"], *_status(pipeline)))
    assert {} == _logs(pipeline)
    pipeline.resume()
    seen.append((pipeline.document()["status"], *_status(pipeline)))
    world.advance(8)
    seen.append((pipeline.document()["status"], *_status(pipeline)))

    assert [
        ("paused", "STOPPING", 1, 0),
        ("paused", "PAUSED", 1, 0),
        ("running", "DEPLOYING", 1, 0),
        ("running", "RUNNING", 1, 1),
    ] == seen
    assert first not in _logs(pipeline)


def test_a_change_of_mind_cancels_what_was_planned() -> None:
    """A pipeline that is stopped while it deploys does not run later."""
    world = GoldRushWorld(now_us=_START_US)
    pipeline = world.create("orders")
    world.advance(5)
    pipeline.worker.stop()
    world.advance(60)

    assert ("STOPPED", 1, 0) == _status(pipeline)


@pytest.mark.parametrize(("cause", "text"), [("sql", "transform failed"), ("write", "permanent write error")])
def test_the_last_lines_before_a_failure_are_its_cause(cause: str, text: str) -> None:
    """After FAILED no replica is ready, and the log can be read to its end."""
    _, pipeline = _running()
    pipeline.worker.write(b"INFO fine")
    pipeline.fail(cause)
    (log,) = _logs(pipeline).values()

    assert ("FAILED", 1, 0) == _status(pipeline)
    assert log.startswith("INFO fine\nERROR ")
    assert text in log


def test_any_status_can_be_set() -> None:
    """A test sets phase, replicas and how many are ready, also a word that the vendor does not have."""
    _, pipeline = _running()
    pipeline.worker.set_status("RUNNING", replicas=3, ready=2)
    degraded = _status(pipeline), [log == FAILED_FETCH for log in _logs(pipeline).values()]
    pipeline.worker.set_status("DREAMING")

    assert (("RUNNING", 3, 2), [False, False, True]) == degraded
    assert ("DREAMING", 3, 2) == _status(pipeline)


def test_counters_grow_while_records_come_and_restart_with_the_worker() -> None:
    """The figures of a worker begin at zero with it; offset and block height go on."""
    world, pipeline = _running()
    pipeline.worker.metrics.records_per_second = 300
    world.advance(10.5)
    pipeline.skip_records(7)
    first = pipeline.metrics_document()
    pipeline.worker.restart(down_seconds=2)
    world.advance(3)
    second = pipeline.metrics_document()

    assert {
        "uid": pipeline.worker.uid,
        "records_consumed": 3150,
        "last_offset": 3150,
        "last_block_height": 20_000_021,
        "pending_records": 0,
        "processing_delay_ms": 0,
        "records_per_second": 300,
        "normalization_errors": 7,
    } == first
    assert (300, 3450, 0) == tuple(second[key] for key in ("records_consumed", "last_offset", "normalization_errors"))


def test_a_restarted_worker_keeps_its_pod_and_has_an_empty_log() -> None:
    """While it is down the pod cannot be read; after that the same pod has a new log, and the start is new."""
    world, pipeline = _running()
    pipeline.worker.write(b"old")
    before = set(_logs(pipeline))
    world.advance(100)
    pipeline.worker.restart(down_seconds=5)
    down = _status(pipeline), set(_logs(pipeline).values())
    world.advance(5)

    assert (("RUNNING", 1, 0), {FAILED_FETCH}) == down
    assert (("RUNNING", 1, 1), dict.fromkeys(before, "")) == (_status(pipeline), _logs(pipeline))
    assert "2026-11-18T11:08:20Z" == pipeline.status_document()["start_time"]


def test_a_replaced_pod_has_another_name() -> None:
    """The new pod stands in the old one's place with an empty log; the old one can be read as long as it lingers."""
    world, pipeline = _running(replicas=2)
    pipeline.worker.write(b"a", pod=0)
    pipeline.worker.write(b"b", pod=1)
    first, second = _logs(pipeline)
    new = pipeline.worker.replace_pod(0, down_seconds=1, linger_seconds=2)
    seen = [(_status(pipeline), _logs(pipeline))]
    for _ in range(2):
        world.advance(1)
        seen.append((_status(pipeline), _logs(pipeline)))

    assert new.name not in {first, second}
    assert [
        (("RUNNING", 2, 1), {new.name: FAILED_FETCH, second: "b\n", first: "a\n"}),
        (("RUNNING", 2, 2), {new.name: "", second: "b\n", first: "a\n"}),
        (("RUNNING", 2, 2), {new.name: "", second: "b\n"}),
    ] == seen


def test_pods_come_and_go_with_the_number_of_replicas() -> None:
    """More replicas add pods behind the others, fewer take the newest away; counters go on."""
    world, pipeline = _running()
    pipeline.worker.metrics.records_per_second = 10
    (first,) = _logs(pipeline)
    pipeline.worker.set_status("RUNNING", replicas=3)
    three = list(_logs(pipeline))
    world.advance(1)
    pipeline.worker.set_status("RUNNING", replicas=1)

    assert (3, first) == (len(set(three)), three[0])
    assert ([first], 10) == (list(_logs(pipeline)), pipeline.metrics_document()["records_consumed"])


@pytest.mark.parametrize("step_seconds", [0.01, 1.0, 10.0])
def test_lines_are_written_at_a_rate_in_turn_in_each_ready_pod(step_seconds: float) -> None:
    """How often the clock is moved changes nothing; a rate of 0 ends it."""
    world, pipeline = _running(replicas=2, window=Window(lines=None))
    first, second = _logs(pipeline)
    pipeline.worker.write_at(4, lambda pod, number: f"{pod == second} {number}".encode())
    for _ in range(round(10 / step_seconds)):
        world.advance(step_seconds)
    pipeline.worker.write_at(0)
    world.advance(100)

    assert {
        first: "".join(f"False {number}\n" for number in range(1, 42, 2)),
        second: "".join(f"True {number}\n" for number in range(2, 42, 2)),
    } == _logs(pipeline)


def test_lines_can_be_torn() -> None:
    """With `torn` a line shows half at first, and whole half a period later."""
    world, pipeline = _running()
    pipeline.worker.write_at(1, lambda _pod, number: f"line {number}".encode(), torn=True)
    seen: list[str] = []
    for _ in range(4):
        seen.extend(_logs(pipeline).values())
        world.advance(0.5)

    assert ["lin", "line 1\n", "line 1\nlin", "line 1\nline 2\n"] == seen


def test_a_pipeline_can_have_a_window_of_its_own() -> None:
    """The world's window holds for every pipeline that has none."""
    world, pipeline = _running(window=Window(lines=2))
    other = world.create("other", phase="RUNNING")
    other.window = Window(lines=None, size_bytes=4)
    for one in (pipeline, other):
        one.worker.write(b"one\ntwo\nthree")

    assert (["two\nthree\n"], ["ree\n"]) == tuple(list(_logs(one).values()) for one in (pipeline, other))


def test_fetches_fail_in_one_pod_or_in_all() -> None:
    """The failure is in place of the log, with any text, and for the next fetches only."""
    _, pipeline = _running(replicas=2)
    pipeline.worker.fail_next_log_fetch(pod=1, text="context deadline exceeded")
    one = list(_logs(pipeline).values())
    pipeline.worker.fail_next_log_fetch()
    both = list(_logs(pipeline).values())

    assert (["", "context deadline exceeded"], [FAILED_FETCH] * 2, ["", ""]) == (
        one,
        both,
        list(_logs(pipeline).values()),
    )


def test_names_and_ids_have_the_vendors_forms() -> None:
    """An id has its prefix, the deployment's uid holds destination and id, a pod's name is cut to 63 characters."""
    _, pipeline = _running()
    (pod,) = _logs(pipeline)

    assert ("pipe_", 32) == (pipeline.id[:5], len(pipeline.id))
    assert f"covalent-postgres-{pipeline.id.replace('_', '-')}" == pipeline.worker.uid
    assert (63, f"pipeline-{pipeline.worker.uid}"[:58]) == (len(pod), pod[:58])


def test_names_need_not_be_unique() -> None:
    """Two pipelines can have one name, from the start or by a rename; deletion takes only the one."""
    world, first = _running()
    second = world.create("orders")
    third = world.create("billing")
    third.rename("orders")

    assert ["orders"] * 3 == [pipeline.name for pipeline in world.listed()]
    assert [third, second, first] == world.listed()
    assert first is world.find("orders")
    world.delete(first)
    assert second is world.find("orders")
