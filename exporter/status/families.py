"""Every metric of what is observed: one table that the exposition writes from and the documentation is held against."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["gauge", "counter", "histogram"]
Scope = Literal["source", "now", "kept", "log"]


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A metric family, itself the key of its lines. `scope`: of a source; of a pipeline: true now, kept for ever, of its log."""

    name: str
    """Without the suffix that its type gives to samples."""
    kind: Kind
    scope: Scope
    help: str
    labels: tuple[str, ...] = ()
    """Beyond provider, source and pipeline (of a source: beyond provider and source)."""

    def header(self, *, openmetrics: bool) -> bytes:
        """Return the HELP and TYPE lines; in OpenMetrics a counter's family has no suffix."""
        name = self.name if openmetrics else self.sample_name
        return f"# HELP {name} {self.help}\n# TYPE {name} {self.kind}\n".encode()

    @property
    def sample_name(self) -> str:
        """The name of its samples; of a histogram the part that they share."""
        return self.name + "_total" if self.kind == "counter" else self.name


PIPELINE_LABELS: Final = ("provider", "source", "pipeline")
SOURCE_LABELS: Final = ("provider", "source")

SOURCE_UP: Final = Family(
    "hosted_pipeline_source_up",
    "gauge",
    "source",
    "Polled: whether the newest look at the source's list of pipelines succeeded.",
)
SOURCE_LAST_SUCCESS: Final = Family(
    "hosted_pipeline_source_last_success_timestamp_seconds",
    "gauge",
    "source",
    "When the source's list of pipelines was last read with success.",
)
SOURCE_COMPONENT: Final = Family(
    "hosted_pipeline_source_component_healthy",
    "gauge",
    "source",
    "Polled: whether a part of the vendor's service is healthy, by the vendor's own account; 0 when that account is stale.",
    ("component",),
)
ACCOUNT_USAGE: Final = Family(
    "hosted_pipeline_account_usage",
    "gauge",
    "source",
    "Polled: what the account uses, in the unit that the resource names (usd, gbytes, compute units; else a number).",
    ("resource",),
)
ACCOUNT_LIMIT: Final = Family(
    "hosted_pipeline_account_limit",
    "gauge",
    "source",
    "Polled: what the account may use, in the unit that the resource names (usd, gbytes, compute units; else a number).",
    ("resource",),
)

INFO: Final = Family(
    "hosted_pipeline_info", "gauge", "now", "Polled: the pipeline's id and version.", ("pipeline_id", "version")
)
UP: Final = Family("hosted_pipeline_up", "gauge", "kept", "Polled: whether the newest poll of the pipeline succeeded.")
STATE: Final = Family(
    "hosted_pipeline_state",
    "gauge",
    "now",
    "Polled: 1 for the state that the pipeline is in, in one vocabulary for all vendors.",
    ("state",),
)
STATUS: Final = Family(
    "hosted_pipeline_status",
    "gauge",
    "now",
    "Polled: 1 for the status that a facet of the pipeline has, in the vendor's words.",
    ("facet", "status"),
)
DESIRED: Final = Family(
    "hosted_pipeline_desired_status",
    "gauge",
    "now",
    "Polled: 1 for the status that the user asked for, in the vendor's words.",
    ("facet", "status"),
)
IN_DESIRED: Final = Family(
    "hosted_pipeline_in_desired_state",
    "gauge",
    "now",
    "Polled: whether resources and runtime are what the user asked for.",
)
ERROR: Final = Family("hosted_pipeline_error", "gauge", "now", "Polled: whether an error stands.")
ERROR_INFO: Final = Family(
    "hosted_pipeline_error_info", "gauge", "now", "Polled: the code of the standing error.", ("error_code",)
)
SINCE: Final = Family(
    "hosted_pipeline_status_since_timestamp_seconds",
    "gauge",
    "now",
    "Polled: when the current status of a facet began, by the vendor's clock.",
    ("facet",),
)
CONNECTOR_ERRORS: Final = Family(
    "hosted_pipeline_connector_errors",
    "gauge",
    "now",
    "Polled: errors of the pipeline's connectors, where the vendor tells their number.",
)
REPLICAS: Final = Family("hosted_pipeline_replicas", "gauge", "now", "Polled: replicas that the vendor wants to run.")
REPLICAS_READY: Final = Family("hosted_pipeline_replicas_ready", "gauge", "now", "Polled: replicas that are ready.")
PENDING_RECORDS: Final = Family(
    "hosted_pipeline_pending_records", "gauge", "now", "Polled: records that wait to be processed."
)
PROCESSING_DELAY: Final = Family(
    "hosted_pipeline_processing_delay_seconds", "gauge", "now", "Polled: how far processing is behind."
)
RECORDS_PER_SECOND: Final = Family(
    "hosted_pipeline_records_per_second", "gauge", "now", "Polled: records processed a second, as the vendor says."
)
LAST_BLOCK_HEIGHT: Final = Family(
    "hosted_pipeline_last_block_height", "gauge", "now", "Polled: the newest block that was processed."
)
LAST_OFFSET: Final = Family(
    "hosted_pipeline_last_offset", "gauge", "now", "Polled: the newest offset that was processed."
)
DESTINATION_HEALTHY: Final = Family(
    "hosted_pipeline_destination_healthy",
    "gauge",
    "now",
    "Polled: whether the vendor's newest probe reached the pipeline's destination.",
)
RUNS_ACTIVE: Final = Family(
    "hosted_pipeline_runs_active",
    "gauge",
    "now",
    "Polled: jobs that have not ended, by the vendor's word.",
    ("kind", "status"),
)
RECORDS: Final = Family(
    "hosted_pipeline_records",
    "counter",
    "kept",
    "Polled: records that the pipeline has consumed; goes on when the vendor's count starts anew.",
)
NORMALIZATION_ERRORS: Final = Family(
    "hosted_pipeline_normalization_errors",
    "counter",
    "kept",
    "Polled: records that could not be normalized; goes on when the vendor's count starts anew.",
)
RUNS: Final = Family(
    "hosted_pipeline_runs",
    "counter",
    "kept",
    "Jobs that ended since counting started, each end counted once.",
    ("kind", "result"),
)
RUN_DURATION: Final = Family(
    "hosted_pipeline_run_duration_seconds",
    "histogram",
    "kept",
    "How long jobs took that ended since counting started.",
    ("kind", "result"),
)
COMPUTE_UNITS: Final = Family(
    "hosted_pipeline_compute_units",
    "counter",
    "kept",
    "Compute units of jobs that ended since counting started, added once the vendor has settled them.",
    ("kind",),
)
COST_USD: Final = Family(
    "hosted_pipeline_cost_usd",
    "counter",
    "kept",
    "Cost in USD of jobs that ended since counting started, added once the vendor has settled it.",
    ("kind",),
)
TRANSITIONS: Final = Family(
    "hosted_pipeline_status_transitions",
    "counter",
    "kept",
    "Entries into a status since counting started, each one that the vendor recorded counted once.",
    ("facet", "status"),
)
SECONDS: Final = Family(
    "hosted_pipeline_status_seconds",
    "counter",
    "kept",
    "Time spent in a status since counting started, up to the source's last successful poll.",
    ("facet", "status"),
)
STARTS: Final = Family(
    "hosted_pipeline_start_duration_seconds", "histogram", "kept", "How long starts took, from asked-to-run to running."
)
LAST_EVENT: Final = Family(
    "hosted_pipeline_last_event_timestamp_seconds",
    "gauge",
    "kept",
    "When the newest event that was read was recorded, by the vendor's clock.",
)
EVENTS: Final = Family(
    "hosted_pipeline_events", "counter", "kept", "Events that the vendor recorded since counting started."
)
MISSED: Final = Family(
    "hosted_pipeline_events_missed",
    "counter",
    "kept",
    "Gaps in the vendor's history, each of one or more events that were dropped before they could be read.",
)

LOG_LINES: Final = Family(
    "hosted_pipeline_log_lines", "counter", "log", "Log lines read, after what had been read before.", ("severity",)
)
LOG_BYTES: Final = Family("hosted_pipeline_log_bytes", "counter", "log", "Bytes of these lines.")
LOG_CONNECTED: Final = Family(
    "hosted_pipeline_log_stream_connected", "gauge", "log", "Whether a log stream of the pipeline is open."
)
LOG_RECONNECTS: Final = Family(
    "hosted_pipeline_log_reconnects", "counter", "log", "Log streams that ended or could not be opened.", ("reason",)
)
LOG_LOST: Final = Family(
    "hosted_pipeline_log_lines_lost",
    "counter",
    "log",
    "Lines that the vendor's buffer dropped before they could be read, where their number is known.",
)
LOG_GAPS: Final = Family(
    "hosted_pipeline_log_gaps",
    "counter",
    "log",
    "Gaps in the log: places where lines are or may be missing.",
    ("reason",),
)
LOG_REDACTIONS: Final = Family("hosted_pipeline_log_redactions", "counter", "log", "Secrets replaced in log lines.")
LOG_LAST_LINE: Final = Family(
    "hosted_pipeline_log_last_line_timestamp_seconds", "gauge", "log", "When a log line was last read."
)

SOURCE_FAMILIES: Final = (SOURCE_UP, SOURCE_LAST_SUCCESS, SOURCE_COMPONENT, ACCOUNT_USAGE, ACCOUNT_LIMIT)
PIPELINE_FAMILIES: Final = (
    INFO,
    UP,
    STATE,
    STATUS,
    DESIRED,
    IN_DESIRED,
    ERROR,
    ERROR_INFO,
    SINCE,
    CONNECTOR_ERRORS,
    REPLICAS,
    REPLICAS_READY,
    PENDING_RECORDS,
    PROCESSING_DELAY,
    RECORDS_PER_SECOND,
    LAST_BLOCK_HEIGHT,
    LAST_OFFSET,
    DESTINATION_HEALTHY,
    RUNS_ACTIVE,
    LAST_EVENT,
    TRANSITIONS,
    SECONDS,
    STARTS,
    EVENTS,
    MISSED,
    RECORDS,
    NORMALIZATION_ERRORS,
    RUNS,
    RUN_DURATION,
    COMPUTE_UNITS,
    COST_USD,
    LOG_LINES,
    LOG_BYTES,
    LOG_CONNECTED,
    LOG_RECONNECTS,
    LOG_LOST,
    LOG_GAPS,
    LOG_REDACTIONS,
    LOG_LAST_LINE,
)

_PREFIX = "hosted_pipeline_"

GAUGES: Final = {
    one.name.removeprefix(_PREFIX): one
    for one in (
        CONNECTOR_ERRORS,
        REPLICAS,
        REPLICAS_READY,
        PENDING_RECORDS,
        PROCESSING_DELAY,
        RECORDS_PER_SECOND,
        LAST_BLOCK_HEIGHT,
        LAST_OFFSET,
        DESTINATION_HEALTHY,
    )
}
"""The gauges that a provider may give of a pipeline, by the names that it uses."""

COUNTERS: Final = {one.name.removeprefix(_PREFIX): one for one in (RECORDS, NORMALIZATION_ERRORS)}
"""The counts that a provider may give of a pipeline, by the names that it uses."""
