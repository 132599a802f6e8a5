"""Plain data between providers, the tracker and the exposition. Nothing here does I/O or knows a vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
    recorded: bool = True
    """The vendor keeps a history of events. Without one, what each list shows (`PipelineNow.observed`) is the event."""
    jobs: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """The kinds of jobs that pipelines have, and the known words of those that have not ended."""


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
    wanted: bool
    """The user wants the pipeline to run: such pipelines are swept first."""
    changed_ns: int
    """The newest time that the list gives for any change of the pipeline, in nanoseconds since the epoch; 0 unknown."""
    created_ns: int
    """When the pipeline was made; 0 unknown."""
    gauges: Mapping[str, float] = field(default_factory=dict)
    """What else is true now, by the name of its metric without prefix (`replicas`, `pending_records`)."""
    counters: Mapping[str, float] = field(default_factory=dict)
    """What the vendor counts, by the name of its metric without prefix and suffix (`records`); it may start anew."""
    observed: Event | None = None
    """This look as an event, where the vendor keeps none."""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """What one look shows of a job, a run or a build of a pipeline."""

    kind: str
    id: str
    pipeline_id: str
    status: str
    """The vendor's word."""
    result: str
    """How it ended, as `cicd.pipeline.result`; empty while it has not ended."""
    started_ns: int
    finished_ns: int
    """0 where the vendor does not say."""
    compute_units: float | None = None
    """So far; None where this look does not tell."""
    cost_usd: float | None = None
    build_id: str = ""
    """Of a run: the build that it runs."""

    @property
    def key(self) -> str:
        """What the job is known by: ids are unique within a kind."""
        return f"{self.kind}:{self.id}"


class Ending(msgspec.Struct):
    """One end of a job that is not settled."""

    result: str
    started_ns: int
    finished_ns: int
    """0 while the vendor does not say."""
    resumed: bool
    """It had ended before, and was resurrected."""
    counted: bool = False


class Job(msgspec.Struct):
    """What is known of a job, and what has been counted of it. The journal keeps it."""

    kind: str
    id: str
    pipeline_id: str
    status: str
    result: str
    """Empty while it has not ended."""
    started_ns: int
    finished_ns: int
    """Of its newest end, 0 where the vendor does not say."""
    build_id: str = ""
    ends: int = 0
    """How many ends it had, counted or not: with its key, what tells one end from another."""
    counted_ns: int = 0
    """`finished_ns` of the newest end that has been counted, or that lies before the start of counting."""
    compute_units: float = 0.0
    """What has been added to the counters, or lies before the start of counting."""
    cost_usd: float = 0.0
    settle_seconds: float | None = None
    """When to read its final figures; None where nothing is to be settled."""
    reads_log: bool = True
    """Its log is to be read."""
    unsettled: list[Ending] = msgspec.field(default_factory=list)
    """Its ends whose figures are not final, oldest first."""
    based: bool = True
    """What it used before counting began is known, or nothing."""

    @property
    def key(self) -> str:
        """What the job is known by."""
        return f"{self.kind}:{self.id}"


class EndedJob(NamedTuple):
    """One end of a job, settled: what its span tells."""

    pipeline_id: str
    pipeline: str
    kind: str
    id: str
    result: str
    started_ns: int
    finished_ns: int
    resumed: bool
    """It had ended before, and was resurrected."""
    build_id: str


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a source before it is looked at again."""

    names: Mapping[str, str] = field(default_factory=dict)
    """The pipelines' names by id."""
    jobs: Mapping[str, Job] = field(default_factory=dict)
    """By key."""
    newest_ns: Mapping[str, int] = field(default_factory=dict)
    """By kind: the newest start of any job that was ever shown."""
    first: bool = True
    """No look has succeeded yet: counting starts with this one."""
    since_ns: int = 0
    """The newest time of the look with which counting began, by the vendor's clock."""
    selects: Callable[[str], bool] = lambda _name: True
    """Whether the user wants the pipeline of a name: of others nothing but the list is to be read."""


@dataclass(frozen=True, slots=True)
class Account:
    """What an account uses and may use, by the vendor's resource in snake_case."""

    usage: Mapping[str, float]
    limits: Mapping[str, float]


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
    failures: Mapping[str, Exception] = field(default_factory=dict)
    """By id: pipelines that are there, and of which something could not be read; they are shown as last known."""
    problem: Exception | None = None
    """A part of the look failed (a page): nothing that is missing is taken for deleted."""
    jobs: Sequence[JobSeen] = ()
    """The jobs that this look shows."""
    retired: Sequence[str] = ()
    """Keys of known jobs that the vendor has deleted."""
    account: Account | None = None


@dataclass(frozen=True, slots=True)
class Component:
    """The health of one part of the vendor's service."""

    name: str
    healthy: bool
    message: str = field(default="", compare=False)
