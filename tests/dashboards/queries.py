"""What a query asks for, and what there is to be asked for: metrics, their labels, and the values that are known."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING

from exporter.logs.stats import GAP_REASONS, RECONNECT_REASONS, SEVERITIES
from exporter.providers.apify._words import VOCABULARY as APIFY
from exporter.providers.feldera import VOCABULARY as FELDERA
from exporter.providers.goldrush import VOCABULARY as GOLDRUSH
from exporter.status import families
from exporter.status.job_counts import RESULTS
from exporter.status.model import STATES
from exporter.telemetry import OUTCOMES, Telemetry

if TYPE_CHECKING:
    from collections.abc import Iterator

TARGET_LABELS = {"job", "instance"}
"""Prometheus gives these to every series."""

WORDS = frozenset(
    (
        "and",
        "or",
        "on",
        "unless",
        "by",
        "without",
        "bool",
        "group_left",
        "absent",
        "avg",
        "changes",
        "count",
        "deriv",
        "increase",
        "histogram_quantile",
        "last_over_time",
        "max",
        "max_over_time",
        "min_over_time",
        "predict_linear",
        "rate",
        "round",
        "sort_desc",
        "sum",
        "time",
        "topk",
        "vector",
    )
)
"""What stands in the queries beside metrics."""

_TEXT = re.compile(r'"[^"]*"')
_SELECTOR = re.compile(r"\b([a-z_]+)\{([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(=~|!~|!=|=)\s*"([^"]*)"')
_GROUPING = re.compile(r"\b(?:by|on|without|ignoring|group_left)\s*\(([^)]*)\)")
_RANGE = re.compile(r"\[[^\]]*\]")
_NAME = re.compile(r"\b[a-z_][a-z0-9_]*\b")
_VARIABLE = re.compile(r"\$\w+")


@functools.cache
def known_series() -> dict[str, set[str]]:
    """Return the labels of all series that a scrape of the exporter gives, by the name of the metric."""
    known: dict[str, set[str]] = {"up": set()}
    for family in (*families.SOURCE_FAMILIES, *families.PIPELINE_FAMILIES):
        common = families.SOURCE_LABELS if family.scope == "source" else families.PIPELINE_LABELS
        _add(known, family.sample_name, family.kind, {*common, *family.labels})
    registry = Telemetry().registry
    for metric in registry.collect():
        name = metric.name + ("_total" if metric.type == "counter" else "")
        if metric.name.startswith("pipeline_exporter_"):
            labels = registry._names_to_collectors[name]._labelnames  # type: ignore[attr-defined]  # of its metrics
            _add(known, name, metric.type, set(labels))
        elif metric.name.startswith("process_"):
            _add(known, name, metric.type, set())
    return known


def _add(known: dict[str, set[str]], name: str, kind: str, labels: set[str]) -> None:
    if kind == "histogram":
        known[f"{name}_bucket"] = labels | {"le"}
        known[f"{name}_count"] = known[f"{name}_sum"] = labels
    else:
        known[name] = labels


def metrics_of(query: str) -> set[str]:
    """Return the names that a query asks for: every word in it that is none of the language."""
    rest = _SELECTOR.sub(r"\1", _TEXT.sub('""', _MATCHER.sub("", query)))
    rest = _VARIABLE.sub("", _RANGE.sub("", _GROUPING.sub("", rest)))
    return set(_NAME.findall(rest)) - WORDS


def matchers_of(query: str) -> Iterator[tuple[str, str, set[str]]]:
    """Give each label that a query matches, with its metric and the values: several where they are told apart by `|`."""
    for metric, inside in _SELECTOR.findall(query):
        for label, operator, value in _MATCHER.findall(inside):
            yield metric, label, set(value.split("|")) if "~" in operator else {value}


def grouping_of(query: str) -> set[str]:
    """Return the labels that a query groups or joins by."""
    return {label.strip() for inside in _GROUPING.findall(query) for label in inside.split(",") if label.strip()}


def values_of(metric: str, label: str) -> set[str] | None:
    """Return the values that a label may have, None where anything is possible."""
    if metric == "pipeline_exporter_log_streams" and label == "state":
        return {"open", "queued"}
    if label == "outcome":
        return set(OUTCOMES) if "polls" in metric else {"sent", "rejected", "dead_lettered", "dropped"}
    vendors = (FELDERA, GOLDRUSH, APIFY)
    words = {word for vendor in vendors for facet in vendor.facets.values() for word in facet}
    return {
        "provider": {"feldera", "goldrush", "apify"},
        "state": set(STATES),
        "facet": {facet for vendor in vendors for facet in vendor.facets},
        "status": words | {word for vendor in vendors for kind in vendor.jobs.values() for word in kind},
        "kind": set(APIFY.jobs),
        "result": set(RESULTS),
        "severity": set(SEVERITIES),
        "reason": {*RECONNECT_REASONS, *GAP_REASONS},
        "component": {"api", "compiler", "runner"},
    }.get(label)


def problems_of(query: str) -> list[str]:
    """Return what a query asks for and nothing gives."""
    known = known_series()
    metrics = metrics_of(query)
    problems = [f"no metric {metric}" for metric in sorted(metrics - known.keys())]
    for metric, label, values in matchers_of(query):
        if label not in known.get(metric, set()) | TARGET_LABELS:
            problems.append(f"{metric} has no label {label}")
        possible = values_of(metric, label)
        if possible is not None and not values <= possible | {f"${label}", "NAME"}:
            problems.append(f"{label} of {metric} is never {values - possible}")
    given = {label for metric in metrics for label in known.get(metric, set())} | TARGET_LABELS
    return problems + [f"no label {label} to group by" for label in sorted(grouping_of(query) - given)]
