"""Compression of requests, off the event loop where it takes long."""

from __future__ import annotations

import asyncio

from exporter.gzips import compress

_INLINE_BYTES = 64 * 1024


async def gzipped(request: bytes) -> bytes:
    """Return a request compressed with gzip."""
    if len(request) <= _INLINE_BYTES:
        return compress(request)
    return await asyncio.to_thread(compress, request)
