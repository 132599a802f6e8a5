"""The clock of a simulated world: planned actions, done in order as time is let pass. Pure: it knows no real time."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable

Action = Callable[[], None]


class Clock:
    """Nothing happens but in `advance`: it moves from one planned action to the next, however often it is called.

    `now_us` is the time, in microseconds since the epoch. `speed` shortens every wait.
    """

    def __init__(self, *, now_us: int | None = None, speed: float = 1.0) -> None:
        self.now_us = time.time_ns() // 1_000 if now_us is None else now_us
        self.speed = speed
        self._planned: list[tuple[int, int, Action]] = []
        self._number = 0

    def schedule(self, seconds: float, action: Action) -> None:
        """Plan an action, `seconds / speed` from now."""
        self._number += 1
        at_us = self.now_us + round(seconds * 1_000_000 / self.speed)
        heapq.heappush(self._planned, (at_us, self._number, action))

    def repeat(self, seconds: float, action: Action) -> None:
        """Do an action every so many seconds."""

        def once() -> None:
            action()
            self.schedule(seconds, once)

        self.schedule(seconds, once)

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self.advance_to(self.now_us + round(seconds * 1_000_000))

    def advance_to(self, now_us: int) -> None:
        """Let time pass up to a moment, doing everything that was planned before it in order."""
        while self._planned and self._planned[0][0] <= now_us:
            at_us, _, action = heapq.heappop(self._planned)
            self.now_us = max(self.now_us, at_us)
            action()
        self.now_us = max(self.now_us, now_us)

    @property
    def next_action_us(self) -> int | None:
        """When the next planned action is due."""
        return self._planned[0][0] if self._planned else None
