"""Trace and span ids of a job, made from what the vendor says of it: a log record and its span need not meet to agree.

By hand: `printf run/JOB_ID | sha256sum`. The first 32 digits are the trace id, the next 16 the span id.
"""

from __future__ import annotations

import hashlib

_TRACE_ID_BYTES = 16
_SPAN_ID_BYTES = 8


def trace_id(kind: str, job_id: str) -> bytes:
    """Return the trace of a job (`run` or `build`), all its ends and all its log records."""
    return _digest(kind, job_id)[:_TRACE_ID_BYTES]


def span_id(kind: str, job_id: str, finished_ns: int | None = None) -> bytes:
    """Return the span of a job's first end, which its log records carry; with `finished_ns` that of a further end."""
    further = () if finished_ns is None else (str(finished_ns),)
    return _digest(kind, job_id, *further)[_TRACE_ID_BYTES : _TRACE_ID_BYTES + _SPAN_ID_BYTES]


def _digest(*parts: str) -> bytes:
    return hashlib.sha256("/".join(parts).encode("utf-8", "replace")).digest()
