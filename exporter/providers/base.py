"""What a provider is: the small protocol behind which everything special about a vendor lives.

A plug-in registers a factory in the entry point group `pipeline_exporter.providers` under the name that configurations use.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from exporter.logs.resume import Position
    from exporter.logs.tailer import Connection
    from exporter.providers.budget import Priority
    from exporter.providers.http import HttpClient
    from exporter.status.model import Component, Event, Listing, PipelineNow, Vocabulary


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


class Provider(Protocol):
    """One account of a vendor. Every method may raise a `ProviderError`, and nothing else."""

    vocabulary: Vocabulary

    async def list(self) -> Listing:
        """Look at all pipelines, in as few requests as the vendor allows."""

    async def health(self) -> Health | None:
        """Ask for the vendor's own health; None where it does not say."""

    async def history(self, pipeline: PipelineNow, priority: Priority) -> Reading:
        """Read what the vendor has recorded of a pipeline. Raises NotFoundError when it is gone or renamed."""

    async def confirm(self, pipeline: PipelineNow, priority: Priority = ...) -> bool:
        """Ask whether the pipeline's name still belongs to its id."""

    async def alive(self) -> None:
        """Ask whether the vendor answers at all, without credentials where that is possible."""

    async def describe(self) -> str:
        """Name the vendor's server and its version, for people."""

    async def open_log(self, name: str, before: Position | None, priority: Priority) -> Connection:
        """Open the log of the pipeline of that name, to go on after a position."""

    async def close(self) -> None:
        """Let go of connections."""


class Factory(Protocol):
    """Makes the provider of one source. `options` are the source's keys that only this vendor has."""

    def __call__(self, client: HttpClient, options: Mapping[str, str | None], clock: Callable[[], float]) -> Provider:
        """Make a provider; it does no I/O yet. `clock` gives seconds since the epoch."""
