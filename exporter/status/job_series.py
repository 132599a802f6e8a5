"""The lines of a pipeline's jobs: how they ended, how long they took, what they used, and which have not ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from exporter.status import families
from exporter.status.histogram import Histogram
from exporter.status.job_counts import RESULTS, JobCounts, status_label
from exporter.status.lines import label_pairs
from exporter.status.samples import counters, histograms

if TYPE_CHECKING:
    from collections.abc import Mapping

    from exporter.status.families import Family
    from exporter.status.model import Vocabulary
    from exporter.status.samples import Lines
    from exporter.status.words import Words

_NONE: Final = JobCounts()
_NEVER: Final = Histogram()


def render_job_counts(
    vocabulary: Vocabulary, labels: str, created: str, jobs: Mapping[str, JobCounts]
) -> dict[Family, Lines]:
    """Render what has been counted of a pipeline's jobs, by kind; zeros from the beginning.

    `labels` are those of the pipeline, `created` is the end of the lines that say when counting began.
    """
    kinds = {kind: jobs.get(kind, _NONE) for kind in vocabulary.jobs}
    if not kinds:
        return {}
    runs = [
        (_pairs(labels, kind, result), counts.results.get(result, 0))
        for kind, counts in kinds.items()
        for result in dict.fromkeys((*RESULTS, *counts.results))
    ]
    durations = [
        (_pairs(labels, kind, result), counts.durations.get(result, _NEVER))
        for kind, counts in kinds.items()
        for result in dict.fromkeys((*RESULTS, *counts.durations))
    ]
    units = [(_pairs(labels, kind), counts.compute_units) for kind, counts in kinds.items()]
    cost = [(_pairs(labels, kind), counts.cost_usd) for kind, counts in kinds.items()]
    return {
        families.RUNS: counters(families.RUNS, runs, created),
        families.RUN_DURATION: histograms(families.RUN_DURATION, durations, created),
        families.COMPUTE_UNITS: counters(families.COMPUTE_UNITS, units, created),
        families.COST_USD: counters(families.COST_USD, cost, created),
    }


def render_active(vocabulary: Vocabulary, words: Words, labels: str, active: Mapping[tuple[str, str], int]) -> str:
    """Render how many jobs have not ended, by kind and the vendor's word; zero where there are none."""
    rows = {(kind, word): 0 for kind, known in vocabulary.jobs.items() for word in known}
    for (kind, word), count in active.items():
        known = word in vocabulary.jobs.get(kind, ())
        key = (kind, word if known else status_label(words, kind, word))
        rows[key] = rows.get(key, 0) + count
    family = families.RUNS_ACTIVE.sample_name
    return "".join(
        f"{family}{{{labels},{label_pairs({'kind': kind, 'status': word})}}} {count}\n"
        for (kind, word), count in rows.items()
    )


def _pairs(labels: str, kind: str, result: str | None = None) -> str:
    further = {"kind": kind} if result is None else {"kind": kind, "result": result}
    return f"{{{labels},{label_pairs(further)}}}"
