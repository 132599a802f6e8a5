"""The rate limit of each resource."""

from __future__ import annotations

from collections import deque

_WINDOW_US = 1_000_000
_MOST_RESOURCES = 10_000


class RateLimiter:
    """Counts the requests to a resource within the last second of a clock."""

    def __init__(self) -> None:
        self._newest: dict[str, deque[int]] = {}

    def allows(self, resource: str, limit: int, now_us: int) -> bool:
        """Return whether one more request is within the limit, and count it if so."""
        if len(self._newest) > _MOST_RESOURCES:
            self._newest = {
                name: times for name, times in self._newest.items() if times and times[-1] > now_us - _WINDOW_US
            }
        newest = self._newest.setdefault(resource, deque())
        while newest and newest[0] <= now_us - _WINDOW_US:
            newest.popleft()
        allowed = len(newest) < limit
        if allowed:
            newest.append(now_us)
        return allowed
