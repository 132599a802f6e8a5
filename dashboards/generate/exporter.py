"""The exporter itself: the logs that it reads, their delivery, its polls, and its process."""

from __future__ import annotations

from typing import Final

from dashboards.generate.document import Dashboard
from dashboards.generate.panels import AGES, BAD_FROM_ONE, ODD_FROM_ONE, Query, graph, row, stat, table, yes_or_no
from dashboards.generate.shared import Chosen, count_where, grown, log_panels, of_sources, quantiles, rate

_ALL: Final = Chosen()
_pipelines: Final = _ALL.pipelines

_OLDEST: Final = "time() - (pipeline_exporter_journal_oldest_timestamp_seconds > 0)"
_CONNECTED: Final = _pipelines("hosted_pipeline_log_stream_connected")
_GAPS: Final = _pipelines("hosted_pipeline_log_gaps_total")
_RECORDS: Final = "pipeline_exporter_otlp_records_total"
_SPANS: Final = "pipeline_exporter_otlp_spans_total"
_OURS: Final = "and on (job, instance) pipeline_exporter_build_info"


def _in_range(metric: str, outcome: str) -> str:
    return f'round(sum(increase({metric}{{outcome=~"{outcome}"}}[$__range])))'


_NOW: Final = (
    row("Now"),
    stat(
        "Oldest record that waits",
        f"max({_OLDEST}) or vector(0)",
        unit="s",
        steps=((None, "green"), (60, "orange"), (600, "red")),
        description="How far delivery is behind. Some seconds are normal.",
    ),
    stat("Records that wait", "sum(pipeline_exporter_journal_records)"),
    stat(
        "Dead letters",
        _in_range(_RECORDS, "dead_lettered"),
        steps=BAD_FROM_ONE,
        description="Records that the destination refused for good, in the time shown.",
    ),
    stat(
        "Rejected or dropped",
        _in_range(_RECORDS, "rejected|dropped"),
        steps=BAD_FROM_ONE,
        description="Records that are lost, in the time shown.",
    ),
    stat(
        "Log lines lost by vendors",
        f"round(sum({grown(_pipelines('hosted_pipeline_log_lines_lost_total'), '$__range')})) or vector(0)",
        steps=ODD_FROM_ONE,
        description="Dropped from the vendor's buffer before they could be read, in the time shown.",
    ),
    stat(
        "Configurations refused",
        count_where("pipeline_exporter_config_last_reload_successful == 0"),
        steps=BAD_FROM_ONE,
    ),
)

_READING: Final = (
    row("Logs read"),
    *log_panels(_ALL),
    graph(
        "Bytes read",
        Query(f"sum by (source) ({rate(_pipelines('hosted_pipeline_log_bytes_total'))})", "{{source}}"),
        unit="Bps",
    ),
    graph(
        "Pipelines with an open log stream",
        Query(f"sum by (source) ({_CONNECTED})", "{{source}}: open"),
        Query(f"count by (source) ({_CONNECTED} == 0)", "{{source}}: none"),
        description="An Actor without a running job has none.",
    ),
    graph(
        "Gaps",
        Query(f"sum by (source, reason) ({grown(_GAPS)})", "{{source}}: {{reason}}"),
        bars=True,
        description="`overflow`: the vendor's buffer dropped lines. `restart`: a new buffer. `window`: a tail moved too far.",
    ),
    graph(
        "Log lines lost",
        Query(
            f"sum by (source) ({grown(_pipelines('hosted_pipeline_log_lines_lost_total'))})",
            "{{source}}",
        ),
        bars=True,
        description="Where the vendor tells their number.",
    ),
    graph(
        "Streams that ended or could not be opened",
        Query(
            f"sum by (source, reason) ({rate(_pipelines('hosted_pipeline_log_reconnects_total'))}) > 0",
            "{{source}}: {{reason}}",
        ),
        unit="cps",
    ),
    graph(
        "Log streams",
        Query(f"sum by (source, state) ({of_sources('pipeline_exporter_log_streams')})", "{{source}}: {{state}}"),
    ),
    graph(
        "Secrets replaced",
        Query(
            f"sum by (source) ({grown(_pipelines('hosted_pipeline_log_redactions_total'))})",
            "{{source}}",
        ),
        bars=True,
        description="A pipeline that prints secrets should be told not to.",
    ),
    graph(
        "Longest silence of a connected log",
        Query(
            f"topk(10, time() - max by (source, pipeline) ({_pipelines('hosted_pipeline_log_last_line_timestamp_seconds')}))",
            "{{source}} / {{pipeline}}",
        ),
        unit="s",
        description="Quiet for hours is normal for a quiet pipeline.",
    ),
)

_DELIVERY: Final = (
    row("Delivery"),
    graph(
        "Journal",
        Query("pipeline_exporter_journal_bytes", "{{instance}}"),
        Query("pipeline_exporter_journal_limit_bytes", "{{instance}}: limit"),
        unit="bytes",
        description="What waits to be sent, before compression. At the limit reading pauses, or the oldest records go.",
    ),
    graph("Records that wait", Query("pipeline_exporter_journal_records", "{{instance}}")),
    graph(
        "Oldest record that waits",
        Query(_OLDEST, "{{instance}}"),
        unit="s",
        limit=600,
        description="No curve: none waits.",
    ),
    graph(
        "Requests by answer",
        Query(f"sum by (instance, code) ({rate('pipeline_exporter_otlp_requests_total')})", "{{code}}"),
        unit="reqps",
        description="Logs and traces: HTTP status, gRPC name, or timeout, connect, tls.",
    ),
    graph(
        "Records by outcome",
        Query(f"sum by (outcome) ({rate(_RECORDS)})", "{{outcome}}"),
        unit="cps",
        description="All but `sent` should be zero.",
    ),
    graph("Spans by outcome", Query(f"sum by (outcome) ({rate(_SPANS)})", "{{outcome}}"), unit="cps"),
    graph(
        "From reading to acceptance",
        *quantiles("pipeline_exporter_log_latency_seconds_bucket", "", ""),
        unit="s",
        description="Half, and 99 of 100, of the records were quicker. Above 10 s is not told apart.",
    ),
    graph(
        "How long requests take",
        *quantiles("pipeline_exporter_otlp_send_duration_seconds_bucket", "", ""),
        unit="s",
    ),
)

_POLLING: Final = (
    row("Polling"),
    graph(
        "Polls by outcome",
        Query(
            f"sum by (source, outcome) ({rate(of_sources('pipeline_exporter_polls_total'))}) > 0",
            "{{source}}: {{outcome}}",
        ),
        unit="cps",
    ),
    graph(
        "Polls missed",
        Query(f"sum by (source) ({grown(of_sources('pipeline_exporter_polls_missed_total'))})", "{{source}}"),
        bars=True,
        description="Due and not made: the last one had not ended, or the vendor asked for quiet.",
    ),
    graph(
        "Duration of a poll",
        *quantiles(of_sources("pipeline_exporter_poll_duration_seconds_bucket"), "source", "{{source}}"),
        unit="s",
    ),
    graph(
        "Request budget left",
        Query(of_sources("pipeline_exporter_api_budget_remaining"), "{{source}}"),
        description="A source that stays at zero polls less often, and reads logs later, than it was told to.",
    ),
    graph(
        "Requests to the vendors by answer",
        Query(
            f"sum by (source, code) ({rate(of_sources('pipeline_exporter_api_requests_total'))})",
            "{{source}}: {{code}}",
        ),
        unit="reqps",
    ),
    graph(
        "Since the last good list",
        Query(
            f"time() - {_ALL.sources('hosted_pipeline_source_last_success_timestamp_seconds')}",
            "{{source}}",
        ),
        unit="s",
        limit=300,
    ),
)

_PROCESS: Final = (
    row("The process"),
    table(
        "Exporters",
        Query("max by (instance, version, python) (pipeline_exporter_build_info)"),
        Query("max by (instance) (pipeline_exporter_config_last_reload_successful)", "configuration good"),
        Query(
            "1000 * max by (instance) (pipeline_exporter_config_last_reload_success_timestamp_seconds)",
            "configuration loaded",
        ),
        Query(f"1000 * max by (instance) (process_start_time_seconds {_OURS})", "started"),
        columns=("instance", "version", "python", "configuration good", "configuration loaded", "started"),
        looks={"configuration good": yes_or_no("red"), "configuration loaded": AGES, "started": AGES},
    ),
    graph(
        "Memory",
        Query(f"process_resident_memory_bytes {_OURS}", "{{instance}}"),
        unit="bytes",
        width=8,
    ),
    graph(
        "Processor",
        Query(f"rate(process_cpu_seconds_total[$__rate_interval]) {_OURS}", "{{instance}}"),
        unit="percentunit",
        width=8,
        description="1 is one core.",
    ),
    graph(
        "File descriptors",
        Query(f"process_open_fds {_OURS}", "{{instance}}: open"),
        Query(f"process_max_fds {_OURS}", "{{instance}}: most"),
        width=8,
    ),
)

DASHBOARD: Final = Dashboard(
    "exporter",
    "Pipeline exporter: logs, delivery, polls",
    "What pipeline-exporter reads, sends and asks for, from its own metrics.",
    (*_NOW, *_READING, *_DELIVERY, *_POLLING, *_PROCESS),
)
