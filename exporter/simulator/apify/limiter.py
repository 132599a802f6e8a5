"""The rate limit of each resource."""

from __future__ import annotations

from collections import deque

_WINDOW_US = 1_000_000


class RateLimiter:
    """Counts the requests to a resource within the last second of a clock."""

    def __init__(self) -> None:
        self._newest: dict[str, deque[int]] = {}

    def allows(self, resource: str, limit: int, now_us: int) -> bool:
        """Return whether one more request is within the limit, and count it if so."""
        newest = self._newest.setdefault(resource, deque())
        while newest and newest[0] <= now_us - _WINDOW_US:
            newest.popleft()
        if len(newest) >= limit:
            return False
        newest.append(now_us)
        return True
