"""The dashboards are what Grafana imports, and ask only for what the exporter gives."""

from __future__ import annotations

import re

import pytest

from dashboards.generate import DASHBOARDS, text_of
from tests.dashboards.documents import FOLDER, NAMES, dashboard, panel_queries
from tests.dashboards.queries import grouping_of, metrics_of, problems_of

KINDS = {"row", "stat", "timeseries", "state-timeline", "bargauge", "table"}


def test_files_are_generated() -> None:
    """The files are what the generator writes, and there is no other."""
    assert {one.name: text_of(one) for one in DASHBOARDS} == {
        file.stem: file.read_text() for file in FOLDER.glob("*.json")
    }


def test_all_are_tried() -> None:
    """The tests know all dashboards, and no two have one identity."""
    assert sorted(NAMES) == sorted(one.name for one in DASHBOARDS)
    assert len(NAMES) == len({dashboard(name)["uid"] for name in NAMES})


@pytest.mark.parametrize("name", NAMES)
def test_variables(name: str) -> None:
    """Data source, sources and pipelines are chosen at the top, and every panel asks the chosen data source."""
    document = dashboard(name)
    assert ["datasource", "source", "pipeline"] == [one["name"] for one in document["templating"]["list"]]
    chosen = {"type": "prometheus", "uid": "${datasource}"}
    asked = [
        one["datasource"]
        for panel in document["panels"]
        if panel["type"] != "row"
        for one in (panel, *panel["targets"])
    ]
    assert [chosen] * len(asked) == asked


@pytest.mark.parametrize("name", NAMES)
def test_panels(name: str) -> None:
    """Panels have ids of their own, lie inside the grid and do not cover each other; queries are told apart."""
    panels = dashboard(name)["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(panels) == len({panel["id"] for panel in panels})
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24
    assert {panel["type"] for panel in panels} <= KINDS
    for panel in panels:
        references = [target["refId"] for target in panel.get("targets", ())]
        assert len(references) == len(set(references)), panel["title"]


@pytest.mark.parametrize("name", NAMES)
def test_queries(name: str) -> None:
    """Every query asks only for metrics, labels and values that there are."""
    assert {} == {query: found for query, _ in panel_queries(name) if (found := problems_of(query))}


@pytest.mark.parametrize("name", NAMES)
def test_variable_queries(name: str) -> None:
    """The values that can be chosen are those of labels that there are."""
    definitions = [one["definition"] for one in dashboard(name)["templating"]["list"] if one["type"] == "query"]
    inside = [re.fullmatch(r"label_values\((.+), (\w+)\)", definition) for definition in definitions]
    assert [[], []] == [problems_of(f"sum by ({one[2]}) ({one[1]})") for one in inside if one]


@pytest.mark.parametrize("name", NAMES)
def test_legends(name: str) -> None:
    """A legend names only labels that its query leaves."""
    for query, legend in panel_queries(name):
        outer = grouping_of(query)
        named = set(re.findall(r"\{\{(\w+)\}\}", legend))
        assert not outer or named <= outer | {"instance"}, query


@pytest.mark.parametrize(
    ("query", "problems"),
    [
        ('sum by (state) (hosted_pipeline_state{source=~"$source", state="failed"})', []),
        ("hosted_pipeline_stat", ["no metric hosted_pipeline_stat"]),
        ('hosted_pipeline_up{state="failed"}', ["hosted_pipeline_up has no label state"]),
        ('hosted_pipeline_state{state=~"failed|bad"}', ["state of hosted_pipeline_state is never {'bad'}"]),
        ("sum by (code) (rate(hosted_pipeline_events_total[5m]))", ["no label code to group by"]),
        ("increase(pipeline_exporter_journal_bytes_total[1h])", ["no metric pipeline_exporter_journal_bytes_total"]),
        ("guess(hosted_pipeline_up)", ["no metric guess"]),
    ],
)
def test_problems_are_found(query: str, problems: list[str]) -> None:
    """What a query asks for and nothing gives is found."""
    assert problems == problems_of(query)


def test_every_metric_is_shown() -> None:
    """Every metric of what is observed, of logs and of delivery is on some dashboard; the rest is for tables of one's own."""
    shown = {metric for name in NAMES for query, _ in panel_queries(name) for metric in metrics_of(query)}
    documented = re.findall(r"^\| `(\w+)` \| (\w+) ", (FOLDER.parent / "docs/metrics.md").read_text(), re.MULTILINE)
    expected = {f"{name}_bucket" if kind == "histogram" else name for name, kind in documented}
    assert {"hosted_pipeline_info", "hosted_pipeline_desired_status"} == expected - shown
