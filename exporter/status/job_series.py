"""The lines of a pipeline's jobs: how they ended, how long they took, what they used, and which have not ended."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING, Final

from exporter.status import families
from exporter.status.histogram import BUCKETS_SECONDS, Histogram
from exporter.status.job_counts import RESULTS, JobCounts, status_label
from exporter.status.lines import encode, label_pairs, number
from exporter.status.series import Lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from exporter.status.families import Family
    from exporter.status.series import Context
    from exporter.status.tracker import Pipeline

_BOUNDS: Final = (*(repr(bound) for bound in BUCKETS_SECONDS), "+Inf")
_NONE: Final = JobCounts()
_NEVER: Final = Histogram()


def render_job_counts(context: Context, pipeline: Pipeline) -> dict[Family, Lines]:
    """Render what has been counted of a pipeline's jobs, from a state that has been committed; zeros from the beginning."""
    kinds = {kind: pipeline.jobs.get(kind, _NONE) for kind in context.vocabulary.jobs}
    if not kinds:
        return {}
    labels = context.labels(pipeline.name)
    created = f" {number(pipeline.began_seconds)}\n"
    runs = [
        (_pairs(labels, kind, result), counts.results.get(result, 0))
        for kind, counts in kinds.items()
        for result in dict.fromkeys((*RESULTS, *counts.results))
    ]
    units = [(_pairs(labels, kind), counts.compute_units) for kind, counts in kinds.items()]
    cost = [(_pairs(labels, kind), counts.cost_usd) for kind, counts in kinds.items()]
    return {
        families.RUNS: _counters(families.RUNS, created, runs),
        families.RUN_DURATION: _durations(labels, created, kinds),
        families.COMPUTE_UNITS: _counters(families.COMPUTE_UNITS, created, units),
        families.COST_USD: _counters(families.COST_USD, created, cost),
    }


def render_active(context: Context, name: str, active: Mapping[tuple[str, str], int]) -> bytes:
    """Render how many jobs have not ended, by kind and the vendor's word; zero where there are none."""
    labels = context.labels(name)
    rows = {(kind, word): 0 for kind, words in context.vocabulary.jobs.items() for word in words}
    for (kind, word), count in active.items():
        known = word in context.vocabulary.jobs.get(kind, ())
        key = (kind, word if known else status_label(context.words, kind, word))
        rows[key] = rows.get(key, 0) + count
    family = families.RUNS_ACTIVE.sample_name
    lines = (
        f"{family}{{{labels},{label_pairs({'kind': kind, 'status': word})}}} {count}\n"
        for (kind, word), count in rows.items()
    )
    return encode("".join(lines))


def _pairs(labels: str, kind: str, result: str | None = None) -> str:
    further = {"kind": kind} if result is None else {"kind": kind, "result": result}
    return f"{{{labels},{label_pairs(further)}}}"


def _counters(family: Family, created: str, rows: Iterable[tuple[str, float]]) -> Lines:
    text, openmetrics = [], []
    for pairs, value in rows:
        line = f"{family.sample_name}{pairs} {number(value)}\n"
        text.append(line)
        openmetrics.append(f"{line}{family.name}_created{pairs}{created}")
    return Lines(encode("".join(text)), encode("".join(openmetrics)))


def _durations(labels: str, created: str, kinds: Mapping[str, JobCounts]) -> Lines:
    name = families.RUN_DURATION.name
    text, openmetrics = [], []
    for kind, counts in kinds.items():
        for result in dict.fromkeys((*RESULTS, *counts.durations)):
            pairs = _pairs(labels, kind, result)
            lines = _histogram(name, pairs, counts.durations.get(result, _NEVER))
            text.append(lines)
            openmetrics.append(f"{lines}{name}_created{pairs}{created}")
    return Lines(encode("".join(text)), encode("".join(openmetrics)))


def _histogram(name: str, pairs: str, durations: Histogram) -> str:
    open_pairs = pairs.removesuffix("}")
    cumulative = list(accumulate(durations.counts))
    buckets = "".join(
        f'{name}_bucket{open_pairs},le="{bound}"}} {count}\n' for bound, count in zip(_BOUNDS, cumulative, strict=True)
    )
    return f"{buckets}{name}_sum{pairs} {number(durations.sum)}\n{name}_count{pairs} {cumulative[-1]}\n"
