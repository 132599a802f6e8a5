"""The kinds of panels that the dashboards are made of, each as Grafana writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Steps = tuple[tuple[float | None, str], ...]
"""Colours from a value on; the first has none."""

GOOD: Final[Steps] = ((None, "green"),)
BAD_FROM_ONE: Final[Steps] = ((None, "green"), (1, "red"))
ODD_FROM_ONE: Final[Steps] = ((None, "green"), (1, "orange"))
PLAIN: Final[Steps] = ((None, "text"),)


class Query(NamedTuple):
    """What is asked for; `legend` names its series, in a table its column."""

    expr: str
    legend: str = ""


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel without its place."""

    body: Mapping[str, Any]
    width: int
    height: int


def row(title: str) -> Panel:
    """Return a heading."""
    return Panel({"type": "row", "title": title, "collapsed": False, "panels": []}, 24, 1)


def stat(
    title: str, expr: str, *, steps: Steps = PLAIN, unit: str = "short", width: int = 4, description: str = ""
) -> Panel:
    """Return one figure of now."""
    options = {
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "auto",
        "orientation": "auto",
        "textMode": "auto",
        "reduceOptions": _NEWEST,
    }
    defaults = {"custom": {}, "unit": unit, "thresholds": _thresholds(steps)}
    targets = _targets((Query(expr),), instant=True)
    return _panel("stat", title, description, defaults, options, targets, width=width, height=4)


def graph(
    title: str,
    *queries: Query,
    unit: str = "short",
    bars: bool = False,
    width: int = 12,
    limit: float | None = None,
    description: str = "",
) -> Panel:
    """Return curves over time; `bars` are stacked. From `limit` on the ground is red."""
    steps = GOOD if limit is None else ((None, "transparent"), (limit, "red"))
    custom: dict[str, Any] = dict(_BARS if bars else _CURVES)
    if limit is not None:
        custom["thresholdsStyle"] = {"mode": "area"}
    defaults = {
        "custom": custom,
        "unit": unit,
        "thresholds": _thresholds(steps),
        "color": {"mode": "palette-classic"},
        "min": 0,
    }
    legend = {"displayMode": "table", "placement": "right", "showLegend": True, "calcs": ["max", "lastNotNull"]}
    options = {"legend": legend, "tooltip": {"mode": "multi", "sort": "desc"}}
    return _panel("timeseries", title, description, defaults, options, _targets(queries), width=width, height=8)


def timeline(
    title: str, *queries: Query, values: Sequence[tuple[str, str]], width: int = 24, description: str = ""
) -> Panel:
    """Return bands over time; `values` are the texts and colours of 0, 1 and so on."""
    mappings = {str(n): {"text": text, "color": color, "index": n} for n, (text, color) in enumerate(values)}
    defaults = {
        "custom": {"fillOpacity": 80, "lineWidth": 0},
        "mappings": [{"type": "value", "options": mappings}],
        "thresholds": _thresholds(GOOD),
    }
    options = {
        "mergeValues": True,
        "showValue": "auto" if len(values) > 2 else "never",
        "alignValue": "left",
        "rowHeight": 0.8,
        "legend": {"showLegend": len(values) > 2, "displayMode": "list", "placement": "bottom"},
        "tooltip": {"mode": "single", "sort": "none"},
    }
    height = 9 if width == 24 else 8
    return _panel(
        "state-timeline", title, description, defaults, options, _targets(queries), width=width, height=height
    )


def gauges(title: str, query: Query, *, steps: Steps, width: int = 12, description: str = "") -> Panel:
    """Return shares of one, as bars."""
    defaults = {"custom": {}, "unit": "percentunit", "thresholds": _thresholds(steps), "min": 0, "max": 1}
    options = {
        "displayMode": "basic",
        "orientation": "horizontal",
        "showUnfilled": True,
        "reduceOptions": _NEWEST,
    }
    targets = _targets((query,), instant=True)
    return _panel("bargauge", title, description, defaults, options, targets, width=width, height=8)


def table(
    title: str,
    *queries: Query,
    columns: Sequence[str],
    looks: Mapping[str, Sequence[Mapping[str, Any]]] | None = None,
    width: int = 24,
    description: str = "",
) -> Panel:
    """Return a row for each pipeline or source. `columns` are labels, and legends of queries, in their order.

    The values of a query without a legend are not shown: only its labels are of interest.
    """
    letters = {query.legend: f"Value #{chr(ord('A') + n)}" for n, query in enumerate(queries) if query.legend}
    unnamed = [f"Value #{chr(ord('A') + n)}" for n, query in enumerate(queries) if not query.legend]
    hidden = ["Time", *(unnamed if len(queries) > 1 else ["Value"])]
    organize = {
        "excludeByName": dict.fromkeys(hidden, True),
        "indexByName": {letters.get(name, name): place for place, name in enumerate(columns)},
        "renameByName": {letter: legend for legend, letter in letters.items()},
    }
    defaults = {
        "custom": {"align": "auto", "cellOptions": {"type": "auto"}, "filterable": True},
        "thresholds": _thresholds(GOOD),
    }
    overrides = [
        {"matcher": {"id": "byName", "options": column}, "properties": list(properties)}
        for column, properties in (looks or {}).items()
    ]
    options = {"showHeader": True, "cellHeight": "sm", "footer": {"show": False}}
    targets = [{**target, "format": "table", "legendFormat": ""} for target in _targets(queries, instant=True)]
    panel = _panel("table", title, description, defaults, options, targets, width=width, height=9)
    transformations = [{"id": "merge", "options": {}}, {"id": "organize", "options": organize}]
    body = {**panel.body, "fieldConfig": {"defaults": defaults, "overrides": overrides}}
    return Panel({**body, "transformations": transformations}, width, 9)


def words(colors: Mapping[str, str]) -> list[dict[str, Any]]:
    """Return how a column of words looks: each in its colour."""
    options = {word: {"text": word, "color": color} for word, color in colors.items()}
    return [{"id": "mappings", "value": [{"type": "value", "options": options}]}, _COLORED]


def yes_or_no(no_color: str) -> list[dict[str, Any]]:
    """Return how a column of 0 and 1 looks."""
    options = {"0": {"text": "no", "color": no_color}, "1": {"text": "yes", "color": "green"}}
    return [{"id": "mappings", "value": [{"type": "value", "options": options}]}, _COLORED]


def figures(steps: Steps) -> list[dict[str, Any]]:
    """Return how a column of numbers looks: coloured from a value on."""
    return [{"id": "thresholds", "value": _thresholds(steps)}, _COLORED]


AGES: Final = ({"id": "unit", "value": "dateTimeFromNow"},)
"""How a column of times in milliseconds looks."""

_COLORED: Final = {"id": "custom.cellOptions", "value": {"type": "color-text"}}
_NEWEST: Final = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_CURVES: Final = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 10, "showPoints": "never", "spanNulls": False}
_BARS: Final = {
    "drawStyle": "bars",
    "lineWidth": 0,
    "fillOpacity": 80,
    "stacking": {"mode": "normal", "group": "A"},
}


def _thresholds(steps: Steps) -> dict[str, Any]:
    return {"mode": "absolute", "steps": [{"color": color, "value": value} for value, color in steps]}


def _targets(queries: Sequence[Query], *, instant: bool = False) -> list[dict[str, Any]]:
    return [
        {
            "refId": chr(ord("A") + number),
            "datasource": DATASOURCE,
            "editorMode": "code",
            "expr": query.expr,
            "legendFormat": query.legend,
            "range": not instant,
            "instant": instant,
        }
        for number, query in enumerate(queries)
    ]


def _panel(
    kind: str,
    title: str,
    description: str,
    defaults: Mapping[str, Any],
    options: Mapping[str, Any],
    targets: Sequence[Mapping[str, Any]],
    *,
    width: int,
    height: int,
) -> Panel:
    body = {
        "type": kind,
        "title": title,
        "description": description,
        "datasource": DATASOURCE,
        "fieldConfig": {"defaults": defaults, "overrides": []},
        "options": options,
        "targets": targets,
    }
    return Panel(body, width, height)
