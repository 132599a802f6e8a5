"""The bytes of an answer, compressed at most once."""

from __future__ import annotations

import gzip
from typing import Any

import msgspec

_encode = msgspec.json.Encoder().encode


class Body:
    """An immutable body that remembers its gzipped form, so that an unchanged list of 14 MB costs nothing twice."""

    __slots__ = ("_gzipped", "raw")

    def __init__(self, raw: bytes = b"") -> None:
        self.raw = raw
        self._gzipped: bytes | None = None

    @classmethod
    def json(cls, value: Any) -> Body:
        """Encode a value as compact JSON."""
        return cls(_encode(value))

    def gzipped(self) -> bytes:
        """Return the body compressed at level 1. Safe in a thread: at worst two do the same work."""
        if self._gzipped is None:
            self._gzipped = gzip.compress(self.raw, compresslevel=1, mtime=0)
        return self._gzipped
