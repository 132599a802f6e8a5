"""Invariants of the simulated world."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from exporter.simulator import ImpossibleError, Pipeline, World, lively_world, quiet

NOW_US = 1_795_000_000_000_000


def _running(world: World, name: str = "p") -> Pipeline:
    pipeline = world.create(name)
    world.advance(10)
    pipeline.start()
    world.advance(10)
    return pipeline


def _events(pipeline: Pipeline, selector: str = "status") -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = msgspec.json.decode(pipeline.history.body(selector).raw)
    return decoded


def test_events_are_ordered_by_time_and_then_id() -> None:
    """The list of events is newest first, also among those of one transaction."""
    world = lively_world(8, seed=3, version="0.375.0", now_us=NOW_US)

    for pipeline in world.pipelines.values():
        keys = [(event.recorded_us, event.event_id) for event in pipeline.history.events]
        assert sorted(set(keys)) == keys


def test_since_is_the_time_of_the_event_that_entered() -> None:
    """Every `_since` of the list is the `recorded_at` of the oldest event of the present status."""
    world = lively_world(8, seed=5, version="0.375.0", now_us=NOW_US)

    for pipeline in world.pipelines.values():
        listed = msgspec.json.decode(pipeline.encoded("status"))
        for word in ("program_status", "deployment_resources_status", "deployment_runtime_status"):
            entering = None
            for event in _events(pipeline):
                if event[word] != listed[word]:
                    break
                entering = event["recorded_at"]
            assert (entering if listed[word] is not None else None) == listed[f"{word}_since"]


def test_the_same_seed_lives_the_same_life() -> None:
    """Two worlds of one seed are equal to the byte, however their time passes."""
    first = lively_world(8, seed=7, version="0.375.0", now_us=NOW_US)
    second = lively_world(8, seed=7, version="0.375.0", now_us=NOW_US)
    first.advance(120)
    for _ in range(1_200):
        second.advance(0.1)

    assert first.list_body("all").raw == second.list_body("all").raw
    assert first.list_body("all").raw != lively_world(8, seed=8, version="0.375.0").list_body("all").raw


def test_a_lively_world_begins_with_one_of_each() -> None:
    """Eight pipelines begin with some that run, one deployment error and one SqlError, and a past."""
    world = lively_world(8, version="0.375.0")
    pipelines = world.pipelines.values()

    assert 4 == sum(pipeline.state.runtime == "Running" for pipeline in pipelines)
    assert 1 == sum(pipeline.state.error is not None for pipeline in pipelines)
    assert 1 == sum(pipeline.state.program == "SqlError" for pipeline in pipelines)
    assert all(len(pipeline.history.events) > 20 for pipeline in pipelines)


def test_speed_shortens_waits() -> None:
    """At speed 10 a start takes a tenth of the time."""
    world = World(speed=10)
    pipeline = world.create("p")
    world.advance(1)
    pipeline.start()
    world.advance(1)

    assert "Running" == pipeline.state.runtime


def test_retention_is_enforced_every_30_seconds() -> None:
    """More events than the retention are visible until the next trim, which leaves the newest."""
    world = World(retention=5)
    pipeline = world.create("p", compile_as=None)
    for _ in range(20):
        pipeline.heartbeat()
    newest = [event["event_id"] for event in _events(pipeline)[:5]]

    assert 21 == len(_events(pipeline))
    world.advance(31)
    assert newest == [event["event_id"] for event in _events(pipeline)]


def test_a_provisioned_pipeline_has_a_heartbeat() -> None:
    """After 10 minutes without a change a provisioned pipeline writes an equal event, and the list stays."""
    world = World()
    pipeline = _running(world)
    before, listed = _events(pipeline), pipeline.encoded("status")
    world.advance(615)

    added = _events(pipeline)[: -len(before)]
    assert 1 == len(added)
    assert {**before[0], "event_id": "", "recorded_at": ""} == {**added[0], "event_id": "", "recorded_at": ""}
    assert listed == pipeline.encoded("status")


def test_a_stopped_pipeline_is_silent() -> None:
    """Nothing is written for a pipeline that is stopped."""
    world = World()
    pipeline = world.create("p")
    world.advance(10)
    count = len(pipeline.history.events)
    world.advance(7200)

    assert count == len(pipeline.history.events)


def test_a_late_event_appears_behind_newer_ones() -> None:
    """An event with a delay becomes visible later, at the place of its time, and the list does not show it."""
    world = World()
    pipeline = _running(world)
    event = pipeline.record_event(appears_in_seconds=5, runtime="Unavailable")
    world.advance(1)
    pipeline.pause()
    visible = [seen["event_id"] for seen in _events(pipeline)]

    assert event.event_id not in visible
    world.advance(5)
    assert event.event_id == _events(pipeline)[1]["event_id"]
    assert "Paused" == msgspec.json.decode(pipeline.encoded("status"))["deployment_runtime_status"]


def test_a_held_event_waits_for_reveal() -> None:
    """An event without a delay appears when it is revealed, and an explicit time gives its place."""
    world = World()
    pipeline = _running(world)
    event = pipeline.record_event(recorded_us=1, appears_in_seconds=None, program="Dreaming", has_error=True)
    world.advance(100)
    assert event.event_id not in {seen["event_id"] for seen in _events(pipeline)}
    pipeline.reveal()

    oldest = _events(pipeline)[-1]
    assert ("1970-01-01T00:00:00.000001Z", "Dreaming", True) == (
        oldest["recorded_at"],
        oldest["program_status"],
        oldest["deployment_has_error"],
    )


def test_any_word_can_be_recorded() -> None:
    """Values that no server knows yet are carried through, in the event and in the list."""
    pipeline = _running(World())
    pipeline.record_event(runtime="Dreaming", storage_details=["free", 1])

    assert "Dreaming" == msgspec.json.decode(pipeline.encoded("status"))["deployment_status"]
    assert ["free", 1] == _events(pipeline, "all")[0]["storage_status_details"]


def test_a_renamed_pipeline_keeps_its_id_and_a_recreated_one_does_not() -> None:
    """Renaming moves the history to the new name; recreating begins anew."""
    world = World()
    pipeline = world.create("old")
    world.advance(10)
    pipeline.rename("new")
    other = pipeline.recreate()

    assert world.find("old") is None
    assert world.find("new") is other
    assert other.id > pipeline.id
    assert 1 == len(other.history.events)


def test_a_deleted_pipeline_does_nothing_more() -> None:
    """What was planned for a pipeline does not happen after its deletion."""
    world = World()
    pipeline = world.create("p")
    pipeline.delete()
    count = len(pipeline.history.events)
    world.advance(60)

    assert count == len(pipeline.history.events)
    assert b"[]" == world.list_body("status").raw


@pytest.mark.parametrize("operation", ["compile", "clear_storage", "delete", "edit"])
def test_some_operations_need_a_stopped_pipeline(operation: str) -> None:
    """What a real server refuses of a running pipeline is refused with a reason."""
    pipeline = _running(World())

    with pytest.raises(ImpossibleError, match=r"pipeline 'p': it is Provisioned and wanted Provisioned; stop it first"):
        getattr(pipeline, operation)()


def test_storage_is_cleared_in_two_events() -> None:
    """Clearing passes through Clearing and drops the details."""
    world = World()
    pipeline = _running(world)
    pipeline.stop()
    world.advance(5)
    pipeline.clear_storage()
    world.advance(5)

    assert ["Cleared", "Clearing", "InUse"] == [event["storage_status"] for event in _events(pipeline)[:3]]
    assert pipeline.state.storage_details is None


def test_a_description_is_no_event() -> None:
    """A new description shows in the list, and in nothing else."""
    pipeline = World().create("p", compile_as=None)
    pipeline.describe("other")
    listed = msgspec.json.decode(pipeline.encoded("status"))

    assert ("other", 1, 1) == (listed["description"], listed["version"], listed["refresh_version"])
    assert 1 == len(pipeline.history.events)


def test_ten_thousand_quiet_pipelines() -> None:
    """The quiet world has every pipeline in its list, ordered by id, half running, each with a dozen events."""
    world = quiet(10_000, now_us=NOW_US)
    listed = msgspec.json.decode(world.list_body("status").raw)
    ids = [entry["id"] for entry in listed]

    assert 10_000 == len(set(ids))
    assert sorted(ids) == ids
    assert 5_000 == sum(entry["deployment_status"] == "Running" for entry in listed)
    assert {12, 15} == {len(pipeline.history.events) for pipeline in world.pipelines.values()}


def test_an_unchanged_list_is_encoded_once() -> None:
    """The same bytes are served, plain and gzipped, until something changes; then only that entry is encoded."""
    world = quiet(3)
    body = world.list_body("status")
    first, second, _ = world.pipelines.values()
    untouched = second.encoded("status")

    assert world.list_body("status") is body
    assert body.gzipped() is body.gzipped()
    first.heartbeat()
    assert world.list_body("status") is body
    first.describe("other")
    assert world.list_body("status") is not body
    assert second.encoded("status") is untouched
