"""The files of dashboards/, read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).parents[2]
FOLDER = REPOSITORY / "dashboards"
ALERTS = FOLDER / "alerts.yaml"
CASES = REPOSITORY / "tests/integration/alerts"
NAMES = ("apify", "exporter", "feldera", "goldrush", "overview")


def dashboard(name: str) -> dict[str, Any]:
    """Read a dashboard."""
    document: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text())
    return document


def panel_queries(name: str) -> Iterator[tuple[str, str]]:
    """Give every query of a dashboard's panels with its legend."""
    for panel in dashboard(name)["panels"]:
        for target in panel.get("targets", ()):
            yield target["expr"], target["legendFormat"]


def alert_rules() -> list[dict[str, Any]]:
    """Read the alert rules."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def cases() -> Iterator[dict[str, Any]]:
    """Give the questions that `promtool test rules` asks, each with the samples that it expects."""
    for file in sorted(CASES.glob("*.yaml")):
        for test in yaml.safe_load(file.read_text())["tests"]:
            yield from test["promql_expr_test"]
