"""The exporter's own metrics, by the official client library: few series, and the library has the process metrics."""

from __future__ import annotations

import platform
from typing import TYPE_CHECKING, Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)
from prometheus_client.openmetrics.exposition import generate_latest as generate_openmetrics

from exporter import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from prometheus_client import Metric

BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
OUTCOMES: Final = ("success", "error", "timeout", "refused")


class Telemetry:
    """The metrics `pipeline_exporter_*`, `process_*` and `python_*` of one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        build = self._gauge("build_info", "The exporter's version, always 1.", "version", "python")
        build.labels(__version__, platform.python_version()).set(1)
        self.reload_successful = self._gauge(
            "config_last_reload_successful", "Whether the newest attempt to load the configuration succeeded."
        )
        self.reload_timestamp = self._gauge(
            "config_last_reload_success_timestamp_seconds", "When a configuration was last loaded with success."
        )
        self._add_sources()
        self._add_delivery()

    def _add_sources(self) -> None:
        self.poll_duration = self._histogram(
            "poll_duration_seconds",
            "How long polls of a source took, from the list to the last history that was due.",
            "source",
        )
        self.polls = self._counter("polls", "Polls of a source, by how they ended.", "source", "outcome")
        self.polls_missed = self._counter("polls_missed", "Polls that were due and not made.", "source")
        self.api_requests = self._counter(
            "api_requests", "Requests to the vendor's API, by HTTP status, or timeout, connect, tls.", "source", "code"
        )
        self.api_budget_remaining = self._gauge(
            "api_budget_remaining", "Requests that the source could make at this moment.", "source"
        )
        self.log_streams = self._gauge(
            "log_streams", "Logs of a source that are read, and those that wait for a place.", "source", "state"
        )

    def _add_delivery(self) -> None:
        self.journal_bytes = self._gauge(
            "journal_bytes",
            "Log records and events that wait to be sent, in bytes before compression; reading pauses at the limit.",
        )
        self.journal_limit_bytes = self._gauge("journal_limit_bytes", "The configured limit of the records that wait.")
        self.journal_records = self._gauge("journal_records", "Log records and events that wait to be sent.")
        self.journal_oldest = self._gauge(
            "journal_oldest_timestamp_seconds", "When the oldest record that waits was read; 0 when none waits."
        )
        self.otlp_records = self._counter("otlp_records", "Log records and events, by what became of them.", "outcome")
        self.otlp_spans = self._counter("otlp_spans", "Spans of ended jobs, by what became of them.", "outcome")
        self.otlp_requests = self._counter(
            "otlp_requests",
            "Requests to the OTLP destination, by HTTP status, gRPC name, or timeout, connect, tls.",
            "code",
        )
        self.otlp_send_duration = self._histogram(
            "otlp_send_duration_seconds", "How long requests to the OTLP destination took."
        )
        self.log_latency = self._histogram(
            "log_latency_seconds", "Time from reading a record to its acceptance by the OTLP destination."
        )
        for outcome in ("sent", "rejected", "dead_lettered", "dropped"):
            self.otlp_records.labels(outcome)
        for outcome in ("sent", "rejected", "dropped"):
            self.otlp_spans.labels(outcome)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(f"pipeline_exporter_{name}", text, labels, registry=self.registry)

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(f"pipeline_exporter_{name}", text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, *labels: str) -> Histogram:
        return Histogram(f"pipeline_exporter_{name}", text, labels, buckets=BUCKETS, registry=self.registry)

    def add_source(self, source: str, budget_remaining: Callable[[], float]) -> None:
        """Show a source's series from the start: a counter that begins with its first increase hides that one."""
        for outcome in OUTCOMES:
            self.polls.labels(source, outcome)
        self.polls_missed.labels(source)
        self.poll_duration.labels(source)
        self.api_budget_remaining.labels(source).set_function(budget_remaining)

    def show_streams(self, source: str, *, opened: int, queued: int) -> None:
        """Show how many logs of a source are read, and how many wait for a place."""
        self.log_streams.labels(source, "open").set(opened)
        self.log_streams.labels(source, "queued").set(queued)

    def remove_source(self, source: str) -> None:
        """Take away the series of a source that is no longer configured."""
        for metric in (
            self.polls,
            self.polls_missed,
            self.poll_duration,
            self.api_requests,
            self.api_budget_remaining,
            self.log_streams,
        ):
            metric.remove_by_labels({"source": source})

    def records(self, outcome: str, count: int) -> None:
        """Count records that were `sent`, `rejected`, `dead_lettered` or `dropped`."""
        self.otlp_records.labels(outcome).inc(count)

    def spans(self, outcome: str, count: int) -> None:
        """Count spans that were `sent`, `rejected` or `dropped`."""
        self.otlp_spans.labels(outcome).inc(count)

    def request(self, code: str, seconds: float) -> None:
        """Count a request to the OTLP destination by the answer's code, and how long it took."""
        self.otlp_requests.labels(code).inc()
        self.otlp_send_duration.observe(seconds)

    def latency(self, seconds: float) -> None:
        """Count the time from reading to acceptance."""
        self.log_latency.observe(seconds)

    def expose(self, *, openmetrics: bool) -> bytes:
        """Return the metrics as text; OpenMetrics with its end mark."""
        return generate_openmetrics(self.registry) if openmetrics else generate_latest(_WithoutCreated(self.registry))  # type: ignore[no-untyped-call]  # it only collects


class _WithoutCreated:
    """A registry as the text format wants it: there the library would write each `_created` as a family of its own."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            metric.samples = [sample for sample in metric.samples if not sample.name.endswith("_created")]
            yield metric
