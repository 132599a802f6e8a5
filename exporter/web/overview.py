"""What the page for people shows, as plain data. Times are seconds since the epoch."""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STATES_FAILING_FIRST = (
    "failed",
    "degraded",
    "unknown",
    "pending",
    "starting",
    "stopping",
    "paused",
    "running",
    "succeeded",
    "stopped",
)
"""The states in the order in which a person wants to see them: what needs care first, what rests last."""

_RANKS = {state: rank for rank, state in enumerate(STATES_FAILING_FIRST)}


@dataclass(frozen=True, slots=True)
class ComponentOverview:
    """The health of one part of the vendor's service."""

    name: str
    healthy: bool
    message: str = ""


@dataclass(frozen=True, slots=True)
class SourceOverview:
    """One configured source and how polling it goes."""

    name: str
    provider: str
    url: str
    """Without credentials: it is shown to everyone who can open the page."""
    up: bool | None
    """None until the first poll has ended."""
    server_version: str | None = None
    last_success_seconds: float | None = None
    last_error: str | None = None
    last_poll_duration_seconds: float | None = None
    next_poll_seconds: float | None = None
    """When the next poll starts."""
    budget_remaining: float | None = None
    """Requests that may be made at once."""
    polls_missed: int = 0
    components: Sequence[ComponentOverview] = ()
    lines_per_second: float | None = None
    """Of all its logs together."""
    states: Mapping[str, int] | None = None
    """How many of the source's pipelines are in each state, whatever the filter; None when not known."""


@dataclass(frozen=True, slots=True)
class PipelineOverview:
    """One pipeline in the table."""

    source: str
    name: str
    state: str
    """One of the design's vocabulary."""
    statuses: Mapping[str, str | None]
    """The vendor's own words by facet."""
    desired: Mapping[str, str | None]
    since_seconds: float | None = None
    error_code: str | None = None
    error_text: str | None = None
    """The first line is shown."""
    events_total: int | None = None
    connector_errors: int | None = None
    last_event_seconds: float | None = None
    lines_per_second: float | None = None
    """Of its log, of late; None where it is not read, or not for long enough."""


@dataclass(frozen=True, slots=True)
class TransitionOverview:
    """One entry into a status."""

    at_seconds: float
    source: str
    pipeline: str
    facet: str
    from_status: str | None
    to_status: str


@dataclass(frozen=True, slots=True)
class JournalOverview:
    """The journal file."""

    path: str
    size_bytes: int
    last_commit_error: str | None = None


@dataclass(frozen=True, slots=True)
class ConfigOverview:
    """The last attempt to load the configuration."""

    last_reload_ok: bool
    last_reload_seconds: float
    last_reload_error: str | None = None


@dataclass(frozen=True, slots=True)
class Overview:
    """Everything on the page, at one moment."""

    version: str
    started_at_seconds: float
    sources: Sequence[SourceOverview]
    pipelines: Sequence[PipelineOverview]
    """The first of those that match the filter, failing first."""
    pipelines_matching: int
    """How many match the filter, shown or not."""
    transitions: Sequence[TransitionOverview]
    """Newest first."""
    journal: JournalOverview
    config: ConfigOverview


class _Selectable(Protocol):
    """Anything that stands for a pipeline, such as a snapshot that is not yet a `PipelineOverview`."""

    @property
    def source(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def state(self) -> str: ...


P = TypeVar("P", bound=_Selectable)


def select(pipelines: Iterable[P], *, source: str | None, q: str, limit: int) -> tuple[list[P], int]:
    """Filter pipelines and give the first `limit`, failing first, and how many match.

    `q` is a part of the name in any case. Only what is given back needs to be made into a `PipelineOverview`, which
    keeps a page over 10,000 pipelines quick.
    """
    wanted = q.casefold()
    matching = [
        pipeline
        for pipeline in pipelines
        if (source is None or pipeline.source == source) and wanted in pipeline.name.casefold()
    ]
    return heapq.nsmallest(limit, matching, key=_order), len(matching)


def _order(pipeline: _Selectable) -> tuple[int, str, str]:
    return _RANKS.get(pipeline.state, _RANKS["unknown"]), pipeline.name, pipeline.source
