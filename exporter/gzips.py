"""Compression with gzip, by ISA-L where it has a build for the machine.

ISA-L compresses log records five times as fast as zlib, and a little better; it decompresses them in less than half the time.
"""

from __future__ import annotations

import zlib
from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

try:
    _library: ModuleType = import_module("isal.isal_zlib")
except ImportError:  # pragma: no cover - no build for this machine
    _library = zlib

IS_CHEAP: Final = _library is not zlib
"""Whether compressing costs less than writing what it saves."""

LEVEL: Final = 1
"""Log records shrink to a seventh at level 1, and only a little further at three times the cost."""

_GZIP_WINDOW = 31


def compress(data: bytes) -> bytes:
    """Return data compressed."""
    compressed: bytes = _library.compress(data, LEVEL, wbits=_GZIP_WINDOW)
    return compressed


def decompress(data: bytes) -> bytes:
    """Return data that was compressed. Raises ValueError."""
    try:
        decompressed: bytes = _library.decompress(data, wbits=_GZIP_WINDOW)
    except _library.error as error:
        raise ValueError(str(error)) from error
    return decompressed
