"""One open log of a pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.logs.resume import open_cursor, open_replay

if TYPE_CHECKING:
    from exporter.logs.resume import Position
    from exporter.providers.streams import ByteStream


class FelderaLog:
    """One open log, in cursor mode where the server's headers say so, else as a replay of all it has."""

    complete = False

    def __init__(self, stream: ByteStream, before: Position | None) -> None:
        self._stream = stream
        headers = stream.headers
        self._epoch = headers.get("feldera-logs-epoch", "")
        seq, gap = headers.get("feldera-logs-seq", ""), headers.get("feldera-logs-gap", "0")
        if self._epoch and seq.isdigit():
            self.resume = open_cursor(before, self._epoch, int(seq), int(gap) if gap.isdigit() else 0)
        else:
            self._epoch = ""
            self.resume = open_replay(before)

    @property
    def end(self) -> str | None:
        """How it ended: `end`, `told` (with the server's marker) or `cut`; None while it lasts."""
        return "told" if self._stream.end == "end" and self.resume.said_end else self._stream.end

    async def read(self) -> bytes:
        """Return the next bytes, b"" at the end."""
        return await self._stream.read()

    def uid(self, line: int) -> str | None:
        """Return the id of the record that begins with a new line of this number: made from epoch and number."""
        if not self._epoch:
            return None
        number, piece = self.resume.number(line)
        return f"{self._epoch}-{number}.{piece}" if piece else f"{self._epoch}-{number}"

    async def close(self) -> None:
        """Close it cleanly."""
        await self._stream.close()
