"""A dashboard as Grafana reads it: the panels in their places, the variables, and what all dashboards share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from dashboards.generate.panels import DATASOURCE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dashboards.generate.panels import Panel

COLUMNS: Final = 24
SCHEMA_VERSION: Final = 41
"""That of Grafana 12; newer ones read it, too."""


@dataclass(frozen=True, slots=True)
class Dashboard:
    """One dashboard. `provider`: of this vendor only; None is all."""

    name: str
    title: str
    description: str
    panels: Sequence[Panel]
    provider: str | None = None

    def document(self) -> dict[str, Any]:
        """Return what Grafana imports."""
        return {
            "uid": f"pipeline-exporter-{self.name}",
            "title": self.title,
            "description": self.description,
            "tags": ["pipeline-exporter"],
            "schemaVersion": SCHEMA_VERSION,
            "version": 1,
            "editable": True,
            "graphTooltip": 1,
            "timezone": "browser",
            "refresh": "30s",
            "time": {"from": "now-6h", "to": "now"},
            "timepicker": {},
            "fiscalYearStartMonth": 0,
            "weekStart": "",
            "links": [_LINKS],
            "annotations": {"list": [_ANNOTATIONS]},
            "templating": {"list": _variables(self.provider)},
            "panels": list(_placed(self.panels)),
        }


_LINKS: Final = {
    "type": "dashboards",
    "title": "pipeline-exporter",
    "tags": ["pipeline-exporter"],
    "asDropdown": False,
    "includeVars": False,
    "keepTime": True,
    "targetBlank": False,
    "icon": "external link",
    "tooltip": "",
    "url": "",
}

_ANNOTATIONS: Final = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def _placed(panels: Iterable[Panel]) -> Iterable[dict[str, Any]]:
    """Give panels their ids and places: from left to right, a new line where one does not fit."""
    x = y = height = 0
    for number, panel in enumerate(panels, 1):
        if x + panel.width > COLUMNS:
            x, y, height = 0, y + height, 0
        place = {"x": x, "y": y, "w": panel.width, "h": panel.height}
        yield {"id": number, "gridPos": place, **panel.body}
        x, height = x + panel.width, max(height, panel.height)


def _variables(provider: str | None) -> list[dict[str, Any]]:
    of_vendor = f'provider="{provider}"' if provider else ""
    of_sources = ", ".join(filter(None, (of_vendor, 'source=~"$source"')))
    return [
        {
            "name": "datasource",
            "label": "Data source",
            "type": "datasource",
            "query": "prometheus",
            "current": {},
            "hide": 0,
            "includeAll": False,
            "multi": False,
            "options": [],
            "refresh": 1,
            "regex": "",
        },
        _variable("source", f"hosted_pipeline_source_up{{{of_vendor}}}"),
        _variable("pipeline", f"hosted_pipeline_up{{{of_sources}}}"),
    ]


def _variable(label: str, series: str) -> dict[str, Any]:
    """Return a variable that offers the values of a label."""
    query = f"label_values({series.removesuffix('{}')}, {label})"
    return {
        "name": label,
        "label": label.capitalize(),
        "type": "query",
        "datasource": DATASOURCE,
        "query": {"query": query, "refId": label, "qryType": 1},
        "definition": query,
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
        "current": {"text": "All", "value": "$__all"},
        "hide": 0,
        "options": [],
        "regex": "",
    }
