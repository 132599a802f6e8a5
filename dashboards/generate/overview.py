"""All vendors at a glance: what is wrong now, where to look on, and what happened."""

from __future__ import annotations

from typing import Final

from dashboards.generate.document import Dashboard
from dashboards.generate.panels import (
    AGES,
    BAD_FROM_ONE,
    ODD_FROM_ONE,
    Query,
    figures,
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
    of_sources,
    rate,
)

_ALL: Final = Chosen()
_pipelines, _sources = _ALL.pipelines, _ALL.sources

_UP: Final = _pipelines("hosted_pipeline_up")
_STATE: Final = "hosted_pipeline_state"
_IN_DESIRED: Final = _pipelines("hosted_pipeline_in_desired_state")
_BAD_STATES: Final = _pipelines(_STATE, state="failed|degraded|unknown")
_SOURCE_UP: Final = _sources("hosted_pipeline_source_up")


def _in_state(state: str) -> str:
    return f"sum({_pipelines(_STATE, state=state)}) or vector(0)"


_NOW: Final = (
    row("Now"),
    stat("Pipelines", count_where(_UP), description="Pipelines of all vendors; of Apify, Actors."),
    stat("Running", _in_state("running")),
    stat(
        "Failed",
        _in_state("failed"),
        steps=BAD_FROM_ONE,
        description="An Actor is in the state of its newest run: the next one that succeeds ends it.",
    ),
    stat("Degraded", _in_state("degraded"), steps=ODD_FROM_ONE, description="It runs, but not as a whole."),
    stat("Not as desired", count_where(f"{_IN_DESIRED} == 0"), steps=ODD_FROM_ONE),
    stat(
        "Sources down",
        count_where(f"{_SOURCE_UP} == 0"),
        steps=BAD_FROM_ONE,
        description="What is shown of their pipelines is the last that was known.",
    ),
    table(
        "What is wrong now",
        Query(f"max by (provider, source, pipeline, state) ({_BAD_STATES} == 1)"),
        Query(f"max by (provider, source, pipeline, error_code) ({_pipelines('hosted_pipeline_error_info')})"),
        Query(f"max by (provider, source, pipeline) ({_IN_DESIRED} == 0)", "as desired"),
        Query(f"max by (provider, source, pipeline) ({_UP} == 0)", "could be read"),
        columns=("provider", "source", "pipeline", "state", "error_code", "as desired", "could be read"),
        looks={"state": words(STATES), "as desired": yes_or_no("orange"), "could be read": yes_or_no("red")},
        description="Empty when all is well. Error codes are the vendor's; their messages are in its console and in the logs.",
    ),
)

_SINCE: Final = (
    row("How it came to that"),
    graph("Pipelines by state", Query(f"sum by (state) ({_pipelines(_STATE)}) > 0", "{{state}}")),
    graph(
        "Standing errors by code",
        Query(
            f"count by (provider, error_code) ({_pipelines('hosted_pipeline_error_info')})",
            "{{provider}}: {{error_code}}",
        ),
    ),
    graph(
        "Entries into a status",
        Query(
            f"sum by (provider, facet, status) ({grown(_pipelines('hosted_pipeline_status_transitions_total'))}) > 0",
            "{{provider}} {{facet}}: {{status}}",
        ),
        bars=True,
        description="Feldera: counted from its own history, also those between two polls. GoldRush and Apify: as polled.",
    ),
    graph(
        "Pipelines that change most often",
        Query(
            f"topk(10, sum by (source, pipeline) ({grown(_pipelines('hosted_pipeline_status_transitions_total'), '1h')}) > 0)",
            "{{source}} / {{pipeline}}",
        ),
        description="Entries into any status in the hour before.",
    ),
    *log_panels(_ALL),
)

_VENDORS: Final = (
    row("Sources"),
    table(
        "Sources",
        Query(f"max by (provider, source) ({_SOURCE_UP})", "up"),
        Query(f"count by (provider, source) ({_UP})", "pipelines"),
        Query(
            f"1000 * max by (provider, source) ({_sources('hosted_pipeline_source_last_success_timestamp_seconds')})",
            "last success",
        ),
        Query(f"sum by (source) ({grown(of_sources('pipeline_exporter_polls_missed_total'), '1h')})", "missed in 1 h"),
        columns=("provider", "source", "up", "pipelines", "last success", "missed in 1 h"),
        looks={
            "up": yes_or_no("red"),
            "last success": AGES,
            "missed in 1 h": [*figures(ODD_FROM_ONE), {"id": "decimals", "value": 0}],
        },
        width=12,
        description="A poll is missed when it was due and not made.",
    ),
    timeline(
        "Sources and their parts",
        Query(_SOURCE_UP, "{{source}}: list"),
        Query(_sources("hosted_pipeline_source_component_healthy"), "{{source}}: {{component}}"),
        values=BAD_OR_GOOD,
        width=12,
        description="Parts are the vendor's own account of itself: Feldera has one.",
    ),
    graph(
        "Requests to the vendors by answer",
        Query(
            f"sum by (source, code) ({rate(of_sources('pipeline_exporter_api_requests_total'))})",
            "{{source}}: {{code}}",
        ),
        unit="reqps",
        description="401 and 403: the key. 429: too many requests. timeout, connect, tls: the way there. 5xx: the service.",
    ),
    graph(
        "Polls by outcome",
        Query(
            f"sum by (source, outcome) ({rate(of_sources('pipeline_exporter_polls_total'))}) > 0",
            "{{source}}: {{outcome}}",
        ),
        unit="cps",
    ),
)

DASHBOARD: Final = Dashboard(
    "overview",
    "Hosted pipelines: overview",
    "What the pipelines of all vendors are doing, from the metrics of pipeline-exporter.",
    (*_NOW, *_SINCE, *_VENDORS),
)
