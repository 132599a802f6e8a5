"""What the page shows, taken from the running parts."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter import __version__
from exporter.web.overview import (
    ComponentOverview,
    ConfigOverview,
    JournalOverview,
    Overview,
    PipelineOverview,
    SourceOverview,
    TransitionOverview,
    select,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from exporter.app import Exporter
    from exporter.polling.poller import Poller
    from exporter.polling.tracked import Tracked
    from exporter.status.model import Component, PipelineNow
    from exporter.status.tracker import Pipeline

NS = 1_000_000_000
TRANSITIONS = 30
_DEPLOYMENT = ("resources", "runtime")
"""The facets that say how a pipeline of Feldera is, whenever its program was compiled."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A pipeline, as far as it takes to choose which ones are shown."""

    source: str
    name: str
    state: str
    tracked: Tracked


def overview(exporter: Exporter, *, source: str | None, q: str, limit: int) -> Overview:
    """Return what the page shows: at most `limit` pipelines of a source with `q` in their name, failing first."""
    rows, matching = select(_rows(exporter), source=source, q=q, limit=limit)
    return Overview(
        version=__version__,
        started_at_seconds=exporter.started_seconds,
        sources=[_source(exporter, poller) for poller in exporter.pollers.values()],
        pipelines=[_pipeline(exporter, row) for row in rows],
        pipelines_matching=matching,
        transitions=_transitions(exporter, source),
        journal=JournalOverview(
            str(exporter.journal.path),
            exporter.journal.size_bytes(),
            exporter.journal.last_error or exporter.journal.notice,
        ),
        config=ConfigOverview(exporter.reload_error is None, exporter.reload_seconds, exporter.reload_error),
    )


def _rows(exporter: Exporter) -> Iterator[_Row]:
    for name, poller in exporter.pollers.items():
        for tracked in poller.source.by_id.values():
            state = "unknown" if tracked.now is None else tracked.now.state
            yield _Row(name, tracked.pipeline.name, state, tracked)


def _source(exporter: Exporter, poller: Poller) -> SourceOverview:
    name, series = poller.settings.name, poller.source.series
    configured = next(source for source in exporter.config.sources if source.name == name)
    states = Counter(tracked.now.state for tracked in poller.source.by_id.values() if tracked.now is not None)
    return SourceOverview(
        name=name,
        provider=series.provider,
        url=configured.url,
        up=series.up if poller.polled else None,
        server_version=poller.description or None,
        last_success_seconds=series.last_success_seconds,
        last_error=poller.last_error,
        last_poll_duration_seconds=poller.last_poll_seconds,
        next_poll_seconds=exporter.scheduler.next_poll_seconds(name),
        budget_remaining=poller.budget.available(),
        polls_missed=exporter.scheduler.missed(name),
        components=[_component(part) for part in series.components],
        lines_per_second=_lines_per_second(exporter, poller),
        states=dict(states),
    )


def lines_read(pollers: Iterable[Poller]) -> dict[tuple[str, str], int]:
    """Return how many lines of each log were read, by source and pipeline."""
    return {
        (poller.settings.name, pipeline_id): logs.lines_read
        for poller in pollers
        for pipeline_id, logs in list(poller.source.series.logs.items())
    }


def _lines_per_second(exporter: Exporter, poller: Poller) -> float | None:
    rates = [exporter.log_rates.rate(key, lines) for key, lines in lines_read([poller]).items()]
    return sum(rate for rate in rates if rate is not None) if any(rate is not None for rate in rates) else None


def _component(part: Component) -> ComponentOverview:
    """Return a part of the vendor's service; what it says of itself is of interest only when it is not well."""
    return ComponentOverview(part.name, part.healthy, "" if part.healthy else part.message)


def _pipeline(exporter: Exporter, row: _Row) -> PipelineOverview:
    now, pipeline = row.tracked.now, row.tracked.pipeline
    poller = exporter.pollers[row.source]
    logs = poller.source.series.logs.get(pipeline.id)
    return PipelineOverview(
        source=row.source,
        name=row.name,
        state=row.state,
        statuses=now.words if now else {},
        desired=now.desired if now else {},
        since_seconds=_since(now, pipeline, tuple(poller.source.context.vocabulary.facets)),
        error_code=now.error_code if now else None,
        error_text=now.error_message if now else None,
        events_total=pipeline.events,
        connector_errors=int(now.gauges.get("connector_errors", 0)) if now else None,
        last_event_seconds=pipeline.newest_ns / NS if pipeline.newest_ns else None,
        lines_per_second=None if logs is None else exporter.log_rates.rate((row.source, pipeline.id), logs.lines_read),
    )


def _since(now: PipelineNow | None, pipeline: Pipeline, facets: Sequence[str]) -> float | None:
    """Return when the pipeline came to be as it is; of Feldera not when its program was compiled."""
    if now is None:
        return None
    told = set(_DEPLOYMENT) & set(facets) or set(facets)
    entered = dict(zip(facets, pipeline.entered_ns, strict=True))
    times = [entered[facet] / NS if entered[facet] else now.since_seconds.get(facet, 0.0) for facet in told]
    return max(times, default=0.0) or None


def _transitions(exporter: Exporter, source: str | None) -> list[TransitionOverview]:
    """Return the newest transitions, newest first."""
    rows = [
        TransitionOverview(one.at_ns / NS, name, one.pipeline, one.facet, one.before, one.word)
        for name, poller in exporter.pollers.items()
        if source in (None, name)
        for one in poller.source.recent
    ]
    return sorted(rows, key=lambda row: row.at_seconds, reverse=True)[:TRANSITIONS]
