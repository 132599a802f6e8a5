"""Counters outlive the exporter: no false reset, nothing counted twice, nothing missed meanwhile."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.stories import eventful_life, named
from tests.integration.waiting import until_equal

if TYPE_CHECKING:
    from exporter.simulator.server import SimulatorServer
    from exporter.simulator.world import World
    from tests.integration.exporter import Exporter
    from tests.integration.prometheus import Prometheus

pytestmark = pytest.mark.integration

EVENTS = 'hosted_pipeline_events_total{pipeline="a"}'
TRANSITIONS = 'hosted_pipeline_status_transitions_total{pipeline="a"} > 0'
# Functions over a range drop the name, and without it series of several families would be the same: it is kept as a label.
COUNTERS = (
    'label_replace({__name__=~"hosted_pipeline_.+_(total|bucket|count|sum)"}, "family", "$1", "__name__", "(.+)")'
)
RESETS = f"sum by (family) (resets({COUNTERS}[5m:1s])) > 0"
# The same look back does see a change over the gap.
RESTARTS = "changes(process_start_time_seconds[5m:1s])"
CREATED = 'label_replace({__name__=~"hosted_pipeline_.+_created"}, "family", "$1", "__name__", "(.+)")'
NEW_BEGINNINGS = f"sum by (family) (changes({CREATED}[5m:1s])) > 0"
PERSISTED = re.compile(r"hosted_pipeline_.+_(?:total|bucket|count|sum)")
EVENTS_OF_A = ("hosted_pipeline_events_total", "a", "feldera", "prod")
ENDINGS = {signal.SIGTERM: 0, signal.SIGKILL: -signal.SIGKILL}


@pytest.mark.parametrize("ending", ENDINGS)
async def test_prometheus_sees_no_reset(
    prometheus: Prometheus, exporter: Exporter, world: World, ending: signal.Signals
) -> None:
    """However the exporter ends, its counters go on where they were, and with what happened while it was down."""
    a = named(world, "a")
    a.start()
    world.advance(20)
    await exporter.start()
    await prometheus.shows(EVENTS, {(): 0.0})
    known = len(a.history.events)
    first = eventful_life(world, a)
    counted = float(len(a.history.events) - known)
    await prometheus.shows(EVENTS, {(): counted})

    exporter.send(ending)
    assert ENDINGS[ending] == await exporter.ended()
    a.start()
    world.advance(20)
    second = eventful_life(world, a)
    await prometheus.shows("up", {(): 0.0})
    await exporter.start()

    counted = float(len(a.history.events) - known)
    await prometheus.shows(EVENTS, {(): counted})
    both = {entry: first[entry] + second[entry] for entry in first}
    # The start in between, from stopped to running.
    for entry in (("resources", "Provisioned"), ("resources", "Provisioning"), ("runtime", "Initializing")):
        both[entry] += 1
    both["runtime", "Running"] += 1
    assert both == await prometheus.values(TRANSITIONS, "facet", "status")
    await prometheus.shows(RESTARTS, {(): 1.0})
    assert {} == await prometheus.values(RESETS, "family")
    assert {} == await prometheus.values(NEW_BEGINNINGS, "family")


@pytest.mark.parametrize("ending", ENDINGS)
async def test_journal_alone(
    exporter: Exporter, world: World, simulator: SimulatorServer, ending: signal.Signals
) -> None:
    """With the source gone, a restarted exporter shows the same counters from its journal, and the source as down."""
    a = named(world, "a")
    await exporter.start()
    known = len(a.history.events)
    a.start()
    world.advance(20)
    eventful_life(world, a)
    await until_equal("events", len(a.history.events) - known, lambda: sample(exporter, EVENTS_OF_A))
    before = await counters(exporter)

    exporter.send(ending)
    assert ENDINGS[ending] == await exporter.ended()
    await simulator.stop()
    await exporter.start()

    assert before == await counters(exporter)
    assert 0 == await sample(exporter, ("hosted_pipeline_source_up", "feldera", "prod"))


async def samples(exporter: Exporter) -> dict[tuple[str, ...], float]:
    """Scrape the exporter: values by name and by the values of the labels, these in the order of the labels' names."""
    _, text = await exporter.metrics()
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


async def sample(exporter: Exporter, key: tuple[str, ...]) -> float | None:
    """Scrape one value; None where it is not there."""
    return (await samples(exporter)).get(key)


async def counters(exporter: Exporter) -> dict[tuple[str, ...], float]:
    """Scrape the counters that outlive a restart, without the times in a status, which move with each poll."""
    return {
        key: value
        for key, value in (await samples(exporter)).items()
        if PERSISTED.fullmatch(key[0]) and key[0] != "hosted_pipeline_status_seconds_total"
    }
