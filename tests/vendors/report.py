"""How a run went."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Report:
    """What was seen, and what was wrong."""

    kills: int
    seconds: float
    counts: dict[str, int]
    problems: list[str]

    def __str__(self) -> str:
        counts = ", ".join(f"{count} {what}" for what, count in sorted(self.counts.items()))
        return "\n".join([f"{self.kills} kills in {self.seconds:.0f} s: {counts}", *self.problems])
