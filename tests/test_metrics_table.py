"""The documented tables and the code show the same metrics."""

from __future__ import annotations

import re
from pathlib import Path

from exporter.status import families
from exporter.telemetry import Telemetry

DOCUMENT = Path(__file__).parent.parent / "docs" / "metrics.md"
ROW = re.compile(r"\| `(?P<name>[a-z_]+)` \| (?P<kind>gauge|counter|histogram) \|(?P<labels>[^|]*)\|(?P<rest>.*)")


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    """Return the documented metrics: type and labels by name."""
    rows = (ROW.match(line) for line in DOCUMENT.read_text().splitlines())
    return {row["name"]: (row["kind"], tuple(re.findall(r"`(\w+)`", row["labels"]))) for row in rows if row}


def test_observed_metrics_are_documented() -> None:
    """Each family of sources and pipelines stands in the tables with its type and labels, and no other does."""
    coded = {
        one.sample_name: (one.kind, one.labels) for one in (*families.SOURCE_FAMILIES, *families.PIPELINE_FAMILIES)
    }
    assert coded == {name: row for name, row in documented().items() if name.startswith("hosted_")}


def test_kept_families_are_marked() -> None:
    """The tables mark the families that outlive a restart."""
    rows = (ROW.match(line) for line in DOCUMENT.read_text().splitlines())
    kept = {row["name"] for row in rows if row and row["rest"].startswith(" yes |")}
    assert {one.sample_name for one in families.PIPELINE_FAMILIES if one.scope == "kept"} == kept


def test_own_metrics_are_documented() -> None:
    """Each of the exporter's own metrics stands in the tables with its type, and no other does."""
    coded = {
        metric.name + ("_total" if metric.type == "counter" else ""): metric.type
        for metric in Telemetry().registry.collect()
        if metric.name.startswith("pipeline_exporter_")
    }
    assert coded == {name: kind for name, (kind, _) in documented().items() if name.startswith("pipeline_exporter_")}


def test_labels_of_own_metrics_are_documented() -> None:
    """The labels of the exporter's own metrics are those of the tables."""
    telemetry = Telemetry()
    telemetry.add_source("prod", lambda: 1.0)
    telemetry.api_requests.labels("prod", "200")
    coded = {
        sample.name: set(sample.labels) - {"le"}
        for metric in telemetry.registry.collect()
        for sample in metric.samples
        if sample.name.startswith("pipeline_exporter_")
    }
    shown = {
        name: set(labels) for name, (kind, labels) in documented().items() if kind != "histogram" and name in coded
    }
    assert {name: labels for name, labels in coded.items() if name in shown} == shown
