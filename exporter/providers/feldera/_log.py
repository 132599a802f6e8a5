"""One open log of a pipeline."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from exporter.logs.resume import open_cursor, open_replay

if TYPE_CHECKING:
    from exporter.logs.resume import Position
    from exporter.providers.streams import ByteStream


_NUMBER = re.compile("[0-9]{1,18}")
_LONGEST_EPOCH: Final = 64
"""It is a UUID; what is longer goes into the ids of records as a digest, as those have a limit."""


class FelderaLog:
    """One open log, in cursor mode where the server's headers say so, else as a replay of all it has."""

    complete = False

    def __init__(self, stream: ByteStream, before: Position | None) -> None:
        self._stream = stream
        headers = stream.headers
        epoch = headers.get("feldera-logs-epoch", "")
        seq, gap = headers.get("feldera-logs-seq", ""), headers.get("feldera-logs-gap", "0")
        if epoch and _NUMBER.fullmatch(seq):
            self._name = epoch if len(epoch) <= _LONGEST_EPOCH and epoch.isascii() else _digest(epoch)
            self.resume = open_cursor(before, epoch, int(seq), int(gap) if _NUMBER.fullmatch(gap) else 0)
        else:
            self._name = ""
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
        if not self._name:
            return None
        number, piece = self.resume.number(line)
        return f"{self._name}-{number}.{piece}" if piece else f"{self._name}-{number}"

    async def close(self) -> None:
        """Close it cleanly."""
        await self._stream.close()


def _digest(epoch: str) -> str:
    return sha256(epoch.encode("utf-8", "surrogateescape")).hexdigest()
