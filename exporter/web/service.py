"""What the HTTP side needs from the rest of the exporter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from exporter.web.overview import Overview


class ReloadError(Exception):
    """A new configuration was refused; the text says why, for the person who asked."""


class Service(Protocol):
    """The exporter, as seen by someone who asks over HTTP.

    The two expositions block and are called in one thread of their own, never two at a time. Everything else is
    called on the event loop.
    """

    def exposition(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """All metrics as text 0.0.4 or OpenMetrics 1.0.0; `sources` restricts the pipelines, None is all."""
        ...

    def exposition_gzip(self, *, openmetrics: bool, sources: frozenset[str] | None) -> bytes:
        """Give the same, gzipped."""
        ...

    def source_names(self) -> Collection[str]:
        """Give the names that `?source=` may have, in the order of the configuration."""
        ...

    def overview(self, *, source: str | None, q: str, limit: int) -> Overview:
        """Give what the page shows: at most `limit` pipelines of `source` with `q` in their name, failing first."""
        ...

    def readiness(self) -> tuple[bool, str]:
        """Say whether each source was polled and the journal is open, and in words what is missing."""
        ...

    async def reload(self) -> Sequence[str]:
        """Apply the configuration file as it is now, and return what has changed and takes a restart.

        Raises ReloadError if the file is refused; the old configuration stays in force.
        """
        ...
