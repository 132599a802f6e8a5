"""HTTP's chunked coding (RFC 9112, section 7.1) taken off a stream, however it comes in pieces.

A vendor that sends each line in a chunk of its own makes thousands of them in one read: those are taken at once, by
compiled code where a compiler was found when this was installed. All else is read chunk by chunk.
"""

from __future__ import annotations

import re
from typing import Final

try:
    from exporter.providers import _chunks
except ImportError:  # pragma: no cover - no compiler at the installation
    _COMPILED = False
else:
    _COMPILED = True

_LONGEST_LINE_BYTES: Final = 16 * 1024
"""Of a chunk's size with its extensions, and of a trailer."""

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?\r?", re.DOTALL)


class _Sizes(dict[bytes, int]):
    """What the sizes of chunks are as numbers; KeyError for the last one and for what is no size without extension."""

    def __missing__(self, text: bytes) -> int:
        size = int(text, 16) if _PLAIN_SIZE.fullmatch(text) else 0
        if not size:
            raise KeyError(text)
        if len(self) >= _KEPT_SIZES:
            self.clear()
        self[text] = size
        return size


_KEPT_SIZES: Final = 4096
_PLAIN_SIZE: Final = re.compile(rb"[0-9A-Fa-f]{1,15}")
_SIZES: Final = _Sizes()


class ChunkedError(ValueError):
    """What came is not in the chunked coding. `before` is the data in front of that place."""

    def __init__(self, problem: str, before: bytes) -> None:
        super().__init__(problem)
        self.before = before


def take_by_split(data: bytes, at: int) -> tuple[bytes, int]:
    """Take the chunks that are whole, from `at` on, if that can be done by one split, else none.

    Returns what is in them, and where the next one begins. They are taken when every length is what its chunk says.
    """
    parts = data[at:].split(b"\r\n") if at else data.split(b"\r\n")
    pairs = (len(parts) - 1) // 2 * 2
    sizes, texts = parts[0:pairs:2], parts[1:pairs:2]
    try:
        if not pairs or list(map(_SIZES.__getitem__, sizes)) != list(map(len, texts)):
            return b"", at
    except KeyError:
        return b"", at
    return b"".join(texts), len(data) - len(b"\r\n".join(parts[pairs:]))


take_many = _chunks.take if _COMPILED else take_by_split
"""Take the chunks that are whole, as `take_by_split` does; where one is not plain, those before it."""


class ChunkDecoder:
    """Feed it what comes; it gives back the data, also of a chunk of which only a part has come."""

    __slots__ = ("_held", "_left", "_place", "done")

    def __init__(self) -> None:
        self.done = False
        """The last chunk has come, and the trailers after it."""
        self._place = "size"
        """What comes next: `size`, `data`, `newline` (the one after the data) or `trailers`."""
        self._left = 0
        """Of the chunk's data."""
        self._held = b""
        """The beginning of a line whose end has not come."""

    def feed(self, data: bytes) -> bytes:
        """Return the data in the next piece of the stream. Raises ChunkedError."""
        if self._held:
            data, self._held = self._held + data, b""
        out: list[bytes] = []
        at = 0
        tried = False
        while at < len(data) and not self.done and not self._held:
            if self._place == "size" and not tried:
                taken, at = take_many(data, at)
                if taken:
                    out.append(taken)
                tried = True
            else:
                at = self._one(data, at, out)
        return out[0] if len(out) == 1 else b"".join(out)

    def _one(self, data: bytes, at: int, out: list[bytes]) -> int:
        """Take what comes next; return where it ends."""
        if self._place == "data":
            text = data[at : at + self._left]
            out.append(text)
            self._left -= len(text)
            if not self._left:
                self._place = "newline"
            return at + len(text)
        end = data.find(b"\n", at)
        if end < 0 or end - at > _LONGEST_LINE_BYTES:
            if len(data) - at > _LONGEST_LINE_BYTES:
                raise ChunkedError(f"a line of over {_LONGEST_LINE_BYTES} bytes in place of a chunk", b"".join(out))
            if self._place == "newline" and data[at:] != b"\r":
                raise ChunkedError(f"{data[at : at + 20]!r} after a chunk", b"".join(out))
            self._held = data[at:]
            return len(data)
        self._read_line(data[at:end], out)
        return end + 1

    def _read_line(self, line: bytes, out: list[bytes]) -> None:
        if self._place == "newline":
            if line not in {b"\r", b""}:
                raise ChunkedError(f"{line[:20]!r} after a chunk", b"".join(out))
            self._place = "size"
        elif self._place == "trailers":
            self.done = line in {b"\r", b""}
        else:
            match = _SIZE.fullmatch(line)
            if match is None:
                raise ChunkedError(f"{line[:20]!r} in place of a chunk's size", b"".join(out))
            self._left = int(match[1], 16)
            self._place = "data" if self._left else "trailers"
