"""PromQL over a scripted history gives exactly what happened, also where names come, go and change."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.stories import eventful_life, named, newest_start_seconds

if TYPE_CHECKING:
    from exporter.simulator.world import World
    from tests.integration.exporter import Exporter
    from tests.integration.prometheus import Prometheus

pytestmark = pytest.mark.integration

EVENTS = "hosted_pipeline_events_total"
LIMITS = ("1.0", "5.0", "+Inf")


async def test_scripted_life(prometheus: Prometheus, exporter: Exporter, world: World) -> None:
    """What happened between two polls is counted to the last entry, and what is now shows as it is."""
    a = named(world, "a")
    a.start()
    world.advance(20)
    await exporter.start()
    await prometheus.shows(f'{EVENTS}{{pipeline="a"}}', {("prod",): 0}, "source")
    known = len(a.history.events)

    entries = eventful_life(world, a)

    events = len(a.history.events) - known
    await prometheus.shows(f'{EVENTS}{{pipeline="a"}}', {("prod",): events}, "source")
    transitions = 'hosted_pipeline_status_transitions_total{pipeline="a"} > 0'
    assert entries == await prometheus.values(transitions, "facet", "status")
    starts = 'hosted_pipeline_start_duration_seconds_%s{pipeline="a"}'
    assert {(): 1.0} == await prometheus.values(starts % "count")
    assert {(): pytest.approx(newest_start_seconds(a))} == await prometheus.values(starts % "sum")
    assert {("1.0",): 0.0, ("5.0",): 1.0, ("+Inf",): 1.0} == {
        le: value for le, value in (await prometheus.values(starts % "bucket", "le")).items() if le[0] in LIMITS
    }


async def test_present_state(prometheus: Prometheus, exporter: Exporter, world: World) -> None:
    """State sets, desired status and errors are what the list says now."""
    for name in ("a", "b"):
        named(world, name).start()
    world.advance(20)
    named(world, "a").crash()
    world.advance(20)
    await exporter.start()

    await prometheus.shows(
        "hosted_pipeline_state == 1",
        {("a", "failed"): 1, ("b", "running"): 1, ("c", "stopped"): 1},
        "pipeline",
        "state",
    )
    assert {(10.0,)} == {
        (n,) for n in (await prometheus.values("count by (pipeline) (hosted_pipeline_state)", "pipeline")).values()
    }
    assert {
        ("resources", "Provisioned"): 1,
        ("runtime", "Running"): 1,
        ("program", "Success"): 1,
        ("storage", "InUse"): 1,
    } == await prometheus.values('hosted_pipeline_status{pipeline="b"} == 1', "facet", "status")
    assert {("resources", "Stopped"): 1} == await prometheus.values(
        'hosted_pipeline_desired_status{pipeline="a"} == 1', "facet", "status"
    )
    assert {("a",): 1, ("b",): 0, ("c",): 0} == await prometheus.values("hosted_pipeline_error", "pipeline")
    assert {("a", "RunnerCheckError"): 1} == await prometheus.values(
        "hosted_pipeline_error_info", "pipeline", "error_code"
    )


async def test_new_pipeline(prometheus: Prometheus, exporter: Exporter, world: World) -> None:
    """A pipeline that appears later is seen at zero first, so that `increase()` sees its first events."""
    await exporter.start()
    await prometheus.shows(f"count({EVENTS})", {(): 3})
    new = world.create("new")
    world.advance(20)
    events = len(new.history.events)
    await prometheus.shows(f'{EVENTS}{{pipeline="new"}}', {(): events})
    assert {(): 0.0} == await prometheus.values(f'min_over_time({EVENTS}{{pipeline="new"}}[1m])')


async def test_names_change(prometheus: Prometheus, exporter: Exporter, world: World) -> None:
    """A deleted pipeline's series end at once, a recreated one starts at zero, a rename carries its counters along."""
    await exporter.start()
    await prometheus.shows(f"count({EVENTS})", {(): 3})
    for _ in range(30):
        for name in ("a", "b", "c"):
            named(world, name).edit()
            world.advance(0.1)
    await prometheus.shows(EVENTS, {("a",): 30, ("b",): 30, ("c",): 30}, "pipeline")

    named(world, "a").delete()
    again = named(world, "b").recreate()
    named(world, "c").rename("d")
    world.advance(20)

    events = len(again.history.events)
    assert events < 30
    await prometheus.shows(EVENTS, {("b",): events, ("d",): 31}, "pipeline")
    assert {} == await prometheus.values('{pipeline=~"a|c"}', "__name__")
