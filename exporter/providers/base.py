"""What a provider is: the small protocol behind which everything special about a vendor lives.

A plug-in registers a factory in the entry point group `pipeline_exporter.providers` under the name that configurations use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

from exporter.logs.dialects import ANY
from exporter.providers.budget import Priority
from exporter.status.model import Known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.logs.dialects import Dialect
    from exporter.logs.resume import Position
    from exporter.logs.tailer import Connection
    from exporter.providers.http import HttpClient
    from exporter.status.model import Component, Event, Job, JobSeen, Listing, PipelineNow, Vocabulary

NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class Reading:
    """One reading of a pipeline's whole retained history, in any order."""

    events: Sequence[Event]
    malformed: int = 0
    """Events that could not be read and were left out."""


@dataclass(frozen=True, slots=True)
class Health:
    """What the vendor says of the parts of its own service."""

    components: Sequence[Component]


@dataclass(frozen=True, slots=True)
class LogStream:
    """One log: a pipeline's, or a job's."""

    id: str
    """What its position is kept under: the pipeline's id, or the job's key."""
    pipeline_id: str
    pipeline: str
    """The pipeline's name."""
    job: Job | None = None


@dataclass(frozen=True, slots=True)
class Tail:
    """The newest part of one pod's log, as one answer has it."""

    pod: str
    text: bytes | None
    """None: it could not be fetched."""


class Provider:
    """One account of a vendor. Every method may raise a `ProviderError`, and nothing else.

    What a vendor does not have stays as it is here.
    """

    vocabulary: Vocabulary
    dialect: Dialect = ANY
    """How the lines of its logs begin."""
    logs: Literal["streams", "jobs", "tails"] | None = "streams"
    """Each pipeline's log is one stream; or each job's is one, that ends; or there are only moving tails to ask for.

    None: the vendor shows no logs.
    """

    async def list(self, known: Known = NOTHING_KNOWN) -> Listing:
        """Look at all pipelines and their jobs, in as few requests as the vendor allows."""
        raise NotImplementedError

    async def alive(self) -> None:
        """Ask whether the vendor answers at all, without credentials where that is possible."""
        raise NotImplementedError

    async def describe(self) -> str:
        """Name the vendor's server and its version, for people."""
        return ""

    async def health(self) -> Health | None:
        """Ask for the vendor's own health; None where it does not say."""
        return None

    async def history(self, pipeline: PipelineNow, priority: Priority) -> Reading:  # noqa: ARG002  (of vendors without)
        """Read what the vendor has recorded of a pipeline. Raises NotFoundError when it is gone or renamed."""
        return Reading(())

    async def confirm(self, pipeline: PipelineNow, priority: Priority = Priority.EVENTS) -> bool:  # noqa: ARG002
        """Ask whether the name that a pipeline is asked for by still belongs to its id."""
        return True

    async def job(self, kind: str, job_id: str, priority: Priority) -> JobSeen:
        """Look at one job, with its figures. Raises NotFoundError when the vendor has it no more."""
        raise NotImplementedError

    async def open_log(self, log: LogStream, before: Position | None, priority: Priority) -> Connection:
        """Open a log, to go on after a position. That of a job that has ended is `complete`: it does not go on."""
        raise NotImplementedError

    async def read_tails(self, pipeline_id: str, priority: Priority) -> Sequence[Tail]:
        """Ask once for the newest part of the log of each of a pipeline's pods."""
        raise NotImplementedError

    async def close(self) -> None:
        """Let go of connections."""


class Factory(Protocol):
    """Makes the provider of one source. `options` are the source's keys that only this vendor has."""

    def __call__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> Provider:
        """Make a provider; it does no I/O yet. `clock` gives seconds since the epoch."""
