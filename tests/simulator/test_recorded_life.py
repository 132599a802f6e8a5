"""A scripted life against the recorded life of a real pipeline: every event, every version."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import msgspec

from exporter.simulator import Pipeline, World
from tests.recordings import need_recordings
from tests.simulator.recordings import recording

need_recordings()

_COMPARED = (
    "deployment_resources_status",
    "deployment_resources_desired_status",
    "deployment_runtime_status",
    "deployment_runtime_desired_status",
    "deployment_has_error",
    "program_status",
    "storage_status",
)


def _events(pipeline: Pipeline) -> list[dict[str, Any]]:
    decoded: list[dict[str, Any]] = msgspec.json.decode(pipeline.history.body("status").raw)
    return decoded


def _words(events: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(event[key] for key in _COMPARED) for event in events]


def _transactions(events: list[dict[str, Any]]) -> list[bool]:
    times = [event["recorded_at"] for event in events]
    return [earlier == later for later, earlier in pairwise(times)]


def _live(world: World) -> Pipeline:
    """Do what was done to the recorded pipeline."""
    pipeline = world.create("life")
    world.advance(10)
    pipeline.start()
    world.advance(10)
    pipeline.pause()
    pipeline.resume()
    pipeline.change_details()
    pipeline.start()
    pipeline.stop()
    world.advance(10)
    pipeline.start(paused=True)
    world.advance(10)
    pipeline.crash()
    world.advance(10)
    return pipeline


def test_a_life_writes_the_events_of_a_real_one() -> None:
    """Start, pause, resume, details, a second start, stop, start paused and crash give the recorded events."""
    recorded = recording("04-life-events2-all").json[-28:]

    events = _events(_live(World()))

    assert _words(recorded) == _words(events)
    assert _transactions(recorded) == _transactions(events)


def test_a_life_has_the_versions_of_a_real_one() -> None:
    """`version` and `refresh_version` after that life, and the standing error, are the recorded ones."""
    recorded = recording("04-life-crashed-status").json

    listed = msgspec.json.decode(_live(World()).encoded("status"))

    compared = ("version", "refresh_version", "program_version", "deployment_error", "deployment_status")
    assert [recorded[key] for key in compared] == [listed[key] for key in compared]


def test_failed_compilations_are_as_recorded() -> None:
    """SqlError and RustError come with the events and `refresh_version` of the real server."""
    world = World()
    for name, outcome in (("05-sqlerr", "sql_error"), ("05-rusterr", "rust_error")):
        pipeline = world.create(name, compile_as=outcome)
        world.advance(20)

        assert _words(recording(f"{name}-events-status").json) == _words(_events(pipeline))
        assert recording(f"{name}-pipeline-all").json["refresh_version"] == pipeline.refresh_version


def test_event_keys_are_as_recorded() -> None:
    """Events have 9 keys with `status` and 13 with `all`, in the recorded order."""
    pipeline = World().create("life")
    event = pipeline.history.events[0]

    for selector, count in (("status", 9), ("all", 13)):
        recorded = list(recording(f"04-life-events1-{selector}").json[0])
        assert count == len(recorded)
        assert recorded == list(event.document(selector))
