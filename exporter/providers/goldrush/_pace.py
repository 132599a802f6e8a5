"""When a look may make its next request, so that a share of the budget is always left for the logs."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Callable

    from exporter.providers.budget import Budget

POLL_SHARE: Final = 2 / 3
"""Of the budget, at most, for lists, statuses, metrics and health."""

FIRST_LOOK_SECONDS: Final = 15.0
"""The first look may cost as much as if the last had been so long ago."""

LOOK_SECONDS: Final = 28.0
"""A look that needs longer reads a part of the statuses, and the next one goes on.

What is known is to be shown soon, and shown anew before it is too old, which it is after five intervals of 15 s.
"""


class Pace:
    """When the next request of a look may be made: so that a share of the budget is always left."""

    def __init__(self, budget: Budget, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._budget = budget
        self._monotonic = monotonic
        self._began: float | None = None
        self._ended: float | None = None
        self.most = 0.0
        """So many requests a look makes."""
        self._paced = False
        self._next = 0.0

    @property
    def _per_second(self) -> float:
        return self._budget.per_second * POLL_SHARE

    def begin(self) -> float:
        """Begin a look; return how many requests the time since the last one gave."""
        now = self._monotonic()
        self._paced = self._began is not None  # no log is read before the first look has ended
        elapsed = FIRST_LOOK_SECONDS if self._began is None else now - self._began
        self._began = now
        idle = 0.0 if self._ended is None else now - self._ended
        self.most = max(LOOK_SECONDS, idle) * self._per_second
        return elapsed * self._per_second

    def end(self) -> None:
        """End a look."""
        self._ended = self._monotonic()

    async def turn(self) -> None:
        """Wait for the next request's turn; a burst of one second's worth need not wait."""
        if not self._paced:
            return
        now = self._monotonic()
        step = 1 / self._per_second
        self._next = max(self._next, now - max(1.0, step)) + step
        if self._next > now:
            await asyncio.sleep(self._next - now)
