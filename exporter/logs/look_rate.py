"""How often a moving tail is looked at: so that it moves by at most half of what it shows between two looks."""

from __future__ import annotations

from typing import Final

FASTEST_SECONDS: Final = 1.0
MOST_NEW: Final = 0.5
"""So much of what is shown may be new: the tail may then move twice as fast before anything is missed."""

SLOWER: Final = 1.25
"""It gets faster at once, and slower by this at each look."""


class LookRate:
    """The time between the looks at one pipeline's tails; the fastest of them counts."""

    def __init__(self, slowest_seconds: float) -> None:
        self._slowest = slowest_seconds
        self.fastest_seconds = min(FASTEST_SECONDS, slowest_seconds)
        self.seconds = self.fastest_seconds
        """The time to the next look."""

    def restart(self) -> None:
        """Look often: nothing is known of how fast the tail moves, or it was too fast."""
        self.seconds = self.fastest_seconds

    def saw(self, new_share: float, elapsed_seconds: float) -> None:
        """Take in how much of what an answer showed was new, and how long after the one before it came."""
        wanted = self._slowest
        if new_share > 0:
            wanted = min(wanted, elapsed_seconds * MOST_NEW / new_share)
        # What it was slow enough for without want is not tried out step by step.
        most = max(self.seconds, min(elapsed_seconds, self._slowest)) * SLOWER
        self.seconds = max(min(wanted, most), self.fastest_seconds)
