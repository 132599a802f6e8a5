"""How long to wait before a stream is opened again: longer each time, and never all streams at once."""

from __future__ import annotations

import random
from typing import Final

FIRST_SECONDS: Final = 0.5
MAX_SECONDS: Final = 30.0


class Backoff:
    """The waits of one stream."""

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS

    def reset(self) -> None:
        """Begin anew: the stream was a good one."""
        self._seconds = FIRST_SECONDS

    def next_seconds(self, retry_after_seconds: float | None = None, most_seconds: float = MAX_SECONDS) -> float:
        """Return the next wait, at least as long as the vendor asked for."""
        wait = min(self._seconds, most_seconds) * random.uniform(0.5, 1.5)  # noqa: S311  (jitter)
        self._seconds = min(self._seconds * 2, MAX_SECONDS)
        return max(wait, retry_after_seconds or 0.0)
