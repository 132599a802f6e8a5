"""What has been counted of a pipeline's jobs of one kind. The journal keeps it with the pipeline."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from exporter.status.histogram import Histogram

if TYPE_CHECKING:
    from exporter.status.words import Words

RESULTS: Final = ("success", "failure", "timeout", "cancellation")
"""The results that all vendors share, as `cicd.pipeline.result` names them."""


class JobCounts(msgspec.Struct):
    """Ends by the label of their result, how long they took, and what they used."""

    results: dict[str, int] = msgspec.field(default_factory=dict)
    durations: dict[str, Histogram] = msgspec.field(default_factory=dict)
    compute_units: float = 0.0
    cost_usd: float = 0.0

    def count(self, label: str) -> None:
        """Count an end."""
        self.results[label] = self.results.get(label, 0) + 1

    def observe(self, label: str, seconds: float) -> None:
        """Take in how long one took."""
        self.durations.setdefault(label, Histogram()).observe(seconds)


def result_label(words: Words, kind: str, result: str) -> str:
    """Return the label value for a result: unknown ones are bounded as unknown status words are."""
    return result if result in RESULTS else words.label(f"{kind} result", result)


def status_label(words: Words, kind: str, status: str) -> str:
    """Return the label value for the status of a job; a vendor's facet of the kind's name has the same labels."""
    return words.label(kind, status)
