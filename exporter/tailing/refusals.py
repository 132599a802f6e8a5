"""What keeps a stream from opening, in the words of the metrics."""

from __future__ import annotations

from exporter.logs.tailer import StreamRefusedError
from exporter.providers.errors import NotFoundError, ProviderError, StatusError, TimedOutError


def refused(error: ProviderError) -> StreamRefusedError:
    """Return a provider's error as the one that tailers know."""
    reason = "refused"
    if isinstance(error, NotFoundError):
        reason = "not_found"
    elif isinstance(error, TimedOutError):
        reason = "timeout"
    after = error.retry_after_seconds if isinstance(error, StatusError) else None
    return StreamRefusedError(str(error), reason=reason, retry_after_seconds=after)
