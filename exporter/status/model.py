"""Plain data between providers, the tracker and the exposition. Nothing here does I/O or knows a vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

STATES = (
    "pending",
    "starting",
    "running",
    "degraded",
    "paused",
    "stopping",
    "stopped",
    "succeeded",
    "failed",
    "unknown",
)
"""The one vocabulary of states for all vendors, in the order in which they are written."""


@dataclass(frozen=True, slots=True)
class Vocabulary:
    """The vendor's own words: which facets a pipeline has, and which words are known of each."""

    facets: Mapping[str, Sequence[str]]
    desired: Mapping[str, Sequence[str]]
    errors: frozenset[str] = frozenset()
    """Words that are errors by themselves."""


class Event(NamedTuple):
    """One event of the vendor's history. `words` are in the order of the vocabulary's facets; None is no value."""

    at_ns: int
    """When it was recorded, by the vendor's clock, in nanoseconds since the epoch."""
    id: bytes
    words: tuple[str | None, ...]
    wanted: bool
    """The user wants the pipeline to run."""
    running: bool
    """It runs."""
    settled: bool
    """It is where the user wants it, which need not be running (a start into Paused)."""
    has_error: bool

    @property
    def key(self) -> tuple[int, bytes]:
        """What events are ordered by: the time alone is not unique."""
        return self.at_ns, self.id


@dataclass(frozen=True, slots=True)
class PipelineNow:
    """What a list says of one pipeline now."""

    id: str
    name: str
    version: str
    digest: bytes
    """Equal as long as nothing changed that the vendor would record an event for."""
    words: Mapping[str, str | None]
    since_seconds: Mapping[str, float]
    """By facet: when the current status began, by the vendor's clock; absent where the vendor does not say."""
    desired: Mapping[str, str | None]
    state: str
    in_desired_state: bool | None
    error_code: str | None
    """The standing error, None where there is none."""
    error_message: str
    """The beginning of what the vendor says of it, on one line, for people."""
    connector_errors: int | None
    wanted: bool
    """The user wants the pipeline to run: such pipelines are swept first."""
    changed_ns: int
    """The newest time that the list gives for any change of the pipeline, in nanoseconds since the epoch; 0 unknown."""
    created_ns: int
    """When the pipeline was made; 0 unknown."""


@dataclass(frozen=True, slots=True)
class Listing:
    """One successful look at all pipelines of a source."""

    pipelines: Sequence[PipelineNow]
    malformed: int = 0
    """Entries that could not be read."""
    malformed_ids: frozenset[str] = frozenset()
    """The ids of those of them that have one: these pipelines are there."""
    unidentified: int = 0
    """Those without: any missing pipeline may be one of them."""


@dataclass(frozen=True, slots=True)
class Component:
    """The health of one part of the vendor's service."""

    name: str
    healthy: bool
    message: str = field(default="", compare=False)
