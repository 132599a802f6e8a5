"""Apify: runs and builds by how they end, what they cost, and what is left of the account."""

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
    words,
)
from dashboards.generate.shared import Chosen, count_where, grown, log_panels, of_sources, quantiles

_APIFY: Final = Chosen("apify")
_pipelines, _sources = _APIFY.pipelines, _APIFY.sources

_RUNS: Final = "hosted_pipeline_runs_total"
_ACTIVE: Final = "hosted_pipeline_runs_active"
_UNITS: Final = "hosted_pipeline_compute_units_total"
_COST: Final = _pipelines("hosted_pipeline_cost_usd_total")
_BAD_ENDS: Final = _pipelines(_RUNS, kind="run", result="failure|timeout")
_USAGE: Final = _sources("hosted_pipeline_account_usage")
_LIMIT: Final = _sources("hosted_pipeline_account_limit")
_SINCE: Final = _pipelines("hosted_pipeline_status_since_timestamp_seconds", facet="run")

_COLORS: Final = {
    "READY": "yellow",
    "RUNNING": "green",
    "SUCCEEDED": "dark-green",
    "FAILED": "red",
    "TIMING-OUT": "light-orange",
    "TIMED-OUT": "orange",
    "ABORTING": "light-purple",
    "ABORTED": "purple",
}

_NOW: Final = (
    row("Now"),
    stat("Actors", count_where(_pipelines("hosted_pipeline_up"))),
    stat("Runs that have not ended", f"sum({_pipelines(_ACTIVE, kind='run')}) or vector(0)"),
    stat(
        "Newest job failed",
        count_where(f"{_pipelines('hosted_pipeline_error')} == 1"),
        steps=BAD_FROM_ONE,
        description="Actors whose newest run, or build where there is no run, is FAILED or TIMED-OUT.",
    ),
    stat(
        "Failed and timed out",
        f"round(sum({grown(_BAD_ENDS, '$__range')})) or vector(0)",
        steps=ODD_FROM_ONE,
        description="Runs, in the time shown.",
    ),
    stat(
        "Cost",
        f"sum({grown(_COST, '$__range')}) or vector(0)",
        unit="currencyUSD",
        description="Of the jobs that ended in the time shown; added once the vendor has settled it.",
    ),
    stat(
        "Logs that wait for a place",
        f"sum({of_sources('pipeline_exporter_log_streams', state='queued')}) or vector(0)",
        steps=ODD_FROM_ONE,
        description="Of jobs beyond `logs.max_streams`.",
    ),
    table(
        "Actors",
        Query(f"max by (source, pipeline, status) ({_pipelines('hosted_pipeline_status', facet='run')} == 1)"),
        Query(f"1000 * max by (source, pipeline) ({_SINCE})", "since"),
        Query(f"sum by (source, pipeline) ({_pipelines(_ACTIVE, kind='run')})", "runs active"),
        Query(f"round(sum by (source, pipeline) ({grown(_BAD_ENDS, '$__range')}))", "failed or timed out"),
        Query(f"sum by (source, pipeline) ({grown(_COST, '$__range')})", "cost"),
        columns=("source", "pipeline", "status", "since", "runs active", "failed or timed out", "cost"),
        looks={
            "status": words(_COLORS),
            "since": AGES,
            "failed or timed out": figures(ODD_FROM_ONE),
            "cost": [{"id": "unit", "value": "currencyUSD"}],
        },
        description="The newest run of each, and what happened in the time shown.",
    ),
)

_JOBS: Final = (
    row("Runs and builds"),
    graph(
        "Ends by result",
        Query(f"sum by (kind, result) ({grown(_pipelines(_RUNS))}) > 0", "{{kind}}: {{result}}"),
        bars=True,
        description="Each end counts once; a resurrected run that ends again counts again.",
    ),
    graph(
        "Active by status",
        Query(f"sum by (kind, status) ({_pipelines(_ACTIVE)}) > 0", "{{kind}}: {{status}}"),
        description="READY for long: the account's memory or number of jobs is used up.",
    ),
    graph(
        "Share of runs that failed or timed out",
        Query(
            f"sum by (source, pipeline) ({grown(_BAD_ENDS, '1h')})"
            f" / (sum by (source, pipeline) ({grown(_pipelines(_RUNS, kind='run'), '1h')}) > 0)",
            "{{source}} / {{pipeline}}",
        ),
        unit="percentunit",
        limit=0.5,
        description="Of those that ended in the hour before. An alert fires above a half, from three failures on.",
    ),
    graph(
        "Failed and timed out, the ten worst Actors",
        Query(
            f"topk(10, sum by (source, pipeline, result) ({grown(_BAD_ENDS, '1h')}) > 0)",
            "{{source}} / {{pipeline}}: {{result}}",
        ),
        description="Runs in the hour before.",
    ),
    graph(
        "How long runs and builds take",
        *quantiles(_pipelines("hosted_pipeline_run_duration_seconds_bucket"), "kind", "{{kind}}", "1h", top=0.95),
        unit="s",
        description="Of those that ended in the hour before, however they did.",
    ),
    graph(
        "Newest builds by status",
        Query(f"sum by (status) ({_pipelines('hosted_pipeline_status', facet='build')}) > 0", "{{status}}"),
    ),
)

_MONEY: Final = (
    row("What it costs, and what is left"),
    graph(
        "Cost, the ten dearest Actors",
        Query(f"topk(10, sum by (source, pipeline) ({grown(_COST, '1h')}) > 0)", "{{source}} / {{pipeline}}"),
        unit="currencyUSD",
        description="In the hour before.",
    ),
    graph(
        "Compute units by kind",
        Query(f"sum by (source, kind) ({grown(_pipelines(_UNITS), '1h')})", "{{source}}: {{kind}}"),
        description="In the hour before.",
    ),
    gauges(
        "Account: part of the limit that is used",
        Query(
            f"sort_desc(max by (source, resource) ({_USAGE}) / (max by (source, resource) ({_LIMIT}) > 0))",
            "{{source}}: {{resource}}",
        ),
        steps=((None, "green"), (0.9, "orange"), (1, "red")),
        description="At the limit of monthly_usage_usd Apify starts nothing more; of memory and jobs, new runs wait.",
    ),
    table(
        "Account: usage and limits",
        Query(f"max by (source, resource) ({_USAGE})", "used"),
        Query(f"max by (source, resource) ({_LIMIT})", "limit"),
        columns=("source", "resource", "used", "limit"),
        width=12,
        description="A resource whose name has no unit at its end is a number.",
    ),
)

_LOGS: Final = (
    row("Logs"),
    *log_panels(_APIFY),
    graph(
        "Log streams",
        Query(
            f"sum by (source, state) ({of_sources('pipeline_exporter_log_streams')})"
            f" and on (source) {_sources('hosted_pipeline_source_up')}",
            "{{source}}: {{state}}",
        ),
        description="`queued`: logs of jobs that wait for a place, running and newest jobs first.",
    ),
    graph(
        "Gaps in logs and streams that ended",
        Query(f"sum by (source, reason) ({grown(_pipelines('hosted_pipeline_log_gaps_total'))})", "gap: {{reason}}"),
        Query(
            f"sum by (source, reason) ({grown(_pipelines('hosted_pipeline_log_reconnects_total'))}) > 0",
            "ended: {{reason}}",
        ),
        description="`end`: mostly of a job that has not logged yet, which has an empty stream.",
    ),
)

DASHBOARD: Final = Dashboard(
    "apify",
    "Apify Actors",
    "Runs, builds, cost and limits of Apify, from the metrics of pipeline-exporter.",
    (*_NOW, *_JOBS, *_MONEY, *_LOGS),
    "apify",
)
