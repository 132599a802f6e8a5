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
    "hosted_pipeline_log_stream_connected", "gauge", "log", "Whether the pipeline's log stream is open."
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

SOURCE_FAMILIES: Final = (SOURCE_UP, SOURCE_LAST_SUCCESS, SOURCE_COMPONENT)
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
    LAST_EVENT,
    TRANSITIONS,
    SECONDS,
    STARTS,
    EVENTS,
    MISSED,
    LOG_LINES,
    LOG_BYTES,
    LOG_CONNECTED,
    LOG_RECONNECTS,
    LOG_LOST,
    LOG_GAPS,
    LOG_REDACTIONS,
    LOG_LAST_LINE,
)
