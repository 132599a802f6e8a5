"""prometheus-client with the same series, in a process of its own: what an exporter of the usual make would cost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    disable_created_metrics,
    enable_created_metrics,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter.status.families import PIPELINE_FAMILIES, PIPELINE_LABELS, SOURCE_FAMILIES, SOURCE_LABELS
from exporter.status.tracker import START_BUCKETS
from tests.bench.child import Cost, Stopwatch

if TYPE_CHECKING:
    from multiprocessing.connection import Connection
    from pathlib import Path

    from exporter.status.families import Family

_SAMPLE = re.compile(r"(\w+)\{(.*)\} (\S+)\n")
_VALUE = re.compile(r'"([^"]*)"')


class Rendered(NamedTuple):
    """One `generate_latest`."""

    cost: Cost
    samples: int


def main(connection: Connection, text: Path) -> None:
    """Take over the samples of an exposition. Questions: `render`, as OpenMetrics or not."""
    registry = registry_of(text)
    while (question := connection.recv()) is not None:
        _, openmetrics = question
        connection.send(_render(registry, openmetrics=openmetrics))


def samples_in(body: bytes) -> int:
    """Count the samples of what is observed; those of the exporter itself are not."""
    return body.count(b"\nhosted_pipeline_")


def registry_of(text: Path) -> CollectorRegistry:
    """Make real metrics with a child for each series of an exposition in the text format."""
    registry = CollectorRegistry()
    metrics = {_first_sample(family): _metric(family, registry) for family in (*SOURCE_FAMILIES, *PIPELINE_FAMILIES)}
    with text.open(encoding="utf-8") as lines:
        for line in lines:
            sample = _SAMPLE.fullmatch(line)
            metric = metrics.get(sample[1]) if sample else None
            if sample is None or metric is None:
                continue
            child = metric.labels(*_VALUE.findall(sample[2]))
            if isinstance(child, Gauge):
                child.set(float(sample[3]))
            elif isinstance(child, Counter):
                child.inc(float(sample[3]))
    return registry


def _first_sample(family: Family) -> str:
    """Return the name of the one sample that each of the family's children has."""
    return family.sample_name + ("_count" if family.kind == "histogram" else "")


def _metric(family: Family, registry: CollectorRegistry) -> Gauge | Counter | Histogram:
    labels = (*(SOURCE_LABELS if family.scope == "source" else PIPELINE_LABELS), *family.labels)
    match family.kind:
        case "gauge":
            return Gauge(family.name, family.help, labels, registry=registry)
        case "counter":
            return Counter(family.name, family.help, labels, registry=registry)
        case "histogram":
            return Histogram(family.name, family.help, labels, registry=registry, buckets=START_BUCKETS)


def _render(registry: CollectorRegistry, *, openmetrics: bool) -> Rendered:
    # As we do: `_created` in OpenMetrics only. In the text format the library would write it as further families.
    if openmetrics:
        enable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
    else:
        disable_created_metrics()  # type: ignore[no-untyped-call]  # untyped there
    watch = Stopwatch()
    body = generate_openmetrics(registry) if openmetrics else generate_latest(registry)  # type: ignore[no-untyped-call]  # untyped there
    cost = watch.cost()
    return Rendered(cost, samples_in(body))
