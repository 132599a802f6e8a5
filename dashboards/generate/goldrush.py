"""GoldRush: phases and replicas, how far processing is behind, what is left out, and the destinations."""

from __future__ import annotations

from typing import Final

from dashboards.generate.document import Dashboard
from dashboards.generate.panels import (
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
    rate,
    state_timeline,
)

_GOLDRUSH: Final = Chosen("goldrush")
_pipelines: Final = _GOLDRUSH.pipelines

_STATE: Final = "hosted_pipeline_state"
_DELAY: Final = _pipelines("hosted_pipeline_processing_delay_seconds")
_PENDING: Final = _pipelines("hosted_pipeline_pending_records")
_PER_SECOND: Final = _pipelines("hosted_pipeline_records_per_second")
_WANTED: Final = _pipelines("hosted_pipeline_replicas")
_READY: Final = _pipelines("hosted_pipeline_replicas_ready")
_HEALTHY: Final = _pipelines("hosted_pipeline_destination_healthy")
_RECORDS: Final = _pipelines("hosted_pipeline_records_total")
_SKIPPED: Final = _pipelines("hosted_pipeline_normalization_errors_total")
_NAMES: Final = "{{source}} / {{pipeline}}"

_NOW: Final = (
    row("Now"),
    stat("Pipelines", count_where(_pipelines("hosted_pipeline_up"))),
    stat(
        "Running, all replicas ready",
        f"sum({_pipelines(_STATE, state='running')}) or vector(0)",
    ),
    stat("Failed", f"sum({_pipelines(_STATE, state='failed')}) or vector(0)", steps=BAD_FROM_ONE),
    stat(
        "Replicas missing",
        f"sum({_pipelines(_STATE, state='degraded')}) or vector(0)",
        steps=ODD_FROM_ONE,
        description="Pipelines that run with fewer replicas than they want.",
    ),
    stat("Destinations unhealthy", count_where(f"{_HEALTHY} == 0"), steps=BAD_FROM_ONE),
    stat(
        "Longest delay",
        f"max({_DELAY}) or vector(0)",
        steps=((None, "green"), (300, "orange")),
        unit="s",
    ),
    state_timeline(_GOLDRUSH),
    table(
        "Pipelines",
        Query(f"max by (source, pipeline, state) ({_pipelines(_STATE)} == 1)"),
        Query(f"max by (source, pipeline) ({_pipelines('hosted_pipeline_in_desired_state')})", "as desired"),
        Query(f"max by (source, pipeline) ({_WANTED})", "replicas"),
        Query(f"max by (source, pipeline) ({_READY})", "ready"),
        Query(f"max by (source, pipeline) ({_DELAY})", "delay"),
        Query(f"max by (source, pipeline) ({_PENDING})", "pending"),
        Query(f"max by (source, pipeline) ({_PER_SECOND})", "records/s"),
        Query(f"max by (source, pipeline) ({_HEALTHY})", "destination healthy"),
        columns=(
            "source",
            "pipeline",
            "state",
            "as desired",
            "replicas",
            "ready",
            "delay",
            "pending",
            "records/s",
            "destination healthy",
        ),
        looks={
            "state": words(STATES),
            "as desired": yes_or_no("orange"),
            "delay": [{"id": "unit", "value": "s"}, *figures(((None, "green"), (300, "orange")))],
            "destination healthy": yes_or_no("red"),
        },
    ),
)

_PHASES: Final = (
    row("Phases, replicas and destinations"),
    graph(
        "Entries into a phase",
        Query(
            f"sum by (status) ({grown(_pipelines('hosted_pipeline_status_transitions_total', facet='phase'))}) > 0",
            "{{status}}",
        ),
        bars=True,
        description="As polled: GoldRush keeps no history.",
    ),
    graph(
        "Replicas",
        Query(f"sum by (source) ({_WANTED})", "{{source}}: wanted"),
        Query(f"sum by (source) ({_READY})", "{{source}}: ready"),
    ),
    timeline(
        "Destinations",
        Query(_HEALTHY, _NAMES),
        values=BAD_OR_GOOD,
        description="The vendor's newest probe of each. Pipelines without a worker may have none.",
    ),
)

_PROCESSING: Final = (
    row("Processing"),
    graph(
        "Delay",
        Query(_DELAY, _NAMES),
        unit="s",
        limit=300,
        description="An alert fires above 5 minutes, unless it falls: one that falls is catching up.",
    ),
    graph("Records that wait", Query(_PENDING, _NAMES)),
    graph("Records a second, as the vendor says", Query(_PER_SECOND, _NAMES), unit="cps"),
    graph(
        "Records a second, as counted",
        Query(f"sum by (source, pipeline) ({rate(_RECORDS)})", _NAMES),
        unit="cps",
        description="Goes on over restarts of the worker.",
    ),
    graph(
        "Records that could not be normalized",
        Query(f"sum by (source, pipeline) ({grown(_SKIPPED)})", _NAMES),
        bars=True,
        description="They are left out; a warning in the log says which.",
    ),
    graph(
        "Share that could not be normalized",
        Query(
            f"sum by (source, pipeline) ({grown(_SKIPPED, '15m')})"
            f" / (sum by (source, pipeline) ({grown(_RECORDS, '15m')}) > 0)",
            _NAMES,
        ),
        unit="percentunit",
        limit=0.01,
        description="Of the records of the 15 minutes before. An alert fires above 1 %.",
    ),
    graph(
        "Blocks a minute",
        Query(f"60 * deriv({_pipelines('hosted_pipeline_last_block_height')}[5m])", _NAMES),
        description="How fast the newest block that was processed moves on.",
    ),
    graph(
        "Offsets a second",
        Query(f"deriv({_pipelines('hosted_pipeline_last_offset')}[5m])", _NAMES),
    ),
)

_LOGS: Final = (
    row("Logs"),
    *log_panels(_GOLDRUSH),
    graph(
        "Looks at logs that failed",
        Query(
            f"sum by (source, reason) ({grown(_pipelines('hosted_pipeline_log_reconnects_total'))})",
            "{{source}}: {{reason}}",
        ),
        bars=True,
        description="`not_found`: a pod that has no log yet, or was replaced. Its position is kept.",
    ),
    graph(
        "Gaps",
        Query(
            f"sum by (source, pipeline) ({grown(_pipelines('hosted_pipeline_log_gaps_total', reason='window'))})",
            _NAMES,
        ),
        bars=True,
        description="The tail moved on too far between two looks: a larger `budget` allows more of them.",
    ),
)

DASHBOARD: Final = Dashboard(
    "goldrush",
    "GoldRush pipelines",
    "What GoldRush pipelines are doing, from the metrics of pipeline-exporter.",
    (*_NOW, *_PHASES, *_PROCESSING, *_LOGS),
    "goldrush",
)
