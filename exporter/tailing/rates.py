"""How many log lines a second each pipeline prints, over the last half to whole minute: for the page.

looks      a ─────── b ─────── now      every 30 s one; the rate is from the older of the last two to now
"""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

LOOK_SECONDS: Final = 30.0
SOON_SECONDS: Final = 2.0
"""After less than that, lines say nothing of a rate."""

Key = tuple[str, str]
"""Source and pipeline."""


class _Look(NamedTuple):
    at: float
    lines: Mapping[Key, int]


class LogRates:
    """Looks at the counts of lines now and then. A pipeline that a look did not see had none then."""

    def __init__(self, count: Callable[[], Mapping[Key, int]], clock: Callable[[], float] = time.monotonic) -> None:
        self._count = count
        self._clock = clock
        self._older = self._newer = _Look(clock(), {})

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Note the counts as they are now."""
        self._older, self._newer = self._newer, _Look(self._clock(), self._count())

    def rate(self, key: Key, lines: int) -> float | None:
        """Return how many lines a second a pipeline prints that has so many by now; None while it is too early to say."""
        lasted = self._clock() - self._older.at
        if lasted < SOON_SECONDS:
            return None
        before = self._older.lines.get(key, 0)
        # After a reload its lines are counted from zero again.
        return (lines - before if lines >= before else lines) / lasted
