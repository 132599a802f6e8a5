"""What tests of spans share: a source whose jobs end, in a journal, with a destination for their spans."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from exporter.config import Otlp
from exporter.journal import Journal
from exporter.otlp.settings import read_settings
from exporter.polling.tracked import TrackedSource
from exporter.status.exposition import SourceSeries
from exporter.status.model import EndedJob, Vocabulary
from exporter.status.series import Context
from exporter.status.words import Words
from exporter.telemetry import Telemetry
from exporter.tracing import SourceSpans, Tracing
from tests.otlp.carrying import IMPATIENT, until

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from exporter.otlp.sender import Patience

GIB = 1 << 30
STARTED_NS = 1_795_246_231_000_000_000


def job(number: int = 0, **changes: Any) -> EndedJob:
    """Return a run that ended, with an id of its number."""
    ended = EndedJob(
        pipeline_id="moJRLRc85AitArpNN",
        pipeline="jane/hello-world",
        kind="run",
        id=f"run-{number}",
        result="success",
        started_ns=STARTED_NS,
        finished_ns=STARTED_NS + 1_000_000_000 * (number + 1),
        resumed=False,
        build_id="build-0",
    )
    return ended._replace(**changes)


def source_in(journal: Journal) -> TrackedSource:
    """Return a source without pipelines, which commits to a journal."""
    vocabulary = Vocabulary(facets={}, desired={})
    context = Context("apify", "prod", vocabulary, Words(vocabulary.facets), zeros=True)
    return TrackedSource(context, "target", journal, SourceSeries("apify", "prod", 60.0))


@dataclass
class Traced:
    """A source whose spans are sent."""

    journal: Journal
    source: TrackedSource
    tracing: Tracing
    telemetry: Telemetry

    async def settle(self, *jobs: EndedJob) -> None:
        """Let jobs have ended and be settled."""
        self.source.unsent_spans += jobs
        await self.source.commit()

    async def drained(self) -> None:
        """Wait until no span waits any more."""
        await until(lambda: not self.tracing.outbox.waiting_records)

    def lane_of(self, pipeline_id: str) -> int:
        """Return the lane of a pipeline's spans."""
        return self.tracing.outbox.lane_of(("prod", pipeline_id))

    def count(self, metric: str, **labels: str) -> float:
        """Return the value of one of the exporter's own metrics."""
        return self.telemetry.registry.get_sample_value(f"pipeline_exporter_{metric}", labels) or 0.0

    def spans(self) -> dict[str, float]:
        """Return how many spans were counted, by outcome."""
        found = {one: self.count("otlp_spans_total", outcome=one) for one in ("sent", "rejected", "dropped")}
        return {outcome: count for outcome, count in found.items() if count}


@asynccontextmanager
async def tracing_to(
    directory: Path,
    url: str,
    *,
    limit_bytes: int = GIB,
    start: bool = True,
    patience: Patience = IMPATIENT,
    **keys: Any,
) -> AsyncIterator[Traced]:
    """Send the spans of what is settled, until the end of the block."""
    settings = read_settings(Otlp(endpoint=url, **keys), {}, "traces")
    assert settings is not None
    journal, telemetry = Journal(directory), Telemetry()
    await journal.open()
    tracing = Tracing(settings, limit_bytes, journal, telemetry, patience)
    source = source_in(journal)
    source.traces = SourceSpans(tracing, "apify", "prod", {"team": "data"})
    try:
        if start:
            await tracing.start()
        yield Traced(journal, source, tracing, telemetry)
    finally:
        await tracing.stop()
        await journal.close()
