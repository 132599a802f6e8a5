"""The lines of time in a status, of which most are kept and some written anew, held against the tracker's own account."""

from __future__ import annotations

import pytest

from exporter.providers.feldera import VOCABULARY
from exporter.status.series import Context, SecondsLines
from exporter.status.tracker import Open, Pipeline
from exporter.status.words import Words

WORDS = ("Provisioned", "Running", "Success", "InUse")


def made(frozen_seconds: float | None = None) -> Pipeline:
    """Make a pipeline that has run before, and runs since 1000 s; 5 s of Paused and of Running have been shown already."""
    return Pipeline(
        id="1",
        name="a",
        began_seconds=900.0,
        words=WORDS,
        entered_ns=[0] * 4,
        transitions=[{} for _ in WORDS],
        credited=[{}, {"Paused": 5.0, "Running": 5.0}, {}, {"Strange": 1.5}],
        open=[Open(word, 2.0, 1000.0) for word in WORDS[:3]] + [Open(None, 0.0, 0.0)],
        frozen_seconds=frozen_seconds,
    )


def plain(pipeline: Pipeline, horizon_seconds: float, *, zeros: bool, openmetrics: bool) -> set[str]:
    """Write the lines from the tracker's account, one by one."""
    lines = set()
    for (facet, known), counted in zip(VOCABULARY.facets.items(), pipeline.seconds(horizon_seconds), strict=True):
        for word, seconds in ((dict.fromkeys(known, 0.0) if zeros else {}) | counted).items():
            labels = f'{{provider="feldera",source="prod",pipeline="a",facet="{facet}",status="{word}"}}'
            lines.add(f"hosted_pipeline_status_seconds_total{labels} {seconds!r}")
            if openmetrics:
                lines.add(f"hosted_pipeline_status_seconds_created{labels} 900.0")
    return lines


@pytest.mark.parametrize("openmetrics", [False, True])
@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("frozen_seconds", [None, 1001.5])
@pytest.mark.parametrize("horizon_seconds", [900.0, 1000.0, 1002.5, 5000.25])
def test_lines(horizon_seconds: float, frozen_seconds: float | None, zeros: bool, openmetrics: bool) -> None:
    """Kept and moving lines together are those of the tracker's account up to the horizon, each once."""
    context = Context("feldera", "prod", VOCABULARY, Words(VOCABULARY.facets), zeros=zeros)
    pipeline = made(frozen_seconds)
    lines = SecondsLines(context, context.labels("a"), pipeline)
    written = (lines.still[openmetrics] + lines.moving(horizon_seconds, openmetrics=openmetrics)).decode().splitlines()
    assert plain(pipeline, horizon_seconds, zeros=zeros, openmetrics=openmetrics) == set(written)
    assert len(set(written)) == len(written)
