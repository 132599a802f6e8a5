"""Encoded records of one resource, and groups of them as they stand in the file: as MessagePack, compressed if large."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from exporter import gzips

if TYPE_CHECKING:
    from collections.abc import Sequence

_GZIP: Final = b"\x1f\x8b"
"""How compressed data begins; no list in MessagePack does."""

_LARGE_BYTES: Final = 4096


class Group(msgspec.Struct, array_like=True, frozen=True):
    """Encoded records of one resource, in order."""

    stream: str
    """What must stay in order: the pipeline (of a source)."""
    resource: bytes
    records: list[bytes]
    """As they stand in a request; each item is one record or several, whole."""
    further: int = 0
    """How many more records than items there are."""

    @property
    def count(self) -> int:
        """How many records there are."""
        return len(self.records) + self.further


def pack(groups: Sequence[Group]) -> bytes:
    """Return groups as they are written. A disk costs more per byte than compressing does."""
    packed = msgspec.msgpack.encode(groups)
    return gzips.compress(packed) if gzips.IS_CHEAP and len(packed) > _LARGE_BYTES else packed


def unpack(packed: bytes) -> list[Group]:
    """Return groups that were written. Raises ValueError when they cannot be read."""
    try:
        return msgspec.msgpack.decode(
            gzips.decompress(packed) if packed.startswith(_GZIP) else packed, type=list[Group]
        )
    except (msgspec.MsgspecError, ValueError, TypeError, AttributeError) as error:
        raise ValueError(f"a batch in the journal cannot be read: {error}") from error
