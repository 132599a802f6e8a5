"""A service in memory, and the data that it shows."""

from __future__ import annotations

import gzip
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from exporter.web import (
    ComponentOverview,
    ConfigOverview,
    JournalOverview,
    Overview,
    PipelineOverview,
    ReloadError,
    SourceOverview,
    TransitionOverview,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

NOW = 1_760_000_000.0
CONFIG = ConfigOverview(last_reload_ok=True, last_reload_seconds=NOW - 7200)
JOURNAL = JournalOverview(path="/var/lib/pipeline-exporter/journal.db", size_bytes=3_400_000)


def pipeline(name: str, state: str = "running", source: str = "prod", **values: object) -> PipelineOverview:
    """Make a pipeline that wants to run."""
    fields: dict[str, object] = {
        "statuses": {"resources": "Provisioned", "runtime": "Running", "program": "Success", "storage": "InUse"},
        "desired": {"resources": "Provisioned", "runtime": "Running"},
        "since_seconds": NOW - 3700,
        "events_total": 12,
        "last_event_seconds": NOW - 65,
        "lines_per_second": 1234.5,
    }
    return PipelineOverview(source=source, name=name, state=state, **(fields | values))  # type: ignore[arg-type]


def sources() -> list[SourceOverview]:
    """Give one source that is up, one that is down and one that is new."""
    return [
        SourceOverview(
            name="prod",
            provider="feldera",
            url="https://feldera.example",
            up=True,
            server_version="0.337.0",
            last_success_seconds=NOW - 4,
            last_poll_duration_seconds=0.0421,
            next_poll_seconds=NOW + 11,
            budget_remaining=9.6,
            lines_per_second=0.04,
            components=[
                ComponentOverview("api-server", healthy=True),
                ComponentOverview("compiler-server", healthy=False, message="no compiler has answered since 09:12"),
            ],
            states={"failed": 1, "starting": 1, "running": 3, "stopped": 2},
        ),
        SourceOverview(
            name="staging",
            provider="feldera",
            url="http://10.0.0.7:8080",
            up=False,
            last_success_seconds=NOW - 400,
            last_error="GET http://10.0.0.7:8080/v0/pipelines answered 401: the API key is not valid",
            last_poll_duration_seconds=1.234,
            next_poll_seconds=NOW + 2,
            budget_remaining=0.2,
            polls_missed=3,
            states={"running": 1},
        ),
        SourceOverview(name="new", provider="feldera", url="http://127.0.0.1:1", up=None),
    ]


def pipelines() -> list[PipelineOverview]:
    """Give pipelines in most states."""
    stopped = {"resources": "Stopped", "runtime": None, "program": "Success", "storage": "InUse"}
    starting = {"resources": "Provisioned", "runtime": "Initializing", "program": "Success", "storage": "InUse"}
    return [
        pipeline("orders-enrichment"),
        pipeline("orders-fraud-score", connector_errors=2),
        pipeline("clickstream-sessions"),
        pipeline("inventory-joins", "starting", statuses=starting, since_seconds=NOW - 8),
        pipeline("archive-2023", "stopped", statuses=stopped, desired={"resources": "Stopped"}),
        pipeline("archive-2024", "stopped", statuses=stopped, desired={"resources": "Stopped"}, since_seconds=None),
        pipeline(
            "payments-ledger",
            "failed",
            statuses=stopped,
            error_code="RuntimeError.WorkerPanic",
            error_text="worker 3 panicked at 'attempt to add with overflow'\nstack backtrace:\n  0: …",
        ),
        pipeline("orders-enrichment", source="staging"),
    ]


@dataclass
class FakeService:
    """Answers from what a test puts in."""

    shown: Sequence[PipelineOverview] = field(default_factory=pipelines)
    names: Sequence[str] = ("prod", "staging")
    ready: tuple[bool, str] = (True, "ready")
    refusal: str | None = None
    failure: Exception | None = None
    body: bytes = b""
    reloads: int = 0
    take_restart: Sequence[str] = ()
    config: ConfigOverview = CONFIG
    journal: JournalOverview = JOURNAL
    threads: set[str] = field(default_factory=set)
    released: threading.Event = field(default_factory=threading.Event)
    entered: threading.Event = field(default_factory=threading.Event)
    blocks: bool = False
    sources: Sequence[SourceOverview] = field(default_factory=sources)

    def exposition(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """Say how it was called, or give the body that was set."""
        self.threads.add(threading.current_thread().name)
        self.entered.set()
        if self.blocks:
            self.released.wait()
        if self.failure is not None:
            raise self.failure
        return self.body or f"openmetrics={openmetrics} sources={sorted(sources) if sources else sources}\n".encode()

    def exposition_gzip(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """Give the same, gzipped."""
        return gzip.compress(self.exposition(openmetrics=openmetrics, sources=sources))

    def source_names(self) -> Collection[str]:
        """Give the names that were set."""
        return self.names

    def overview(self, *, source: str | None, q: str, limit: int) -> Overview:
        """Give the pipelines that were set."""
        shown, matching = select(self.shown, source=source, q=q, limit=limit)
        return Overview(
            version="0.1.0",
            started_at_seconds=NOW - 90_000,
            sources=self.sources,
            pipelines=shown,
            pipelines_matching=matching,
            transitions=[
                TransitionOverview(NOW - 8, "prod", "inventory-joins", "runtime", None, "Initializing"),
                TransitionOverview(NOW - 9, "prod", "inventory-joins", "resources", "Provisioning", "Provisioned"),
                TransitionOverview(NOW - 3700, "prod", "payments-ledger", "resources", "Stopping", "Stopped"),
            ],
            journal=self.journal,
            config=self.config,
        )

    def readiness(self) -> tuple[bool, str]:
        """Give the answer that was set."""
        return self.ready

    async def reload(self) -> Sequence[str]:
        """Count, or refuse with the text that was set."""
        if self.failure is not None:
            raise self.failure
        if self.refusal is not None:
            raise ReloadError(self.refusal)
        self.reloads += 1
        return self.take_restart
