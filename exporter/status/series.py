"""The lines of one pipeline, rendered by family when something changes, so that a scrape only has to join them."""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from exporter.status import families
from exporter.status.job_series import render_active, render_job_counts
from exporter.status.lines import encode, label_pairs, number
from exporter.status.model import STATES
from exporter.status.samples import Lines, counters, created_line, histograms
from exporter.status.words import plain_or_other

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from exporter.status.families import Family
    from exporter.status.model import PipelineNow, Vocabulary
    from exporter.status.tracker import Open, Pipeline
    from exporter.status.words import Words

NS: Final = 1_000_000_000
NO_JOBS: Final[Mapping[tuple[str, str], int]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Context:
    """What rendering needs to know of a source."""

    provider: str
    source: str
    vocabulary: Vocabulary
    words: Words
    zeros: bool = True

    def labels(self, name: str) -> str:
        """Return the labels that all lines of a pipeline begin with."""
        return label_pairs({"provider": self.provider, "source": self.source, "pipeline": name})


@dataclass(slots=True)
class Series:
    """One pipeline's lines by family. Replaced as a whole when something changes, but for `up`."""

    name: str
    now: Mapping[Family, bytes]
    kept: Mapping[Family, Lines]
    seconds: SecondsLines | None
    up: bool
    up_lines: tuple[bytes, bytes]


class SecondsLines:
    """Time in each status: the one family that moves at every poll. The lines that stand still are rendered once."""

    __slots__ = ("_frozen", "_moving", "still")

    def __init__(self, context: Context, labels: str, pipeline: Pipeline) -> None:
        name = families.SECONDS.sample_name
        created = f" {number(pipeline.began_seconds)}\n"
        self._frozen = pipeline.frozen_seconds
        self._moving: list[tuple[str, str, float, Open]] = []
        still: list[tuple[str, float]] = []
        facets = zip(context.vocabulary.facets.items(), pipeline.credited, pipeline.open, strict=True)
        for (facet, known), credited, now in facets:
            shown = dict.fromkeys(known, 0.0) if context.zeros else {}
            shown |= credited
            if now.label is not None:
                shown.setdefault(now.label, 0.0)
            for label, seconds in shown.items():
                pairs = f"{{{labels},{label_pairs({'facet': facet, 'status': label})}}}"
                if label == now.label:
                    self._moving.append((f"{name}{pairs} ", created_line(name, pairs, created), seconds, now))
                else:
                    still.append((pairs, seconds))
        self.still = counters(families.SECONDS, still, created)

    def moving(self, horizon_seconds: float, *, openmetrics: bool) -> bytes:
        """Return the lines of the words that hold now, with the time credited up to a moment."""
        if self._frozen is not None:
            horizon_seconds = min(horizon_seconds, self._frozen)
        lines = []
        for sample, created, shown, now in self._moving:
            seconds = max(shown, now.credited + max(0.0, horizon_seconds - now.since_seconds))
            lines.append(f"{sample}{number(seconds)}\n{created if openmetrics else ''}")
        return encode("".join(lines))


def render_now(
    context: Context, now: PipelineNow, pipeline: Pipeline | None, active: Mapping[tuple[str, str], int] = NO_JOBS
) -> dict[Family, bytes]:
    """Render the gauges of what is now. `pipeline` knows the times of events, where there is one; `active` are its jobs."""
    labels = context.labels(now.name)
    flag = f"{{{labels}}}"
    result = {
        families.INFO: _sample(
            families.INFO, f"{{{labels},{label_pairs({'pipeline_id': now.id, 'version': now.version})}}}", 1
        ),
        families.STATE: _set(families.STATE, labels, STATES, now.state, zeros=context.zeros, name="state"),
        families.STATUS: _sets(context, labels, families.STATUS, context.vocabulary.facets, now.words),
        families.DESIRED: _sets(context, labels, families.DESIRED, context.vocabulary.desired, now.desired),
        families.ERROR: _sample(families.ERROR, flag, int(now.error_code is not None)),
        families.SINCE: _since(context, labels, now, pipeline),
    }
    if now.in_desired_state is not None:
        result[families.IN_DESIRED] = _sample(families.IN_DESIRED, flag, int(now.in_desired_state))
    if now.error_code is not None:
        code = label_pairs({"error_code": plain_or_other(now.error_code)})
        result[families.ERROR_INFO] = _sample(families.ERROR_INFO, f"{{{labels},{code}}}", 1)
    for name, value in now.gauges.items():
        if (family := families.GAUGES.get(name)) is not None:
            result[family] = _sample(family, flag, value)
    result[families.RUNS_ACTIVE] = render_active(context.vocabulary, context.words, labels, active)
    return {family: encode(lines) for family, lines in result.items() if lines}


def render_kept(context: Context, pipeline: Pipeline) -> dict[Family, Lines]:
    """Render what is counted, from a state that has been committed."""
    labels = context.labels(pipeline.name)
    flag = f"{{{labels}}}"
    created = f" {number(pipeline.began_seconds)}\n"
    result = {
        families.TRANSITIONS: counters(families.TRANSITIONS, _transitions(context, labels, pipeline), created),
        families.EVENTS: counters(families.EVENTS, [(flag, pipeline.events)], created),
        families.MISSED: counters(families.MISSED, [(flag, pipeline.missed)], created),
        families.STARTS: histograms(families.STARTS, [(flag, pipeline.starts)], created),
    }
    for name, meter in pipeline.meters.items():
        if (family := families.COUNTERS.get(name)) is not None:
            result[family] = counters(family, [(flag, meter.total)], created)
    if pipeline.newest_ns:
        line = encode(_sample(families.LAST_EVENT, flag, pipeline.newest_ns / NS))
        result[families.LAST_EVENT] = Lines(line, line)
    return result | render_job_counts(context.vocabulary, labels, created, pipeline.jobs)


def render_up(context: Context, name: str) -> tuple[bytes, bytes]:
    """Render the pipeline's `up` as 0 and as 1."""
    pairs = f"{{{context.labels(name)}}}"
    return encode(_sample(families.UP, pairs, 0)), encode(_sample(families.UP, pairs, 1))


def _sample(family: Family, pairs: str, value: float) -> str:
    return f"{family.sample_name}{pairs} {number(value)}\n"


def _label(context: Context, facet: str, word: str | None) -> str | None:
    return None if word is None else context.words.label(facet, word)


def _sets(
    context: Context,
    labels: str,
    family: Family,
    known: Mapping[str, Sequence[str]],
    words: Mapping[str, str | None],
) -> str:
    """Write the state sets of all facets."""
    return "".join(
        _set(family, f'{labels},facet="{facet}"', names, _label(context, facet, words.get(facet)), zeros=context.zeros)
        for facet, names in known.items()
    )


def _set(
    family: Family, labels: str, known: Iterable[str], current: str | None, *, zeros: bool, name: str = "status"
) -> str:
    """Write a state set: every known word with 0 or 1, and the current one if it is not among them."""
    words = dict.fromkeys(known, 0) if zeros else {}
    if current is not None:
        words[current] = 1
    return "".join(_sample(family, f'{{{labels},{name}="{word}"}}', value) for word, value in words.items())


def _since(context: Context, labels: str, now: PipelineNow, pipeline: Pipeline | None) -> str:
    """Write when the current status began: the time of the event that entered it, else the list's, else nothing."""
    lines = []
    for number_, facet in enumerate(context.vocabulary.facets):
        word = now.words.get(facet)
        since = now.since_seconds.get(facet)
        if pipeline is not None and pipeline.words[number_] == word and pipeline.entered_ns[number_]:
            since = pipeline.entered_ns[number_] / NS
        if word is not None and since is not None:
            lines.append(_sample(families.SINCE, f'{{{labels},facet="{facet}"}}', since))
    return "".join(lines)


def _transitions(context: Context, labels: str, pipeline: Pipeline) -> list[tuple[str, int]]:
    rows = []
    for (facet, known), counted in zip(context.vocabulary.facets.items(), pipeline.transitions, strict=True):
        counts = (dict.fromkeys(known, 0) if context.zeros else {}) | counted
        rows += [(f'{{{labels},facet="{facet}",status="{label}"}}', count) for label, count in counts.items()]
    return rows
