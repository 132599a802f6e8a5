"""The log of a run or a build: all that the vendor has of it, which goes on while the job runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.logs.resume import open_overlap

if TYPE_CHECKING:
    from exporter.logs.resume import Position
    from exporter.providers.streams import ByteStream


class ApifyLog:
    """One open log. The text alone tells what of it was read before."""

    def __init__(self, stream: ByteStream, before: Position | None, *, complete: bool) -> None:
        self._stream = stream
        self.complete = complete
        """It is the whole text of a job that has ended, and does not go on."""
        self.resume = open_overlap(before, reason="overflow", follow=not complete, cuts_lines=True)

    @property
    def end(self) -> str | None:
        """How it ended: `end` or `cut`; None while it lasts."""
        return self._stream.end

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        return await self._stream.read()

    def uid(self, line: int) -> str | None:  # noqa: ARG002  (lines have no numbers)
        """Return no id: the vendor gives none."""
        return None

    async def close(self) -> None:
        """Close it cleanly."""
        await self._stream.close()
