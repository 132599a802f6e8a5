"""Each alert says what it is about, leads to its runbook, is tried, and asks only for what the exporter gives."""

from __future__ import annotations

import re

import pytest

from tests.dashboards.documents import FOLDER, alert_rules, cases
from tests.dashboards.queries import known_series, metrics_of, problems_of

RULES = {rule["alert"]: rule for rule in alert_rules()}
RUNBOOK = (FOLDER / "README.md").read_text()
SECTIONS = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##|\Z)", RUNBOOK, re.MULTILINE | re.DOTALL))


def fired() -> dict[str, set[str]]:
    """Return the labels that each alert fires with in the cases, by its name."""
    labels: dict[str, set[str]] = {}
    for case in cases():
        for sample in case.get("exp_samples", ()):
            found = dict(re.findall(r'(\w+)="([^"]*)"', sample["labels"]))
            labels.setdefault(found["alertname"], set()).update(found)
    return labels


def test_names_are_unique() -> None:
    """No two alerts have one name."""
    assert len(RULES) == len(alert_rules())


@pytest.mark.parametrize("name", RULES)
def test_alert(name: str) -> None:
    """An alert waits a while, says how urgent it is and what it is about, and leads to its section of the runbook."""
    rule = RULES[name]
    assert re.fullmatch(r"[1-9]\d*m", rule["for"])
    assert {"severity"} == rule["labels"].keys()
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "description", "runbook_url"} == rule["annotations"].keys()
    assert f"dashboards/README.md#{name.lower()}" == rule["annotations"]["runbook_url"]


@pytest.mark.parametrize("name", RULES)
def test_expression(name: str) -> None:
    """An alert asks only for metrics, labels and values that there are."""
    assert [] == problems_of(RULES[name]["expr"])


@pytest.mark.parametrize("name", RULES)
def test_is_tried(name: str) -> None:
    """Each alert is made to fire by a case, and its text names only labels that it has then."""
    rule = RULES[name]
    text = rule["annotations"]["summary"] + rule["annotations"]["description"]
    named = set(re.findall(r"\$labels\.(\w+)", text)) - {"instance"}
    assert named <= fired()[name]


@pytest.mark.parametrize("name", RULES)
def test_runbook(name: str) -> None:
    """The section of an alert says what it means, where to look, and what to do."""
    assert ["Means", "Look", "Do"] == re.findall(r"^\*\*(\w+):\*\*", SECTIONS[name], re.MULTILINE)


def test_no_other_sections() -> None:
    """The runbook has no section of an alert that is gone, and its links lead somewhere."""
    assert RULES.keys() == SECTIONS.keys()
    assert set(re.findall(r"\]\(#(\w+)\)", RUNBOOK)) <= {name.lower() for name in RULES}


def test_queries_of_the_runbook() -> None:
    """What the runbook tells to ask for is there."""
    ours = [
        code.strip()
        for code in re.findall(r"`([^`\n]+)`", RUNBOOK)
        if re.search(r"\b(?:hosted_pipeline|pipeline_exporter)_[a-z_]+", code)
    ]
    assert ours
    assert {} == {code: found for code in ours if (found := problems_of(code))}


def test_metrics_that_matter_have_alerts() -> None:
    """What can only be bad is alerted on."""
    asked = {metric for rule in RULES.values() for metric in metrics_of(rule["expr"])}
    endings = ("_missed_total", "_lost_total", "_gaps_total", "_errors_total", "_up", "_healthy", "_successful")
    assert {name for name in known_series() if name.endswith(endings)} <= asked
