"""The page's tables: pipelines and transitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.web import wording
from exporter.web.fragments import DASH, NOTHING, counted, fill, known_state, short, time
from exporter.web.markup import Html, join

if TYPE_CHECKING:
    from exporter.web.overview import Overview, PipelineOverview, TransitionOverview


def pipelines(overview: Overview, *, source: str | None, q: str, now_seconds: float) -> Html:
    """Show the pipelines that match the filter, or say why there are none."""
    if not overview.pipelines:
        return fill("empty", text=_why_empty(overview, source, q))
    hidden = overview.pipelines_matching - len(overview.pipelines)
    text = f"{counted(hidden, 'more pipeline')} not shown; the filter finds them."
    return fill(
        "pipelines",
        rows=join([_pipeline(pipeline, now_seconds) for pipeline in overview.pipelines]),
        more=fill("more", text=text) if hidden > 0 else NOTHING,
    )


def transitions(overview: Overview, now_seconds: float) -> Html:
    """Show the transitions seen last."""
    if not overview.transitions:
        return fill("empty", text="None since the exporter started.")
    return fill("transitions", rows=join([_transition(each, now_seconds) for each in overview.transitions]))


def _why_empty(overview: Overview, source: str | None, q: str) -> str:
    if source is not None and all(each.name != source for each in overview.sources):
        return f"There is no source {source!r}."
    if q:
        return f"No pipeline has {q!r} in its name."
    if any(each.up is None for each in overview.sources):
        return "No pipelines yet: the first poll has not ended."
    return "No pipelines."


def _pipeline(pipeline: PipelineOverview, now_seconds: float) -> Html:
    return fill(
        "pipeline",
        state=known_state(pipeline.state),
        name=pipeline.name,
        source=pipeline.source,
        words=_words(pipeline),
        error=_error(pipeline),
        since=time(pipeline.since_seconds, now_seconds),
        events=wording.count(pipeline.events_total) if pipeline.events_total is not None else NOTHING,
        last_event=time(pipeline.last_event_seconds, now_seconds),
        lines=wording.rate(pipeline.lines_per_second) if pipeline.lines_per_second is not None else NOTHING,
    )


def _words(pipeline: PipelineOverview) -> Html:
    words = []
    for facet, word in pipeline.statuses.items():
        wanted = pipeline.desired.get(facet)
        differs = wanted is not None and wanted != word
        if word is not None or differs:
            hint = fill("wanted", word=short(wanted)) if differs else NOTHING
            words.append(fill("word", facet=facet, word=short(word) or DASH, wanted=hint))
    return join(words)


def _error(pipeline: PipelineOverview) -> Html:
    errors = []
    if pipeline.error_code is not None or pipeline.error_text:
        code = short(pipeline.error_code)
        errors.append(fill("pipeline_error", code=code, text=short(pipeline.error_text)))
    if pipeline.connector_errors:
        errors.append(fill("pipeline_error", code=counted(pipeline.connector_errors, "connector error"), text=""))
    return join(errors)


def _transition(transition: TransitionOverview, now_seconds: float) -> Html:
    return fill(
        "transition",
        when=time(transition.at_seconds, now_seconds),
        pipeline=transition.pipeline,
        source=transition.source,
        facet=transition.facet,
        before=short(transition.from_status) or DASH,
        after=short(transition.to_status),
    )
