"""Feldera: states, what its recorded history says, starts, connectors, and its own parts."""

from __future__ import annotations

from typing import Final

from dashboards.generate.document import Dashboard
from dashboards.generate.panels import (
    AGES,
    BAD_FROM_ONE,
    ODD_FROM_ONE,
    Query,
    figures,
    gauges,
    graph,
    row,
    stat,
    table,
    timeline,
    words,
    yes_or_no,
)
from dashboards.generate.shared import (
    BAD_OR_GOOD,
    STATES,
    Chosen,
    count_where,
    grown,
    log_panels,
    quantiles,
    rate,
    state_timeline,
)

_FELDERA: Final = Chosen("feldera")
_pipelines, _sources = _FELDERA.pipelines, _FELDERA.sources

_STATE: Final = "hosted_pipeline_state"
_TRANSITIONS: Final = "hosted_pipeline_status_transitions_total"
_SINCE: Final = _pipelines("hosted_pipeline_status_since_timestamp_seconds", facet="resources")
_SECONDS: Final = _pipelines("hosted_pipeline_status_seconds_total", facet="runtime", status="Running")
_CONNECTOR_ERRORS: Final = _pipelines("hosted_pipeline_connector_errors")
_IN_DESIRED: Final = _pipelines("hosted_pipeline_in_desired_state")
_HEALTHY: Final = _sources("hosted_pipeline_source_component_healthy")
_SOURCE_UP: Final = _sources("hosted_pipeline_source_up")


def _in_state(state: str) -> str:
    return f"sum({_pipelines(_STATE, state=state)}) or vector(0)"


_NOW: Final = (
    row("Now"),
    stat("Pipelines", count_where(_pipelines("hosted_pipeline_up"))),
    stat("Running", _in_state("running")),
    stat(
        "Failed",
        _in_state("failed"),
        steps=BAD_FROM_ONE,
        description="Stopped with a deployment error, or wanted but with a program error.",
    ),
    stat("Not as desired", count_where(f"{_IN_DESIRED} == 0"), steps=ODD_FROM_ONE),
    stat("Sources down", count_where(f"{_SOURCE_UP} == 0"), steps=BAD_FROM_ONE),
    stat(
        "Unhealthy components",
        count_where(f"{_HEALTHY} == 0"),
        steps=BAD_FROM_ONE,
        description="Parts of Feldera itself that report to be unhealthy, or whose report is old.",
    ),
    state_timeline(_FELDERA),
    table(
        "Pipelines",
        Query(f"max by (source, pipeline, state) ({_pipelines(_STATE)} == 1)"),
        Query(f"max by (source, pipeline) ({_IN_DESIRED})", "as desired"),
        Query(f"max by (source, pipeline, error_code) ({_pipelines('hosted_pipeline_error_info')})"),
        Query(f"1000 * max by (source, pipeline) ({_SINCE})", "resources since"),
        Query(
            f"1000 * max by (source, pipeline) ({_pipelines('hosted_pipeline_last_event_timestamp_seconds')})",
            "last event",
        ),
        Query(f"max by (source, pipeline) ({_CONNECTOR_ERRORS})", "connector errors"),
        columns=(
            "source",
            "pipeline",
            "state",
            "as desired",
            "error_code",
            "resources since",
            "last event",
            "connector errors",
        ),
        looks={
            "state": words(STATES),
            "as desired": yes_or_no("orange"),
            "resources since": AGES,
            "last event": AGES,
            "connector errors": figures(BAD_FROM_ONE),
        },
    ),
)

_HISTORY: Final = (
    row("What happened"),
    graph(
        "Entries into a runtime status",
        Query(f"sum by (status) ({grown(_pipelines(_TRANSITIONS, facet='runtime'))}) > 0", "{{status}}"),
        bars=True,
        description="Counted from the vendor's own history: also those between two polls.",
    ),
    graph(
        "Entries into a resources or program status",
        Query(
            f"sum by (facet, status) ({grown(_pipelines(_TRANSITIONS, facet='resources|program'))}) > 0",
            "{{facet}}: {{status}}",
        ),
        bars=True,
    ),
    graph(
        "From asked-to-run to running",
        *quantiles(_pipelines("hosted_pipeline_start_duration_seconds_bucket"), "", "", "1h", top=0.9),
        unit="s",
        description="Half, and nine of ten, of the starts of the hour before were quicker.",
    ),
    gauges(
        "Time running, as a share of the time shown",
        Query(
            f"sort_desc(sum by (source, pipeline) ({grown(_SECONDS, '$__range')}) / $__range_s)",
            "{{source}} / {{pipeline}}",
        ),
        steps=((None, "red"), (0.95, "orange"), (0.99, "green")),
    ),
    graph(
        "Events and gaps in the history",
        Query(f"sum by (source) ({rate(_pipelines('hosted_pipeline_events_total'))})", "{{source}}: events"),
        Query(f"sum by (source) ({rate(_pipelines('hosted_pipeline_events_missed_total'))})", "{{source}}: gaps"),
        unit="cps",
        description="A gap is history that Feldera dropped before it could be read.",
    ),
    graph("Connector errors", Query(f"{_CONNECTOR_ERRORS} > 0", "{{source}} / {{pipeline}}")),
    *log_panels(_FELDERA),
    row("Feldera itself"),
    timeline(
        "Sources and components",
        Query(_SOURCE_UP, "{{source}}: list"),
        Query(_HEALTHY, "{{source}}: {{component}}"),
        values=BAD_OR_GOOD,
    ),
)

DASHBOARD: Final = Dashboard(
    "feldera",
    "Feldera pipelines",
    "What Feldera pipelines are doing, from the metrics of pipeline-exporter.",
    (*_NOW, *_HISTORY),
    "feldera",
)
