"""How many requests a source may make: a token bucket with a queue by priority.

Invariant: over any span of t seconds at most `per_second * t + burst` requests are let through, with a burst of one second's
worth (at least one request). While a vendor has asked for quiet (`Retry-After`), none are.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from enum import IntEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

Account = tuple[str, str]
"""URL and key, by which a vendor tells its users apart."""


class Priority(IntEnum):
    """Who goes first when the budget is short."""

    LIST = 0
    EVENTS = 1
    REOPEN = 2
    OPEN = 3
    SWEEP = 4


class Budget:
    """The requests of one vendor's account. Belongs to one event loop; sources may share it."""

    def __init__(self, per_second: float) -> None:
        self.per_second = per_second
        self.burst = max(1.0, per_second)
        self._tokens = self.burst
        self._at = time.monotonic()
        self._held_until = 0.0
        self._waiting: list[tuple[Priority, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self._timer: asyncio.TimerHandle | None = None

    def set_rate(self, per_second: float) -> None:
        """Set how many requests are let through, from now on, also for those that wait already."""
        now = time.monotonic()
        self._tokens, self._at = self._tokens_at(now), now
        self.per_second = per_second
        self.burst = max(1.0, per_second)
        if self._waiting:
            self._serve()

    def available(self) -> float:
        """Return the requests that could be made at this moment. Changes nothing: other threads may ask."""
        return 0.0 if self.held_seconds else self._tokens_at(time.monotonic())

    def wait_seconds(self) -> float:
        """Return how long a request that asked now, behind all others, would wait at least."""
        missing = 1 + len(self._waiting) - self._tokens_at(time.monotonic())
        return max(missing / self.per_second, self.held_seconds)

    @property
    def held_seconds(self) -> float:
        """For how long the vendor still wants no request; 0 when it does not mind."""
        return max(0.0, self._held_until - time.monotonic())

    def hold(self, seconds: float) -> None:
        """Let nothing through for some seconds, because the vendor asked for it."""
        self._held_until = max(self._held_until, time.monotonic() + seconds)

    async def acquire(self, priority: Priority) -> None:
        """Wait until a request may be made. Cancelling it gives the place back."""
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._waiting, (priority, next(self._order), turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._tokens = min(self._tokens + 1, self.burst)
                self._serve()
            raise

    def _tokens_at(self, now: float) -> float:
        return min(self.burst, self._tokens + (now - self._at) * self.per_second)

    def _serve(self) -> None:
        """Let through whom the tokens suffice for, and come back when they suffice for the next one."""
        now = time.monotonic()
        self._tokens, self._at = self._tokens_at(now), now
        while self._waiting and self._waiting[0][2].done():
            heapq.heappop(self._waiting)
        while self._waiting and self._tokens >= 1 and not self.held_seconds:
            turn = heapq.heappop(self._waiting)[2]
            if not turn.done():
                self._tokens -= 1
                turn.set_result(None)
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._waiting:
            missing_seconds = max(0.0, (1 - self._tokens) / self.per_second)
            delay = max(missing_seconds, self.held_seconds, 0.001)
            self._timer = asyncio.get_running_loop().call_later(delay, self._serve)


class Budgets:
    """The budgets of all accounts: sources with the same key and URL share one."""

    def __init__(self) -> None:
        self._budgets: dict[Account, Budget] = {}

    def of(self, account: Account) -> Budget:
        """Return the budget of an account. Raises KeyError for one that has no rate."""
        return self._budgets[account]

    def set_rates(self, rates: Iterable[tuple[Account, float]]) -> None:
        """Set the requests per second of accounts; of several rates for one account the smallest counts."""
        smallest: dict[Account, float] = {}
        for account, per_second in rates:
            smallest[account] = min(per_second, smallest.get(account, per_second))
        for account, per_second in smallest.items():
            if account in self._budgets:
                self._budgets[account].set_rate(per_second)
            else:
                self._budgets[account] = Budget(per_second)
