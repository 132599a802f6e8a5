"""What a 429 does to a source: nothing is asked for a while, longer from one to the next."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from exporter.providers.budget import Budget

FIRST_SECONDS: Final = 0.5
MAX_SECONDS: Final = 64.0


class Throttle:
    """Holds a budget after answers 429. As long as the vendor says, else a random time in [D, 2D], D doubling from 0.5 s."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._delay_seconds = FIRST_SECONDS

    def refused(self, retry_after_seconds: float | None) -> None:
        """Hold the budget. Of requests that were under way together, and refused together, only the first counts."""
        if retry_after_seconds is not None:
            self._budget.hold(retry_after_seconds)
        elif not self._budget.held_seconds:
            self._budget.hold(self._delay_seconds * random.uniform(1.0, 2.0))  # noqa: S311  (jitter)
            self._delay_seconds = min(self._delay_seconds * 2, MAX_SECONDS)

    def accepted(self) -> None:
        """Begin anew: the vendor has answered."""
        if not self._budget.held_seconds:
            self._delay_seconds = FIRST_SECONDS
