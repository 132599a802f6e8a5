"""The dashboard and the alerts: they load, they fire when they should, and they use only documented metrics."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from tests.integration.programs import output_of
from tests.integration.stories import of_every_kind
from tests.integration.waiting import until_equal

if TYPE_CHECKING:
    from collections.abc import Iterator

    from exporter.simulator.world import World
    from tests.integration.exporter import Exporter
    from tests.integration.prometheus import Prometheus
    from tests.integration.servers import Servers

pytestmark = pytest.mark.integration

REPOSITORY = Path(__file__).parents[2]
DASHBOARD = REPOSITORY / "dashboards/feldera.json"
ALERTS = REPOSITORY / "dashboards/alerts.yaml"
METRIC = re.compile(r"\b(?:hosted_pipeline|pipeline_exporter)_[a-z0-9_]+\b")
OF_A_HISTOGRAM = re.compile(r"_(?:bucket|count|sum)$")


def dashboard() -> dict[str, Any]:
    """Read the dashboard."""
    document: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return document


def panel_queries() -> Iterator[str]:
    """Give every query of the dashboard's panels, with Grafana's variables as Grafana would fill them in."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            query: str = target["expr"]
            for variable, value in {
                "$source": ".*",
                "$pipeline": ".*",
                "$__rate_interval": "1m",
                "$__range_s": "3600",
                "$__range": "1h",
            }.items():
                query = query.replace(variable, value)
            yield query


def alert_rules() -> list[dict[str, Any]]:
    """Read the alert rules."""
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


async def test_rules_load(servers: Servers) -> None:
    """Prometheus accepts the alert rules as they are."""
    status, written = await output_of(str(servers.promtool), "check", "rules", "--lint-fatal", str(ALERTS))
    assert (0, True) == (status, "SUCCESS" in written), written


async def test_rules_fire(servers: Servers, tmp_path: Path) -> None:
    """Each alert fires on what it is for, with its text, and leaves a healthy source alone."""
    shutil.copy(ALERTS, tmp_path)
    cases = shutil.copy(Path(__file__).with_name("alerts_test.yaml"), tmp_path)
    status, written = await output_of(str(servers.promtool), "test", "rules", str(cases))
    assert (0, True) == (status, "SUCCESS" in written), written


def test_every_alert_is_tried() -> None:
    """Every alert is made to fire by a case, and has its line in the runbook."""
    names = {rule["alert"] for rule in alert_rules()}
    cases = yaml.safe_load(Path(__file__).with_name("alerts_test.yaml").read_text())["tests"]
    fired = {try_["alertname"] for case in cases for try_ in case["alert_rule_test"] if try_.get("exp_alerts")}
    runbook = (REPOSITORY / "dashboards/README.md").read_text()
    assert names == fired
    assert names == set(re.findall(r"^\| `(\w+)` \|", runbook, re.MULTILINE))


async def test_dashboard_shows_data(prometheus: Prometheus, exporter: Exporter, world: World) -> None:
    """Every query of the dashboard gives something where there is something to see, in both versions of Prometheus."""
    queries = list(panel_queries())
    assert queries
    assert not [query for query in queries if "$" in query]
    await exporter.start()
    await prometheus.shows("count(hosted_pipeline_up)", {(): 3})
    of_every_kind(world)

    async def without_data() -> list[str]:
        return [query for query in queries if not (await prometheus.api("query", query=query))["result"]]

    await until_equal("queries without data", [], without_data)


def test_dashboard_panels() -> None:
    """Panels have ids of their own, lie inside the grid and do not cover each other."""
    panels = dashboard()["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(panels) == len({panel["id"] for panel in panels})
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


def test_only_documented_metrics() -> None:
    """Every metric that the dashboard or an alert uses stands in the table of metrics."""
    documented = set(METRIC.findall((REPOSITORY / "docs/metrics.md").read_text()))
    used = {name for rule in alert_rules() for name in METRIC.findall(rule["expr"])}
    used |= set(METRIC.findall(DASHBOARD.read_text()))
    assert used
    assert not {name for name in used if OF_A_HISTOGRAM.sub("", name) not in documented}
